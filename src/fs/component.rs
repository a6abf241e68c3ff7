//! Components of keys, and the POSIX names that they have by themselves.
//!
//! A component is what stands between the slashes of a key, with a `/` at its end for a directory, so that a scan of
//! entries in byte order is S3's order (R1). POSIX names map to components injectively: a name that S3 cannot carry
//! (not UTF-8, with a control character, or beginning like the escape itself) becomes `.posix~` and its bytes escaped.
//! The reverse, of components that no POSIX name maps to, is the alias table.

use super::{FsError, FsResult};

/// Longest POSIX name in bytes.
pub const NAME_LIMIT_BYTES: usize = 255;

/// Longest S3 key in bytes that a PUT may create.
pub const KEY_LIMIT_BYTES: usize = 1024;

const ESCAPE: &[u8] = b".posix~";

/// One component of a key, with its `/` if it names a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Component(Vec<u8>);

impl Component {
    /// The component of a file (or anything that is not a directory).
    #[must_use]
    pub fn file(base: &[u8]) -> Self {
        Self(base.to_vec())
    }

    /// The component of a directory.
    #[must_use]
    pub fn directory(base: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(base.len().saturating_add(1));
        bytes.extend_from_slice(base);
        bytes.push(b'/');
        Self(bytes)
    }

    /// As stored; `None` when no component looks like this.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let base = bytes.strip_suffix(b"/").unwrap_or(bytes);
        (!bytes.is_empty() && !base.contains(&b'/')).then(|| Self(bytes.to_vec()))
    }

    /// Of the kind wanted.
    #[must_use]
    pub fn of(base: &[u8], directory: bool) -> Self {
        if directory { Self::directory(base) } else { Self::file(base) }
    }

    /// As stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it names a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.0.last() == Some(&b'/')
    }

    /// Without the `/`.
    #[must_use]
    pub fn base(&self) -> &[u8] {
        self.0.strip_suffix(b"/").unwrap_or(&self.0)
    }

    /// The component of the other kind with the same base; there is none for an empty base.
    #[must_use]
    pub fn rival(&self) -> Option<Self> {
        (!self.base().is_empty()).then(|| Self::of(self.base(), !self.is_directory()))
    }

    /// The POSIX name that maps to it, if any does; else it needs an alias.
    #[must_use]
    pub fn plain_name(&self) -> Option<Vec<u8>> {
        plain_name_of(self.base())
    }
}

/// A key split into directories and, unless it ends in `/`, a last component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath {
    /// Directories from the root down.
    pub directories: Vec<Component>,
    /// The object's component; `None` for a key that ends in `/` and so addresses a directory (R2, R4).
    pub object: Option<Component>,
}

impl KeyPath {
    /// Splits an S3 key at `/`.
    ///
    /// # Errors
    /// `InvalidName` when empty or not UTF-8.
    pub fn parse(key: &[u8]) -> FsResult<Self> {
        if key.is_empty() {
            return Err(FsError::InvalidName("an empty key"));
        }
        if std::str::from_utf8(key).is_err() {
            return Err(FsError::InvalidName("a key that is not UTF-8"));
        }
        let mut directories = Vec::new();
        let mut object = None;
        for part in key.split_inclusive(|byte| *byte == b'/') {
            let component = Component(part.to_vec());
            if component.is_directory() {
                directories.push(component);
            } else {
                object = Some(component);
            }
        }
        Ok(Self { directories, object })
    }
}

/// The base of the component that a POSIX name maps to.
///
/// # Errors
/// `InvalidName` for what no POSIX name can be, `NameTooLong` over 255 bytes.
pub fn base_of_name(name: &[u8]) -> FsResult<Vec<u8>> {
    if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
        return Err(FsError::InvalidName("empty, `.`, `..`, or with `/` or NUL"));
    }
    if name.len() > NAME_LIMIT_BYTES {
        return Err(FsError::NameTooLong);
    }
    Ok(if needs_escape(name) { escape(name) } else { name.to_vec() })
}

fn plain_name_of(base: &[u8]) -> Option<Vec<u8>> {
    if let Some(escaped) = base.strip_prefix(ESCAPE) {
        let name = unescape(escaped)?;
        return (needs_escape(&name) && base_of_name(&name).is_ok_and(|back| back == base)).then_some(name);
    }
    (!needs_escape(base) && base_of_name(base).is_ok()).then(|| base.to_vec())
}

fn needs_escape(name: &[u8]) -> bool {
    let control = |byte: &u8| *byte < 0x20 && !matches!(*byte, b'\t' | b'\n' | b'\r');
    name.starts_with(ESCAPE) || name.iter().any(control) || std::str::from_utf8(name).is_err()
}

fn escape(name: &[u8]) -> Vec<u8> {
    let mut out = ESCAPE.to_vec();
    for byte in name {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

fn unescape(escaped: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let (digits, tail) = rest.split_first_chunk::<2>()?;
            let mut byte = [0];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            out.extend_from_slice(&byte);
            rest = tail;
        } else {
            out.push(*first);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_names_are_their_own_components() {
        for name in ["a", "a b", "é", ".s3~fabc", "...", "a\\b", "tab\tand\nline"] {
            assert_eq!(base_of_name(name.as_bytes()).unwrap(), name.as_bytes());
            assert_eq!(Component::file(name.as_bytes()).plain_name().unwrap(), name.as_bytes());
            assert_eq!(Component::directory(name.as_bytes()).plain_name().unwrap(), name.as_bytes());
        }
    }

    #[test]
    fn names_that_s3_cannot_carry_are_escaped_and_come_back() {
        for name in [&b"\xff\xfe"[..], b"a\x01b", b".posix~x", b".posix~%FF", &[0x80; 255]] {
            let base = base_of_name(name).unwrap();
            assert!(std::str::from_utf8(&base).is_ok());
            assert_eq!(Component::file(&base).plain_name().unwrap(), name);
        }
    }

    #[test]
    fn components_that_no_name_maps_to_have_no_plain_name() {
        let long = vec![b'x'; 256];
        for base in [&b""[..], b".", b"..", b"a\0b", b"\x01", b".posix~x", b".posix~%ff", b".posix~%F", &long] {
            assert_eq!(Component::file(base).plain_name(), None, "{base:?}");
        }
    }

    #[test]
    fn keys_split_at_every_slash() {
        let path = KeyPath::parse(b"a//./b").unwrap();
        let parts: Vec<_> = path.directories.iter().map(|part| part.as_bytes().to_vec()).collect();
        assert_eq!(parts, [b"a/".to_vec(), b"/".to_vec(), b"./".to_vec()]);
        assert_eq!(path.object, Some(Component::file(b"b")));
        assert_eq!(KeyPath::parse(b"a/").unwrap().object, None);
        assert!(KeyPath::parse(b"").is_err());
    }
}
