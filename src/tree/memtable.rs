//! The in-memory table: the newest changes of a tree, one writer and many readers.
//!
//! Versions of a key that no snapshot can see are dropped when the key is written again, so that a hot key (a
//! directory's counts) costs one entry and not one for each batch.

use super::entry::{Boundaries, Entry};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use zeroize::Zeroize;

/// Entries that one call copies at most while it holds the lock.
pub(super) const CHUNK_ENTRIES_MAX: usize = 256;
/// Estimated cost of an entry beside its key and value: node, box, versions, reference counts.
const ENTRY_OVERHEAD_BYTES: usize = 136;

/// One version of a key; `None` is a deletion.
struct Change {
    seq: u64,
    value: Option<Bytes>,
}

/// All versions of a key that are still needed, newest first.
struct Versions {
    newest: Change,
    older: Vec<Change>,
}

/// Which versions a reader wants.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want {
    /// Of each key the newest at or below a number.
    NewestAt(u64),
    /// All of each key.
    All,
}

/// A sorted table in memory. One thread writes at a time (under the commit lock of the bucket), any number reads.
#[derive(Default)]
pub struct MemTable {
    map: RwLock<BTreeMap<Box<[u8]>, Versions>>,
    bytes: AtomicUsize,
    max_seq: AtomicU64,
}

impl MemTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Estimated memory in bytes.
    #[must_use]
    pub fn approximate_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Number of the last batch inserted, 0 when there was none.
    #[must_use]
    pub fn max_seq(&self) -> u64 {
        self.max_seq.load(Ordering::Acquire)
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Box<[u8]>, Versions>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the changes of batch `seq`, which is greater than all before it. Versions outside `boundaries` go.
    pub(super) fn insert<'a>(
        &self,
        seq: u64,
        boundaries: &Boundaries,
        changes: impl IntoIterator<Item = (&'a [u8], Option<Bytes>)>,
    ) {
        debug_assert!(seq >= self.max_seq(), "batches come in order");
        let mut grown = 0usize;
        let mut shrunk = 0usize;
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in changes {
            let value_len = value.as_ref().map_or(0, Bytes::len);
            let change = Change { seq, value };
            match map.entry(key.into()) {
                btree_map::Entry::Vacant(place) => {
                    grown += ENTRY_OVERHEAD_BYTES + key.len() + value_len;
                    place.insert(Versions { newest: change, older: Vec::new() });
                }
                btree_map::Entry::Occupied(mut place) => {
                    grown += value_len;
                    shrunk += place.get_mut().supersede(change, boundaries, &mut grown);
                }
            }
        }
        drop(map);
        self.bytes.fetch_add(grown, Ordering::Relaxed);
        self.bytes.fetch_sub(shrunk, Ordering::Relaxed);
        self.max_seq.fetch_max(seq, Ordering::Release);
    }

    /// The newest version of `key` at or below `seq`: `None` when there is none, `Some(None)` when it is a deletion.
    pub(super) fn get(&self, key: &[u8], seq: u64) -> Option<Option<Bytes>> {
        let map = self.read();
        map.get(key)?.at(seq).map(|change| change.value.clone())
    }

    /// At most about `limit` entries (bounded by [`CHUNK_ENTRIES_MAX`], but all versions of the last key) from
    /// `start` on and before `end`.
    ///
    /// Returns the key at which the scan stopped early, to go on behind it, or `None` when the range was exhausted.
    pub(super) fn chunk(
        &self,
        start: Bound<&[u8]>,
        end: Option<&[u8]>,
        want: Want,
        limit: usize,
        out: &mut Vec<Entry>,
    ) -> Option<Box<[u8]>> {
        let bound = end.map_or(Bound::Unbounded, Bound::Excluded);
        // `BTreeMap::range` panics on an inverted range.
        let (Bound::Included(from) | Bound::Excluded(from)) = start else {
            return self.scan((start, bound), want, limit, out);
        };
        if end.is_some_and(|end| from >= end) {
            return None;
        }
        self.scan((start, bound), want, limit, out)
    }

    fn scan(
        &self,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        want: Want,
        limit: usize,
        out: &mut Vec<Entry>,
    ) -> Option<Box<[u8]>> {
        // Keys looked at count, not entries found: the lock is held for a bounded time even where nothing is visible.
        let mut budget = limit.clamp(1, CHUNK_ENTRIES_MAX);
        let map = self.read();
        for (key, versions) in map.range::<[u8], _>(range) {
            match want {
                Want::NewestAt(seq) => {
                    if let Some(change) = versions.at(seq) {
                        out.push(change.entry(Bytes::copy_from_slice(key)));
                    }
                }
                Want::All => {
                    let shared = Bytes::copy_from_slice(key);
                    out.push(versions.newest.entry(shared.clone()));
                    out.extend(versions.older.iter().map(|change| change.entry(shared.clone())));
                }
            }
            budget -= 1;
            if budget == 0 {
                return Some(key.clone());
            }
        }
        None
    }
}

impl Change {
    fn entry(&self, key: Bytes) -> Entry {
        Entry { key, seq: self.seq, value: self.value.clone() }
    }

    fn len(&self) -> usize {
        self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl Versions {
    fn at(&self, seq: u64) -> Option<&Change> {
        if self.newest.seq <= seq {
            return Some(&self.newest);
        }
        self.older.iter().find(|change| change.seq <= seq)
    }

    /// Puts `change` in front and drops what nobody sees any more; returns the bytes dropped, adds those kept anew.
    fn supersede(&mut self, change: Change, boundaries: &Boundaries, grown: &mut usize) -> usize {
        let newer = change.seq;
        let old = std::mem::replace(&mut self.newest, change);
        let mut dropped = 0;
        if !self.older.is_empty() {
            let mut above = old.seq;
            self.older.retain(|change| {
                let keep = boundaries.needs(change.seq, Some(above));
                above = change.seq;
                if !keep {
                    dropped += size_of::<Change>() + change.len();
                }
                keep
            });
        }
        if old.seq != newer && boundaries.needs(old.seq, Some(newer)) {
            *grown += size_of::<Change>();
            self.older.insert(0, old);
        } else {
            dropped += old.len();
            wipe(old.value);
        }
        dropped
    }
}

/// Wipes a value when nobody else holds it.
fn wipe(value: Option<Bytes>) {
    if let Some(Ok(mut bytes)) = value.map(Bytes::try_into_mut) {
        bytes.as_mut().zeroize();
    }
}

impl Drop for MemTable {
    fn drop(&mut self) {
        let map = std::mem::take(self.map.get_mut().unwrap_or_else(PoisonError::into_inner));
        for (mut key, versions) in map {
            key.zeroize();
            wipe(versions.newest.value);
            versions.older.into_iter().for_each(|change| wipe(change.value));
        }
    }
}

impl std::fmt::Debug for MemTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemTable").field("bytes", &self.approximate_bytes()).finish_non_exhaustive()
    }
}
