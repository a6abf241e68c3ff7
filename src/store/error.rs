//! Why a store does not open: each message names the thing and the next step.

use crate::{bucket::StoreError, crypt::CryptError, disk::LockError, format::FormatError, fs::FsError, kms::KmsError};
use std::{io, path::PathBuf};

/// An error of opening or closing a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing at the path.
    #[error("{0} does not exist; strongroom-mountd and strongroom-s3gw make a store at their first start")]
    Missing(PathBuf),
    /// There is something else.
    #[error("{path} is not a store ({why}); name a store directory, or an empty one for a new store")]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// Another process has it.
    #[error(transparent)]
    Held(#[from] LockError),
    /// Written by a newer version, or damaged in both copies.
    #[error("store {path}: {source}")]
    Format {
        /// The directory.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// The store may only be read by this version.
    #[error("store {0} has features that this version may not write; use a newer Strongroom")]
    ReadOnlyFeatures(PathBuf),
    /// The key file of the embedded default.
    #[error(
        "the store's key file {path} {why}; put its backup there, or set MINIO_KMS_SECRET_KEY_FILE. Without the key the store cannot be read"
    )]
    KeyFile {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key file lies in the store that it opens.
    #[error(
        "the key file {0} lies inside the store; move it out, so that whoever copies the store does not get the key"
    )]
    KeyInsideStore(PathBuf),
    /// The KMS says no, or nothing.
    #[error("the store is sealed under key {key}: {source}")]
    Kms {
        /// The EK.
        key: String,
        /// What the KMS said.
        source: KmsError,
    },
    /// The configuration of the KMS.
    #[error(transparent)]
    KmsConfiguration(#[from] KmsError),
    /// Root credentials that S3 does not take.
    #[error("{0}")]
    Credentials(String),
    /// Keys or sealed bytes.
    #[error("the store's keyring: {0}")]
    Keys(#[from] CryptError),
    /// Neither copy of the catalog's keyring is intact.
    #[error(
        "no copy of the catalog's keyring is intact ({0}); restore catalog/keyring.a and catalog/keyring.b from a backup of the store"
    )]
    CatalogKeyring(CryptError),
    /// The catalog.
    #[error("the store's catalog: {0}")]
    Catalog(#[from] StoreError),
    /// The catalog's records.
    #[error("the store's catalog: {0}")]
    Files(#[from] FsError),
    /// The disk.
    #[error("{what}: {source}")]
    Io {
        /// The call and the file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// No home directory to keep the key file in.
    #[error("no place for the key file: set XDG_CONFIG_HOME or HOME, or MINIO_KMS_SECRET_KEY_FILE")]
    NoKeyDirectory,
}

impl OpenError {
    pub(super) fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
