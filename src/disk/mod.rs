//! The few calls that Strongroom makes of a disk, as a trait.
//!
//! Everything above reaches the disk through [`Disk`] and [`DiskFile`], so that a simulated disk can lose, tear and
//! fail what was not synced. Paths are relative to the root that the disk was made with (the store directory), use
//! `/`, and never contain `..`. Knows nothing of formats.
//!
//! What a disk promises (and a simulated one keeps to, no further): bytes written are seen by later reads of the
//! same process at once; they survive the process; they survive a power cut only after [`DiskFile::sync`] returned,
//! each 4 KiB page on its own otherwise. A name made, renamed or removed survives a power cut only after
//! [`Disk::sync_dir`] of its directory; a directory's own name after `sync_dir` of its parent.

mod beneath;
mod calls;
mod count;
mod faulty;
mod fs_kind;
mod lock;
mod path;
mod real;
mod real_file;
mod shared;
mod sim;
#[cfg(test)]
mod tests;

pub use calls::{CallCounts, CallKind};
pub use count::{CountingDisk, DiskTotals};
pub use faulty::FaultyDisk;
pub use fs_kind::FsKind;
pub use lock::{LockError, StoreLock};
pub use real::RealDisk;
pub use sim::{CutMood, Image, SimDisk, is_power_off};

use std::{io, sync::Arc};

/// One directory entry of the disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last component of the path.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// Space on the file system that the disk lies on, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it.
    pub total_bytes: u64,
    /// What this process may still allocate.
    pub available_bytes: u64,
}

/// A directory tree on a disk.
///
/// # Errors
/// Each call returns the `io::Error` of the system call behind it: `NotFound`, `AlreadyExists`, `StorageFull`
/// (ENOSPC and EDQUOT), anything else as it came. After an error of a write or a sync the state of the bytes
/// concerned is unknown; callers stop writing (promise D5).
pub trait Disk: Send + Sync {
    /// Creates a file that must not exist, open for reading and writing, mode 0600.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file for reading only.
    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file or directory, replacing an existing file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; open files of it stay readable and writable.
    fn remove_file(&self, path: &str) -> io::Result<()>;
    /// Makes a directory, mode 0700; its parent must exist.
    fn create_dir(&self, path: &str) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &str) -> io::Result<()>;
    /// The entries of a directory, in no particular order. `""` is the root.
    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>>;
    /// Makes all earlier changes of names in this directory durable. `""` is the root.
    fn sync_dir(&self, path: &str) -> io::Result<()>;
    /// Space left.
    fn space(&self) -> io::Result<DiskSpace>;
}

/// An open file of a [`Disk`]. All calls take positions: there is no cursor, and they may run in parallel.
// `is_empty` would be one more call for each disk to count and fail, and nobody asks it.
#[allow(clippy::len_without_is_empty)]
pub trait DiskFile: Send + Sync {
    /// Length of the file in bytes, allocated tail included.
    fn len(&self) -> io::Result<u64>;
    /// Fills `buf` from `offset`; `UnexpectedEof` when the file ends before.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
    /// Writes all of `parts`, one after another, at `offset` (one `pwritev`).
    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()>;
    /// Takes space for `offset..offset + len` and extends the file to cover it; the new bytes read as zero
    /// (`fallocate` mode 0).
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;
    /// Sets the length; a longer file reads as zero behind its old end.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes all bytes written before the call, and the length, durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
    /// Drops clean cached pages, so that the next read comes from the disk (`POSIX_FADV_DONTNEED`).
    fn forget_cache(&self) -> io::Result<()>;
}
