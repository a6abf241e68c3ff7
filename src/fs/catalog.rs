//! The catalog: which buckets there are.

use super::{BucketHost, FsError, FsResult, Namespace, RootAttributes};
use crate::{
    bucket::MetaStore,
    clock::{Clock, UnixNanos},
};
use std::{collections::BTreeMap, sync::Arc};

/// How far a bucket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    /// Its storage is being made; not shown to anybody, finished at the next start.
    Making,
    /// In use.
    Ready,
    /// Its storage is being removed; not shown to anybody, finished at the next start.
    Removing,
}

/// What the catalog keeps of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRecord {
    /// Random id; names its folder and is bound into its keys.
    pub id: [u8; 16],
    /// 20 bits above the inode numbers in `st_ino`.
    pub slot: u32,
    /// Its name in both views.
    pub name: String,
    /// How far it is.
    pub state: BucketState,
    /// When it was made.
    pub created: UnixNanos,
    /// Mode, owner, ctime and xattrs of its root.
    pub root: RootAttributes,
    /// Name of its EK.
    pub key_name: String,
    /// First inode number (a slot used before goes on where it ended).
    pub first_ino: u64,
    /// Newest manifest known durable: version and tag (DESIGN 3.6).
    pub manifest: (u64, [u8; 16]),
    /// Copy of its keyring.
    pub keyring: Vec<u8>,
}

/// What anyone may know of a bucket, locked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Id.
    pub id: [u8; 16],
    /// Slot.
    pub slot: u32,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created: UnixNanos,
    /// Mode, owner, ctime and xattrs of its root.
    pub root: RootAttributes,
    /// Name of its EK.
    pub key_name: String,
}

/// The buckets of a store. Buckets are opened when first used.
pub struct Catalog {
    pub(super) meta: Arc<dyn MetaStore>,
}

impl Catalog {
    /// Opens the catalog, and finishes buckets that were being made or removed.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn open(meta: Arc<dyn MetaStore>, host: Arc<dyn BucketHost>, clock: Arc<dyn Clock>) -> FsResult<Arc<Self>> {
        drop((host, clock));
        Ok(Arc::new(Self { meta }))
    }

    /// Checks a bucket name by S3's rules.
    ///
    /// # Errors
    /// `InvalidName` with the rule that is broken.
    pub fn check_name(name: &str) -> FsResult<()> {
        let _ = name;
        Ok(())
    }

    /// The buckets in order of their names.
    #[must_use]
    pub fn buckets(&self) -> Vec<BucketInfo> {
        Vec::new()
    }

    /// One bucket by name; answers for a locked one too.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket(&self, name: &str) -> FsResult<BucketInfo> {
        let _ = (&self.meta, name);
        Err(FsError::NoSuchBucket)
    }

    /// One bucket by slot, for the mount.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket_by_slot(&self, slot: u32) -> FsResult<BucketInfo> {
        let _ = slot;
        Err(FsError::NoSuchBucket)
    }

    /// Makes a bucket; durable when it returns.
    ///
    /// # Errors
    /// `BucketExists`, `InvalidName`, `NoSpace`, `Locked`, `Io`.
    pub fn create_bucket(&self, name: &str, root: RootAttributes, key_name: &str) -> FsResult<BucketInfo> {
        let _ = (name, root, key_name);
        Err(FsError::Unsupported("not yet"))
    }

    /// Removes an empty bucket; durable when it returns. Implied empty directories do not count (R4).
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`, `Busy`, `Locked`, `Io`.
    pub fn remove_bucket(&self, name: &str) -> FsResult<()> {
        let _ = name;
        Err(FsError::Unsupported("not yet"))
    }

    /// Gives a bucket another name; durable when it returns.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketExists`, `InvalidName`, `Io`.
    pub fn rename_bucket(&self, from: &str, to: &str) -> FsResult<()> {
        let _ = (from, to);
        Err(FsError::Unsupported("not yet"))
    }

    /// The files of a bucket, opened if need be.
    ///
    /// # Errors
    /// `NoSuchBucket`, `Locked`, `Damaged`, `Io`.
    pub fn namespace(self: &Arc<Self>, name: &str) -> FsResult<Arc<Namespace>> {
        let _ = name;
        Err(FsError::NoSuchBucket)
    }

    /// The files of a bucket by slot, opened if need be.
    ///
    /// # Errors
    /// As [`Self::namespace`].
    pub fn namespace_by_slot(self: &Arc<Self>, slot: u32) -> FsResult<Arc<Namespace>> {
        let _ = slot;
        Err(FsError::NoSuchBucket)
    }

    /// Changes mode, owner, ctime or xattrs of a bucket's root without opening it; durable when it returns.
    ///
    /// # Errors
    /// `NoSuchBucket`, what `change` returns, `Io`.
    pub fn update_root(
        &self,
        slot: u32,
        change: &mut dyn FnMut(&mut RootAttributes) -> FsResult<()>,
    ) -> FsResult<BucketInfo> {
        let _ = (slot, change);
        Err(FsError::Unsupported("not yet"))
    }

    /// Store-wide settings by name.
    ///
    /// # Errors
    /// `Damaged`, `Io`.
    pub fn settings(&self) -> FsResult<BTreeMap<String, Vec<u8>>> {
        Ok(BTreeMap::new())
    }

    /// Sets, or with `None` removes, a setting; durable when it returns. The root credentials are the setting
    /// `root-credentials`: like all of the catalog they are sealed under its keys.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Io`.
    pub fn set_setting(&self, name: &str, value: Option<&[u8]>) -> FsResult<()> {
        let _ = (name, value);
        Err(FsError::Unsupported("not yet"))
    }
}
