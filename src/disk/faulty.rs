//! A wrapper that makes calls of any disk fail, the real one too.
//!
//! A call that is to fail is not made: a write leaves nothing, and what a failed sync did not make durable stays
//! dirty below. How a kernel treats pages after a failed sync is modelled by the simulated disk.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use nix::errno::Errno;

use super::{
    CallCounts, CallKind, DirEntry, Disk, DiskFile, DiskSpace,
    calls::{FaultPlan, os_error},
};

/// A disk with planned failures, over another.
#[derive(Debug)]
pub struct FaultyDisk<D> {
    inner: D,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Debug, Default)]
struct Faults {
    plan: FaultPlan,
    counts: CallCounts,
}

impl<D: Disk> FaultyDisk<D> {
    /// Passes every call on to `inner` until told otherwise.
    pub fn new(inner: D) -> Self {
        Self { inner, faults: Arc::default() }
    }

    /// The disk below.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// Fails the `nth` call from now (1 is the next) of any of `kinds`, once.
    pub fn fail_call(&self, kinds: &[CallKind], nth: u64, errno: Errno) {
        with(&self.faults, |faults| faults.plan.fail_once(kinds, nth, errno));
    }

    /// Fails the `nth` call from now of any of `kinds`, and all later ones.
    pub fn fail_calls_from(&self, kinds: &[CallKind], nth: u64, errno: Errno) {
        with(&self.faults, |faults| faults.plan.fail_from(kinds, nth, errno));
    }

    /// Forgets planned failures.
    pub fn heal(&self) {
        with(&self.faults, |faults| faults.plan.clear());
    }

    /// Calls so far, failed ones too: the range for n.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        with(&self.faults, |faults| faults.counts.clone())
    }

    fn file(&self, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { inner, faults: Arc::clone(&self.faults) })
    }
}

fn with<T>(faults: &Mutex<Faults>, run: impl FnOnce(&mut Faults) -> T) -> T {
    run(&mut faults.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Counts a call; the error that it is to end with.
fn enter(faults: &Mutex<Faults>, kind: CallKind) -> io::Result<()> {
    with(faults, |faults| {
        faults.counts.add(kind);
        faults.plan.count(kind).map_or(Ok(()), |errno| Err(os_error(errno)))
    })
}

impl<D: Disk> Disk for FaultyDisk<D> {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        enter(&self.faults, CallKind::Create)?;
        Ok(self.file(self.inner.create(path)?))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        enter(&self.faults, CallKind::Open)?;
        Ok(self.file(self.inner.open(path)?))
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        enter(&self.faults, CallKind::Open)?;
        Ok(self.file(self.inner.open_read(path)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        enter(&self.faults, CallKind::Rename)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        enter(&self.faults, CallKind::RemoveFile)?;
        self.inner.remove_file(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        enter(&self.faults, CallKind::CreateDir)?;
        self.inner.create_dir(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        enter(&self.faults, CallKind::RemoveDir)?;
        self.inner.remove_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        enter(&self.faults, CallKind::List)?;
        self.inner.list(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        enter(&self.faults, CallKind::SyncDir)?;
        self.inner.sync_dir(path)
    }

    fn space(&self) -> io::Result<DiskSpace> {
        enter(&self.faults, CallKind::Space)?;
        self.inner.space()
    }
}

struct FaultyFile {
    inner: Arc<dyn DiskFile>,
    faults: Arc<Mutex<Faults>>,
}

impl DiskFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        enter(&self.faults, CallKind::Len)?;
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        enter(&self.faults, CallKind::Read)?;
        self.inner.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        enter(&self.faults, CallKind::Write)?;
        self.inner.write_at(offset, parts)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        enter(&self.faults, CallKind::Allocate)?;
        self.inner.allocate(offset, len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        enter(&self.faults, CallKind::SetLen)?;
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        enter(&self.faults, CallKind::Sync)?;
        self.inner.sync()
    }

    fn forget_cache(&self) -> io::Result<()> {
        enter(&self.faults, CallKind::ForgetCache)?;
        self.inner.forget_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use std::io::ErrorKind;

    #[test]
    fn a_call_of_the_real_disk_fails_once() {
        let dir = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new(Arc::new(RealDisk::new(dir.path()).unwrap()));
        let file = disk.create("f").unwrap();
        disk.fail_call(&[CallKind::Write], 2, Errno::ENOSPC);
        file.write_at(0, &[b"a"]).unwrap();
        assert_eq!(file.write_at(1, &[b"b"]).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(file.len().unwrap(), 1);
        file.write_at(1, &[b"b"]).unwrap();
        disk.fail_calls_from(&[CallKind::Sync, CallKind::SyncDir], 1, Errno::EIO);
        assert!(file.sync().is_err() && file.sync().is_err() && disk.sync_dir("").is_err());
        disk.heal();
        file.sync().unwrap();
        assert_eq!((disk.counts().of(CallKind::Write), disk.counts().of(CallKind::Sync)), (3, 3));
    }
}
