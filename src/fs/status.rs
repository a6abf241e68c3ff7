//! `getattr` and `setattr`.

use super::{Attributes, Done, FsError, FsResult, Handle, Ino, Namespace, SetAttributes};

impl Namespace {
    /// What `stat` tells, uncommitted writes included.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn getattr(&self, ino: Ino) -> FsResult<Attributes> {
        let _ = ino;
        Err(FsError::NotFound)
    }

    /// Changes attributes; a change of `size` cuts or extends the content. `handle` is the open file of `ftruncate`,
    /// when there is one.
    ///
    /// # Errors
    /// `NotFound`, `IsDir` (size of a directory), `InvalidArgument` (size of a special file), `TooLarge`, `NoSpace`.
    pub fn setattr(&self, ino: Ino, change: &SetAttributes, handle: Option<&Handle>) -> FsResult<Done<Attributes>> {
        let _ = (ino, change, handle);
        Err(FsError::Unsupported("not yet"))
    }
}
