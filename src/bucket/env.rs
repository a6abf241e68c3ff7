//! What a bucket is opened with.

use crate::{
    bucket::ManifestRef,
    clock::Clock,
    crypt::{BucketId, Entropy, FileId},
    disk::{Disk, DiskFile},
    space::Reserve,
    tree::{BlockCache, FileCache, TreeError, TreeShape},
};
use std::{io, sync::Arc};

use super::StoreError;

/// Sizes that a bucket keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A table in memory is written out when it holds about this many bytes.
    pub memtable_bytes: u64,
    /// Length of a bucket's first log file.
    pub log_min_bytes: u64,
    /// Length that log files grow to.
    pub log_max_bytes: u64,
    /// Largest batch, encoded.
    pub batch_bytes: u64,
    /// Dead bytes of log files that make a flush worth while, beyond a quarter of what is live.
    pub dead_slack_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memtable_bytes: 48 << 20,
            log_min_bytes: 64 << 10,
            log_max_bytes: 256 << 20,
            batch_bytes: 8 << 20,
            dead_slack_bytes: 8 << 20,
        }
    }
}

impl Limits {
    /// Limits for a memory budget and a file system of these sizes.
    #[must_use]
    pub fn within(memory_bytes: u64, disk_bytes: u64) -> Self {
        let memtable_bytes = (memory_bytes / 8).min(Reserve::default_bytes(disk_bytes) / 2).clamp(1 << 20, 48 << 20);
        Self { memtable_bytes, ..Self::default() }
    }
}

/// Where the catalog records which manifest of a bucket is in force.
pub trait ManifestRecorder: Send + Sync {
    /// Records it durably. The catalog's own manifests are recorded nowhere.
    ///
    /// # Errors
    /// The error of the catalog; the manifest is then not in force.
    fn record(&self, bucket: BucketId, manifest: ManifestRef) -> Result<(), StoreError>;
}

/// Recorder of the catalog itself: its newest manifest is in force.
#[derive(Debug, Default)]
pub struct NotRecorded;

impl ManifestRecorder for NotRecorded {
    fn record(&self, _: BucketId, _: ManifestRef) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The parameters of all buckets of a store.
#[derive(Clone)]
pub struct Env {
    /// The store directory.
    pub disk: Arc<dyn Disk>,
    /// Salts, keys, ids.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Decrypted blocks of tables, one budget for the store.
    pub blocks: Arc<BlockCache>,
    /// Descriptors of files that are only read, one limit for the store.
    pub descriptors: Arc<FileCache>,
    /// Space for freeing space.
    pub reserve: Arc<Reserve>,
    /// Sizes.
    pub limits: Limits,
    /// Shape of tables and levels.
    pub shape: TreeShape,
    /// Asks for [`super::LocalBucket::work`] of some bucket soon.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

/// A file that is opened when it is read, through the store's descriptor cache.
pub(super) struct LazyFile {
    pub disk: Arc<dyn Disk>,
    pub descriptors: Arc<FileCache>,
    pub id: FileId,
    pub path: String,
}

impl LazyFile {
    fn open(&self) -> io::Result<Arc<dyn DiskFile>> {
        self.descriptors.open(self.disk.as_ref(), self.id, &self.path).map_err(|error| match error {
            TreeError::Io { source, .. } => io::Error::new(source.kind(), source.to_string()),
            other => io::Error::other(other),
        })
    }
}

impl DiskFile for LazyFile {
    fn len(&self) -> io::Result<u64> {
        self.open()?.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.open()?.read_at(offset, buf)
    }
    fn write_at(&self, _: u64, _: &[&[u8]]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync(&self) -> io::Result<()> {
        self.open()?.sync()
    }
    fn forget_cache(&self) -> io::Result<()> {
        self.open()?.forget_cache()
    }
}
