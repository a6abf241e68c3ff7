//! Giving names to files, and taking them away.

use super::{Attributes, Done, FsError, FsResult, Ino, Namespace};

impl Namespace {
    /// Gives `ino` one more name.
    ///
    /// # Errors
    /// `NotFound` (also for an orphan), `NotPermitted` (a directory), `Exists`, `TooManyLinks`, and as [`Self::mknod`].
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> FsResult<Done<Attributes>> {
        let _ = (ino, parent, name);
        Err(FsError::Unsupported("not yet"))
    }

    /// Removes a name of anything but a directory. The inode goes with its last name, or when it is closed.
    ///
    /// # Errors
    /// `NotFound`, `NotDir` (the parent), `IsDir`.
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> FsResult<Done<()>> {
        let _ = (parent, name);
        Err(FsError::Unsupported("not yet"))
    }

    /// Removes an empty directory, its facet (R4) with it.
    ///
    /// # Errors
    /// `NotFound`, `NotDir`, `NotEmpty`, `InvalidArgument` for `.`.
    pub fn rmdir(&self, parent: Ino, name: &[u8]) -> FsResult<Done<()>> {
        let _ = (parent, name);
        Err(FsError::Unsupported("not yet"))
    }
}
