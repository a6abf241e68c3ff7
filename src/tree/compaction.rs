//! Compaction: tables of one level merged with those of the next that overlap them.

use super::{
    Tree, TreeError,
    entry::{Boundaries, KeyRef},
    merge::{LevelCursor, Merge, Source},
    meta::{LEVEL_MAX, TableMeta},
    sealing::TableFiles,
    table::{Keep, OnDamage, Table, TableCursor, TableWriter, table_dir, table_path},
    version::{Busy, Version, VersionEdit},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Entries between two looks at the cancel flag.
const STEP_ENTRIES: u32 = 256;

/// A compaction that was picked. While it or its edit lives, no other is.
pub struct CompactionJob {
    /// Tables of the upper level; of level 0 all, newest first.
    upper: Vec<Arc<Table>>,
    /// Tables of the next level that they overlap.
    lower: Vec<Arc<Table>>,
    /// The version it was picked from.
    version: Arc<Version>,
    target: u8,
    on_damage: OnDamage,
    /// Writes all entries anew even where a table could move.
    rewrite: bool,
    busy: Busy,
}

impl CompactionJob {
    /// Gives damaged blocks up instead of failing, and counts them in the edit. Keys that they held are lost, or show
    /// an older state. For `fsck --accept-loss` only.
    #[must_use]
    pub fn accept_loss(mut self) -> Self {
        self.on_damage = OnDamage::Skip;
        self.rewrite = true;
        self
    }

    /// Bytes that the job reads.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.upper.iter().chain(&self.lower).map(|table| table.meta.len).sum()
    }

    /// Whether the tables only change their level, without being read.
    #[must_use]
    pub fn is_trivial_move(&self) -> bool {
        self.lower.is_empty() && self.upper.len() == 1 && !self.rewrite
    }
}

impl std::fmt::Debug for CompactionJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompactionJob")
            .field("upper", &self.upper)
            .field("lower", &self.lower)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Tree {
    /// Bytes that a level should hold.
    fn target_bytes(&self, depth: usize) -> u64 {
        let steps = u32::try_from(depth.saturating_sub(1)).unwrap_or(u32::MAX);
        self.shape.level1_bytes.saturating_mul(self.shape.level_ratio.saturating_pow(steps))
    }

    fn level_bytes(version: &Version, depth: usize) -> u64 {
        version.level(depth).iter().map(|table| table.meta.len).sum()
    }

    /// Bytes over target, all levels together; level 0 counts whole once it asks for a compaction.
    pub(super) fn excess(&self, version: &Version) -> u64 {
        (0..version.levels().len())
            .map(|depth| {
                let bytes = Self::level_bytes(version, depth);
                match depth {
                    0 if version.level(0).len() < self.shape.level0_tables => 0,
                    0 => bytes,
                    _ => bytes.saturating_sub(self.target_bytes(depth)),
                }
            })
            .sum()
    }

    /// The compaction that is needed most, or `None` when none is, or one is under way.
    #[must_use]
    pub fn pick_compaction(&self) -> Option<CompactionJob> {
        let busy = Busy::take(&self.compacting)?;
        let version = Arc::clone(&self.state().version);
        let fill = |depth: usize| -> u64 {
            // In thousandths of what the level should hold.
            let (have, want) = match depth {
                0 => (version.level(0).len() as u64, self.shape.level0_tables.max(1) as u64),
                _ => (Self::level_bytes(&version, depth), self.target_bytes(depth).max(1)),
            };
            have.saturating_mul(1000) / want
        };
        let deepest = version.levels().len().min(usize::from(LEVEL_MAX));
        let mut depths: Vec<(u64, usize)> = (0..deepest).map(|depth| (fill(depth), depth)).collect();
        depths.retain(|(fill, _)| *fill >= 1000);
        depths.sort_by_key(|(fill, depth)| (std::cmp::Reverse(*fill), *depth));
        let (upper, lower, depth) = depths.into_iter().find_map(|(_, depth)| {
            let (upper, lower) = if depth == 0 { pick_level0(&version)? } else { pick_table(&version, depth)? };
            Some((upper, lower, depth))
        })?;
        let target = u8::try_from(depth + 1).ok()?;
        Some(CompactionJob { upper, lower, version, target, on_damage: OnDamage::Fail, rewrite: false, busy })
    }

    /// A compaction of everything into the deepest level that is needed, whatever the levels hold: for reseal, for
    /// shredding what was deleted, and for accepting a loss. `None` while another is under way or nothing is there.
    #[must_use]
    pub fn pick_full_compaction(&self) -> Option<CompactionJob> {
        let busy = Busy::take(&self.compacting)?;
        let version = Arc::clone(&self.state().version);
        let depth = version.levels().len();
        let target = u8::try_from(depth.clamp(2, usize::from(LEVEL_MAX) + 1) - 1).ok()?;
        let upper: Vec<_> = version.tables().cloned().collect();
        (!upper.is_empty()).then_some(CompactionJob {
            upper,
            lower: Vec::new(),
            version,
            target,
            on_damage: OnDamage::Fail,
            rewrite: true,
            busy,
        })
    }

    /// Runs a compaction: writes the new tables and syncs them and their directory. Nothing is in force until the edit
    /// is in a manifest and installed. Memory is bounded by a block for each input.
    ///
    /// # Errors
    /// `Cancelled`; `NoSpace`, `Io`, `Locked`; `Damaged` when an input is, which is then not picked again while the
    /// tree lives. The files written were removed.
    pub fn run_compaction(
        &self,
        job: CompactionJob,
        files: &dyn TableFiles,
        cancel: &AtomicBool,
    ) -> Result<VersionEdit, TreeError> {
        let inputs = || job.upper.iter().chain(&job.lower);
        let removed: Vec<u64> = inputs().map(|table| table.meta.file_number).collect();
        if job.is_trivial_move()
            && let Some(table) = job.upper.first()
        {
            let added = vec![TableMeta { level: job.target, ..table.meta.clone() }];
            return Ok(VersionEdit { added, removed, busy: Some(job.busy), ..VersionEdit::default() });
        }
        let mut run = Run {
            tree: self,
            files,
            target: job.target,
            version: &job.version,
            boundaries: self.boundaries(),
            replaced: removed.clone(),
            writer: None,
            outputs: Outputs { tree: self, added: Vec::new(), kept: false },
        };
        let mut merge = Merge::new(sources(&job));
        let outcome = run.merge(&mut merge, job.on_damage, cancel);
        if let (Err(error), Some(table)) = (&outcome, merge.failed_table())
            && error.is_damage()
        {
            table.damaged.store(true, Ordering::Relaxed);
        }
        let blocks_lost = outcome?;
        let dir = table_dir(&self.context.dir);
        self.context.disk.sync_dir(&dir).map_err(|e| TreeError::io("sync", &dir, e))?;
        let added = run.finish();
        Ok(VersionEdit { added, removed, blocks_lost, busy: Some(job.busy), ..VersionEdit::default() })
    }
}

/// Tables of the upper and of the lower level of a compaction.
type Inputs = (Vec<Arc<Table>>, Vec<Arc<Table>>);

/// All of level 0, because its tables overlap each other, and what they overlap in level 1.
fn pick_level0(version: &Version) -> Option<Inputs> {
    let upper = version.level(0).to_vec();
    let first = upper.iter().map(|table| table.meta.smallest.as_slice()).min()?;
    let last = upper.iter().map(|table| table.meta.largest.as_slice()).max()?;
    let lower = version.overlapping(1, first, last);
    sound(&upper, &lower).then_some((upper, lower))
}

/// The table whose move to the next level rewrites least there.
fn pick_table(version: &Version, depth: usize) -> Option<Inputs> {
    let candidates = version.level(depth).iter().filter_map(|table| {
        let lower = version.overlapping(depth + 1, &table.meta.smallest, &table.meta.largest);
        let rewritten: u64 = lower.iter().map(|table| table.meta.len).sum();
        let upper = vec![Arc::clone(table)];
        sound(&upper, &lower).then_some((rewritten.saturating_mul(1000) / table.meta.len.max(1), upper, lower))
    });
    candidates.min_by_key(|(cost, _, _)| *cost).map(|(_, upper, lower)| (upper, lower))
}

fn sound(upper: &[Arc<Table>], lower: &[Arc<Table>]) -> bool {
    !upper.iter().chain(lower).any(|table| table.damaged.load(Ordering::Relaxed))
}

/// One cursor for each table of level 0, one for each other level.
fn sources(job: &CompactionJob) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut levels: Vec<Vec<Arc<Table>>> = vec![Vec::new(); usize::from(LEVEL_MAX) + 1];
    for table in job.upper.iter().chain(&job.lower) {
        if table.meta.level == 0 {
            sources.push(Source::Table(TableCursor::new(Arc::clone(table), Keep::Streaming)));
        } else if let Some(level) = levels.get_mut(usize::from(table.meta.level)) {
            level.push(Arc::clone(table));
        }
    }
    for level in levels.into_iter().filter(|level| !level.is_empty()) {
        sources.push(Source::Level(LevelCursor::new(level.into(), Keep::Streaming, None)));
    }
    sources
}

/// Tables written; removed again unless kept.
struct Outputs<'t> {
    tree: &'t Tree,
    added: Vec<TableMeta>,
    kept: bool,
}

impl Outputs<'_> {
    fn keep(mut self) -> Vec<TableMeta> {
        self.kept = true;
        std::mem::take(&mut self.added)
    }
}

impl Drop for Outputs<'_> {
    fn drop(&mut self) {
        if !self.kept {
            for meta in &self.added {
                // A file that stays is not in the manifest: recovery removes it.
                let _ = self.tree.context.disk.remove_file(&table_path(&self.tree.context.dir, meta.file_number));
            }
        }
    }
}

fn new_writer<'t>(tree: &'t Tree, files: &dyn TableFiles) -> Result<TableWriter<'t>, TreeError> {
    TableWriter::create(tree.context.disk.as_ref(), &tree.context.dir, files.new_table()?, tree.shape.table)
}

struct Run<'t> {
    tree: &'t Tree,
    files: &'t dyn TableFiles,
    target: u8,
    version: &'t Version,
    boundaries: Boundaries,
    /// Numbers of the inputs.
    replaced: Vec<u64>,
    writer: Option<TableWriter<'t>>,
    outputs: Outputs<'t>,
}

impl Run<'_> {
    fn finish(self) -> Vec<TableMeta> {
        self.outputs.keep()
    }

    /// Merges all entries into new tables; returns the number of damaged blocks given up.
    fn merge(&mut self, merge: &mut Merge, on_damage: OnDamage, cancel: &AtomicBool) -> Result<u64, TreeError> {
        let mut lost = 0;
        let mut last: Option<(Vec<u8>, u64)> = None;
        let mut step = 0u32;
        let mut outcome = merge.seek(KeyRef { user: &[], seq: u64::MAX });
        loop {
            while on_damage == OnDamage::Skip && outcome.as_ref().is_err_and(TreeError::is_damage) {
                lost += 1;
                outcome = merge.skip_block();
            }
            outcome?;
            step = step.wrapping_add(1);
            if step.is_multiple_of(STEP_ENTRIES) && cancel.load(Ordering::Relaxed) {
                return Err(TreeError::Cancelled);
            }
            let Some(key) = merge.key() else { break };
            let value = merge.value_ref();
            let newer = last.as_ref().filter(|(user, _)| user == key.user).map(|(_, seq)| *seq);
            if newer.is_none() {
                self.split()?;
            }
            if self.boundaries.needs(key.seq, newer) && !(value.is_none() && self.may_forget(key)) {
                let writer = match &mut self.writer {
                    Some(writer) => writer,
                    none => none.insert(new_writer(self.tree, self.files)?),
                };
                writer.add(key, value)?;
            }
            match &mut last {
                Some((user, seq)) => {
                    user.clear();
                    user.extend_from_slice(key.user);
                    *seq = key.seq;
                }
                None => last = Some((key.user.to_vec(), key.seq)),
            }
            outcome = merge.advance();
        }
        self.close()?;
        Ok(lost)
    }

    /// Whether a deletion has done its work: every reader sees it, and nothing lies below that it hides.
    fn may_forget(&self, key: KeyRef<'_>) -> bool {
        self.boundaries.all_see(key.seq)
            && self.version.levels().iter().skip(usize::from(self.target) + 1).all(|level| {
                Version::table_for(level, key.user).is_none_or(|table| self.replaced.contains(&table.meta.file_number))
            })
    }

    /// Before a new user key: closes the table when it is long enough. Versions of one key stay in one table, so that
    /// tables of a level do not overlap.
    fn split(&mut self) -> Result<(), TreeError> {
        let long = self.writer.as_ref().is_some_and(|writer| writer.len() >= self.tree.shape.table_bytes);
        if long { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), TreeError> {
        if let Some(writer) = self.writer.take() {
            self.outputs.added.extend(writer.finish(self.target)?);
        }
        Ok(())
    }
}
