//! Extended attributes, and the ones that stand for S3 metadata and encryption (R13).

use super::{Done, FsError, FsResult, Ino, Namespace};

/// What `setxattr` does when the attribute exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Creates or replaces.
    Either,
    /// `XATTR_CREATE`: `AttrExists` when it exists.
    Create,
    /// `XATTR_REPLACE`: `NoAttr` when it does not.
    Replace,
}

impl Namespace {
    /// The value of an attribute. `user.s3.*` are made from the object's metadata, `user.sse.*` from the bucket's
    /// encryption.
    ///
    /// # Errors
    /// `NoAttr`, `NotFound`.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> FsResult<Vec<u8>> {
        let _ = (ino, name);
        Err(FsError::NoAttr)
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// `AttrExists`, `NoAttr`, `TooLarge` (value over 64 KiB), `NotPermitted` (read-only ones), `InvalidArgument`,
    /// `Unsupported` (`user.sse.*` that start a rotation: not yet).
    pub fn setxattr(&self, ino: Ino, name: &[u8], value: &[u8], mode: SetMode) -> FsResult<Done<()>> {
        let _ = (ino, name, value, mode);
        Err(FsError::Unsupported("not yet"))
    }

    /// Names of the attributes, `user.s3.*` that are set included, `user.sse.*` not.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn listxattr(&self, ino: Ino) -> FsResult<Vec<Vec<u8>>> {
        let _ = ino;
        Err(FsError::Unsupported("not yet"))
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NoAttr`, `NotFound`, `NotPermitted`.
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> FsResult<Done<()>> {
        let _ = (ino, name);
        Err(FsError::Unsupported("not yet"))
    }
}
