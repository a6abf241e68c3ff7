//! One bucket's files.

use super::{
    Change, ContentId, FileKind, FsError, FsResult, Ino, Inode, Watcher,
    records::{self, NamespaceState},
    tidy::SparseNote,
    txn::Records,
    window::OpenFile,
};
use crate::{
    bucket::{MetaStore, Number, SegmentId, SegmentStore, StoreError},
    clock::{Clock, UnixNanos},
    crypt::{BucketKeys, Entropy},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The result of a change, and the number that makes it durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done<T> {
    /// What the call returns.
    pub value: T,
    /// Wait for it ([`Namespace::sync`], [`Namespace::when_durable`]) where the change must survive a power cut.
    pub number: Number,
}

/// What the catalog keeps of a bucket's root directory; times and counts are in the bucket's own tree.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RootAttributes {
    /// Permission bits (07777).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of these attributes.
    pub ctime: UnixNanos,
    /// Extended attributes by name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Keeps the root attributes of one bucket: the catalog, for a namespace.
pub trait RootKeeper: Send + Sync {
    /// The attributes as they are.
    fn root(&self) -> RootAttributes;
    /// Changes them; durable when it returns.
    ///
    /// # Errors
    /// What `change` returns, or why the catalog could not be written; then nothing is changed.
    fn update_root(&self, change: &mut dyn FnMut(&mut RootAttributes) -> FsResult<()>) -> FsResult<()>;
}

/// What `user.sse.*` tells of a bucket, made up by whoever opens it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct EncryptionStatus {
    /// `aws:kms` or another word of S3.
    pub algorithm: String,
    /// Name of the EK.
    pub key_id: String,
    /// Current generation.
    pub generation: u32,
    /// `unlocked` or `locked`.
    pub status: String,
}

/// What a namespace is made of.
pub struct NamespaceParts {
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Content.
    pub segments: Arc<dyn SegmentStore>,
    /// The bucket's unsealed keys.
    pub keys: BucketKeys,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The keeper of the root's attributes.
    pub root: Arc<dyn RootKeeper>,
    /// The bucket's slot: 20 bits above the 44 of an inode number.
    pub slot: u32,
    /// First inode number of a bucket that is made anew (a slot used before continues its numbers); at least 2.
    pub first_ino: u64,
    /// What `user.sse.*` answers.
    pub encryption: EncryptionStatus,
    /// Bytes of plaintext that writes may hold before they are committed, for all files of this namespace.
    pub window_pool_bytes: usize,
}

/// Totals of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NamespaceUsage {
    /// Inodes, directories included, the root not.
    pub inodes: u64,
    /// Bytes of content, by the lengths of files.
    pub bytes: u64,
}

/// Steps that one call of [`Namespace::work`] does.
const WORK_STEPS: usize = 32;

/// One bucket's files. All calls take `&self` and may run in parallel.
pub struct Namespace {
    pub(super) parts: NamespaceParts,
    /// The writer lock, with the counters as committed.
    pub(super) writer: Mutex<NamespaceState>,
    /// Files that are open, with how many users they have.
    pub(super) files: Mutex<HashMap<Ino, (usize, Arc<OpenFile>)>>,
    /// Memory that uncommitted writes take.
    pub(super) pool: AtomicUsize,
    /// Segments to be tidied.
    pub(super) sparse: Mutex<BTreeMap<SegmentId, SparseNote>>,
    /// Contents of PUTs that run: their job, which would free them after a crash, must wait.
    pub(super) uploads: Mutex<HashSet<ContentId>>,
    /// Set under the writer lock when the bucket is removed.
    pub(super) closed: AtomicBool,
    watcher: RwLock<Option<Arc<dyn Watcher>>>,
}

impl Namespace {
    /// Opens the namespace that the stores hold, or makes an empty one in empty stores. Finishes what a crash left:
    /// inodes without a name are reclaimed; unfinished removals go on in [`Self::work`].
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`, and as [`MetaStore::commit`].
    pub fn open(parts: NamespaceParts) -> FsResult<Arc<Self>> {
        let state = parts.meta.snapshot()?.record(&[records::STATE])?;
        let first = parts.first_ino.max(Ino::ROOT.0.saturating_add(1));
        let namespace = Arc::new(Self {
            writer: Mutex::new(match &state {
                Some(bytes) => records::decode_state(bytes)?,
                None => NamespaceState { next: first, ..NamespaceState::default() },
            }),
            parts,
            files: Mutex::default(),
            pool: AtomicUsize::new(0),
            sparse: Mutex::default(),
            uploads: Mutex::default(),
            closed: AtomicBool::new(false),
            watcher: RwLock::default(),
        });
        if state.is_none() {
            namespace.make_root()?;
        }
        match namespace.reclaim_orphans() {
            // It can still be read; they are tried again at the next start.
            Err(error @ (FsError::ReadOnly(_) | FsError::NoSpace)) => {
                tracing::warn!(%error, "files without a name are not reclaimed");
            }
            reclaimed => reclaimed?,
        }
        Ok(namespace)
    }

    fn make_root(&self) -> FsResult<()> {
        let mut txn = self.begin()?;
        let mut root = Inode::blank(Ino::ROOT, FileKind::Directory, txn.now);
        root.directory.explicit = true;
        root.mode = 0o755;
        txn.batch.put(records::id_key(records::INODE, Ino::ROOT.0), records::encode_inode(&root));
        txn.batch.put(vec![records::STATE], records::encode_state(&txn.state));
        txn.commit()?;
        Ok(())
    }

    /// The bucket's slot, for `st_ino`.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.parts.slot
    }

    /// Registers who is told of changes made through S3; replaces the one before.
    pub fn set_watcher(&self, watcher: Option<Arc<dyn Watcher>>) {
        *self.watcher.write().unwrap_or_else(std::sync::PoisonError::into_inner) = watcher;
    }

    /// Tells the watcher, if there are one and something to tell.
    pub(super) fn tell(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let watcher = self.watcher.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(watcher) = watcher {
            watcher.changed(changes);
        }
    }

    /// Number of the last change.
    #[must_use]
    pub fn committed(&self) -> Number {
        self.parts.meta.committed()
    }

    /// Waits until everything up to `number` is durable.
    ///
    /// # Errors
    /// `ReadOnly`, `Io`: durability is never claimed afterwards (promise D5).
    pub fn sync(&self, number: Number) -> FsResult<()> {
        Ok(self.parts.meta.sync(number)?)
    }

    /// Calls `done` when everything up to `number` is durable, or never will be.
    pub fn when_durable(&self, number: Number, done: impl FnOnce(FsResult<()>) + Send + 'static) {
        let done = |result: Result<(), StoreError>| done(result.map_err(Into::into));
        self.parts.meta.when_durable(number, Box::new(done));
    }

    /// Commits what has been written and not committed for at least `age` (zero: everything). To be called about every
    /// 250 ms with one second, and before a clean close with zero. Returns the last number.
    ///
    /// # Errors
    /// The first error; it is also kept for the handles concerned.
    pub fn commit_writes(&self, age: Duration) -> FsResult<Number> {
        self.commit_files(age)?;
        Ok(self.committed())
    }

    /// Goes on with work in the background: removal of large contents, and sealing anew the live bytes of sparse
    /// segments. Does a bounded piece and returns whether there is more.
    ///
    /// # Errors
    /// As [`MetaStore::commit`]; nothing is lost, and the work is tried again later.
    pub fn work(&self) -> FsResult<bool> {
        for _ in 0..WORK_STEPS {
            if !self.next_job()? && !self.tidy_next()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Totals, for `statfs`.
    ///
    /// # Errors
    /// None yet; a store that counts elsewhere may have some.
    pub fn usage(&self) -> FsResult<NamespaceUsage> {
        let state = *super::lock(&self.writer);
        Ok(NamespaceUsage { inodes: state.inodes, bytes: state.bytes })
    }

    /// What `user.sse.*` answers.
    #[must_use]
    pub fn encryption(&self) -> &EncryptionStatus {
        &self.parts.encryption
    }

    /// For the removal of the bucket: when nothing but implied directories is left, refuses all later changes and
    /// returns the next inode number.
    pub(super) fn close_if_empty(&self) -> FsResult<u64> {
        let txn = self.begin()?;
        if !super::lock(&self.files).is_empty() {
            return Err(FsError::Busy("files of the bucket are open"));
        }
        let prefix = [records::ENTRY];
        let end = records::behind(&prefix);
        let mut cursor = txn.snapshot.range(&prefix, end.as_deref());
        while let Some((_, value)) = cursor.next()? {
            let implied = match records::decode_entry(&value)? {
                records::Entry::Inode(inode) => {
                    let facts = inode.directory;
                    inode.kind == FileKind::Directory && !facts.explicit && !facts.facet
                }
                records::Entry::Link(_) => false,
            };
            if !implied {
                return Err(FsError::BucketNotEmpty);
            }
        }
        self.closed.store(true, Ordering::Release);
        Ok(txn.state.next)
    }

    /// Takes [`Self::close_if_empty`] back.
    pub(super) fn reopen(&self) {
        self.closed.store(false, Ordering::Release);
    }
}
