//! Flush, compaction of tables, and the manifests that put their results in force (docs/FORMAT.md 6).
//!
//! Order, each durable before the next: log through n → tables up to n → manifest → the catalog's record → removal of
//! what was replaced.

use super::{
    InForce, LocalBucket, LogInForce, Manifest, StoreError, dead::DeadFile, epoch::state_in_use, local::lock,
    manifest_file::ManifestFiles, table_keys::EpochTables,
};
use crate::{
    log::{LogState, PREAMBLE_BYTES, Tail, log_path},
    space::Accounts,
    tree::{TreeError, VersionEdit},
};
use std::sync::{PoisonError, atomic::AtomicBool};

/// Where a flush stands: everything up to `tail` is frozen or in tables.
struct Frozen {
    tail: Tail,
    accounts: Accounts,
    replay_from: (u64, u64),
    unpinned: Vec<u64>,
}

impl LocalBucket {
    /// Writes the metadata in memory into tables, so that the log before it is not needed for replay any more.
    ///
    /// # Errors
    /// `NoSpace`: tried again later. `Io`: the bucket turns read-only.
    pub fn flush(&self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.get() else { return Ok(()) };
        let mut held = lock(&self.maintenance);
        self.check_writable()?;
        let frozen = {
            let state = lock(&self.commit);
            self.tree.freeze();
            let (file, offset, tail) = writer.log.position();
            let (closed, _) = writer.log.files();
            let idle = |number: u64| self.log_file(number).is_none_or(|file| !file.is_pinned());
            let unpinned = closed
                .iter()
                .map(|log| log.number)
                .chain(held.manifest.logs.iter().map(|log| log.state.number))
                .filter(|&n| idle(n))
                .collect();
            Frozen { tail, accounts: state.accounts.clone(), replay_from: (file.number, offset), unpinned }
        };
        let outcome = self.flush_frozen(&mut held, frozen);
        self.fail_on_io(&outcome);
        outcome
    }

    fn flush_frozen(&self, held: &mut InForce, frozen: Frozen) -> Result<(), StoreError> {
        super::MetaStore::sync(self, super::Number(frozen.tail.number))?;
        let files = EpochTables { bucket: self, epoch: held.manifest.epoch };
        let mut edits = Vec::new();
        // A memtable that an earlier flush could not write waits before the new one.
        loop {
            match self.tree.write_frozen(&files) {
                Ok(Some(edit)) => {
                    // One memtable at a time: the next is only written when this one is in force. The flushed number
                    // moves with the last one.
                    let through = edit.flushed_through.unwrap_or(0);
                    if through < frozen.tail.number && self.tree.debt().frozen_memtables > 1 {
                        let manifest = self.next_manifest(held, std::slice::from_ref(&edit), &[]);
                        self.put_in_force(held, manifest, vec![edit])?;
                        continue;
                    }
                    edits.push(edit);
                    break;
                }
                Ok(None) => break,
                Err(TreeError::NoSpace)
                    if self.env.reserve.release(self.tree.debt().frozen_bytes as u64 + (1 << 20)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let dropped = self.removable(held, &frozen);
        let mut manifest = self.next_manifest(held, &edits, &dropped);
        manifest.flushed = frozen.tail;
        manifest.replay_from = frozen.replay_from;
        for log in &mut manifest.logs {
            log.live_bytes = frozen.accounts.live_bytes(log.state.number);
        }
        self.put_in_force(held, manifest, edits)?;
        held.accounts = frozen.accounts;
        self.note_live_bytes(&held.accounts);
        self.bury(held, &dropped);
        Ok(())
    }

    /// Closed logs that nothing needs any more once `frozen` is in tables: their own batches and every batch that freed
    /// something in them are flushed, and nothing that waits for a batch lies in them.
    fn removable(&self, held: &InForce, frozen: &Frozen) -> Vec<u64> {
        let closed = self.closed_logs(held);
        closed
            .iter()
            .filter(|log| log.last_number <= frozen.tail.number && frozen.accounts.live_bytes(log.number) == 0)
            .filter(|log| frozen.unpinned.contains(&log.number) && log.number != frozen.replay_from.0)
            .map(|log| log.number)
            .collect()
    }

    /// All logs in force that are closed: those of earlier epochs, and those that this one rolled away from.
    pub(super) fn closed_logs(&self, held: &InForce) -> Vec<LogState> {
        let mut closed: Vec<LogState> =
            held.manifest.logs.iter().map(|log| log.state.clone()).filter(|state| state.end != 0).collect();
        if let Some(writer) = self.writer.get() {
            for state in writer.log.files().0 {
                let gone = held.dead.contains(state.number) || self.log_file(state.number).is_none();
                if !gone && !closed.iter().any(|log| log.number == state.number) {
                    closed.push(state);
                }
            }
        }
        closed
    }

    /// A manifest like the one in force, with the logs as they are now, `dropped` left out, and the edits made.
    pub(super) fn next_manifest(&self, held: &InForce, edits: &[VersionEdit], dropped: &[u64]) -> Manifest {
        let mut manifest = held.manifest.clone();
        manifest.version += 1;
        manifest.clean = false;
        manifest.next_number = self.next_number.load(std::sync::atomic::Ordering::Acquire);
        manifest.next_segment = self.next_segment.load(std::sync::atomic::Ordering::Acquire);
        if let Some(writer) = self.writer.get() {
            manifest.witness = manifest.witness.max(writer.sync.durable());
            let (_, in_use) = writer.log.files();
            let mut logs: Vec<LogInForce> = self
                .closed_logs(held)
                .into_iter()
                .filter(|state| !dropped.contains(&state.number))
                .map(|state| LogInForce { live_bytes: held.accounts.live_bytes(state.number), state })
                .collect();
            logs.sort_by_key(|log| log.state.number);
            let live_bytes = held.accounts.live_bytes(in_use.number);
            logs.push(LogInForce { state: in_use, live_bytes });
            manifest.logs = logs;
        }
        for edit in edits {
            manifest.tables.retain(|table| !edit.removed.contains(&table.file_number));
            manifest.tables.extend(edit.added.iter().cloned());
        }
        manifest
    }

    /// Makes a manifest durable and recorded, then installs the edits and removes what it replaced. The closed logs that
    /// it names are synced first: what a manifest says of a log is true whatever is cut off.
    pub(super) fn put_in_force(
        &self,
        held: &mut InForce,
        mut manifest: Manifest,
        edits: Vec<VersionEdit>,
    ) -> Result<(), StoreError> {
        if let Some(writer) = self.writer.get() {
            super::MetaStore::sync(self, super::Number(self.committed_number()))?;
            manifest.witness = manifest.witness.max(writer.sync.durable());
        }
        let reference = self.put_manifest(&manifest)?;
        held.manifest = manifest;
        held.reference = reference;
        for edit in edits {
            self.tree.install(edit)?;
        }
        ManifestFiles { env: &self.env, dir: &self.dir, bucket: self.id, keys: &self.keys }
            .remove_others(held.manifest.version)
    }

    /// Notes logs that left the manifest; they go when no snapshot reads them.
    fn bury(&self, held: &mut InForce, dropped: &[u64]) {
        let now = self.committed_number();
        for &number in dropped {
            held.dead.add(now, DeadFile { number });
        }
    }

    /// Removes files that left the manifest and that nobody reads any more.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn remove_dead(&self) -> Result<(), StoreError> {
        let mut held = lock(&self.maintenance);
        for table in self.tree.take_obsolete() {
            self.remove_file(&format!("{}/table/{}.tbl", self.dir, table.file_number))?;
        }
        let oldest = self.tree.oldest_snapshot();
        for dead in held.dead.take(oldest) {
            self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&dead.number);
            lock(&self.commit).accounts.remove(dead.number);
            held.accounts.remove(dead.number);
            if let Some(writer) = self.writer.get() {
                writer.log.forget(dead.number);
            }
            self.remove_file(&log_path(&self.dir, dead.number))?;
        }
        Ok(())
    }

    /// One compaction of tables, when one is wanted. Returns whether there was something to do.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Damaged` (of a block that was merged).
    pub(super) fn compact_tables(&self, full: bool) -> Result<bool, StoreError> {
        let job = if full { self.tree.pick_full_compaction() } else { self.tree.pick_compaction() };
        let Some(job) = job else { return Ok(false) };
        let epoch = lock(&self.maintenance).manifest.epoch;
        let edit = match self.tree.run_compaction(job, &EpochTables { bucket: self, epoch }, &AtomicBool::new(false)) {
            Err(TreeError::NoSpace) => {
                self.env.reserve.release(64 << 20);
                return Err(StoreError::NoSpace);
            }
            outcome => outcome?,
        };
        let mut held = lock(&self.maintenance);
        let manifest = self.next_manifest(&held, std::slice::from_ref(&edit), &[]);
        let outcome = self.put_in_force(&mut held, manifest, vec![edit]);
        drop(held);
        self.fail_on_io(&outcome);
        outcome?;
        Ok(true)
    }

    /// After an I/O error of a write or sync the bucket takes no more changes (promise D5).
    pub(super) fn fail_on_io<T>(&self, outcome: &Result<T, StoreError>) {
        if let Err(StoreError::Io { what, source }) = outcome {
            let reason: std::sync::Arc<str> = format!("{what}: {source}").into();
            if let Some(writer) = self.writer.get() {
                writer.log.fail(&crate::log::LogError::Failed(std::sync::Arc::clone(&reason)));
            }
            let _ = self.read_only.set(reason);
        }
    }

    /// Bytes of log files in force, and how many of them are in use.
    #[must_use]
    pub fn log_bytes(&self) -> (u64, u64) {
        let held = lock(&self.maintenance);
        let mut used: u64 = self.closed_logs(&held).iter().map(|log| log.end.saturating_sub(PREAMBLE_BYTES)).sum();
        if let Some(writer) = self.writer.get() {
            used += writer.log.position().1;
        }
        (used, lock(&self.commit).accounts.total_live_bytes())
    }

    /// Closes the bucket: everything committed becomes durable, and a manifest names the tail of the log.
    ///
    /// # Errors
    /// `Io`, `NoSpace`: the bucket is closed all the same, and replayed at the next opening.
    pub fn close(&self) -> Result<(), StoreError> {
        if self.closed.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        let outcome = self.close_writer();
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        outcome
    }

    fn close_writer(&self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.get() else { return Ok(()) };
        if self.read_only_reason().is_some() {
            return Ok(());
        }
        if self.tree.debt().active_bytes as u64 > CLOSE_FLUSH_BYTES
            || lock(&self.maintenance).manifest.logs.len() > CLOSE_FLUSH_LOGS
        {
            self.flush()?;
        }
        self.remove_dead()?;
        let mut held = lock(&self.maintenance);
        let state = lock(&self.commit);
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        let (file, end, tail) = writer.log.position();
        drop(state);
        super::MetaStore::sync(self, super::Number(tail.number))?;
        let mut manifest = self.next_manifest(&held, &[], &[]);
        manifest.clean = true;
        manifest.witness = tail.number;
        if let Some(log) = manifest.logs.last_mut() {
            log.state = LogState { end, last_number: tail.number, last_tag: tail.tag, ..state_in_use(&file) };
        }
        self.put_in_force(&mut held, manifest, Vec::new())?;
        self.remove_prepared(writer)
    }

    /// A file prepared ahead holds nothing; after a clean close nothing names it.
    fn remove_prepared(&self, writer: &super::local::Writer) -> Result<(), StoreError> {
        match writer.log.prepared() {
            Some(number) => self.remove_file(&log_path(&self.dir, number)),
            None => Ok(()),
        }
    }
}

/// Bytes in memory that a close writes into a table, rather than leave them to replay.
const CLOSE_FLUSH_BYTES: u64 = 1 << 20;
/// Logs in force beyond which a close flushes, so that they can go.
const CLOSE_FLUSH_LOGS: usize = 4;
