//! Begins an epoch: names where the log is cut, and opens a new file behind the cut (docs/FORMAT.md 4.4, 4.5).

use super::{
    InForce, LocalBucket, LogInForce, Manifest, StoreError,
    env::{Env, Limits},
    local::{Writer, lock},
    manifest::LINES_LIMIT,
    manifest_file::ManifestFiles,
    recovery::{Recovered, file_numbers, line_of},
};
use crate::{
    crypt::{BucketId, BucketKeys, EpochId, FileId},
    log::{
        Cut, GroupSync, HEADER_BYTES, LogError, LogFactory, LogFile, LogHeader, LogState, LogWriter, PREAMBLE_BYTES,
        Tail, log_path,
    },
    space::Accounts,
};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// Files that a bucket's live content is spread over, roughly: each new log is this part of what is live.
const LIVE_PARTS: u64 = 8;
/// By how much a log may be longer than the one before.
const GROWTH: u64 = 4;
/// Length from which growth follows what is live.
const FREE_GROWTH_BYTES: u64 = 4 << 20;

impl Manifest {
    /// The manifest of a bucket that holds nothing.
    pub(super) fn first(epoch_id: EpochId) -> Self {
        Self {
            version: 1,
            epoch: 0,
            clean: true,
            hole_accepted: false,
            epoch_id,
            flushed: Tail::default(),
            replay_from: (0, 0),
            witness: 0,
            next_number: 1,
            next_segment: 1,
            lines: Vec::new(),
            logs: Vec::new(),
            tables: Vec::new(),
        }
    }
}

/// Makes the log files of one epoch.
pub(super) struct EpochFiles {
    env: Env,
    dir: String,
    bucket: BucketId,
    keys: BucketKeys,
    epoch: u64,
    epoch_id: EpochId,
    next_number: Arc<AtomicU64>,
    files: Arc<RwLock<BTreeMap<u64, Arc<LogFile>>>>,
    live_bytes: Arc<AtomicU64>,
}

/// Length for the file after one of `previous` bytes, when `live` bytes are in use in the bucket.
fn next_capacity(limits: &Limits, previous: u64, live: u64, min_bytes: u64) -> u64 {
    let wanted = previous.saturating_mul(GROWTH).min((live / LIVE_PARTS).max(FREE_GROWTH_BYTES));
    let capped = wanted.clamp(limits.log_min_bytes, limits.log_max_bytes);
    capped.max(PREAMBLE_BYTES + min_bytes).next_multiple_of(64 << 10)
}

impl EpochFiles {
    fn make(&self, previous: FileId, cut: Cut, capacity: u64) -> Result<Arc<LogFile>, LogError> {
        let number = self.next_number.fetch_add(1, Ordering::AcqRel);
        let path = log_path(&self.dir, number);
        let (id, key, sealed_key) =
            self.keys.new_file_key(self.env.entropy.as_ref()).map_err(|e| LogError::crypt(path.as_str(), e))?;
        let header = LogHeader {
            bucket: self.bucket,
            file: id,
            number,
            epoch: self.epoch,
            epoch_id: self.epoch_id,
            previous,
            cut,
            sealed_key,
        };
        let bytes = header.encode(&key).map_err(|e| LogError::crypt(path.as_str(), e))?;
        let io = |what: &str, e: io::Error| LogError::io(format!("{what} {path}"), e);
        let disk = self.env.disk.create(&path).map_err(|e| io("creating", e))?;
        if let Err(error) = disk.allocate(0, capacity) {
            let _ = self.env.disk.remove_file(&path);
            return Err(io("allocating", error));
        }
        disk.write_at(0, &[&bytes]).map_err(|e| io("writing", e))?;
        disk.write_at(HEADER_BYTES as u64, &[&bytes]).map_err(|e| io("writing", e))?;
        disk.sync().map_err(|e| io("syncing", e))?;
        self.env.disk.sync_dir(&format!("{}/log", self.dir)).map_err(|e| io("syncing the directory of", e))?;
        let file = LogFile::new(&header, &key, capacity, disk).map_err(|e| LogError::crypt(path.as_str(), e))?;
        let file = Arc::new(file);
        self.files.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// As `make`, but smaller, and from the reserve, when the disk is full.
    fn make_fitting(
        &self,
        previous: FileId,
        cut: Cut,
        capacity: u64,
        least: u64,
        may_use_reserve: bool,
    ) -> Result<Arc<LogFile>, LogError> {
        let mut wanted = capacity;
        loop {
            match self.make(previous, cut, wanted) {
                Err(LogError::NoSpace) if wanted > least => wanted = (wanted / 4).max(least).next_multiple_of(64 << 10),
                Err(LogError::NoSpace) if may_use_reserve && self.env.reserve.release(least.saturating_mul(2)) => {}
                outcome => return outcome,
            }
        }
    }
}

impl LogFactory for EpochFiles {
    fn next_file(
        &self,
        previous: &LogFile,
        cut: Cut,
        min_bytes: u64,
        may_use_reserve: bool,
    ) -> Result<Arc<LogFile>, LogError> {
        let limits = &self.env.limits;
        let live = self.live_bytes.load(Ordering::Relaxed);
        let capacity = next_capacity(limits, previous.capacity, live, min_bytes);
        let least = (PREAMBLE_BYTES + min_bytes).max(limits.log_min_bytes).next_multiple_of(64 << 10);
        self.make_fitting(previous.id, cut, capacity, least, may_use_reserve)
    }
}

impl LocalBucket {
    /// The first change after an opening: a new epoch, a new file, a manifest that names the cut.
    pub(super) fn begin_epoch(&self) -> Result<Writer, StoreError> {
        let mut held = lock(&self.maintenance);
        let mut found = lock(&self.found);
        let recovered = found.as_ref().ok_or_else(|| StoreError::damaged("the bucket was opened twice for writing"))?;
        let before = &held.manifest;
        let epoch = before.epoch.max(recovered.newest_epoch) + 1;
        let factory = EpochFiles {
            env: self.env.clone(),
            dir: self.dir.clone(),
            bucket: self.id,
            keys: self.keys.clone(),
            epoch,
            epoch_id: EpochId::random(self.env.entropy.as_ref())?,
            next_number: Arc::clone(&self.next_number),
            files: Arc::clone(&self.files),
            live_bytes: Arc::clone(&self.live_bytes),
        };
        let (previous, cut) = recovered.cut;
        let least = self.env.limits.log_min_bytes;
        let file = factory.make_fitting(previous, cut, least, least, true)?;
        let manifest = self.epoch_manifest(before, recovered, &factory, &file);
        let reference = self.put_manifest(&manifest)?;
        let sync = Arc::new(GroupSync::new(recovered.tail.number, Arc::clone(&file)));
        let log = LogWriter::new(Arc::clone(&file), recovered.tail, Box::new(factory), Arc::clone(&sync));
        *held = InForce {
            manifest,
            reference,
            accounts: std::mem::take(&mut held.accounts),
            dead: std::mem::take(&mut held.dead),
        };
        *found = None;
        self.remove_garbage(&held.manifest)?;
        Ok(Writer { log, sync })
    }

    fn epoch_manifest(&self, before: &Manifest, recovered: &Recovered, files: &EpochFiles, file: &LogFile) -> Manifest {
        let mut lines = before.lines.clone();
        lines.push(line_of(before, recovered.tail));
        let surplus = lines.len().saturating_sub(LINES_LIMIT);
        lines.drain(..surplus);
        let mut logs = recovered.logs.clone();
        logs.push(LogInForce { state: state_in_use(file), live_bytes: 0 });
        let replay_from = if before.replay_from.0 == 0 { (file.number, 0) } else { before.replay_from };
        Manifest {
            version: before.version + 1,
            epoch: files.epoch,
            epoch_id: files.epoch_id,
            clean: false,
            flushed: before.flushed,
            replay_from,
            witness: recovered.tail.number,
            next_number: self.next_number.load(Ordering::Acquire),
            next_segment: self.next_segment.load(Ordering::Acquire),
            lines,
            logs,
            hole_accepted: before.hole_accepted || recovered.damage.is_some(),
            tables: before.tables.clone(),
        }
    }

    /// Writes a manifest and has it recorded; a full disk is met from the reserve.
    pub(super) fn put_manifest(&self, manifest: &Manifest) -> Result<super::ManifestRef, StoreError> {
        let files = ManifestFiles { env: &self.env, dir: &self.dir, bucket: self.id, keys: &self.keys };
        let reference = loop {
            match files.write(manifest) {
                Err(StoreError::NoSpace) if self.env.reserve.release(1 << 20) => {}
                outcome => break outcome?,
            }
        };
        self.recorder.record(self.id, reference)?;
        Ok(reference)
    }

    /// Removes what no manifest names: after a manifest is in force, and before anything new is made under it.
    fn remove_garbage(&self, manifest: &Manifest) -> Result<(), StoreError> {
        ManifestFiles { env: &self.env, dir: &self.dir, bucket: self.id, keys: &self.keys }
            .remove_others(manifest.version)?;
        for number in file_numbers(&self.env, &self.dir, "log", ".log")? {
            if !manifest.logs.iter().any(|log| log.state.number == number) {
                self.remove_file(&log_path(&self.dir, number))?;
                self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&number);
            }
        }
        for number in file_numbers(&self.env, &self.dir, "table", ".tbl")? {
            if !manifest.tables.iter().any(|table| table.file_number == number) {
                self.remove_file(&format!("{}/table/{number}.tbl", self.dir))?;
            }
        }
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &str) -> Result<(), StoreError> {
        match self.env.disk.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io(format!("removing {path}"), error))
            }
            _ => Ok(()),
        }
    }

    /// Keeps what new log files are sized by.
    pub(super) fn note_live_bytes(&self, accounts: &Accounts) {
        self.live_bytes.store(accounts.total_live_bytes(), Ordering::Relaxed);
    }
}

/// The state of a file in use, as a manifest names it.
pub(super) fn state_in_use(file: &LogFile) -> LogState {
    LogState {
        number: file.number,
        file: file.id,
        epoch: file.epoch,
        sealed_key: file.sealed_key,
        capacity: file.capacity,
        end: 0,
        last_number: 0,
        last_tag: [0; 16],
    }
}
