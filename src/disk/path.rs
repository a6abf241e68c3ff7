//! Paths as a disk takes them: relative, `/`-separated, without a way out of the root.
//!
//! Both disks refuse the same paths, so that what works on the simulated one works on the real one.

use std::io::{Error, ErrorKind, Result};

/// What Linux file systems allow for one name (`NAME_MAX`).
const NAME_MAX_BYTES: usize = 255;

/// The components of `path`; none for the root `""`.
///
/// # Errors
/// `InvalidInput` for an absolute path, an empty, `.` or `..` component, a NUL byte, or a name over 255 bytes.
pub(super) fn components(path: &str) -> Result<Vec<&str>> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    path.split('/').map(|name| if is_name(name) { Ok(name) } else { Err(refused(path)) }).collect()
}

/// Parent path and last component of `path`, both checked.
///
/// # Errors
/// As [`components`]; the root has no name and is refused too.
pub(super) fn parent_and_name(path: &str) -> Result<(&str, &str)> {
    components(path)?;
    match path.rsplit_once('/') {
        Some(split) => Ok(split),
        None if path.is_empty() => Err(refused(path)),
        None => Ok(("", path)),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && name.len() <= NAME_MAX_BYTES && !name.contains('\0')
}

fn refused(path: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{path:?} is not a path relative to the store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_out_of_the_root_are_refused() {
        for path in ["/", "/etc", "..", "a/..", "a/../b", "../a", ".", "a//b", "a/", "a\0b"] {
            assert_eq!(components(path).unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
            assert_eq!(parent_and_name(path).unwrap_err().kind(), ErrorKind::InvalidInput, "{path:?}");
        }
        assert!(components(&"x".repeat(256)).is_err());
        assert!(parent_and_name("").is_err());
    }

    #[test]
    fn ordinary_paths_are_split() {
        assert_eq!(components("").unwrap(), Vec::<&str>::new());
        assert_eq!(components("a/..b/c").unwrap(), ["a", "..b", "c"]);
        assert_eq!(parent_and_name("a").unwrap(), ("", "a"));
        assert_eq!(parent_and_name("a/b/c").unwrap(), ("a/b", "c"));
    }
}
