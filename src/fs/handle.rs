//! Open files: reading and writing through POSIX.

use super::{
    ContentId, Done, FsError, FsResult, Ino, Namespace, records, txn,
    window::{FileState, OpenFile},
};
use crate::bucket::Snapshot;
use std::sync::{Arc, MutexGuard};

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
    pub(super) file: Arc<OpenFile>,
    pub(super) access: Access,
    pub(super) namespace: Arc<Namespace>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.namespace.let_go(&self.file);
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("ino", &self.file.ino).field("access", &self.access).finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(namespace: &Arc<Namespace>, file: Arc<OpenFile>, access: Access) -> Self {
        Self { file, access, namespace: Arc::clone(namespace) }
    }

    /// The inode.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.file.ino
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

    fn state_to_write(&self) -> FsResult<MutexGuard<'_, FileState>> {
        if self.access == Access::Read {
            return Err(FsError::NotPermitted("the handle is for reading"));
        }
        Ok(super::lock(&self.file.state))
    }
}

impl Namespace {
    /// Opens a regular file.
    ///
    /// # Errors
    /// `NotFound`, `IsDir`, `InvalidArgument` (other kinds: the kernel handles those), `Locked`.
    pub fn open_file(self: &Arc<Self>, ino: Ino, access: Access) -> FsResult<Handle> {
        Ok(Handle::new(self, self.hold(ino)?, access))
    }

    /// Fills `buf` from `offset`, uncommitted writes included; returns how many bytes there were before the end.
    ///
    /// # Errors
    /// `Damaged` for content that does not open (only of the chunks asked for), `Locked`, `Io`.
    pub fn read(&self, handle: &Handle, offset: u64, buf: &mut [u8]) -> FsResult<usize> {
        let state = super::lock(&handle.file.state);
        let there = usize::try_from(state.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..there) else { return Ok(0) };
        if buf.is_empty() {
            return Ok(0);
        }
        let snapshot = self.parts.meta.snapshot()?;
        if state.runs.is_empty() {
            drop(state);
            self.read_clamped(snapshot.as_ref(), handle.file.ino, offset, buf)?;
        } else if !state.runs.read_over(offset, buf) {
            // The lock is kept: what is dirty now must not be committed between the two looks at it.
            self.read_clamped(snapshot.as_ref(), handle.file.ino, offset, buf)?;
            state.runs.read_over(offset, buf);
        }
        Ok(there)
    }

    /// Fills all of `buf`; behind the committed end there are zeros.
    fn read_clamped(&self, snapshot: &dyn Snapshot, ino: Ino, offset: u64, buf: &mut [u8]) -> FsResult<()> {
        let inode = txn::load(snapshot, ino)?.inode;
        let there = usize::try_from(inode.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let (committed, behind) = buf.split_at_mut(there);
        behind.fill(0);
        self.read_committed(snapshot, &inode, offset, committed)
    }

    /// Writes all of `data` at `offset`; seen by reads of this mount at once, by S3 after the commit (R8).
    /// `kill_privileges` drops setuid and setgid, as for callers who are not privileged.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `TooLarge`, `Locked`, `Io`, `NotPermitted`.
    pub fn write(&self, handle: &Handle, offset: u64, data: &[u8], kill_privileges: bool) -> FsResult<()> {
        let mut state = handle.state_to_write()?;
        self.kill_privileges(handle.file.ino, &mut state, kill_privileges)?;
        self.write_file(&handle.file, &mut state, offset, data)
    }

    /// `O_APPEND`: writes at the end as it is at this moment, and returns where that was.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn append(&self, handle: &Handle, data: &[u8], kill_privileges: bool) -> FsResult<u64> {
        let mut state = handle.state_to_write()?;
        self.kill_privileges(handle.file.ino, &mut state, kill_privileges)?;
        let end = state.size;
        self.write_file(&handle.file, &mut state, end, data)?;
        Ok(end)
    }

    fn kill_privileges(&self, ino: Ino, state: &mut FileState, wanted: bool) -> FsResult<()> {
        if !wanted || !state.privileged {
            return Ok(());
        }
        let mut txn = self.begin()?;
        let mut located = txn::load(&txn, ino)?;
        located.inode.mode = super::status::without_privileges(located.inode.mode);
        located.inode.ctime = txn.now;
        state.privileged = located.inode.mode & 0o6000 != 0;
        txn.store(&located);
        txn.commit()?;
        Ok(())
    }

    /// At `close`: commits what was written through any handle of this inode, without waiting for the disk.
    ///
    /// # Errors
    /// Why the content could not be committed, now or before (promise D5).
    pub fn flush(&self, handle: &Handle) -> FsResult<Done<()>> {
        let number = self.commit_file(&handle.file, &mut super::lock(&handle.file.state))?;
        Ok(Done { value: (), number })
    }

    /// At `fsync`: as `flush`; the caller then waits for the number. The number covers every earlier change of the
    /// bucket.
    ///
    /// # Errors
    /// As [`Self::flush`]; every later call on this handle fails too once data was lost.
    pub fn fsync(&self, handle: &Handle) -> FsResult<Done<()>> {
        self.flush(handle)?;
        Ok(Done { value: (), number: self.committed() })
    }

    /// The next data or hole at or behind `offset`.
    ///
    /// # Errors
    /// `Range` (ENXIO) at or behind the end, or when no data follows.
    pub fn seek(&self, handle: &Handle, offset: u64, to: SeekTo) -> FsResult<u64> {
        let state = super::lock(&handle.file.state);
        if offset >= state.size {
            return Err(FsError::Range);
        }
        let snapshot = self.parts.meta.snapshot()?;
        let inode = txn::load(snapshot.as_ref(), handle.file.ino)?.inode;
        let mut at = offset;
        loop {
            let (committed_data, run_end) = self.data_at(snapshot.as_ref(), &inode, at)?;
            let dirty = state.runs.next_data(at);
            match to {
                SeekTo::Data => {
                    let next = committed_data.into_iter().chain(dirty).min();
                    return next.filter(|next| *next < state.size).ok_or(FsError::Range);
                }
                SeekTo::Hole => {
                    let behind = if committed_data == Some(at) { run_end } else { at };
                    let behind = state.runs.next_gap(behind);
                    if behind == at {
                        return Ok(at.min(state.size));
                    }
                    at = behind;
                }
            }
        }
    }

    /// The next committed data at or behind `at`, and where its contiguous part ends.
    fn data_at(&self, snapshot: &dyn Snapshot, inode: &super::Inode, at: u64) -> FsResult<(Option<u64>, u64)> {
        let content = &inode.content;
        let mut best: Option<(u64, u64)> = None;
        let mut offer = |start: u64, end: u64| {
            let end = end.min(inode.size);
            if end > at && best.is_none_or(|(known, _)| start.max(at) < known) {
                best = Some((start.max(at), end));
            }
        };
        if !content.inline.is_empty() {
            offer(0, inode.size);
        }
        content.extents.iter().for_each(|extent| offer(extent.offset, extent.end()));
        // A shared piece counts as data as a whole; a hole in it is found by reading.
        content.pieces.iter().for_each(|piece| offer(piece.offset, piece.end()));
        if content.spilled {
            let own = ContentId(content.own);
            let behind = records::behind(&records::id_key(records::EXTENT, own.0));
            let mut cursor = snapshot.range(&records::extent_key(own, at), behind.as_deref());
            if let Some((key, value)) = cursor.next()? {
                let extent = txn::extent_at(&key, &value)?;
                offer(extent.offset, extent.end());
            }
        }
        Ok(best.map_or((None, at), |(start, end)| (Some(start), end)))
    }
}
