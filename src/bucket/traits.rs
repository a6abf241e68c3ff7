//! The two traits that `fs` stands on.

use super::{Batch, SegmentId, StoreError};
use bytes::Bytes;
use std::{any::Any, sync::Arc};

/// A batch's place in the order of its bucket. Grows with each commit, over restarts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Number(pub u64);

/// Called once, when a batch is durable, or with the reason why it never will be. Runs on whatever thread ran the
/// sync: it must be short and must not call back into the store.
pub type Completion = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// What a commit gives back.
#[derive(Debug)]
pub struct Committed {
    /// The batch's number: visible to every later snapshot, durable when [`MetaStore::sync`] of it returns.
    pub number: Number,
    /// Segments of this batch that are still referred to, but less than half of whose bytes are live: `fs` should
    /// seal their live bytes anew, so that space stays within its bound.
    pub sparse: Vec<SegmentId>,
}

/// Ordered metadata of one bucket: snapshots to read, batches to write, numbers to wait for.
///
/// Keys and values are opaque bytes, keys in order of their bytes. Keys that begin with the byte 0x00 belong to the
/// store itself (the segment table) and are neither shown nor accepted.
pub trait MetaStore: Send + Sync {
    /// The state after the last commit, held still until dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`].
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError>;
    /// Appends a batch. When it returns, later snapshots see it and it survives the process, but maybe not the power.
    ///
    /// Batches are ordered; whoever reads, decides and writes must hold a lock of his own from snapshot to commit.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Locked`, `TooLarge`, `Io`: nothing was changed.
    fn commit(&self, batch: Batch) -> Result<Committed, StoreError>;
    /// The number of the last batch committed.
    fn committed(&self) -> Number;
    /// The newest number known durable.
    fn durable(&self) -> Number;
    /// Waits until everything up to `number` is durable; runs the sync for all waiters when none runs.
    ///
    /// # Errors
    /// `ReadOnly` or `Io` when the sync failed, now or earlier: durability is never claimed afterwards.
    fn sync(&self, number: Number) -> Result<(), StoreError>;
    /// Calls `done` when everything up to `number` is durable; from this call when it already is.
    /// Somebody else runs the sync, within about a millisecond.
    fn when_durable(&self, number: Number, done: Completion);
}

/// A state of the metadata that does not change.
pub trait Snapshot: Send + Sync {
    /// The number of the last batch that is seen.
    fn number(&self) -> Number;
    /// The value at `key`.
    ///
    /// # Errors
    /// `Damaged`, `Io`, `Locked`.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError>;
    /// A cursor over `start <= key < end`, or to the last key when `end` is `None`.
    fn range(&self, start: &[u8], end: Option<&[u8]>) -> Box<dyn Cursor + '_>;
    /// The implementation, for the segment store that made it.
    fn as_any(&self) -> &dyn Any;
}

/// Walks a range of a snapshot in key order.
pub trait Cursor {
    /// The next entry, or `None` at the end.
    ///
    /// # Errors
    /// `Damaged`, `Io`, `Locked`; the cursor then stands at its end.
    fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError>;
    /// Moves on, so that `next` gives the first key at or after `key` (never back).
    fn seek(&mut self, key: &[u8]);
}

/// Sealed content of one bucket. It stores ciphertext and never sees a key of an object.
pub trait SegmentStore: Send + Sync {
    /// Appends the ciphertext of one segment (all chunks with their tags), whose plaintext has `plain_bytes`.
    /// It exists only once a batch publishes it; dropping the [`PendingSegment`] gives its space up.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Locked`, `TooLarge`, `Io`.
    fn append(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError>;
    /// As `append`, for content that a batch which frees space needs (may use the reserve).
    ///
    /// # Errors
    /// As `append`.
    fn append_from_reserve(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError>;
    /// Reads `buf.len()` bytes of a segment's ciphertext from `offset`, as `snapshot` knows the segment. The bytes
    /// stay readable as long as the snapshot lives, whatever is released or compacted meanwhile.
    ///
    /// # Errors
    /// `NoSegment`, `Damaged` (past its end), `Io`.
    fn read(&self, snapshot: &dyn Snapshot, id: SegmentId, offset: u32, buf: &mut [u8]) -> Result<(), StoreError>;
    /// Length of a segment's ciphertext in bytes.
    ///
    /// # Errors
    /// `NoSegment`, `Damaged`, `Io`.
    fn sealed_len(&self, snapshot: &dyn Snapshot, id: SegmentId) -> Result<u32, StoreError>;
}

/// A segment that is written, and that no batch has published yet. It pins the log file it lies in until dropped.
pub struct PendingSegment {
    id: SegmentId,
    place: Box<dyn Any + Send + Sync>,
}

impl PendingSegment {
    /// Made by a [`SegmentStore`]; `place` is its own note of where the bytes lie, and its drop gives them up.
    #[must_use]
    pub fn new(id: SegmentId, place: Box<dyn Any + Send + Sync>) -> Self {
        Self { id, place }
    }

    /// The id that extents of the publishing batch name.
    #[must_use]
    pub fn id(&self) -> SegmentId {
        self.id
    }

    /// The maker's note.
    #[must_use]
    pub fn place(&self) -> &(dyn Any + Send + Sync) {
        self.place.as_ref()
    }
}

impl std::fmt::Debug for PendingSegment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingSegment").field("id", &self.id).finish_non_exhaustive()
    }
}
