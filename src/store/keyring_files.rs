//! Keyrings on the disk: `keyring.a` and `keyring.b` of a bucket (docs/FORMAT.md 2.3).

use crate::disk::Disk;
use std::io;

const COPIES: [&str; 2] = ["keyring.a", "keyring.b"];

/// Writes a keyring's bytes to both files of `dir`, one after the other, each under another name first, so that one
/// whole copy exists at every moment.
///
/// # Errors
/// The error of the disk.
pub fn write_keyring(disk: &dyn Disk, dir: &str, bytes: &[u8]) -> io::Result<()> {
    for copy in COPIES {
        let (path, fresh) = (format!("{dir}/{copy}"), format!("{dir}/{copy}.new"));
        match disk.remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.create(&fresh)?;
        file.write_at(0, &[bytes])?;
        file.sync()?;
        disk.rename(&fresh, &path)?;
        disk.sync_dir(dir)?;
    }
    Ok(())
}

/// What lies in the two files, as far as it can be read; a missing or unreadable one gives `None`.
#[must_use]
pub fn read_keyrings(disk: &dyn Disk, dir: &str) -> Vec<(&'static str, Option<Vec<u8>>)> {
    COPIES.into_iter().map(|copy| (copy, read_copy(disk, &format!("{dir}/{copy}")).ok())).collect()
}

fn read_copy(disk: &dyn Disk, path: &str) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > crate::crypt::KEYRING_MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes again whichever file is not `bytes`. Returns their names.
///
/// # Errors
/// The error of the disk.
pub fn repair_keyrings(disk: &dyn Disk, dir: &str, bytes: &[u8]) -> io::Result<Vec<&'static str>> {
    let differing: Vec<&'static str> = read_keyrings(disk, dir)
        .into_iter()
        .filter(|(_, found)| found.as_deref() != Some(bytes))
        .map(|(copy, _)| copy)
        .collect();
    if !differing.is_empty() {
        write_keyring(disk, dir, bytes)?;
    }
    Ok(differing)
}
