//! A store on a disk: first start, store file, lock, keyrings, the catalog, buckets opened as they are needed, and the
//! threads that sync, flush and compact behind everybody's back.
//!
//! This is what the programs open. Everything about files is reached through [`Store::catalog`].

mod credentials;
mod error;

pub use credentials::RootCredentials;
pub use error::OpenError;

use crate::{fs::Catalog, kms::KmsConfig};
use std::{path::PathBuf, sync::Arc};

/// How to open a store.
pub struct StoreOptions {
    /// The store directory; made when it does not exist and `create` is set.
    pub path: PathBuf,
    /// Which KMS, from [`crate::kms`]'s reading of the environment.
    pub kms: KmsConfig,
    /// Root credentials from `MINIO_ROOT_USER` and `MINIO_ROOT_PASSWORD`; else those kept in the store, else new ones.
    pub credentials: Option<RootCredentials>,
    /// Whether a missing or empty directory becomes a new store.
    pub create: bool,
    /// Memory for tables in memory, blocks and windows, in bytes; 256 MiB by default.
    pub memory_bytes: u64,
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
}
