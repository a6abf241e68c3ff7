//! A snapshot of a local bucket.

use super::{Cursor, Number, SegmentId, Snapshot, StoreError};
use crate::{
    space::{SegmentRecord, is_store_key, segment_key},
    tree::{TreeCursor, TreeSnapshot},
};
use bytes::Bytes;
use std::any::Any;

/// The least key that is not the store's own.
const FIRST_KEY: &[u8] = &[0x01];

pub(super) struct LocalSnapshot {
    pub tree: TreeSnapshot,
}

impl LocalSnapshot {
    /// The segment's row.
    pub fn segment(&self, id: SegmentId) -> Result<SegmentRecord, StoreError> {
        let row = self.tree.get(&segment_key(id.0))?.ok_or(StoreError::NoSegment(id))?;
        SegmentRecord::decode(&row).map_err(|e| StoreError::damaged(format!("segment {}: {e}", id.0)))
    }
}

impl Snapshot for LocalSnapshot {
    fn number(&self) -> Number {
        Number(self.tree.seq())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if is_store_key(key) {
            return Ok(None);
        }
        Ok(self.tree.get(key)?)
    }

    fn range(&self, start: &[u8], end: Option<&[u8]>) -> Box<dyn Cursor + '_> {
        Box::new(LocalCursor(self.tree.range(start.max(FIRST_KEY), end)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct LocalCursor(TreeCursor);

impl Cursor for LocalCursor {
    fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        Ok(self.0.next()?)
    }

    fn seek(&mut self, key: &[u8]) {
        self.0.seek(key);
    }
}
