//! A wrapper that counts what is asked of any disk: calls by kind, and bytes.
//!
//! For benchmarks (bytes written for a create) and for budgets in tests. Failed calls are counted as calls; bytes
//! are counted when they were written or read.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{CallCounts, CallKind, DirEntry, Disk, DiskFile, DiskSpace};

/// What a [`CountingDisk`] has seen since it was made or reset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskTotals {
    /// Calls by kind.
    pub calls: CallCounts,
    /// Bytes that reads filled.
    pub read_bytes: u64,
    /// Bytes that writes took.
    pub written_bytes: u64,
    /// Those of the written bytes that a later sync through the same handle covered.
    pub synced_bytes: u64,
    /// Bytes of space asked for by `allocate`.
    pub allocated_bytes: u64,
}

/// A disk that counts, over another.
#[derive(Debug)]
pub struct CountingDisk<D> {
    inner: D,
    totals: Arc<Totals>,
}

#[derive(Debug, Default)]
struct Totals {
    /// In the order of [`CallKind::ALL`].
    calls: [AtomicU64; CallKind::ALL.len()],
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
    synced_bytes: AtomicU64,
    allocated_bytes: AtomicU64,
}

impl Totals {
    fn call(&self, kind: CallKind) {
        if let Some(count) = self.calls.get(kind as usize) {
            add(count, 1);
        }
    }

    fn bytes(&self) -> [&AtomicU64; 4] {
        [&self.read_bytes, &self.written_bytes, &self.synced_bytes, &self.allocated_bytes]
    }
}

/// Nothing is ordered by these numbers; they only have to add up.
fn add(count: &AtomicU64, amount: u64) {
    count.fetch_add(amount, Ordering::Relaxed);
}

impl<D: Disk> CountingDisk<D> {
    /// Counts what is asked of `inner`, from zero.
    pub fn new(inner: D) -> Self {
        Self { inner, totals: Arc::default() }
    }

    /// The disk below.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// The counts so far. While other threads use the disk each number is right for some instant, not all for one.
    #[must_use]
    pub fn totals(&self) -> DiskTotals {
        let mut calls = CallCounts::default();
        for (kind, count) in CallKind::ALL.into_iter().zip(&self.totals.calls) {
            calls.set(kind, count.load(Ordering::Relaxed));
        }
        let [read_bytes, written_bytes, synced_bytes, allocated_bytes] =
            self.totals.bytes().map(|count| count.load(Ordering::Relaxed));
        DiskTotals { calls, read_bytes, written_bytes, synced_bytes, allocated_bytes }
    }

    /// Counts from zero again. Bytes written before and synced after are counted as synced.
    pub fn reset(&self) {
        for count in self.totals.calls.iter().chain(self.totals.bytes()) {
            count.store(0, Ordering::Relaxed);
        }
    }

    fn count<T>(&self, kind: CallKind, run: impl FnOnce(&D) -> T) -> T {
        self.totals.call(kind);
        run(&self.inner)
    }

    fn file(
        &self,
        kind: CallKind,
        run: impl FnOnce(&D) -> io::Result<Arc<dyn DiskFile>>,
    ) -> io::Result<Arc<dyn DiskFile>> {
        let inner = self.count(kind, run)?;
        Ok(Arc::new(CountingFile { inner, totals: Arc::clone(&self.totals), unsynced_bytes: AtomicU64::new(0) }))
    }
}

impl<D: Disk> Disk for CountingDisk<D> {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(CallKind::Create, |disk| disk.create(path))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(CallKind::Open, |disk| disk.open(path))
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(CallKind::Open, |disk| disk.open_read(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.count(CallKind::Rename, |disk| disk.rename(from, to))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        self.count(CallKind::RemoveFile, |disk| disk.remove_file(path))
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.count(CallKind::CreateDir, |disk| disk.create_dir(path))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.count(CallKind::RemoveDir, |disk| disk.remove_dir(path))
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        self.count(CallKind::List, |disk| disk.list(path))
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        self.count(CallKind::SyncDir, |disk| disk.sync_dir(path))
    }

    fn space(&self) -> io::Result<DiskSpace> {
        self.count(CallKind::Space, Disk::space)
    }
}

struct CountingFile {
    inner: Arc<dyn DiskFile>,
    totals: Arc<Totals>,
    unsynced_bytes: AtomicU64,
}

impl DiskFile for CountingFile {
    fn len(&self) -> io::Result<u64> {
        self.totals.call(CallKind::Len);
        self.inner.len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.totals.call(CallKind::Read);
        self.inner.read_at(offset, buf)?;
        add(&self.totals.read_bytes, buf.len() as u64);
        Ok(())
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.totals.call(CallKind::Write);
        self.inner.write_at(offset, parts)?;
        let written = parts.iter().map(|part| part.len() as u64).sum();
        add(&self.totals.written_bytes, written);
        add(&self.unsynced_bytes, written);
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.totals.call(CallKind::Allocate);
        self.inner.allocate(offset, len)?;
        add(&self.totals.allocated_bytes, len);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.totals.call(CallKind::SetLen);
        self.inner.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.totals.call(CallKind::Sync);
        let covered = self.unsynced_bytes.load(Ordering::Relaxed);
        self.inner.sync()?;
        // Syncs that run at once must not count the same bytes twice.
        let counted = self
            .unsynced_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |unsynced| Some(unsynced.saturating_sub(covered)));
        add(&self.totals.synced_bytes, counted.unwrap_or(0).min(covered));
        Ok(())
    }

    fn forget_cache(&self) -> io::Result<()> {
        self.totals.call(CallKind::ForgetCache);
        self.inner.forget_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn calls_and_bytes_add_up() {
        let disk = CountingDisk::new(SimDisk::new(1));
        let file = disk.create("f").unwrap();
        file.write_at(0, &[b"abc", b"de"]).unwrap();
        file.sync().unwrap();
        file.write_at(5, &[b"x"]).unwrap();
        file.read_at(0, &mut [0; 4]).unwrap();
        assert!(file.read_at(0, &mut [0; 40]).is_err());
        file.allocate(0, 100).unwrap();
        let totals = disk.totals();
        assert_eq!(totals.calls, disk.inner().counts().clone().with_zeros());
        assert_eq!(totals.calls.of(CallKind::Read), 2);
        let bytes = (totals.read_bytes, totals.written_bytes, totals.synced_bytes, totals.allocated_bytes);
        assert_eq!(bytes, (4, 6, 5, 100));
        disk.reset();
        assert_eq!(disk.totals().calls.mutating(), 0);
        file.sync().unwrap();
        assert_eq!((disk.totals().written_bytes, disk.totals().synced_bytes), (0, 1));
    }

    impl CallCounts {
        /// With an entry for each kind, to compare with one that has them.
        fn with_zeros(mut self) -> Self {
            for kind in CallKind::ALL {
                self.set(kind, self.of(kind));
            }
            self
        }
    }
}
