//! What the catalog needs of whoever keeps buckets on a disk.

use super::{EncryptionStatus, FsResult};
use crate::{
    bucket::{MetaStore, SegmentStore},
    clock::Clock,
    crypt::{BucketKeys, Entropy},
};
use std::sync::Arc;

/// The stores and keys of an open bucket.
pub struct BucketParts {
    /// Metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Content.
    pub segments: Arc<dyn SegmentStore>,
    /// The unsealed keys.
    pub keys: BucketKeys,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What `user.sse.*` answers.
    pub encryption: EncryptionStatus,
}

/// Makes, opens and removes the storage of buckets: on the disk, or in memory for tests. Every call can be repeated
/// after a crash in the midst of it.
pub trait BucketHost: Send + Sync {
    /// Makes storage and keyring of a new bucket, durably; when there is some already, it is left as it is.
    /// Returns the keyring, for the copy in the catalog.
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Locked` (the EK).
    fn create_storage(&self, id: [u8; 16], key_name: &str) -> FsResult<Vec<u8>>;
    /// Opens a bucket.
    ///
    /// # Errors
    /// `Locked`, `Damaged`, `Io`.
    fn open_storage(&self, id: [u8; 16]) -> FsResult<BucketParts>;
    /// Closes a bucket, waiting for what is committed to be durable. Nobody uses its parts any more.
    ///
    /// # Errors
    /// `Io`, `ReadOnly`.
    fn close_storage(&self, id: [u8; 16]) -> FsResult<()>;
    /// Removes a bucket's storage, durably; no error when it is gone already.
    ///
    /// # Errors
    /// `Io`.
    fn remove_storage(&self, id: [u8; 16]) -> FsResult<()>;
}
