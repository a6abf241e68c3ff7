//! An in-memory [`MetaStore`] and [`SegmentStore`], for tests: it keeps the promises of the traits, and breaks the
//! ones about durability, space and success on demand.

use super::{
    Batch, Committed, Completion, Cursor, MetaStore, Number, PendingSegment, SegmentId, SegmentRef, SegmentStore,
    Snapshot, StoreError,
};
use bytes::Bytes;
use std::{
    any::Any,
    collections::{BTreeMap, VecDeque},
    io,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// When batches become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tickets {
    /// At once.
    #[default]
    Prompt,
    /// When somebody calls [`MetaStore::sync`], or [`MemoryStore::release`]; completions wait until then.
    Held,
}

/// Which calls fail. Each counter runs down by one with each call; the call that finds it at 0 fails, once.
#[derive(Debug, Default)]
pub struct MemoryFaults {
    /// Commits that still succeed, then the error of the next.
    pub commit: Option<(u64, StoreError)>,
    /// Appends that still succeed, then the error of the next.
    pub append: Option<(u64, StoreError)>,
    /// Ciphertext bytes that may be live before appends fail with `NoSpace`, those from the reserve excepted.
    pub capacity_bytes: Option<u64>,
}

type Versions = Vec<(u64, Option<Bytes>)>;

#[derive(Debug)]
struct MemorySegment {
    sealed: Bytes,
    plain_bytes: u32,
    refs: SegmentRef,
    born: u64,
    died: Option<u64>,
}

#[derive(Default)]
struct State {
    number: u64,
    keys: BTreeMap<Vec<u8>, Versions>,
    /// Keys whose last version is a deletion, with its number, oldest first.
    graves: VecDeque<(u64, Vec<u8>)>,
    segments: BTreeMap<SegmentId, MemorySegment>,
    dead: VecDeque<(u64, SegmentId)>,
    live_sealed_bytes: u64,
    broken: Option<StoreError>,
}

#[derive(Default)]
struct Durability {
    tickets: Tickets,
    durable: u64,
    failed: Option<StoreError>,
    waiting: Vec<(u64, Completion)>,
}

/// Both stores of one bucket, in memory. Cheap to share; what is committed lives as long as it does, so that a test
/// can open a second namespace on it.
#[derive(Default)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
    snapshots: Arc<Mutex<BTreeMap<u64, u64>>>,
    durability: Mutex<Durability>,
    faults: Mutex<MemoryFaults>,
    next_segment: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged { what: Arc::from(what.into()) }
}

fn take_fault(fault: &mut Option<(u64, StoreError)>) -> Result<(), StoreError> {
    match fault.take() {
        None => Ok(()),
        Some((0, error)) => Err(error),
        Some((left, error)) => {
            *fault = Some((left - 1, error));
            Ok(())
        }
    }
}

impl MemoryStore {
    /// An empty store whose batches are durable at once.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Says when batches committed from now on become durable.
    pub fn set_tickets(&self, tickets: Tickets) {
        lock(&self.durability).tickets = tickets;
    }

    /// Changes what fails.
    pub fn faults(&self) -> MutexGuard<'_, MemoryFaults> {
        lock(&self.faults)
    }

    /// Makes everything up to `number` durable and runs the completions concerned, in the order that `order` leaves
    /// them in (so a test can let them come out of step).
    pub fn release(&self, number: Number, order: impl FnOnce(&mut Vec<Completion>)) {
        let mut ready = Vec::new();
        let result = {
            let mut durability = lock(&self.durability);
            durability.durable = durability.durable.max(number.0);
            let durable = durability.durable;
            let (now, later) = std::mem::take(&mut durability.waiting).into_iter().partition(|(at, _)| *at <= durable);
            durability.waiting = later;
            let now: Vec<(u64, Completion)> = now;
            ready.extend(now.into_iter().map(|(_, done)| done));
            durability.failed.clone().map_or(Ok(()), Err)
        };
        order(&mut ready);
        for done in ready {
            done(result.clone());
        }
    }

    /// Fails the sync: waiters get the error, later commits and syncs find the bucket read-only (promise D5).
    pub fn fail_sync(&self) {
        let error = StoreError::Io {
            what: Arc::from("sync of the memory store"),
            source: Arc::new(io::Error::other("asked for by a test")),
        };
        write(&self.state).broken = Some(StoreError::ReadOnly { reason: Arc::from("an earlier sync failed") });
        let waiting = {
            let mut durability = lock(&self.durability);
            durability.failed = Some(error.clone());
            std::mem::take(&mut durability.waiting)
        };
        for (_, done) in waiting {
            done(Err(error.clone()));
        }
    }

    /// The references that the segment table counts, by segment that is in use.
    #[must_use]
    pub fn references(&self) -> BTreeMap<SegmentId, SegmentRef> {
        let state = read(&self.state);
        state.segments.iter().filter(|(_, s)| s.died.is_none()).map(|(id, s)| (*id, s.refs)).collect()
    }

    /// Flips one bit of a segment's ciphertext, as a failing disk would.
    pub fn damage(&self, id: SegmentId, offset: usize) {
        let mut state = write(&self.state);
        if let Some(segment) = state.segments.get_mut(&id) {
            let mut bytes = segment.sealed.to_vec();
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1;
            }
            segment.sealed = bytes.into();
        }
    }

    fn append_sealed(&self, sealed: &[u8], plain_bytes: u32, from_reserve: bool) -> Result<PendingSegment, StoreError> {
        if let Some(broken) = &read(&self.state).broken {
            return Err(broken.clone());
        }
        let mut faults = lock(&self.faults);
        take_fault(&mut faults.append)?;
        let live = read(&self.state).live_sealed_bytes;
        if faults.capacity_bytes.is_some_and(|limit| !from_reserve && live.saturating_add(sealed.len() as u64) > limit)
        {
            return Err(StoreError::NoSpace);
        }
        let mut next = lock(&self.next_segment);
        *next += 1;
        let place = MemoryPlace { sealed: Bytes::copy_from_slice(sealed), plain_bytes };
        Ok(PendingSegment::new(SegmentId(*next), Box::new(place)))
    }

    fn oldest_snapshot(&self, number: u64) -> u64 {
        lock(&self.snapshots).keys().next().copied().unwrap_or(number)
    }
}

struct MemoryPlace {
    sealed: Bytes,
    plain_bytes: u32,
}

impl State {
    /// Applies the references of a batch; everything is checked before anything is changed.
    fn apply_refs(&mut self, batch: &Batch, number: u64) -> Result<Vec<SegmentId>, StoreError> {
        for pending in &batch.published {
            let place = pending.place().downcast_ref::<MemoryPlace>().ok_or_else(|| damaged("a foreign segment"))?;
            let fresh = MemorySegment {
                sealed: place.sealed.clone(),
                plain_bytes: place.plain_bytes,
                refs: SegmentRef::default(),
                born: number,
                died: None,
            };
            self.live_sealed_bytes += fresh.sealed.len() as u64;
            if self.segments.insert(pending.id(), fresh).is_some() {
                return Err(damaged(format!("segment {} is published twice", pending.id().0)));
            }
        }
        let mut sparse = Vec::new();
        for (id, change) in &batch.refs {
            let Some(segment) = self.segments.get_mut(id).filter(|segment| segment.died.is_none()) else {
                return Err(damaged(format!("segment {} is adjusted and not in use", id.0)));
            };
            segment.refs.extents += change.extents;
            segment.refs.live_bytes += change.live_bytes;
            let SegmentRef { extents, live_bytes } = segment.refs;
            if extents < 0 || live_bytes < 0 || live_bytes > i64::from(segment.plain_bytes) {
                return Err(damaged(format!("segment {} has {extents} extents and {live_bytes} live bytes", id.0)));
            }
            if extents == 0 {
                if live_bytes != 0 {
                    return Err(damaged(format!("segment {} has no extent and {live_bytes} live bytes", id.0)));
                }
                segment.died = Some(number);
                self.live_sealed_bytes -= segment.sealed.len() as u64;
                self.dead.push_back((number, *id));
            } else if live_bytes * 2 < i64::from(segment.plain_bytes) {
                sparse.push(*id);
            }
        }
        Ok(sparse)
    }

    fn apply_changes(&mut self, batch: Batch, number: u64, oldest: u64) {
        for (key, value) in batch.changes {
            if value.is_none() {
                self.graves.push_back((number, key.clone()));
            }
            let versions = self.keys.entry(key).or_default();
            // Versions that no snapshot reads any more: all but the newest at or before the oldest snapshot.
            let seen = versions.iter().rposition(|(at, _)| *at <= oldest).unwrap_or(0);
            versions.drain(..seen);
            versions.push((number, value.map(Bytes::from)));
        }
    }

    fn bury(&mut self, oldest: u64) {
        while let Some((_, key)) = self.graves.pop_front_if(|(number, _)| *number <= oldest) {
            if let Some(versions) = self.keys.get(&key)
                && matches!(versions.as_slice(), [.., (at, None)] if *at <= oldest)
            {
                self.keys.remove(&key);
            }
        }
        while let Some((_, id)) = self.dead.pop_front_if(|(number, _)| *number <= oldest) {
            self.segments.remove(&id);
        }
    }
}

impl MetaStore for MemoryStore {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        let state = read(&self.state);
        *lock(&self.snapshots).entry(state.number).or_default() += 1;
        Ok(Arc::new(MemorySnapshot {
            number: state.number,
            state: Arc::clone(&self.state),
            snapshots: Arc::clone(&self.snapshots),
        }))
    }

    fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        take_fault(&mut lock(&self.faults).commit)?;
        let mut state = write(&self.state);
        if let Some(broken) = &state.broken {
            return Err(broken.clone());
        }
        if batch.changes.keys().any(|key| key.first().is_none_or(|kind| *kind == 0)) {
            return Err(damaged("a key of the store itself in a batch"));
        }
        let number = state.number + 1;
        let sparse = match state.apply_refs(&batch, number) {
            Ok(sparse) => sparse,
            Err(error) => {
                // The caller broke the rules: half of the references may be applied, so nothing may follow.
                state.broken = Some(error.clone());
                return Err(error);
            }
        };
        let oldest = self.oldest_snapshot(state.number);
        state.apply_changes(batch, number, oldest);
        state.number = number;
        state.bury(self.oldest_snapshot(number));
        let mut durability = lock(&self.durability);
        if durability.tickets == Tickets::Prompt && durability.waiting.is_empty() {
            durability.durable = number;
        }
        Ok(Committed { number: Number(number), sparse })
    }

    fn committed(&self) -> Number {
        Number(read(&self.state).number)
    }

    fn durable(&self) -> Number {
        Number(lock(&self.durability).durable)
    }

    fn sync(&self, number: Number) -> Result<(), StoreError> {
        if let Some(error) = &lock(&self.durability).failed {
            return Err(error.clone());
        }
        self.release(number, |_| {});
        Ok(())
    }

    fn when_durable(&self, number: Number, done: Completion) {
        let result = {
            let mut durability = lock(&self.durability);
            if let Some(error) = durability.failed.clone() {
                Err(error)
            } else if number.0 <= durability.durable {
                Ok(())
            } else {
                durability.waiting.push((number.0, done));
                return;
            }
        };
        done(result);
    }
}

struct MemorySnapshot {
    number: u64,
    state: Arc<RwLock<State>>,
    snapshots: Arc<Mutex<BTreeMap<u64, u64>>>,
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut snapshots = lock(&self.snapshots);
        if let Some(count) = snapshots.get_mut(&self.number) {
            *count -= 1;
            if *count == 0 {
                snapshots.remove(&self.number);
            }
        }
    }
}

fn version_at(versions: &Versions, number: u64) -> Option<&Bytes> {
    versions.iter().rev().find(|(at, _)| *at <= number).and_then(|(_, value)| value.as_ref())
}

impl Snapshot for MemorySnapshot {
    fn number(&self) -> Number {
        Number(self.number)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(read(&self.state).keys.get(key).and_then(|versions| version_at(versions, self.number)).cloned())
    }

    fn range(&self, start: &[u8], end: Option<&[u8]>) -> Box<dyn Cursor + '_> {
        Box::new(MemoryCursor { snapshot: self, from: Bound::Included(start.to_vec()), end: end.map(<[u8]>::to_vec) })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct MemoryCursor<'a> {
    snapshot: &'a MemorySnapshot,
    from: Bound<Vec<u8>>,
    end: Option<Vec<u8>>,
}

impl Cursor for MemoryCursor<'_> {
    fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        let state = read(&self.snapshot.state);
        let from = match &self.from {
            Bound::Included(key) => Bound::Included(key.as_slice()),
            Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
            Bound::Unbounded => Bound::Unbounded,
        };
        for (key, versions) in state.keys.range::<[u8], _>((from, Bound::Unbounded)) {
            if self.end.as_ref().is_some_and(|end| key >= end) {
                return Ok(None);
            }
            if let Some(value) = version_at(versions, self.snapshot.number) {
                self.from = Bound::Excluded(key.clone());
                return Ok(Some((Bytes::copy_from_slice(key), value.clone())));
            }
        }
        Ok(None)
    }

    fn seek(&mut self, key: &[u8]) {
        let ahead = match &self.from {
            Bound::Included(at) => key > at.as_slice(),
            Bound::Excluded(at) => key > at.as_slice(),
            Bound::Unbounded => true,
        };
        if ahead {
            self.from = Bound::Included(key.to_vec());
        }
    }
}

impl SegmentStore for MemoryStore {
    fn append(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError> {
        self.append_sealed(sealed, plain_bytes, false)
    }

    fn append_from_reserve(&self, sealed: &[u8], plain_bytes: u32) -> Result<PendingSegment, StoreError> {
        self.append_sealed(sealed, plain_bytes, true)
    }

    fn read(&self, snapshot: &dyn Snapshot, id: SegmentId, offset: u32, buf: &mut [u8]) -> Result<(), StoreError> {
        let sealed = self.sealed(snapshot, id)?;
        let start = usize::try_from(offset).map_err(|_| damaged("an offset"))?;
        let end = start.saturating_add(buf.len());
        let bytes =
            sealed.get(start..end).ok_or_else(|| damaged(format!("a read past the end of segment {}", id.0)))?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn sealed_len(&self, snapshot: &dyn Snapshot, id: SegmentId) -> Result<u32, StoreError> {
        u32::try_from(self.sealed(snapshot, id)?.len()).map_err(|_| damaged("a segment's length"))
    }
}

impl MemoryStore {
    fn sealed(&self, snapshot: &dyn Snapshot, id: SegmentId) -> Result<Bytes, StoreError> {
        let number = snapshot.number().0;
        let state = read(&self.state);
        let segment = state.segments.get(&id).ok_or(StoreError::NoSegment(id))?;
        if segment.born > number || segment.died.is_some_and(|died| died <= number) {
            return Err(StoreError::NoSegment(id));
        }
        Ok(segment.sealed.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &[u8], value: &[u8]) -> Batch {
        let mut batch = Batch::new();
        batch.put(key.to_vec(), value.to_vec());
        batch
    }

    #[test]
    fn a_snapshot_holds_still() {
        let store = MemoryStore::new();
        store.commit(put(b"\x01a", b"1")).unwrap();
        let before = store.snapshot().unwrap();
        let mut batch = put(b"\x01b", b"2");
        batch.delete(b"\x01a".to_vec());
        store.commit(batch).unwrap();
        assert_eq!(before.get(b"\x01a").unwrap().unwrap(), "1");
        assert_eq!(before.get(b"\x01b").unwrap(), None);
        let after = store.snapshot().unwrap();
        assert_eq!(after.get(b"\x01a").unwrap(), None);
        let mut cursor = after.range(b"\x01", None);
        assert_eq!(cursor.next().unwrap().unwrap().0, "\x01b");
        assert_eq!(cursor.next().unwrap(), None);
    }

    #[test]
    fn a_segment_is_read_as_long_as_a_snapshot_knows_it() {
        let store = MemoryStore::new();
        let pending = store.append(b"sealed", 6).unwrap();
        let mut batch = Batch::new();
        let id = batch.publish(pending, SegmentRef { extents: 1, live_bytes: 6 });
        store.commit(batch).unwrap();
        let snapshot = store.snapshot().unwrap();
        let mut batch = Batch::new();
        batch.adjust(id, SegmentRef { extents: -1, live_bytes: -6 });
        store.commit(batch).unwrap();
        let mut buf = [0; 6];
        store.read(snapshot.as_ref(), id, 0, &mut buf).unwrap();
        assert_eq!(&buf, b"sealed");
        let later = store.snapshot().unwrap();
        assert!(matches!(store.read(later.as_ref(), id, 0, &mut buf), Err(StoreError::NoSegment(_))));
    }

    #[test]
    fn held_tickets_wait_and_a_failed_sync_makes_it_read_only() {
        let store = MemoryStore::new();
        store.set_tickets(Tickets::Held);
        let number = store.commit(put(b"\x01a", b"1")).unwrap().number;
        let told = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&told);
        store.when_durable(number, Box::new(move |result| lock(&note).push(result.is_ok())));
        assert!(lock(&told).is_empty());
        store.fail_sync();
        assert_eq!(*lock(&told), [false]);
        assert!(matches!(store.commit(put(b"\x01b", b"2")), Err(StoreError::ReadOnly { .. })));
        assert!(store.sync(number).is_err());
    }
}
