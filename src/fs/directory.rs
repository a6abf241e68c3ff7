//! Looking names up and reading directories.

use super::{Attributes, FsError, FsResult, Ino, Namespace};
use std::{ops::ControlFlow, sync::Arc};

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The POSIX name, an alias where the component has no other (R3).
    pub name: Vec<u8>,
    /// Attributes, as `getattr` gives them.
    pub attributes: Attributes,
    /// Where the next read goes on behind this entry.
    pub cookie: u64,
}

/// An open directory. Cookies are stable as long as it lives.
#[derive(Debug)]
pub struct DirectoryHandle {
    pub(super) ino: Ino,
}

impl DirectoryHandle {
    /// The directory.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.ino
    }
}

impl Namespace {
    /// The inode that `name` means in directory `parent`; `.` and `..` are understood (the root is its own parent).
    ///
    /// # Errors
    /// `NotFound`, `NotDir`, `NameTooLong`, `InvalidName`.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> FsResult<Attributes> {
        let _ = (parent, name);
        Err(FsError::NotFound)
    }

    /// Opens a directory for reading.
    ///
    /// # Errors
    /// `NotFound`, `NotDir`.
    pub fn open_dir(self: &Arc<Self>, ino: Ino) -> FsResult<DirectoryHandle> {
        Ok(DirectoryHandle { ino })
    }

    /// Hands entries behind `cookie` (0: from the start) to `take` until it breaks. `.` and `..` come first; the root's
    /// `..` is the root itself. An entry that `take` breaks on counts as not taken, and comes first in the next call.
    ///
    /// # Errors
    /// `NotFound` when the directory is gone.
    pub fn read_dir(
        &self,
        handle: &DirectoryHandle,
        cookie: u64,
        take: &mut dyn FnMut(DirectoryEntry) -> ControlFlow<()>,
    ) -> FsResult<()> {
        let _ = (handle, cookie, take);
        Err(FsError::Unsupported("not yet"))
    }
}
