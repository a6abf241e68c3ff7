//! Snapshots: a number, and the memtables and tables that were in force when it was taken.

use super::{
    TreeError,
    entry::{Boundaries, KeyRef},
    memtable::{MemTable, Want},
    merge::{LevelCursor, MemCursor, Merge, Source},
    table::{Keep, OnDamage, TableContext, TableCursor, key_hash},
    version::Version,
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use zeroize::Zeroize;

/// Everything that a reader needs, held still.
pub(super) struct State {
    /// Takes new changes.
    pub(super) active: Arc<MemTable>,
    /// Wait for a flush, newest first.
    pub(super) frozen: Vec<Arc<MemTable>>,
    /// The tables in force.
    pub(super) version: Arc<Version>,
}

/// Numbers of live snapshots, and the newest visible one.
#[derive(Default)]
pub(super) struct Registry {
    live: Mutex<BTreeMap<u64, usize>>,
    visible: AtomicU64,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, usize>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest visible number.
    pub(super) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// Makes `seq` visible to later snapshots.
    pub(super) fn publish(&self, seq: u64) {
        // Under the lock: a snapshot is either registered with the number before, or sees this one.
        let live = self.lock();
        self.visible.fetch_max(seq, Ordering::AcqRel);
        drop(live);
    }

    fn register(&self) -> u64 {
        let mut live = self.lock();
        let seq = self.visible();
        *live.entry(seq).or_default() += 1;
        seq
    }

    fn register_again(&self, seq: u64) {
        *self.lock().entry(seq).or_default() += 1;
    }

    fn release(&self, seq: u64) {
        let mut live = self.lock();
        if let Some(count) = live.get_mut(&seq) {
            *count -= 1;
            if *count == 0 {
                live.remove(&seq);
            }
        }
    }

    /// Where somebody reads now or may begin to.
    pub(super) fn boundaries(&self) -> Boundaries {
        let live = self.lock();
        let mut numbers: Vec<u64> = live.keys().copied().collect();
        numbers.push(self.visible());
        Boundaries::new(numbers)
    }

    /// The oldest number at which somebody reads, the newest visible one when nobody does.
    pub(super) fn oldest(&self) -> u64 {
        let live = self.lock();
        live.first_key_value().map_or_else(|| self.visible(), |(seq, _)| *seq)
    }
}

/// A state of the tree that does not change. Versions that it sees are kept until it is dropped.
pub struct TreeSnapshot {
    seq: u64,
    state: Arc<State>,
    registry: Arc<Registry>,
    context: Arc<TableContext>,
}

impl TreeSnapshot {
    /// Takes the number first and the state second: the state then holds all that the number sees.
    pub(super) fn take(
        registry: &Arc<Registry>,
        context: &Arc<TableContext>,
        state: impl FnOnce() -> Arc<State>,
    ) -> Self {
        let seq = registry.register();
        Self { seq, state: state(), registry: Arc::clone(registry), context: Arc::clone(context) }
    }

    /// Number of the last batch that is seen.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The value at `key`.
    ///
    /// # Errors
    /// `Damaged` when the block that may hold the key is; `Locked`, `Io`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, TreeError> {
        if self.context.locked.load(Ordering::Acquire) {
            return Err(TreeError::Locked);
        }
        for memory in std::iter::once(&self.state.active).chain(&self.state.frozen) {
            if let Some(found) = memory.get(key, self.seq) {
                return Ok(found);
            }
        }
        let hash = key_hash(key);
        for (depth, level) in self.state.version.levels().iter().enumerate() {
            if depth == 0 {
                for table in level.iter() {
                    if let Some(found) = table.get(key, hash, self.seq)? {
                        return Ok(found);
                    }
                }
            } else if let Some(table) = Version::table_for(level, key)
                && let Some(found) = table.get(key, hash, self.seq)?
            {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// A cursor over `start <= key < end`, or to the last key when `end` is `None`. It lives on its own.
    #[must_use]
    pub fn range(&self, start: &[u8], end: Option<&[u8]>) -> TreeCursor {
        let end = end.map(Bytes::copy_from_slice);
        let mut sources = Vec::new();
        for memory in std::iter::once(&self.state.active).chain(&self.state.frozen) {
            let want = Want::NewestAt(self.seq);
            sources.push(Source::Memory(MemCursor::new(Arc::clone(memory), want, end.clone())));
        }
        for (depth, level) in self.state.version.levels().iter().enumerate() {
            if depth == 0 {
                let wanted = level.iter().filter(|table| table.meta.overlaps(start, end.as_deref()));
                sources.extend(wanted.map(|table| Source::Table(TableCursor::new(Arc::clone(table), Keep::Cached))));
            } else if !level.is_empty() {
                sources.push(Source::Level(LevelCursor::new(Arc::clone(level), Keep::Cached, end.clone())));
            }
        }
        TreeCursor {
            snapshot: self.clone(),
            merge: Merge::new(sources),
            pending: Some(start.to_vec()),
            end,
            last: None,
            on_damage: OnDamage::Fail,
            blocks_skipped: 0,
            ended: false,
        }
    }
}

impl Clone for TreeSnapshot {
    fn clone(&self) -> Self {
        self.registry.register_again(self.seq);
        Self {
            seq: self.seq,
            state: Arc::clone(&self.state),
            registry: Arc::clone(&self.registry),
            context: Arc::clone(&self.context),
        }
    }
}

impl Drop for TreeSnapshot {
    fn drop(&mut self) {
        self.registry.release(self.seq);
    }
}

impl std::fmt::Debug for TreeSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TreeSnapshot").field("seq", &self.seq).finish_non_exhaustive()
    }
}

/// Walks a range of a snapshot in key order: of each key the newest version that the snapshot sees, no deletions.
pub struct TreeCursor {
    snapshot: TreeSnapshot,
    merge: Merge,
    /// Where to seek before the next entry is read: nothing is read before it is asked for.
    pending: Option<Vec<u8>>,
    end: Option<Bytes>,
    /// The last key that was decided upon: its older versions are passed over.
    last: Option<Bytes>,
    on_damage: OnDamage,
    blocks_skipped: u64,
    ended: bool,
}

impl TreeCursor {
    /// Goes on behind damaged blocks instead of ending there; what they held is missing from what is given, and may
    /// show older versions or deleted keys. For salvage only.
    #[must_use]
    pub fn skip_damaged(mut self) -> Self {
        self.on_damage = OnDamage::Skip;
        self
    }

    /// Damaged blocks passed over.
    #[must_use]
    pub fn blocks_skipped(&self) -> u64 {
        self.blocks_skipped
    }

    /// The next key and value, or `None` at the end.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`; the cursor then stands at its end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, TreeError> {
        if self.ended {
            return Ok(None);
        }
        let outcome = self.next_visible();
        self.ended = !matches!(outcome, Ok(Some(_)));
        outcome
    }

    /// Moves on, so that `next` gives the first key at or after `key`; never back.
    pub fn seek(&mut self, key: &[u8]) {
        let ahead = match (&self.pending, &self.last) {
            (Some(pending), _) => pending.as_slice() < key,
            (None, Some(last)) => last.as_ref() < key,
            (None, None) => true,
        };
        if ahead {
            self.pending = Some(key.to_vec());
        }
    }

    fn next_visible(&mut self) -> Result<Option<(Bytes, Bytes)>, TreeError> {
        if self.snapshot.context.locked.load(Ordering::Acquire) {
            return Err(TreeError::Locked);
        }
        let seq = self.snapshot.seq;
        if let Some(start) = self.pending.take() {
            let outcome = self.merge.seek(KeyRef { user: &start, seq });
            self.passable(outcome)?;
        }
        loop {
            let Some(key) = self.merge.key() else { return Ok(None) };
            if self.end.as_ref().is_some_and(|end| key.user >= end.as_ref()) {
                return Ok(None);
            }
            let seen = key.seq <= seq && self.last.as_ref().is_none_or(|last| last.as_ref() != key.user);
            if !seen {
                let outcome = self.merge.advance();
                self.passable(outcome)?;
                continue;
            }
            // The merge stays where it is: the next call passes over this key as it does over its older versions.
            let user = Bytes::copy_from_slice(key.user);
            self.last = Some(user.clone());
            if let Some(value) = self.merge.value() {
                return Ok(Some((user, value)));
            }
        }
    }

    /// Passes over damaged blocks when told so.
    fn passable(&mut self, mut outcome: Result<(), TreeError>) -> Result<(), TreeError> {
        while self.on_damage == OnDamage::Skip && outcome.as_ref().is_err_and(TreeError::is_damage) {
            self.blocks_skipped += 1;
            outcome = self.merge.skip_block();
        }
        outcome
    }
}

impl Drop for TreeCursor {
    fn drop(&mut self) {
        self.pending.zeroize();
    }
}
