//! Key files: a static key as `name:base64` in a file that only its owner can read.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::fcntl::OFlag;
use zeroize::Zeroizing;

use super::{KeyName, KmsError, SecretKey, parse_secret_key, secret_key::SECRET_KEY_TEXT_MAX_LEN_BYTES};

/// Mode of a key file, and the bits that none may have.
const KEY_FILE_MODE: u32 = 0o600;
const KEY_FILE_FORBIDDEN_BITS: u32 = 0o077;

/// Reads and checks a key file: a regular file, mode 0600 or stricter, `name:base64`.
///
/// # Errors
/// [`KmsError::Denied`] when the file is not there (removing the file is how a static key is locked),
/// [`KmsError::Unreachable`] when it cannot be read, [`KmsError::Configuration`] when its mode or form is wrong.
pub fn read_key_file(path: &Path) -> Result<SecretKey, KmsError> {
    let place = path.display().to_string();
    let wrong = |detail: String| KmsError::configuration(format!("key file {place}: {detail}"));
    // O_NONBLOCK: a FIFO in its place must not hang the start.
    let opened = OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits()).open(path);
    let file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => KmsError::Denied {
            key: "of that file".into(),
            endpoint: place.clone(),
            detail: "the key file does not exist; put it back, or correct the path".into(),
        },
        _ => unreadable(&place, &error),
    })?;
    let metadata = file.metadata().map_err(|error| unreadable(&place, &error))?;
    if !metadata.is_file() {
        return Err(wrong("it is no regular file; give the path of a file that holds `name:base64`".into()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & KEY_FILE_FORBIDDEN_BITS != 0 {
        return Err(wrong(format!("others can reach it (mode {mode:04o}); run `chmod 600 {place}`")));
    }
    let limit = SECRET_KEY_TEXT_MAX_LEN_BYTES + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(limit));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX);
    file.take(bound).read_to_end(&mut text).map_err(|error| unreadable(&place, &error))?;
    parse_secret_key(&text).map_err(|error| wrong(error.to_string()))
}

/// Makes a key file with a new random key of that name, durable before the return: mode 0600, never over an existing
/// file, file and directory synced. Returns the key.
///
/// # Errors
/// [`KmsError::AlreadyExists`] when there is a file, [`KmsError::Configuration`] when it cannot be written; a file
/// half written is removed.
pub fn create_key_file(path: &Path, name: &KeyName) -> Result<SecretKey, KmsError> {
    let place = path.display().to_string();
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        KmsError::configuration(format!("key file {place}: cannot {what}: {error}; give a path that can be written"))
    };
    let key = SecretKey::random(name.clone()).map_err(|error| failed("draw a random key", &error))?;
    let created = OpenOptions::new().write(true).create_new(true).mode(KEY_FILE_MODE).open(path);
    let mut file = created.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => KmsError::AlreadyExists { key: name.to_string(), endpoint: place.clone() },
        _ => failed("create it", &error),
    })?;
    let written = write_key(&mut file, &key).and_then(|()| sync_parent(path));
    if let Err(error) = written {
        // Best effort: the error that matters is the first one.
        let _ = std::fs::remove_file(path);
        return Err(failed("write it", &error));
    }
    Ok(key)
}

fn write_key(file: &mut File, key: &SecretKey) -> std::io::Result<()> {
    file.write_all(key.to_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

fn unreadable(place: &str, error: &std::io::Error) -> KmsError {
    KmsError::Unreachable {
        key: "of that file".into(),
        endpoint: place.into(),
        detail: format!("{error}; make the key file readable for the user that runs this process"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn name() -> KeyName {
        KeyName::new("default").unwrap()
    }

    #[test]
    fn a_key_file_that_was_made_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        let made = create_key_file(&path, &name()).ok().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let read = read_key_file(&path).ok().unwrap();
        assert_eq!(read.name(), made.name());
        assert_eq!(read.expose(), made.expose());
    }

    #[test]
    fn a_key_file_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        create_key_file(&path, &name()).ok().unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(create_key_file(&path, &name()).err(), Some(KmsError::AlreadyExists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_loose_mode_is_refused_with_the_command_that_mends_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        create_key_file(&path, &name()).ok().unwrap();
        for mode in [0o640, 0o604, 0o601, 0o610] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let message = read_key_file(&path).err().unwrap().to_string();
            assert!(message.contains(&format!("chmod 600 {}", path.display())), "{message}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read_key_file(&path).is_ok());
    }

    #[test]
    fn missing_malformed_and_special_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read_key_file(&dir.path().join("none")).err(), Some(KmsError::Denied { .. })));
        assert!(matches!(read_key_file(dir.path()).err(), Some(KmsError::Configuration { .. })));
        let path = dir.path().join("bad");
        std::fs::write(&path, "k:AAAA").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read_key_file(&path).err().unwrap().to_string().contains("3 bytes where 32"));
    }
}
