//! The kernel's table of mounts.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

/// Type under which our mounts stand in the table.
pub(super) const TYPE: &str = "fuse.strongroom";

/// The type of file system mounted last on `point`, if any is. The path itself is not touched: on a dead or hanging
/// mount even `stat` does not return.
///
/// # Errors
/// When the table cannot be read.
pub(super) fn type_on(point: &Path) -> io::Result<Option<String>> {
    Ok(last_on(&fs::read("/proc/self/mountinfo")?, point))
}

pub(crate) fn last_on(table: &[u8], point: &Path) -> Option<String> {
    table.split(|byte| *byte == b'\n').filter_map(parse).rfind(|(on, _)| on == point).map(|(_, kind)| kind)
}

/// Mount point and type of a line: fields 5 and, behind the dash, 1 (proc(5)).
fn parse(line: &[u8]) -> Option<(PathBuf, String)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let point = unescape(fields.nth(4)?);
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    Some((point, String::from_utf8_lossy(kind).into_owned()))
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let escaped = (*first == b'\\').then(|| tail.split_at_checked(3)).flatten().and_then(|(digits, behind)| {
            let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?;
            Some((byte, behind))
        });
        let (byte, behind) = escaped.unwrap_or((*first, tail));
        out.push(byte);
        rest = behind;
    }
    PathBuf::from(OsString::from_vec(out))
}

/// The path as the table shows it: absolute, links resolved in all but its last component, which is not touched.
///
/// # Errors
/// When the directory above does not exist.
pub(super) fn table_path(point: &Path) -> io::Result<PathBuf> {
    let point = std::path::absolute(point)?;
    let (Some(parent), Some(name)) = (point.parent(), point.file_name()) else { return Ok(point) };
    if name.as_bytes() == b".." {
        return point.canonicalize();
    }
    Ok(parent.canonicalize()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 1 0:21 / /proc rw shared:5 - proc proc rw\n\
        90 22 0:50 / /mnt/a\\040b rw,nosuid - fuse.strongroom strongroom rw,user_id=0\n\
        91 22 0:51 / /mnt/a\\040b rw - tmpfs tmpfs rw\n";

    #[test]
    fn the_last_mount_on_a_point_counts() {
        assert_eq!(last_on(TABLE, Path::new("/mnt/a b")).unwrap(), "tmpfs");
        assert_eq!(last_on(TABLE, Path::new("/proc")).unwrap(), "proc");
        assert_eq!(last_on(TABLE, Path::new("/mnt")), None);
    }
}
