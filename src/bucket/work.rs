//! What is done behind everybody's back, one step at a time, on the store's own threads.

use super::{LocalBucket, SegmentId, StoreError, commit::Move, local::lock};
use crate::{
    log::{FrameKind, FrameScan, LogState, PREAMBLE_BYTES},
    space::SegmentRecord,
};
use std::time::Duration;

/// Bytes of content that one batch of moves carries at most.
const MOVE_BATCH_BYTES: u64 = 4 << 20;
/// Tables of level 0 at which commits begin to wait, and at which they wait longer.
const STALL_TABLES: usize = 12;

impl LocalBucket {
    /// Whether [`Self::work`] has something to do.
    #[must_use]
    pub fn wants_work(&self) -> bool {
        let debt = self.tree.debt();
        debt.active_bytes as u64 >= self.env.limits.memtable_bytes
            || debt.frozen_memtables > 0
            || debt.level0_tables >= 4
            || self.writer.get().is_some_and(|writer| writer.sync.has_waiters())
    }

    pub(super) fn wake_if_needed(&self) {
        if self.wants_work() {
            (self.env.wake)();
        }
    }

    /// Commits wait a little when compaction is far behind, so that it is not outrun for good.
    pub(super) fn wait_for_compaction(&self) {
        let debt = self.tree.debt();
        let full = self.env.limits.memtable_bytes.saturating_mul(2);
        if debt.level0_tables > STALL_TABLES || (debt.active_bytes + debt.frozen_bytes) as u64 > full {
            (self.env.wake)();
            std::thread::sleep(Duration::from_millis(if debt.level0_tables > 2 * STALL_TABLES { 10 } else { 1 }));
        }
    }

    /// One round of background work: prepares the next log, flushes, compacts tables and content, removes what is
    /// dead. Returns whether another round is worth while.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Damaged`, `Locked`: the bucket goes on as far as it can.
    pub fn work(&self) -> Result<bool, StoreError> {
        let Some(writer) = self.writer.get() else { return Ok(false) };
        self.check_writable()?;
        match writer.log.prepare_next() {
            Err(crate::log::LogError::NoSpace) | Ok(()) => {}
            Err(error) => {
                writer.log.fail(&error);
                return Err(error.into());
            }
        }
        let debt = self.tree.debt();
        let mut more = false;
        if debt.active_bytes as u64 >= self.env.limits.memtable_bytes
            || debt.frozen_memtables > 0
            || self.has_dead_logs()
        {
            self.flush()?;
            more = true;
        }
        more |= self.compact_tables(false)?;
        more |= self.compact_content()?;
        self.remove_dead()?;
        Ok(more)
    }

    /// Whether a flush would free enough log files to be worth while.
    fn has_dead_logs(&self) -> bool {
        let held = lock(&self.maintenance);
        let closed = self.closed_logs(&held);
        let state = lock(&self.commit);
        let used = |log: &LogState| log.end.saturating_sub(PREAMBLE_BYTES);
        let dead: u64 = closed.iter().filter(|log| state.accounts.live_bytes(log.number) == 0).map(used).sum();
        dead > state.accounts.total_live_bytes() / 4 + self.env.limits.dead_slack_bytes
    }

    /// Moves the live segments out of the emptiest closed log that is less than half in use, when dead bytes are more
    /// than what is worth keeping. Ciphertext is copied as it is: no key of an object is needed.
    fn compact_content(&self) -> Result<bool, StoreError> {
        let (used, live) = self.log_bytes();
        if used <= live + live / 4 + self.env.limits.dead_slack_bytes {
            return Ok(false);
        }
        let victim = {
            let held = lock(&self.maintenance);
            let flushed = held.manifest.flushed.number;
            let closed = self.closed_logs(&held);
            let state = lock(&self.commit);
            let stuck = lock(&self.stuck);
            closed
                .into_iter()
                .filter(|log| log.last_number <= flushed && !stuck.contains(&log.number))
                .map(|log| (state.accounts.live_bytes(log.number), log))
                .filter(|(live, log)| *live > 0 && *live < (log.end.saturating_sub(PREAMBLE_BYTES)) / 3 * 2)
                .min_by_key(|(live, log)| live.saturating_mul(1000) / log.end.max(1))
        };
        let Some((_, log)) = victim else {
            return Ok(false);
        };
        self.evacuate(&log)?;
        Ok(true)
    }

    /// Copies the live segments of a closed log to the end of the log.
    fn evacuate(&self, log: &LogState) -> Result<(), StoreError> {
        let writer = self.writer()?;
        let Some(file) = self.log_file(log.number) else { return Ok(()) };
        let mut scan = FrameScan::new(&file, 0, log.end);
        let mut moves = Vec::new();
        let mut bytes = 0;
        while let Some(found) = scan.next_frame() {
            if found.header.kind != FrameKind::Content {
                continue;
            }
            let id = SegmentId(found.header.number);
            let row = match self.snapshot_now()?.segment(id) {
                Ok(row) if (row.log, row.offset) == (log.number, found.payload_offset()) => row,
                Ok(_) | Err(StoreError::NoSegment(_)) => continue,
                Err(error) => return Err(error),
            };
            let Some(sealed) = self.read_whole(&file, &row)? else { continue };
            let (to, pin) = writer.log.append_content(id.0, &sealed, true)?;
            moves.push(Move { id, from: row, to, _pin: pin });
            bytes += u64::from(row.sealed_bytes);
            if bytes >= MOVE_BATCH_BYTES {
                self.commit_moves(std::mem::take(&mut moves))?;
                bytes = 0;
            }
        }
        self.commit_moves(moves)?;
        if lock(&self.commit).accounts.live_bytes(log.number) > 0 {
            lock(&self.stuck).insert(log.number);
        }
        Ok(())
    }

    /// A segment's ciphertext, or `None` when it is damaged: it then stays where it is, for `fsck` to name.
    fn read_whole(&self, file: &crate::log::LogFile, row: &SegmentRecord) -> Result<Option<Vec<u8>>, StoreError> {
        let mut sealed = vec![0; usize::try_from(row.sealed_bytes).unwrap_or(usize::MAX)];
        match file.read_at(row.offset, &mut sealed) {
            Ok(()) if crc32c::crc32c(&sealed) == row.crc => Ok(Some(sealed)),
            _ => {
                lock(&self.stuck).insert(row.log);
                Ok(None)
            }
        }
    }
}
