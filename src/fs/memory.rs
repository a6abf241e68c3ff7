//! Buckets in memory, for tests of this room and of the adapters.

use super::{BucketHost, BucketParts, EncryptionStatus, FsError, FsResult, RootAttributes, RootKeeper};
use crate::{
    bucket::MemoryStore,
    clock::{Clock, SystemClock},
    crypt::{BucketId, BucketKeys, Dek, Entropy, KernelEntropy, Keyring, StoreId},
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Arc, Mutex},
};
use zeroize::Zeroizing;

/// Unsealed keys of a bucket that no KMS knows.
///
/// # Errors
/// `Io` when there is no randomness.
pub fn memory_keys(bucket: BucketId, entropy: &dyn Entropy) -> FsResult<BucketKeys> {
    let mut plain = Zeroizing::new([0; 32]);
    entropy.fill(plain.as_mut_slice())?;
    let dek = Dek::new(plain);
    let keyring = Keyring::create(StoreId::random(entropy)?, bucket, "memory", b"sealed", &dek, entropy)?;
    Ok(keyring.unlock(|_| Some(&dek))?)
}

/// Root attributes that nobody else keeps.
#[derive(Debug, Default)]
pub struct MemoryRoot(Mutex<RootAttributes>);

impl MemoryRoot {
    /// With these attributes.
    #[must_use]
    pub fn new(root: RootAttributes) -> Self {
        Self(Mutex::new(root))
    }
}

impl RootKeeper for MemoryRoot {
    fn root(&self) -> RootAttributes {
        super::lock(&self.0).clone()
    }

    fn update_root(&self, change: &mut dyn FnMut(&mut RootAttributes) -> FsResult<()>) -> FsResult<()> {
        let mut root = super::lock(&self.0);
        let mut changed = root.clone();
        change(&mut changed)?;
        *root = changed;
        Ok(())
    }
}

type MemoryBucket = (Arc<MemoryStore>, BucketKeys);

/// Keeps buckets in memory.
pub struct MemoryHost {
    clock: Arc<dyn Clock>,
    buckets: Mutex<BTreeMap<[u8; 16], MemoryBucket>>,
}

impl Default for MemoryHost {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), buckets: Mutex::default() }
    }
}

impl MemoryHost {
    /// With a clock of the test's.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, buckets: Mutex::default() }
    }

    /// Ids of the buckets that have storage.
    #[must_use]
    pub fn ids(&self) -> Vec<[u8; 16]> {
        super::lock(&self.buckets).keys().copied().collect()
    }

    /// The stores of a bucket, to make them fail.
    #[must_use]
    pub fn store(&self, id: [u8; 16]) -> Option<Arc<MemoryStore>> {
        super::lock(&self.buckets).get(&id).map(|(store, _)| Arc::clone(store))
    }
}

impl BucketHost for MemoryHost {
    fn create_storage(&self, id: [u8; 16], _key_name: &str) -> FsResult<Vec<u8>> {
        let mut buckets = super::lock(&self.buckets);
        if let Entry::Vacant(free) = buckets.entry(id) {
            free.insert((MemoryStore::new(), memory_keys(BucketId::from_bytes(id), &KernelEntropy)?));
        }
        Ok(Vec::new())
    }

    fn open_storage(&self, id: [u8; 16]) -> FsResult<BucketParts> {
        let buckets = super::lock(&self.buckets);
        let (store, keys) = buckets.get(&id).ok_or_else(|| FsError::damaged("the storage of a bucket is missing"))?;
        Ok(BucketParts {
            meta: Arc::clone(store) as _,
            segments: Arc::clone(store) as _,
            keys: keys.clone(),
            entropy: Arc::new(KernelEntropy),
            clock: Arc::clone(&self.clock),
            encryption: EncryptionStatus {
                algorithm: "aws:kms".to_owned(),
                key_id: "memory".to_owned(),
                generation: 1,
                status: "unlocked".to_owned(),
            },
        })
    }

    fn close_storage(&self, _id: [u8; 16]) -> FsResult<()> {
        Ok(())
    }

    fn remove_storage(&self, id: [u8; 16]) -> FsResult<()> {
        super::lock(&self.buckets).remove(&id);
        Ok(())
    }
}
