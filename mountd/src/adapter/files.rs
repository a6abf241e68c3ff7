//! Open files.

use super::{Adapter, Answer, KEEP, attributes::file_attr, invalidation::mark_reader, number::Place};
use fuser::{
    Errno, FileAttr, FileHandle, FopenFlags, INodeNo, OpenAccMode, OpenFlags, ReplyData, ReplyEmpty, WriteFlags,
};
use nix::fcntl::OFlag;
use std::{cell::RefCell, sync::Arc, time::Duration};
use strongroom::fs::{Access, FileKind, Handle, NewNode, Owner, SeekTo, SetAttributes};

thread_local! {
    /// Where a reader puts the bytes of a reply; kept, so that no request allocates megabytes.
    static REPLY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a `create` request carries.
pub(super) struct NewFile<'a> {
    pub parent: INodeNo,
    pub name: &'a [u8],
    pub mode: u16,
    pub flags: i32,
    pub owner: Owner,
    /// Whether root calls.
    pub privileged: bool,
}

/// An opened file, as the kernel is told of it.
pub(super) struct Opened {
    pub handle: FileHandle,
    pub flags: FopenFlags,
}

impl Adapter {
    pub(super) fn open_file(&self, ino: INodeNo, flags: OpenFlags) -> Answer<Opened> {
        let (slot, inner) = Place::of(ino).within(Errno::EISDIR)?;
        let access = access(flags);
        let handle = self.namespace(slot)?.open_file(inner, access)?;
        Ok(self.opened(ino, handle))
    }

    pub(super) fn create_file(&self, file: &NewFile<'_>) -> Answer<(FileAttr, Duration, Opened)> {
        let (slot, parent) = Place::of(file.parent).within(Errno::EPERM)?;
        let namespace = self.namespace(slot)?;
        let node = NewNode { kind: FileKind::File, mode: file.mode, owner: file.owner, rdev: 0 };
        let flags = OFlag::from_bits_truncate(file.flags);
        let access = access(OpenFlags(file.flags));
        let exclusive = flags.contains(OFlag::O_EXCL);
        let (mut attributes, handle) = namespace.create(parent, file.name, &node, access, exclusive)?.value;
        // The kernel leaves this to us when it asks for a file to be made, and another came first.
        if flags.contains(OFlag::O_TRUNC) && attributes.size > 0 {
            let change = SetAttributes { size: Some(0), kill_privileges: !file.privileged, ..SetAttributes::default() };
            attributes = namespace.setattr(attributes.ino, &change, Some(&handle))?.value;
        }
        let attr = file_attr(slot, &attributes);
        let opened = self.opened(attr.ino, handle);
        Ok((attr, KEEP, opened))
    }

    /// Cached pages stay good over an open: only this mount writes into an inode that exists, a PUT makes a new one,
    /// and whatever else changes content is announced. While such an announcement is on its way, they are dropped.
    fn opened(&self, ino: INodeNo, handle: Handle) -> Opened {
        let mut flags = FopenFlags::empty();
        if !self.invalidations.is_pending(ino) {
            flags |= FopenFlags::FOPEN_KEEP_CACHE;
        }
        if handle.access() == Access::Read {
            // There is nothing to commit at `close`.
            flags |= FopenFlags::FOPEN_NOFLUSH;
        }
        Opened { handle: self.handles.files.insert(handle), flags }
    }

    pub(super) fn file(&self, handle: FileHandle) -> Answer<Arc<Handle>> {
        mark_reader();
        Ok(self.handles.files.get(handle).ok_or(Errno::EBADF)?)
    }

    pub(super) fn read_file(&self, handle: FileHandle, offset: u64, size: u32, reply: ReplyData) {
        let file = match self.file(handle) {
            Ok(file) => file,
            Err(refusal) => return reply.error(refusal.0),
        };
        REPLY.with_borrow_mut(|buffer| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let Some(space) = buffer.get_mut(..size) else { return reply.error(Errno::EIO) };
            match file.namespace().read(&file, offset, space) {
                Ok(len) => reply.data(space.get(..len).unwrap_or_default()),
                Err(error) => reply.error(super::Refusal::from(error).0),
            }
        });
    }

    pub(super) fn write_file(&self, handle: FileHandle, offset: u64, data: &[u8], flags: WriteFlags) -> Answer<u32> {
        let file = self.file(handle)?;
        let len = u32::try_from(data.len()).map_err(|_| Errno::EINVAL)?;
        // The kernel has found the end for `O_APPEND` itself: all POSIX writers of a file go through it.
        let kill_privileges = flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        file.namespace().write(&file, offset, data, kill_privileges)?;
        Ok(len)
    }

    /// `close` waits for the commit, which survives the process, and not for the disk.
    pub(super) fn flush_file(&self, handle: FileHandle) -> Answer<()> {
        let file = self.file(handle)?;
        if file.access() != Access::Read {
            file.namespace().flush(&file)?;
        }
        Ok(())
    }

    pub(super) fn sync_file(&self, handle: FileHandle, reply: ReplyEmpty) {
        let committed = self.file(handle).and_then(|file| {
            let number = file.namespace().fsync(&file)?.number;
            Ok((file, number))
        });
        match committed {
            Ok((file, number)) => self.durable.reply(file.namespace(), number, reply),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    pub(super) fn seek_file(&self, handle: FileHandle, offset: i64, whence: i32) -> Answer<i64> {
        let to = match whence {
            nix::libc::SEEK_DATA => SeekTo::Data,
            nix::libc::SEEK_HOLE => SeekTo::Hole,
            _other => return Err(Errno::EINVAL.into()),
        };
        let file = self.file(handle)?;
        let offset = u64::try_from(offset).map_err(|_| Errno::ENXIO)?;
        let found = file.namespace().seek(&file, offset, to)?;
        Ok(i64::try_from(found).map_err(|_| Errno::EOVERFLOW)?)
    }
}

fn access(flags: OpenFlags) -> Access {
    match flags.acc_mode() {
        OpenAccMode::O_RDONLY => Access::Read,
        OpenAccMode::O_WRONLY => Access::Write,
        OpenAccMode::O_RDWR => Access::ReadWrite,
    }
}
