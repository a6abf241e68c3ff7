//! Making files, directories, links and special files through POSIX.

use super::{
    Access, Attributes, Component, Done, FileKind, FsError, FsResult, Handle, Ino, Inode, Namespace, NewNode, Owner,
    Place, alias,
    txn::{self, ChildChange, Located, Txn},
};
use std::sync::Arc;

/// Longest target of a symbolic link in bytes.
const TARGET_LIMIT_BYTES: usize = 4_095;

impl Namespace {
    /// Makes a file or special file.
    ///
    /// # Errors
    /// `Exists`, `NotFound` or `NotDir` (the parent), `NameTooLong`, `InvalidName`, `InvalidArgument` (a kind that has a
    /// call of its own), `NoSpace`.
    pub fn mknod(&self, parent: Ino, name: &[u8], node: &NewNode) -> FsResult<Done<Attributes>> {
        if matches!(node.kind, FileKind::Directory | FileKind::Symlink) {
            return Err(FsError::InvalidArgument("mknod makes no directory and no link"));
        }
        self.make(parent, name, node, &[])
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
        let node = NewNode { kind: FileKind::File, ..*node };
        let mut txn = self.begin()?;
        let directory = txn::load_directory(&txn, parent)?;
        let named = alias::resolve(&txn, &directory, name)?;
        if let Some(located) = named.located {
            if exclusive {
                return Err(FsError::Exists);
            }
            drop(txn);
            let handle = self.open_file(located.inode.ino, access)?;
            let attributes = self.getattr(located.inode.ino)?;
            return Ok(Done { value: (attributes, handle), number: self.committed() });
        }
        let located = txn.add_node(&directory, &named.component, &node, &[])?;
        // Registered before the commit, so that no unlink comes between.
        let handle = Handle::new(self, self.register(&located.inode), access);
        let attributes = self.attributes_of(&located.inode);
        let number = txn.commit()?;
        Ok(Done { value: (attributes, handle), number })
    }

    /// Makes a directory; `node.kind` is not looked at.
    ///
    /// # Errors
    /// As [`Self::mknod`].
    pub fn mkdir(&self, parent: Ino, name: &[u8], node: &NewNode) -> FsResult<Done<Attributes>> {
        self.make(parent, name, &NewNode { kind: FileKind::Directory, ..*node }, &[])
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As [`Self::mknod`]; `NameTooLong` for a target over 4095 bytes, `InvalidArgument` for an empty one.
    pub fn symlink(&self, parent: Ino, name: &[u8], target: &[u8], owner: Owner) -> FsResult<Done<Attributes>> {
        if target.len() > TARGET_LIMIT_BYTES {
            return Err(FsError::NameTooLong);
        }
        if target.is_empty() {
            return Err(FsError::InvalidArgument("an empty link"));
        }
        self.make(parent, name, &NewNode { kind: FileKind::Symlink, mode: 0o777, owner, rdev: 0 }, target)
    }

    /// The target of a symbolic link.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArgument` when it is none.
    pub fn readlink(&self, ino: Ino) -> FsResult<Vec<u8>> {
        let inode = txn::load(self.parts.meta.snapshot()?.as_ref(), ino)?.inode;
        if inode.kind == FileKind::Symlink { Ok(inode.target) } else { Err(FsError::InvalidArgument("not a link")) }
    }

    fn make(&self, parent: Ino, name: &[u8], node: &NewNode, target: &[u8]) -> FsResult<Done<Attributes>> {
        let mut txn = self.begin()?;
        let directory = txn::load_directory(&txn, parent)?;
        let named = alias::resolve(&txn, &directory, name)?;
        if named.located.is_some() {
            return Err(FsError::Exists);
        }
        let located = txn.add_node(&directory, &named.component, node, target)?;
        let attributes = self.attributes_of(&located.inode);
        Ok(Done { value: attributes, number: txn.commit()? })
    }
}

impl Txn<'_> {
    /// Makes an inode and its entry. `free` is the component that the name resolved to.
    fn add_node(&mut self, directory: &Located, free: &Component, node: &NewNode, target: &[u8]) -> FsResult<Located> {
        let parent = self.namespace.attributes_of(&directory.inode);
        if directory.place.is_none() && directory.inode.ino != Ino::ROOT {
            return Err(FsError::NotFound);
        }
        let is_directory = node.kind == FileKind::Directory;
        let mut inode = Inode::blank(Ino(self.number()?), node.kind, self.now);
        inode.mode = node.mode & 0o7777;
        inode.uid = node.owner.uid;
        inode.gid = node.owner.gid;
        inode.rdev = node.rdev;
        inode.target = target.to_vec();
        if node.kind == FileKind::Symlink {
            inode.etag = self.namespace.random_etag()?;
            inode.crc64 = Some(super::crc64(target));
        }
        if parent.mode & 0o2000 != 0 {
            inode.gid = parent.gid;
            if is_directory {
                inode.mode |= 0o2000;
            }
        }
        inode.directory.explicit = is_directory;
        let component = Component::of(free.base(), is_directory);
        self.add_entry(directory.inode.ino, component, inode)
    }

    /// Puts a new inode at a component that is free and has a plain name, through POSIX.
    fn add_entry(&mut self, parent: Ino, component: Component, inode: Inode) -> FsResult<Located> {
        self.state.inodes = self.state.inodes.saturating_add(1);
        let change = ChildChange {
            entries: 1,
            subdirs: i32::from(component.is_directory()),
            listed: i64::from(inode.bears()),
            explicit: true,
            touch: true,
            ..ChildChange::default()
        };
        let located = self.store_at(Place { parent, component }, inode);
        self.change_children(parent, change)?;
        Ok(located)
    }
}
