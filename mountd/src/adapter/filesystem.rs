//! The requests of the kernel, one by one: each is handed on and its answer sent.

use super::{Adapter, Answer, KEEP, files::NewFile, names::AttributeChange, owner, permissions, xattrs::reply_value};
use fuser::{
    AccessFlags, BsdFileFlags, CopyFileRangeFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use std::{ffi::OsStr, io, ops::ControlFlow, os::unix::ffi::OsStrExt, path::Path, time::SystemTime};

/// Inode numbers are never used twice, so there is one generation.
const GENERATION: Generation = Generation(0);
const WRITE_LIMIT_BYTES: u32 = 1 << 20;
const BACKGROUND_LIMIT: u16 = 64;

/// What is asked of the kernel where it has it. No write-back cache: `close` and `fsync` keep their promises because
/// every write is here when `write` returns. No locks: the kernel keeps them for all programs on this machine.
const WANTED: [InitFlags; 7] = [
    InitFlags::FUSE_ASYNC_READ,
    InitFlags::FUSE_BIG_WRITES,
    InitFlags::FUSE_MAX_PAGES,
    InitFlags::FUSE_ASYNC_DIO,
    InitFlags::FUSE_PARALLEL_DIROPS,
    InitFlags::FUSE_HANDLE_KILLPRIV_V2,
    InitFlags::FUSE_READDIRPLUS_AUTO,
];

fn reply_entry(answer: Answer<FileAttr>, reply: ReplyEntry) {
    match answer {
        Ok(attr) => reply.entry(&KEEP, &attr, GENERATION),
        Err(refusal) => reply.error(refusal.0),
    }
}

fn reply_attr(answer: Answer<FileAttr>, reply: ReplyAttr) {
    match answer {
        Ok(attr) => reply.attr(&KEEP, &attr),
        Err(refusal) => reply.error(refusal.0),
    }
}

fn reply_empty(answer: Answer<()>, reply: ReplyEmpty) {
    match answer {
        Ok(()) => reply.ok(),
        Err(refusal) => reply.error(refusal.0),
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> io::Result<()> {
        for flag in WANTED {
            if config.add_capabilities(flag).is_err() {
                tracing::info!("this kernel does not have {flag:?}");
            }
        }
        if config.capabilities().contains(InitFlags::FUSE_READDIRPLUS_AUTO) {
            // The kernel takes the second only together with the first.
            let _ = config.add_capabilities(InitFlags::FUSE_DO_READDIRPLUS);
        }
        let _ = config.set_max_write(WRITE_LIMIT_BYTES);
        let _ = config.set_max_background(BACKGROUND_LIMIT);
        Ok(())
    }

    fn destroy(&mut self) {
        self.handles.files.clear();
        self.handles.directories.clear();
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        reply_entry(self.lookup_name(parent, name.as_bytes()), reply);
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        reply_attr(self.attributes(ino), reply);
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let privileged = req.uid() == 0;
        let change = AttributeChange { mode, uid, gid, size, atime, mtime, handle, privileged };
        reply_attr(self.set_attributes(ino, change), reply);
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        match self.link_target(ino) {
            Ok(target) => reply.data(&target),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn mknod(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, rdev: u32, reply: ReplyEntry) {
        reply_entry(self.make_node(parent, name.as_bytes(), mode, umask, rdev, owner(req)), reply);
    }

    fn mkdir(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let made = self.make_directory(parent, name.as_bytes(), permissions(mode, umask), owner(req));
        reply_entry(made, reply);
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.remove_name(parent, name.as_bytes()), reply);
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.remove_directory(parent, name.as_bytes()), reply);
    }

    fn symlink(&self, req: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let target = target.as_os_str().as_bytes();
        reply_entry(self.make_symlink(parent, name.as_bytes(), target, owner(req)), reply);
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let moved = self.move_name((parent, name.as_bytes()), (newparent, newname.as_bytes()), flags);
        reply_empty(moved, reply);
    }

    fn link(&self, _req: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr, reply: ReplyEntry) {
        reply_entry(self.add_name(ino, newparent, newname.as_bytes()), reply);
    }

    fn open(&self, _req: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match self.open_file(ino, flags) {
            Ok(opened) => reply.opened(opened.handle, opened.flags),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn read(
        &self,
        _req: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.read_file(handle, offset, size, reply);
    }

    fn write(
        &self,
        _req: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.write_file(handle, offset, data, write_flags) {
            Ok(len) => reply.written(len),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn flush(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, _lock_owner: LockOwner, reply: ReplyEmpty) {
        reply_empty(self.flush_file(handle), reply);
    }

    fn release(
        &self,
        _req: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        drop(self.handles.files.remove(handle));
        reply.ok();
    }

    fn fsync(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.sync_file(handle, reply);
    }

    fn opendir(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.open_directory(ino) {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn readdir(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let read = self.read_directory(handle, offset, &mut |entry| {
            let name = OsStr::from_bytes(&entry.name);
            flow(reply.add(entry.attr.ino, entry.cookie, entry.attr.kind, name))
        });
        match read {
            Ok(()) => reply.ok(),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn readdirplus(
        &self,
        _req: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let read = self.read_directory(handle, offset, &mut |entry| {
            let name = OsStr::from_bytes(&entry.name);
            flow(reply.add(entry.attr.ino, entry.cookie, name, &entry.keep, &entry.attr, GENERATION))
        });
        match read {
            Ok(()) => reply.ok(),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn releasedir(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, _flags: OpenFlags, reply: ReplyEmpty) {
        drop(self.handles.directories.remove(handle));
        reply.ok();
    }

    fn fsyncdir(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, _datasync: bool, reply: ReplyEmpty) {
        self.sync_directory(handle, reply);
    }

    fn statfs(&self, _req: &Request, ino: INodeNo, reply: ReplyStatfs) {
        match self.space(ino) {
            Ok(space) => reply.statfs(
                space.blocks,
                space.free,
                space.available,
                space.inodes,
                space.inodes_free,
                space.block_len_bytes,
                space.name_limit_bytes,
                space.block_len_bytes,
            ),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn setxattr(
        &self,
        _req: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply_empty(self.set_xattr(ino, name.as_bytes(), value, flags), reply);
    }

    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        reply_value(self.xattr(ino, name.as_bytes()), size, reply);
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        reply_value(self.xattr_names(ino), size, reply);
    }

    fn removexattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        reply_empty(self.remove_xattr(ino, name.as_bytes()), reply);
    }

    /// The kernel checks permissions itself (`default_permissions`) and does not ask.
    fn access(&self, _req: &Request, _ino: INodeNo, _mask: AccessFlags, reply: ReplyEmpty) {
        reply.ok();
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let file = NewFile {
            parent,
            name: name.as_bytes(),
            mode: permissions(mode, umask),
            flags,
            owner: owner(req),
            privileged: req.uid() == 0,
        };
        match self.create_file(&file) {
            Ok((attr, keep, opened)) => reply.created(&keep, &attr, GENERATION, opened.handle, opened.flags),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    /// Preallocation would be a promise about later overwrites, which are new sealed bytes elsewhere: not given.
    /// Programs fall back to writing zeros.
    fn fallocate(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _length: u64,
        _mode: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EOPNOTSUPP);
    }

    fn lseek(&self, _req: &Request, _ino: INodeNo, handle: FileHandle, offset: i64, whence: i32, reply: ReplyLseek) {
        match self.seek_file(handle, offset, whence) {
            Ok(offset) => reply.offset(offset),
            Err(refusal) => reply.error(refusal.0),
        }
    }

    /// Not offered: the kernel copies through read and write, and does not ask again.
    fn copy_file_range(
        &self,
        _req: &Request,
        _ino_in: INodeNo,
        _fh_in: FileHandle,
        _offset_in: u64,
        _ino_out: INodeNo,
        _fh_out: FileHandle,
        _offset_out: u64,
        _len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        reply.error(Errno::ENOSYS);
    }
}

/// `add` of a directory reply says whether it is full.
fn flow(full: bool) -> ControlFlow<()> {
    if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
