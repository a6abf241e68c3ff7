//! Versions: which tables are in force, level by level.

use super::{
    TreeError,
    memtable::MemTable,
    meta::{LEVEL_MAX, TableMeta},
    table::{Table, TableContext},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Tables of a level in order: level 0 newest first, the others by key.
pub(super) type Level = Arc<[Arc<Table>]>;

/// The tables in force. Never changed: an edit makes a new one.
pub(super) struct Version {
    levels: Vec<Level>,
}

impl Version {
    /// A version of these tables.
    ///
    /// # Errors
    /// `Malformed` when tables of a level below the first overlap.
    pub(super) fn new(tables: Vec<Arc<Table>>) -> Result<Self, TreeError> {
        let deepest = tables.iter().map(|table| table.meta.level).max().unwrap_or(0).min(LEVEL_MAX);
        let mut levels: Vec<Vec<Arc<Table>>> = vec![Vec::new(); usize::from(deepest) + 1];
        for table in tables {
            levels
                .get_mut(usize::from(table.meta.level))
                .ok_or(TreeError::Malformed("a table's level is out of range"))?
                .push(table);
        }
        for (depth, level) in levels.iter_mut().enumerate() {
            if depth == 0 {
                level.sort_by_key(|table| std::cmp::Reverse((table.meta.max_seq, table.meta.file_number)));
            } else {
                level.sort_by(|a, b| a.meta.smallest.cmp(&b.meta.smallest));
                if !level.is_sorted_by(|a, b| a.meta.largest < b.meta.smallest) {
                    return Err(TreeError::Malformed("tables of one level overlap"));
                }
            }
        }
        Ok(Self { levels: levels.into_iter().map(Into::into).collect() })
    }

    /// All levels, 0 first.
    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// A level's tables; empty for one that is not there.
    pub(super) fn level(&self, depth: usize) -> &[Arc<Table>] {
        self.levels.get(depth).map_or(&[], |level| level)
    }

    /// All tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.levels.iter().flat_map(|level| level.iter())
    }

    /// The only table of a level below the first that may hold `key`.
    pub(super) fn table_for<'v>(level: &'v Level, key: &[u8]) -> Option<&'v Arc<Table>> {
        let place = level.partition_point(|table| table.meta.largest.as_slice() < key);
        level.get(place).filter(|table| table.meta.smallest.as_slice() <= key)
    }

    /// The tables of a level that hold keys in `first..=last`.
    pub(super) fn overlapping(&self, depth: usize, first: &[u8], last: &[u8]) -> Vec<Arc<Table>> {
        let overlaps = |table: &&Arc<Table>| table.meta.overlaps_inclusive(first, last);
        self.level(depth).iter().filter(overlaps).cloned().collect()
    }

    /// The version after an edit, and the tables that are in it no more. Tables that stay are shared.
    pub(super) fn apply(
        &self,
        edit: &VersionEdit,
        context: &Arc<TableContext>,
    ) -> Result<(Self, Vec<Arc<Table>>), TreeError> {
        let removed: BTreeSet<u64> = edit.removed.iter().copied().collect();
        let (gone, mut tables): (Vec<_>, Vec<_>) =
            self.tables().cloned().partition(|table| removed.contains(&table.meta.file_number));
        if gone.len() != removed.len() {
            return Err(TreeError::Malformed("an edit removes a table that is not in force"));
        }
        // A table that only moved is added again under its own number: its file is still in force.
        tables.extend(edit.added.iter().map(|meta| {
            Arc::new(match gone.iter().find(|table| table.meta.file_number == meta.file_number) {
                Some(table) => table.moved(meta.clone()),
                None => Table::new(meta.clone(), Arc::clone(context)),
            })
        }));
        let kept: BTreeSet<u64> = edit.added.iter().map(|meta| meta.file_number).collect();
        let gone = gone.into_iter().filter(|table| !kept.contains(&table.meta.file_number)).collect();
        Ok((Self::new(tables)?, gone))
    }
}

/// A change of the version, to be made durable in the manifest and then installed.
///
/// While an edit of a compaction lives, no other compaction is picked.
#[derive(Debug, Default)]
pub struct VersionEdit {
    /// Tables that come into force; their files are synced. One that moves to another level is here and in `removed`.
    pub added: Vec<TableMeta>,
    /// Numbers of tables that are in force no more.
    pub removed: Vec<u64>,
    /// Set by a flush: batches up to this number are in tables once the edit is durable.
    pub flushed_through: Option<u64>,
    /// Damaged blocks that were given up, because the job was told so.
    pub blocks_lost: u64,
    pub(super) flushed: Option<Arc<MemTable>>,
    #[expect(dead_code, reason = "held for its drop")]
    pub(super) busy: Option<Busy>,
}

/// Held by the one compaction that may be under way.
#[derive(Debug)]
pub(super) struct Busy(Arc<AtomicBool>);

impl Busy {
    /// Takes the place of the only compaction, if it is free.
    pub(super) fn take(flag: &Arc<AtomicBool>) -> Option<Self> {
        (!flag.swap(true, Ordering::AcqRel)).then(|| Self(Arc::clone(flag)))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
