//! Renaming within a bucket: one commit, whatever is below (R18).

use super::{Done, FsError, FsResult, Ino, Namespace};

/// What a rename does when the target exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replaces it, as POSIX says.
    Replace,
    /// Fails with `Exists` (`RENAME_NOREPLACE`).
    NoReplace,
    /// Swaps both (`RENAME_EXCHANGE`); not offered yet.
    Exchange,
}

impl Namespace {
    /// Moves a name. Content of the source that was written before is committed first (promise D3).
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `NotDir`, `IsDir`, `NotEmpty`, `InvalidArgument` (a directory below itself),
    /// `Unsupported` (exchange), `NameTooLong`, `InvalidName`, `NoSpace`.
    pub fn rename(
        &self,
        from_parent: Ino,
        from: &[u8],
        to_parent: Ino,
        to: &[u8],
        mode: RenameMode,
    ) -> FsResult<Done<()>> {
        let _ = (from_parent, from, to_parent, to, mode);
        Err(FsError::Unsupported("not yet"))
    }
}
