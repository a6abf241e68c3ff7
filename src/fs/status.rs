//! `getattr` and `setattr`.

use super::{
    Attributes, Done, ETag, FileKind, FsError, FsResult, Handle, Ino, Inode, MD5_OF_NOTHING, Namespace, RootAttributes,
    SetAttributes, SetTime,
    txn::{self, ChildChange, Txn},
    window::{FILE_SIZE_LIMIT, FileState},
};
use crate::{clock::UnixNanos, crypt};
use std::sync::Arc;

/// The mode without setuid, and without setgid where the group may execute (POSIX, as Linux does it).
pub(super) fn without_privileges(mode: u16) -> u16 {
    let mode = mode & !0o4000;
    if mode & 0o010 != 0 { mode & !0o2000 } else { mode }
}

fn time(set: SetTime, now: UnixNanos) -> UnixNanos {
    match set {
        SetTime::Now => now,
        SetTime::To(time) => time,
    }
}

impl Namespace {
    /// What `stat` tells, uncommitted writes included.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn getattr(&self, ino: Ino) -> FsResult<Attributes> {
        let open = self.open_file_of(ino);
        let state = open.as_ref().map(|file| super::lock(&file.state));
        let snapshot = self.parts.meta.snapshot()?;
        let inode = txn::load(snapshot.as_ref(), ino)?.inode;
        let mut attributes = self.attributes_of(&inode);
        if let Some(state) = &state {
            overlay(&mut attributes, state);
        }
        Ok(attributes)
    }

    /// The attributes of an inode as committed; the root's are the catalog's.
    pub(super) fn attributes_of(&self, inode: &Inode) -> Attributes {
        let mut attributes = inode.attributes();
        if inode.ino == Ino::ROOT {
            let root = self.parts.root.root();
            attributes.mode = root.mode;
            attributes.uid = root.uid;
            attributes.gid = root.gid;
            attributes.ctime = attributes.ctime.max(root.ctime);
        }
        attributes
    }

    /// As `attributes_of`, with uncommitted writes when nobody is in the midst of one.
    pub(super) fn attributes_with_writes(&self, inode: &Inode) -> Attributes {
        let mut attributes = self.attributes_of(inode);
        if let Some(file) = self.open_file_of(inode.ino)
            && let Ok(state) = file.state.try_lock()
        {
            overlay(&mut attributes, &state);
        }
        attributes
    }

    /// Changes attributes; a change of `size` cuts or extends the content. `handle` is the open file of `ftruncate`,
    /// when there is one.
    ///
    /// # Errors
    /// `NotFound`, `IsDir` (size of a directory), `InvalidArgument` (size of a special file), `TooLarge`, `NoSpace`.
    pub fn setattr(&self, ino: Ino, change: &SetAttributes, handle: Option<&Handle>) -> FsResult<Done<Attributes>> {
        let _ = handle;
        if change.size.is_some() {
            let file = self.hold(ino)?;
            let done = {
                let mut state = super::lock(&file.state);
                self.set_with_state(ino, change, Some(&mut state))
            };
            self.let_go(&file);
            return done;
        }
        let open = self.open_file_of(ino);
        let mut state = open.as_ref().map(|file| super::lock(&file.state));
        self.set_with_state(ino, change, state.as_deref_mut())
    }

    fn set_with_state(
        &self,
        ino: Ino,
        change: &SetAttributes,
        mut state: Option<&mut FileState>,
    ) -> FsResult<Done<Attributes>> {
        if let (Some(size), Some(state)) = (change.size, state.as_deref_mut()) {
            if size > FILE_SIZE_LIMIT {
                return Err(FsError::TooLarge("the file"));
            }
            if let Some(lost) = &state.lost {
                return Err(lost.clone());
            }
            if size > 0 {
                // In order: what was written before must not be lost where the cut survives. Cut to nothing, it is moot.
                let file = self.open_file_of(ino).ok_or(FsError::NotFound)?;
                self.commit_file(&file, state)?;
            }
        }
        if ino == Ino::ROOT {
            // Before the transaction: the catalog waits for its disk.
            self.set_root(change, self.parts.clock.now())?;
        }
        let mut txn = self.begin()?;
        let mut located = txn::load(&txn, ino)?;
        let inode = &mut located.inode;
        if let Some(size) = change.size {
            txn.set_size(inode, size)?;
        }
        if ino != Ino::ROOT {
            set_fields(inode, change);
        }
        if let Some(atime) = change.atime {
            inode.atime = time(atime, txn.now);
        }
        if let Some(mtime) = change.mtime {
            inode.mtime = time(mtime, txn.now);
        }
        inode.ctime = txn.now;
        txn.store(&located);
        if located.inode.kind == FileKind::Directory {
            txn.change_children(ino, ChildChange { explicit: true, ..ChildChange::default() })?;
        }
        let mut attributes = self.attributes_of(&located.inode);
        let number = txn.commit()?;
        if let Some(state) = state {
            if let Some(size) = change.size {
                self.forget_writes_behind(state, size);
                state.size = size;
                state.touched = None;
                state.since = None;
            }
            if change.mtime.is_some() {
                state.touched = None;
            }
            state.privileged = located.inode.mode & 0o6000 != 0;
            overlay(&mut attributes, state);
        }
        Ok(Done { value: attributes, number })
    }

    fn set_root(&self, change: &SetAttributes, now: UnixNanos) -> FsResult<()> {
        if change.mode.is_none() && change.uid.is_none() && change.gid.is_none() {
            return Ok(());
        }
        self.parts.root.update_root(&mut |root: &mut RootAttributes| {
            root.mode = change.mode.map_or(root.mode, |mode| mode & 0o7777);
            root.uid = change.uid.unwrap_or(root.uid);
            root.gid = change.gid.unwrap_or(root.gid);
            root.ctime = now;
            Ok(())
        })
    }
}

fn set_fields(inode: &mut Inode, change: &SetAttributes) {
    inode.uid = change.uid.unwrap_or(inode.uid);
    inode.gid = change.gid.unwrap_or(inode.gid);
    if change.kill_privileges && inode.kind != FileKind::Directory {
        inode.mode = without_privileges(inode.mode);
    }
    inode.mode = change.mode.map_or(inode.mode, |mode| mode & 0o7777);
}

fn overlay(attributes: &mut Attributes, state: &FileState) {
    attributes.size = state.size;
    attributes.blocks = state.size.div_ceil(512);
    if let Some(touched) = state.touched {
        attributes.mtime = touched;
        attributes.ctime = attributes.ctime.max(touched);
    }
}

impl Txn<'_> {
    /// Cuts or extends a file. Times change in any case, content tag and checksum with the length.
    fn set_size(&mut self, inode: &mut Inode, size: u64) -> FsResult<()> {
        match inode.kind {
            FileKind::File => {}
            FileKind::Directory => return Err(FsError::IsDir),
            _ => return Err(FsError::InvalidArgument("the size of a special file")),
        }
        inode.mtime = self.now;
        if size == inode.size {
            return Ok(());
        }
        if size < inode.size {
            if size > 0 && !inode.content.inline.is_empty() {
                self.cut_inline(inode, size)?;
            } else {
                self.truncate_content(inode, size)?;
            }
        }
        if inode.nlink > 0 {
            self.state.bytes = self.state.bytes.saturating_sub(inode.size).saturating_add(size);
        }
        inode.size = size;
        let (etag, crc64) = match size {
            0 => (ETag::Md5(MD5_OF_NOTHING), Some(0)),
            _ => (self.namespace.random_etag()?, None),
        };
        self.content_changed(inode, etag, crc64);
        Ok(())
    }

    fn cut_inline(&mut self, inode: &mut Inode, size: u64) -> FsResult<()> {
        let mut plain = self.namespace.open_inline(&inode.content)?;
        plain.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        let key = self.namespace.content_key(&inode.content)?;
        let entropy = Arc::clone(&self.namespace.parts.entropy);
        inode.content.inline = crypt::seal_inline(&key.oek, key.sealed.id(), &plain, entropy.as_ref())?;
        Ok(())
    }
}
