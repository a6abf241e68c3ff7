//! Open files: reading and writing through POSIX.

use super::{Done, FsError, FsResult, Ino, Namespace};
use std::sync::Arc;

/// What a handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `O_RDONLY`
    Read,
    /// `O_WRONLY`
    Write,
    /// `O_RDWR`
    ReadWrite,
}

/// Where `lseek` looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeekTo {
    /// The next byte of data (`SEEK_DATA`).
    Data,
    /// The next hole, or the end (`SEEK_HOLE`).
    Hole,
}

/// An open file. While it lives the inode lives, without a name too. Dropping it is `release`.
pub struct Handle {
    pub(super) ino: Ino,
    pub(super) access: Access,
    pub(super) namespace: Arc<Namespace>,
}

impl Handle {
    /// The inode.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.ino
    }

    /// What it may do.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// The bucket it is in.
    #[must_use]
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }
}

impl Namespace {
    /// Opens a regular file.
    ///
    /// # Errors
    /// `NotFound`, `IsDir`, `InvalidArgument` (other kinds: the kernel handles those), `Locked`.
    pub fn open_file(self: &Arc<Self>, ino: Ino, access: Access) -> FsResult<Handle> {
        let _ = (ino, access);
        Err(FsError::NotFound)
    }

    /// Fills `buf` from `offset`, uncommitted writes included; returns how many bytes there were before the end.
    ///
    /// # Errors
    /// `Damaged` for content that does not open (only of the chunks asked for), `Locked`, `Io`, `NotPermitted`.
    pub fn read(&self, handle: &Handle, offset: u64, buf: &mut [u8]) -> FsResult<usize> {
        let _ = (handle, offset, buf);
        Err(FsError::Unsupported("not yet"))
    }

    /// Writes all of `data` at `offset`; seen by reads of this mount at once, by S3 after the commit (R8).
    /// `kill_privileges` drops setuid and setgid, as for callers who are not privileged.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `TooLarge`, `Locked`, `Io`, `NotPermitted`.
    pub fn write(&self, handle: &Handle, offset: u64, data: &[u8], kill_privileges: bool) -> FsResult<()> {
        let _ = (handle, offset, data, kill_privileges);
        Err(FsError::Unsupported("not yet"))
    }

    /// `O_APPEND`: writes at the end as it is at this moment, and returns where that was.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn append(&self, handle: &Handle, data: &[u8], kill_privileges: bool) -> FsResult<u64> {
        let _ = (handle, data, kill_privileges);
        Err(FsError::Unsupported("not yet"))
    }

    /// At `close`: commits what was written through any handle of this inode, without waiting for the disk.
    ///
    /// # Errors
    /// Why the content could not be committed, now or before (promise D5).
    pub fn flush(&self, handle: &Handle) -> FsResult<Done<()>> {
        let _ = handle;
        Err(FsError::Unsupported("not yet"))
    }

    /// At `fsync`: as `flush`; the caller then waits for the number. The number covers every earlier change of the
    /// bucket.
    ///
    /// # Errors
    /// As [`Self::flush`]; every later call on this handle fails too once data was lost.
    pub fn fsync(&self, handle: &Handle) -> FsResult<Done<()>> {
        self.flush(handle)
    }

    /// The next data or hole at or behind `offset`.
    ///
    /// # Errors
    /// `Range` (ENXIO) at or behind the end, or when no data follows.
    pub fn seek(&self, handle: &Handle, offset: u64, to: SeekTo) -> FsResult<u64> {
        let _ = (handle, offset, to);
        Err(FsError::Unsupported("not yet"))
    }
}
