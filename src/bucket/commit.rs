//! Commits batches: resolves references to segments, seals, appends, and shows the result (docs/FORMAT.md 4.3).

use super::{
    Batch, Committed, LocalBucket, Number, SegmentId, SegmentRef, StoreError,
    local::{CommitState, lock},
};
use crate::{
    log::{BatchRecord, ContentNote, Operation, Pin, Place, SpaceNote},
    space::{SegmentRecord, segment_key},
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

/// What a [`super::PendingSegment`] of a local bucket notes.
pub(super) struct Pending {
    pub place: Place,
    pub plain_bytes: u32,
    /// Keeps the file in force until the batch is committed.
    pub _pin: Pin,
}

/// Moves of segments that compaction made: where each lay, and where it lies now.
pub(super) struct Move {
    pub id: SegmentId,
    pub from: SegmentRecord,
    pub to: Place,
    pub _pin: Pin,
}

#[derive(Default)]
struct Resolved {
    record: BatchRecord,
    space: BTreeMap<u64, i64>,
    sparse: Vec<SegmentId>,
    touched: Vec<Arc<crate::log::LogFile>>,
}

impl Resolved {
    fn live(&mut self, log: u64, bytes: i64) {
        *self.space.entry(log).or_default() += bytes;
    }

    fn content(&mut self, id: SegmentId, place: &Place) {
        self.record.contents.push(ContentNote {
            log: place.file.number,
            segment: id.0,
            offset: place.offset,
            sealed_bytes: place.payload_bytes,
            crc: place.crc,
        });
        self.touched.push(Arc::clone(&place.file));
        self.live(place.file.number, i64::from(place.payload_bytes));
    }

    fn row(&mut self, id: SegmentId, row: Option<&SegmentRecord>) {
        self.record.changes.push((Bytes::from(segment_key(id.0)), row.map(|row| Bytes::from(row.encode()))));
    }
}

impl LocalBucket {
    pub(super) fn commit_batch(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.writer()?;
        self.wait_for_compaction();
        let mut state = lock(&self.commit);
        let mut resolved = self.resolve(&batch)?;
        let Batch { changes, published, frees_space, .. } = batch;
        for (key, value) in changes {
            if crate::space::is_store_key(&key) {
                return Err(StoreError::damaged("a batch names a key of the store itself"));
            }
            resolved.record.changes.push((Bytes::from(key), value.map(Bytes::from)));
        }
        let committed = self.append(&mut state, resolved, frees_space)?;
        // The pins go only now that the accounts know of the content.
        drop(published);
        drop(state);
        self.wake_if_needed();
        Ok(committed)
    }

    /// Commits the moves of segments that still lie where compaction found them. Returns how many did.
    pub(super) fn commit_moves(&self, moves: Vec<Move>) -> Result<usize, StoreError> {
        let mut state = lock(&self.commit);
        let snapshot = self.snapshot_now()?;
        let mut resolved = Resolved::default();
        let mut moved = 0;
        for one in &moves {
            let row = match snapshot.segment(one.id) {
                Ok(row) => row,
                Err(StoreError::NoSegment(_)) => continue,
                Err(error) => return Err(error),
            };
            if (row.log, row.offset) != (one.from.log, one.from.offset) {
                continue;
            }
            resolved.live(row.log, -i64::from(row.sealed_bytes));
            resolved.content(one.id, &one.to);
            resolved.row(one.id, Some(&SegmentRecord { log: one.to.file.number, offset: one.to.offset, ..row }));
            moved += 1;
        }
        if moved > 0 {
            self.append(&mut state, resolved, true)?;
        }
        drop(moves);
        Ok(moved)
    }

    /// The segment table's changes: new rows, rows with other counts, rows that go.
    fn resolve(&self, batch: &Batch) -> Result<Resolved, StoreError> {
        let mut resolved = Resolved::default();
        let mut refs = batch.refs.clone();
        for segment in &batch.published {
            let first = refs.remove(&segment.id()).unwrap_or_default();
            let Some(pending) = segment.place().downcast_ref::<Pending>() else {
                return Err(StoreError::damaged("a segment of another store was published"));
            };
            if first.extents <= 0 {
                continue;
            }
            let row = SegmentRecord {
                log: pending.place.file.number,
                offset: pending.place.offset,
                sealed_bytes: pending.place.payload_bytes,
                plain_bytes: pending.plain_bytes,
                crc: pending.place.crc,
                extents: first.extents.unsigned_abs(),
                live_bytes: u64::try_from(first.live_bytes).unwrap_or(0),
            };
            resolved.content(segment.id(), &pending.place);
            resolved.row(segment.id(), Some(&row));
        }
        if refs.is_empty() {
            return Ok(resolved);
        }
        let snapshot = self.snapshot_now()?;
        for (id, change) in refs {
            let row = adjusted(id, snapshot.segment(id)?, change)?;
            if row.extents == 0 {
                resolved.live(row.log, -i64::from(row.sealed_bytes));
                resolved.row(id, None);
                continue;
            }
            if row.is_sparse() {
                resolved.sparse.push(id);
            }
            resolved.row(id, Some(&row));
        }
        Ok(resolved)
    }

    /// Gives the batch the next number, writes it, and shows it.
    fn append(
        &self,
        state: &mut CommitState,
        mut resolved: Resolved,
        frees_space: bool,
    ) -> Result<Committed, StoreError> {
        let writer = self.writer()?;
        let number = state.tail.number + 1;
        resolved.record.witness = writer.sync.durable();
        resolved.record.space =
            resolved.space.iter().map(|(&log, &live_bytes)| SpaceNote { log, live_bytes }).collect();
        let encoded = resolved.record.encode();
        let limit = self.env.limits.batch_bytes;
        if encoded.len() as u64 > limit {
            return Err(StoreError::TooLarge { bytes: encoded.len() as u64, limit });
        }
        let tail = writer.log.append_batch(number, encoded, frees_space)?;
        for file in &resolved.touched {
            writer.sync.touched(file);
        }
        state.tail = tail;
        state.accounts.apply(&resolved.record.space);
        let changes: Vec<Operation> = resolved.record.changes;
        self.tree.apply(number, changes.iter().map(|(key, value)| (&key[..], value.clone())));
        self.committed.store(number, Ordering::Release);
        Ok(Committed { number: Number(number), sparse: resolved.sparse })
    }
}

fn adjusted(id: SegmentId, row: SegmentRecord, change: SegmentRef) -> Result<SegmentRecord, StoreError> {
    let wrong = || StoreError::damaged(format!("references to segment {} do not add up", id.0));
    let extents = row.extents.checked_add_signed(change.extents).ok_or_else(wrong)?;
    let live_bytes = row.live_bytes.checked_add_signed(change.live_bytes).ok_or_else(wrong)?;
    Ok(SegmentRecord { extents, live_bytes, ..row })
}
