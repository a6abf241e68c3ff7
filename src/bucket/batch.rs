//! A batch: the metadata changes that commit together.

use super::PendingSegment;
use std::collections::BTreeMap;

/// Names a segment within its bucket; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

/// How a batch changes the references to one segment: the segment table sums both numbers over all batches, and
/// frees the segment when no extent refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SegmentRef {
    /// Extents that newly refer to the segment, less those that no longer do.
    pub extents: i32,
    /// Plaintext bytes that those extents newly cover, less those they no longer cover.
    pub live_bytes: i64,
}

/// The changes that one commit makes; either all of them are seen afterwards, or none. A key occurs once: a later
/// `put` or `delete` of the same key replaces the earlier one.
#[derive(Debug, Default)]
pub struct Batch {
    /// New value, or `None` for a deletion, by key.
    pub(crate) changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Segments that this batch commits, each with its first references in `refs`.
    pub(crate) published: Vec<PendingSegment>,
    /// Changes of references, by segment.
    pub(crate) refs: BTreeMap<SegmentId, SegmentRef>,
    /// Whether this batch frees space, and may use the reserve on a full disk.
    pub(crate) frees_space: bool,
}

impl Batch {
    /// An empty batch; committing it changes nothing, but still gives a number.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    /// Removes `key`; no error when there is none.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.changes.insert(key, None);
    }

    /// What this batch itself says of `key`: `None` when it says nothing, `Some(None)` when it deletes it.
    #[must_use]
    pub fn staged(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.changes.get(key).map(Option::as_deref)
    }

    /// The staged changes in key order, `None` for a deletion; to lay them over a snapshot's cursor.
    pub fn changes(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.changes.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Commits an appended segment with this batch and returns its id; `first` are the extents of this batch on it.
    pub fn publish(&mut self, segment: PendingSegment, first: SegmentRef) -> SegmentId {
        let id = segment.id();
        self.published.push(segment);
        self.adjust(id, first);
        id
    }

    /// Changes the references to a segment, by `change`; several changes of one segment add up.
    pub fn adjust(&mut self, id: SegmentId, change: SegmentRef) {
        let sum = self.refs.entry(id).or_default();
        sum.extents = sum.extents.saturating_add(change.extents);
        sum.live_bytes = sum.live_bytes.saturating_add(change.live_bytes);
    }

    /// Marks the batch as one that frees space (unlink, truncate, compaction): it may use the reserve.
    pub fn frees_space(&mut self) {
        self.frees_space = true;
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.refs.is_empty() && self.published.is_empty()
    }
}
