//! Making files, directories, links and special files through POSIX.

use super::{Access, Attributes, Done, FsError, FsResult, Handle, Ino, Namespace, NewNode, Owner};
use std::sync::Arc;

impl Namespace {
    /// Makes a file or special file.
    ///
    /// # Errors
    /// `Exists`, `NotFound` or `NotDir` (the parent), `NameTooLong`, `InvalidName`, `InvalidArgument` (a kind that has a
    /// call of its own), `NoSpace`.
    pub fn mknod(&self, parent: Ino, name: &[u8], node: &NewNode) -> FsResult<Done<Attributes>> {
        let _ = (parent, name, node);
        Err(FsError::Unsupported("not yet"))
    }

    /// Makes a regular file and opens it, or, unless `exclusive`, opens the file of that name (`O_CREAT` of a name that
    /// came meanwhile). `O_TRUNC` is a [`Self::setattr`] of the caller's.
    ///
    /// # Errors
    /// As [`Self::mknod`] and [`Self::open_file`].
    pub fn create(
        self: &Arc<Self>,
        parent: Ino,
        name: &[u8],
        node: &NewNode,
        access: Access,
        exclusive: bool,
    ) -> FsResult<Done<(Attributes, Handle)>> {
        let _ = (parent, name, node, access, exclusive);
        Err(FsError::Unsupported("not yet"))
    }

    /// Makes a directory; `node.kind` is not looked at.
    ///
    /// # Errors
    /// As [`Self::mknod`].
    pub fn mkdir(&self, parent: Ino, name: &[u8], node: &NewNode) -> FsResult<Done<Attributes>> {
        let _ = (parent, name, node);
        Err(FsError::Unsupported("not yet"))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Self::mknod`]; `NameTooLong` for a target over 4095 bytes, `InvalidArgument` for an empty one.
    pub fn symlink(&self, parent: Ino, name: &[u8], target: &[u8], owner: Owner) -> FsResult<Done<Attributes>> {
        let _ = (parent, name, target, owner);
        Err(FsError::Unsupported("not yet"))
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument` when it is none.
    pub fn readlink(&self, ino: Ino) -> FsResult<Vec<u8>> {
        let _ = ino;
        Err(FsError::NotFound)
    }
}
