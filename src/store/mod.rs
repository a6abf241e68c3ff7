//! A store on a disk: first start, store file, lock, keyrings, the catalog, buckets opened as they are needed, and the
//! threads that sync, flush and compact behind everybody's back.
//!
//! This is what the programs open. Everything about files is reached through [`Store::catalog`].

mod credentials;
mod error;
mod host;
mod inspect;
mod keeper;
mod key_file;
mod keyring_files;
mod ledger;
mod open;
mod rotation;
mod store_file;

pub use credentials::RootCredentials;
pub use error::OpenError;
pub use key_file::{key_directory, key_path};
pub use ledger::Ledger;
pub(crate) use ledger::fuzz_manifest_reference;
pub use open::Foundation;
pub use store_file::{STORE_FILE_BYTES, StoreFile};

use crate::{
    bucket::{LocalBucket, StoreError},
    crypt::{BucketId, StoreId},
    disk::StoreLock,
    fs::Catalog,
    kms::{Kms, KmsConfig},
};
use host::DiskHost;
use keeper::Keeper;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Instant,
};

/// Memory of a store unless told otherwise, in bytes.
pub const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;

/// Gives the value of an environment variable.
pub type Lookup = Box<dyn Fn(&str) -> Option<String>>;

/// How to open a store.
pub struct StoreOptions {
    /// The store directory; made when it does not exist and `create` is set.
    pub path: PathBuf,
    /// Which KMS, from [`KmsConfig::from_env`].
    pub kms: KmsConfig,
    /// Root credentials from [`RootCredentials::from_environment`]; else those kept in the store, else new ones.
    pub credentials: Option<RootCredentials>,
    /// Whether a missing or empty directory becomes a new store.
    pub create: bool,
    /// Memory for tables in memory, blocks and writes, in bytes; [`DEFAULT_MEMORY_BYTES`].
    pub memory_bytes: u64,
    /// Whether the catalog may be written again if it lost something durable (`fsck --accept-catalog-loss`). Buckets are
    /// named one by one, to [`Store::accept_loss`].
    pub accept_loss: bool,
    /// Where `XDG_CONFIG_HOME` and `HOME` are looked up.
    pub lookup: Lookup,
}

impl StoreOptions {
    /// Options for a store, configured by the environment.
    ///
    /// # Errors
    /// [`OpenError`] when the environment contradicts itself.
    pub fn from_environment(path: PathBuf, create: bool) -> Result<Self, OpenError> {
        Ok(Self {
            path,
            kms: KmsConfig::from_env(crate::kms::process_variable)?,
            credentials: RootCredentials::from_environment(crate::kms::process_variable)?,
            create,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            accept_loss: false,
            lookup: Box::new(crate::kms::process_variable),
        })
    }
}

/// What was made at the first start, to be told to the operator once.
#[derive(Debug, Clone)]
pub struct FirstStart {
    /// The key file that was made for the embedded default, outside the store; `None` when a KMS was configured.
    pub key_file: Option<PathBuf>,
    /// Whether the root credentials were made up.
    pub credentials_are_new: bool,
}

/// An open store.
pub struct Store {
    catalog: Arc<Catalog>,
    credentials: RootCredentials,
    file: StoreFile,
    host: Arc<DiskHost>,
    /// The catalog's own storage.
    own: Arc<LocalBucket>,
    keeper: Mutex<Option<Keeper>>,
    lock: Mutex<Option<StoreLock>>,
    opened_at: Instant,
    /// The memory budget, where one was given.
    memory_bytes: OnceLock<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// The buckets.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The root credentials of the S3 endpoint.
    #[must_use]
    pub fn credentials(&self) -> &RootCredentials {
        &self.credentials
    }

    /// The store's id.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.file.store
    }

    /// Name of the EK that new buckets are sealed under.
    #[must_use]
    pub fn default_key(&self) -> &str {
        self.host.kms.default_key().as_str()
    }

    /// The KMS.
    #[must_use]
    pub fn kms(&self) -> &Arc<dyn Kms> {
        &self.host.kms
    }

    /// Whether requests are served: the catalog is open. One bucket that is locked changes nothing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.own.keys().is_revoked() && lock(&self.lock).is_some()
    }

    /// The storage of the catalog, and of the buckets that are open: for `status` and `fsck`.
    #[must_use]
    pub fn storage(&self) -> (Arc<LocalBucket>, Vec<Arc<LocalBucket>>) {
        (Arc::clone(&self.own), self.host.open_buckets())
    }

    /// The storage of one open bucket.
    #[must_use]
    pub fn bucket_storage(&self, bucket: BucketId) -> Option<Arc<LocalBucket>> {
        self.host.open_bucket(bucket)
    }

    /// Syncs everything, names the tails of all logs, and gives the store up. Later calls do nothing.
    ///
    /// # Errors
    /// The first error; everything that could be closed was.
    pub fn close(&self) -> Result<(), OpenError> {
        let Some(mut keeper) = lock(&self.keeper).take() else {
            return Ok(());
        };
        keeper.stop();
        let outcome = self.close_storage();
        drop(lock(&self.lock).take());
        outcome
    }

    /// As [`Self::close`], for a store without threads.
    ///
    /// # Errors
    /// The first error; everything that could be closed was.
    pub fn close_storage(&self) -> Result<(), OpenError> {
        self.host.shut();
        let buckets = self.catalog.close_buckets();
        let own: Result<(), StoreError> = self.own.close();
        buckets?;
        Ok(own?)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing the store");
        }
    }
}
