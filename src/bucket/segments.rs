//! Content of a local bucket.

use super::{
    LocalBucket, PendingSegment, SegmentId, SegmentStore, Snapshot, StoreError, commit::Pending,
    snapshot::LocalSnapshot,
};
use crate::log::LogFile;
use std::sync::{Arc, PoisonError, atomic::Ordering};

impl LocalBucket {
    fn append_segment(
        &self,
        sealed: &[u8],
        plain_bytes: u32,
        may_use_reserve: bool,
    ) -> Result<PendingSegment, StoreError> {
        if self.keys.is_revoked() {
            return Err(StoreError::Locked);
        }
        let writer = self.writer()?;
        let id = self.next_segment.fetch_add(1, Ordering::AcqRel);
        let (place, pin) = writer.log.append_content(id, sealed, may_use_reserve)?;
        self.wake_if_needed();
        Ok(PendingSegment::new(SegmentId(id), Box::new(Pending { place, plain_bytes, _pin: pin })))
    }

    pub(super) fn log_file(&self, number: u64) -> Option<Arc<LogFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned()
    }
}

fn local(snapshot: &dyn Snapshot) -> Result<&LocalSnapshot, StoreError> {
    snapshot.as_any().downcast_ref().ok_or_else(|| StoreError::damaged("a snapshot of another store was used"))
}

impl SegmentStore for LocalBucket {
    fn append(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError> {
        self.append_segment(sealed, plain_bytes, false)
    }

    fn append_from_reserve(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError> {
        self.append_segment(sealed, plain_bytes, true)
    }

    fn read(&self, snapshot: &dyn Snapshot, id: SegmentId, offset: u32, buf: &mut [u8]) -> Result<(), StoreError> {
        let row = local(snapshot)?.segment(id)?;
        let end = u64::from(offset) + buf.len() as u64;
        if end > u64::from(row.sealed_bytes) {
            return Err(StoreError::damaged(format!(
                "segment {} ends at {} and is read to {end}",
                id.0, row.sealed_bytes
            )));
        }
        let file = self.log_file(row.log).ok_or_else(|| {
            StoreError::damaged(format!("segment {}: log {} of {} is missing", id.0, row.log, self.dir))
        })?;
        Ok(file.read_at(row.offset + u64::from(offset), buf)?)
    }

    fn sealed_len(&self, snapshot: &dyn Snapshot, id: SegmentId) -> Result<u32, StoreError> {
        Ok(local(snapshot)?.segment(id)?.sealed_bytes)
    }
}
