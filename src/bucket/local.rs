//! A bucket on the local disk: the pair of stores that share one log.
//!
//! Locks, outermost first: `maintenance` (flush, compaction, manifests; held over I/O) → `commit` (one batch at a
//! time) → the log writer's own. `files` is a leaf. Readers take none but `files`, for reading.

use super::{
    Committed, Completion, Manifest, ManifestRecorder, ManifestRef, Number, StoreError,
    dead::DeadFiles,
    env::Env,
    recovery::{Recovered, recover},
    snapshot::LocalSnapshot,
};
use crate::{
    bucket::manifest_file::ManifestFiles,
    crypt::{BucketId, BucketKeys},
    log::{GroupSync, LogFile, LogWriter, Tail},
    space::Accounts,
    tree::{Tree, TreeOptions},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// What changes with each batch.
pub(super) struct CommitState {
    pub tail: Tail,
    pub accounts: Accounts,
}

/// What changes with each manifest.
pub(super) struct InForce {
    pub manifest: Manifest,
    pub reference: ManifestRef,
    /// Accounts at the manifest's flushed number.
    pub accounts: Accounts,
    pub dead: DeadFiles,
}

/// The end of the log that is written; there is none until the first change after an opening.
pub(super) struct Writer {
    pub log: LogWriter,
    pub sync: Arc<GroupSync>,
}

/// An open bucket.
pub struct LocalBucket {
    pub(super) env: Env,
    pub(super) dir: String,
    pub(super) id: BucketId,
    pub(super) keys: BucketKeys,
    pub(super) recorder: Arc<dyn ManifestRecorder>,
    pub(super) tree: Tree,
    pub(super) files: Arc<RwLock<BTreeMap<u64, Arc<LogFile>>>>,
    pub(super) commit: Mutex<CommitState>,
    pub(super) maintenance: Mutex<InForce>,
    pub(super) writer: OnceLock<Writer>,
    pub(super) beginning: Mutex<()>,
    pub(super) found: Mutex<Option<Recovered>>,
    pub(super) committed: AtomicU64,
    pub(super) next_number: Arc<AtomicU64>,
    pub(super) next_segment: AtomicU64,
    pub(super) read_only: OnceLock<Arc<str>>,
    pub(super) closed: AtomicBool,
    /// Sealed bytes in use, as of the last flush; new log files are sized by it.
    pub(super) live_bytes: Arc<AtomicU64>,
    /// Logs that compaction could not empty; they stay as they are.
    pub(super) stuck: Mutex<BTreeSet<u64>>,
    /// What was found at the opening, for `fsck`.
    pub(super) problems: Vec<String>,
}

impl std::fmt::Debug for LocalBucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBucket").field("id", &self.id).finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalBucket {
    /// Makes the directories and the first manifest of a new bucket in `dir`, durably. Nothing is lost when it is
    /// called again after a crash in the midst of it: the bucket held nothing yet.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Locked`.
    pub fn create(env: &Env, dir: &str, id: BucketId, keys: &BucketKeys) -> Result<ManifestRef, StoreError> {
        for room in ["manifest", "log", "table"] {
            let path = format!("{dir}/{room}");
            match env.disk.create_dir(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(StoreError::io(format!("making {path}"), error));
                }
                _ => {}
            }
            env.disk.sync_dir(&path).map_err(|e| StoreError::io(format!("syncing {path}"), e))?;
        }
        env.disk.sync_dir(dir).map_err(|e| StoreError::io(format!("syncing {dir}"), e))?;
        let epoch_id = crate::crypt::EpochId::random(env.entropy.as_ref())?;
        let manifest = Manifest::first(epoch_id);
        ManifestFiles { env, dir, bucket: id, keys }.write(&manifest)
    }

    /// Opens a bucket: reads the manifest in force (`recorded` by the catalog; `None` for the catalog itself), replays
    /// the log, and syncs what it replayed. Nothing is written until the first change.
    ///
    /// A bucket whose log lost something durable opens read-only, with [`Self::read_only_reason`]; with `accept_loss` it
    /// may be written, and its next manifest says that a hole was accepted.
    ///
    /// # Errors
    /// `Locked`; `Damaged` when no manifest is intact; `Io`.
    pub fn open(
        env: Env,
        dir: &str,
        id: BucketId,
        keys: BucketKeys,
        recorded: Option<ManifestRef>,
        recorder: Arc<dyn ManifestRecorder>,
        accept_loss: bool,
    ) -> Result<Arc<Self>, StoreError> {
        let mut problems = Vec::new();
        let files = ManifestFiles { env: &env, dir, bucket: id, keys: &keys };
        let (manifest, reference) = files.read(recorded, &mut problems)?;
        let mut recovered = recover(&env, dir, id, &keys, &manifest)?;
        problems.append(&mut recovered.problems);
        let options = TreeOptions {
            disk: Arc::clone(&env.disk),
            dir: dir.to_owned(),
            cache: Arc::clone(&env.blocks),
            files: Arc::clone(&env.descriptors),
            keys: Arc::new(keys.clone()),
            shape: env.shape,
        };
        let tree = Tree::new(options, manifest.tables.clone(), manifest.flushed.number)?;
        let mut flushed_accounts = Accounts::default();
        for log in &manifest.logs {
            flushed_accounts.set(log.state.number, log.live_bytes);
        }
        let flushed_live = flushed_accounts.total_live_bytes();
        let mut accounts = flushed_accounts.clone();
        let mut next_segment = manifest.next_segment;
        for (number, record) in std::mem::take(&mut recovered.batches) {
            accounts.apply(&record.space);
            next_segment = record.contents.iter().fold(next_segment, |next, note| next.max(note.segment + 1));
            tree.apply(number, record.changes.iter().map(|(key, value)| (&key[..], value.clone())));
        }
        let read_only = OnceLock::new();
        match &recovered.damage {
            Some(damage) if accept_loss => problems.push(format!("accepted: {damage}")),
            Some(damage) => {
                let _ = read_only.set(damage.as_str().into());
            }
            None => {}
        }
        let tail = recovered.tail;
        Ok(Arc::new(Self {
            dir: dir.to_owned(),
            id,
            recorder,
            tree,
            files: Arc::new(RwLock::new(recovered.files.clone())),
            commit: Mutex::new(CommitState { tail, accounts }),
            maintenance: Mutex::new(InForce {
                reference,
                accounts: flushed_accounts,
                dead: DeadFiles::default(),
                manifest,
            }),
            writer: OnceLock::new(),
            beginning: Mutex::new(()),
            committed: AtomicU64::new(tail.number),
            next_number: Arc::new(AtomicU64::new(recovered.greatest_number + 1)),
            next_segment: AtomicU64::new(next_segment),
            read_only,
            closed: AtomicBool::new(false),
            live_bytes: Arc::new(AtomicU64::new(flushed_live)),
            stuck: Mutex::new(BTreeSet::new()),
            problems,
            found: Mutex::new(Some(recovered)),
            keys,
            env,
        }))
    }

    /// Why the bucket takes no changes, when it does not.
    #[must_use]
    pub fn read_only_reason(&self) -> Option<Arc<str>> {
        if let Some(reason) = self.read_only.get() {
            return Some(Arc::clone(reason));
        }
        self.writer.get().and_then(|writer| writer.log.failure()).map(|error| error.to_string().into())
    }

    /// What was found at the opening that did not keep it from opening.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The bucket's id.
    #[must_use]
    pub fn id(&self) -> BucketId {
        self.id
    }

    /// The bucket's keys.
    #[must_use]
    pub fn keys(&self) -> &BucketKeys {
        &self.keys
    }

    /// The manifest in force.
    #[must_use]
    pub fn manifest_ref(&self) -> ManifestRef {
        lock(&self.maintenance).reference
    }

    /// Makes everything committed durable.
    ///
    /// # Errors
    /// As [`super::MetaStore::sync`].
    pub fn sync_now(&self) -> Result<(), StoreError> {
        super::MetaStore::sync(self, Number(self.committed_number()))
    }

    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::ReadOnly { reason: "it is closed".into() });
        }
        self.read_only_reason().map_or(Ok(()), |reason| Err(StoreError::ReadOnly { reason }))
    }

    /// The log's end; begins an epoch at the first call after an opening.
    pub(super) fn writer(&self) -> Result<&Writer, StoreError> {
        self.check_writable()?;
        if let Some(writer) = self.writer.get() {
            return Ok(writer);
        }
        let guard = lock(&self.beginning);
        if self.writer.get().is_none() {
            let writer = self.begin_epoch()?;
            let _ = self.writer.set(writer);
        }
        drop(guard);
        self.writer.get().ok_or_else(|| StoreError::ReadOnly { reason: "it was not opened for writing".into() })
    }

    pub(super) fn snapshot_now(&self) -> Result<LocalSnapshot, StoreError> {
        if self.keys.is_revoked() {
            return Err(StoreError::Locked);
        }
        Ok(LocalSnapshot { tree: self.tree.snapshot() })
    }

    pub(super) fn committed_number(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }
}

impl super::MetaStore for LocalBucket {
    fn snapshot(&self) -> Result<Arc<dyn super::Snapshot>, StoreError> {
        Ok(Arc::new(self.snapshot_now()?))
    }

    fn commit(&self, batch: super::Batch) -> Result<Committed, StoreError> {
        self.commit_batch(batch)
    }

    fn committed(&self) -> Number {
        Number(self.committed_number())
    }

    fn durable(&self) -> Number {
        // What was replayed was synced before it was served.
        Number(self.writer.get().map_or_else(|| self.committed_number(), |writer| writer.sync.durable()))
    }

    fn sync(&self, number: Number) -> Result<(), StoreError> {
        match self.writer.get() {
            None if number.0 <= self.committed_number() => Ok(()),
            None => self.check_writable(),
            Some(writer) => {
                let outcome = writer.sync.sync(number.0, &|| self.committed_number());
                if let Err(error) = &outcome {
                    writer.log.fail(error);
                }
                Ok(outcome?)
            }
        }
    }

    fn when_durable(&self, number: Number, done: Completion) {
        match self.writer.get() {
            None => done(Ok(())),
            Some(writer) => {
                if writer.sync.when_durable(number.0, Box::new(move |outcome| done(outcome.map_err(StoreError::from))))
                {
                    (self.env.wake)();
                }
            }
        }
    }
}
