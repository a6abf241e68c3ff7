//! The simulated disk as a [`Disk`], and its open files.

use std::{io, sync::Arc};

use nix::errno::Errno;

use super::{SimDisk, tree::Ino};
use crate::disk::{CallKind, DirEntry, Disk, DiskFile, DiskSpace};

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let ino = self.state().call(CallKind::Create, |state| state.create(path))?;
        Ok(self.handle(ino, true))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let ino = self.state().call(CallKind::Open, |state| state.open(path))?;
        Ok(self.handle(ino, true))
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let ino = self.state().call(CallKind::Open, |state| state.open(path))?;
        Ok(self.handle(ino, false))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().call(CallKind::Rename, |state| state.rename(from, to))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.state().call(CallKind::RemoveFile, |state| state.remove_file(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.state().call(CallKind::CreateDir, |state| state.create_dir(path))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.state().call(CallKind::RemoveDir, |state| state.names.remove_dir(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.state().call(CallKind::List, |state| state.list(path))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.state().call(CallKind::SyncDir, |state| state.sync_dir(path))
    }

    fn space(&self) -> io::Result<DiskSpace> {
        self.state().call(CallKind::Space, |state| Ok(state.space()))
    }
}

impl SimDisk {
    fn handle(&self, ino: Ino, writable: bool) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), ino, writable })
    }
}

/// An open file. It ends with its disk: after a cut or a kill every call fails.
#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    ino: Ino,
    writable: bool,
}

impl SimFile {
    fn check_writable(&self, otherwise: Errno) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(otherwise.into()) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.disk.state().call(CallKind::Len, |state| Ok(state.node(self.ino)?.content.len()))
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.disk.state().call(CallKind::Read, |state| state.node(self.ino)?.content.read(offset, buf))
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.check_writable(Errno::EBADF)?;
        self.disk.state().write(self.ino, offset, parts)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.check_writable(Errno::EBADF)?;
        self.disk.state().call(CallKind::Allocate, |state| state.allocate(self.ino, offset, len))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable(Errno::EINVAL)?;
        self.disk.state().call(CallKind::SetLen, |state| state.set_len(self.ino, len))
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.state().sync(self.ino)
    }

    fn forget_cache(&self) -> io::Result<()> {
        self.disk
            .state()
            .call(CallKind::ForgetCache, |state| state.change(self.ino, |content, _| content.forget_cache()))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state().close(self.ino);
    }
}
