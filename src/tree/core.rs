//! The tree of one bucket: where changes go in, where snapshots come from, what flush and compaction do.

use super::{
    BlockCache, FileCache, TreeError,
    entry::Boundaries,
    memtable::MemTable,
    meta::TableMeta,
    sealing::TableKeys,
    snapshot::{Registry, State, TreeSnapshot},
    table::{Table, TableContext, TableShape},
    version::{Version, VersionEdit},
};
use crate::{crypt::FileId, disk::Disk};
use bytes::Bytes;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

/// How a tree is shaped.
#[derive(Clone, Copy, Debug)]
pub struct TreeShape {
    /// Length at which a compaction closes a table and begins the next.
    pub table_bytes: u64,
    /// Tables of level 0 that ask for a compaction.
    pub level0_tables: usize,
    /// Bytes that level 1 should hold.
    pub level1_bytes: u64,
    /// How much larger each deeper level is.
    pub level_ratio: u64,
    /// Blocks and partitions.
    pub table: TableShape,
}

impl Default for TreeShape {
    fn default() -> Self {
        Self {
            table_bytes: 32 << 20,
            level0_tables: 4,
            level1_bytes: 64 << 20,
            level_ratio: 10,
            table: TableShape::default(),
        }
    }
}

/// What a tree stands on.
pub struct TreeOptions {
    /// The disk of the store.
    pub disk: Arc<dyn Disk>,
    /// Directory of the bucket; tables are in its `table/`, which must exist.
    pub dir: String,
    /// The store's block cache.
    pub cache: Arc<BlockCache>,
    /// The store's open tables.
    pub files: Arc<FileCache>,
    /// Opens file keys of this bucket.
    pub keys: Arc<dyn TableKeys>,
    /// Shape of tables and levels.
    pub shape: TreeShape,
}

/// How far flush and compaction are behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeDebt {
    /// Memory of the active memtable.
    pub active_bytes: usize,
    /// Memtables that wait for a flush.
    pub frozen_memtables: usize,
    /// Their memory.
    pub frozen_bytes: usize,
    /// Tables of level 0.
    pub level0_tables: usize,
    /// Bytes by which levels are over their targets.
    pub excess_bytes: u64,
}

/// The ordered metadata of one bucket.
///
/// One thread at a time calls [`Tree::apply`] and [`Tree::freeze`] (under the bucket's commit lock), one at a time
/// flush, compaction and [`Tree::install`] each; any number take snapshots and read. Locks inside are held for moments
/// only and never over I/O.
pub struct Tree {
    pub(super) context: Arc<TableContext>,
    pub(super) shape: TreeShape,
    pub(super) registry: Arc<Registry>,
    state: RwLock<Arc<State>>,
    /// Serialises changes of `state`; readers never take it.
    editing: Mutex<()>,
    /// Tables no longer in force, until no snapshot reads them.
    obsolete: Mutex<Vec<Arc<Table>>>,
    /// Memtables flushed, kept so that the last reference is never dropped by a reader: freeing one takes long.
    retired: Mutex<Vec<Arc<MemTable>>>,
    pub(super) compacting: Arc<AtomicBool>,
}

impl Tree {
    /// A tree of the tables that the manifest names, whose last batch was `last_seq`.
    ///
    /// # Errors
    /// `Malformed` when the tables contradict each other.
    pub fn new(options: TreeOptions, tables: Vec<TableMeta>, last_seq: u64) -> Result<Self, TreeError> {
        let context = Arc::new(TableContext {
            disk: options.disk,
            dir: options.dir,
            cache: options.cache,
            files: options.files,
            keys: options.keys,
            locked: AtomicBool::new(false),
        });
        let open = |meta| Arc::new(Table::new(meta, Arc::clone(&context)));
        let version = Version::new(tables.into_iter().map(open).collect())?;
        let registry = Arc::new(Registry::default());
        registry.publish(last_seq);
        let state = State { active: Arc::default(), frozen: Vec::new(), version: Arc::new(version) };
        Ok(Self {
            context,
            shape: options.shape,
            registry,
            state: RwLock::new(Arc::new(state)),
            editing: Mutex::new(()),
            obsolete: Mutex::default(),
            retired: Mutex::default(),
            compacting: Arc::default(),
        })
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new state in force. The old one is dropped after the lock.
    fn swap(&self, change: impl FnOnce(&State) -> State, _editing: &MutexGuard<'_, ()>) {
        let new = Arc::new(change(&self.state()));
        let mut place = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *place, new);
        drop(place);
        drop(old);
    }

    fn edit(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the changes of batch `seq` (`None` deletes a key) and makes them visible to later snapshots. A key occurs
    /// once; `seq` is greater than in all calls before.
    pub fn apply<'a>(&self, seq: u64, changes: impl IntoIterator<Item = (&'a [u8], Option<Bytes>)>) {
        self.state().active.insert(seq, &self.registry.boundaries(), changes);
        self.registry.publish(seq);
    }

    /// The state after the last batch applied, held still until dropped.
    #[must_use]
    pub fn snapshot(&self) -> TreeSnapshot {
        TreeSnapshot::take(&self.registry, &self.context, || self.state())
    }

    /// The number of the oldest live snapshot; that of the last batch when there is none.
    #[must_use]
    pub fn oldest_snapshot(&self) -> u64 {
        self.registry.oldest()
    }

    /// The number of the last batch applied.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.registry.visible()
    }

    /// Begins a new memtable and lets the old one wait for a flush. `false` when it was empty. Called under the lock
    /// that orders `apply`.
    pub fn freeze(&self) -> bool {
        let editing = self.edit();
        if self.state().active.is_empty() {
            return false;
        }
        self.swap(
            |state| {
                let mut frozen = vec![Arc::clone(&state.active)];
                frozen.extend(state.frozen.iter().cloned());
                State { active: Arc::default(), frozen, version: Arc::clone(&state.version) }
            },
            &editing,
        );
        true
    }

    /// Puts an edit in force, after the manifest that says so is durable.
    ///
    /// # Errors
    /// `Malformed` when the edit does not fit the version.
    pub fn install(&self, edit: VersionEdit) -> Result<(), TreeError> {
        let editing = self.edit();
        let (version, gone) = self.state().version.apply(&edit, &self.context)?;
        let version = Arc::new(version);
        let flushed = edit.flushed.as_ref();
        self.swap(
            |state| State {
                active: Arc::clone(&state.active),
                frozen: state
                    .frozen
                    .iter()
                    .filter(|table| flushed.is_none_or(|flushed| !Arc::ptr_eq(table, flushed)))
                    .cloned()
                    .collect(),
                version,
            },
            &editing,
        );
        self.obsolete.lock().unwrap_or_else(PoisonError::into_inner).extend(gone);
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).extend(edit.flushed);
        drop(editing);
        self.free_retired();
        Ok(())
    }

    /// Frees memtables that were flushed and that no snapshot reads any more.
    fn free_retired(&self) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let (free, held) = std::mem::take(&mut *retired).into_iter().partition(|table| Arc::strong_count(table) == 1);
        *retired = held;
        drop(retired);
        let free: Vec<Arc<MemTable>> = free;
        drop(free);
    }

    /// Tables that are in force no more and that no snapshot reads: their files may go, once no manifest that may be
    /// loaded names them. Each is given once. Called from the background; also frees flushed memtables.
    #[must_use]
    pub fn take_obsolete(&self) -> Vec<TableMeta> {
        self.free_retired();
        let mut obsolete = self.obsolete.lock().unwrap_or_else(PoisonError::into_inner);
        let (free, held): (Vec<_>, Vec<_>) = std::mem::take(&mut *obsolete).into_iter().partition(Table::is_unused);
        *obsolete = held;
        drop(obsolete);
        let metas: Vec<TableMeta> = free.iter().map(|table| table.meta.clone()).collect();
        self.forget(&metas);
        metas
    }

    fn forget(&self, metas: &[TableMeta]) {
        let files: Vec<FileId> = metas.iter().map(|meta| meta.file_id).collect();
        if !files.is_empty() {
            self.context.files.forget(&files);
            self.context.cache.forget(&files);
        }
    }

    /// The tables in force, as the manifest names them.
    #[must_use]
    pub fn tables(&self) -> Vec<TableMeta> {
        self.state().version.tables().map(|table| table.meta.clone()).collect()
    }

    /// How far flush and compaction are behind.
    #[must_use]
    pub fn debt(&self) -> TreeDebt {
        let state = self.state();
        let excess = self.excess(&state.version);
        TreeDebt {
            active_bytes: state.active.approximate_bytes(),
            frozen_memtables: state.frozen.len(),
            frozen_bytes: state.frozen.iter().map(|table| table.approximate_bytes()).sum(),
            level0_tables: state.version.level(0).len(),
            excess_bytes: excess,
        }
    }

    /// Locks the tree for good: every later read fails with `Locked`, keys of tables and opened blocks are dropped.
    /// Memtables go when the tree and its snapshots are dropped.
    pub fn lock(&self) {
        self.context.locked.store(true, Ordering::Release);
        let state = self.state();
        let obsolete = self.obsolete.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tables: Vec<&Arc<Table>> = state.version.tables().chain(&obsolete).collect();
        tables.iter().for_each(|table| table.unload());
        let metas: Vec<TableMeta> = tables.iter().map(|table| table.meta.clone()).collect();
        self.forget(&metas);
    }

    pub(super) fn boundaries(&self) -> Boundaries {
        self.registry.boundaries()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("dir", &self.context.dir)
            .field("last_seq", &self.last_seq())
            .finish_non_exhaustive()
    }
}
