//! What the catalog records for the safety of buckets: the manifest in force and a full copy of the keyring of each
//! (docs/FORMAT.md 8). Keys of their own in the catalog's tree, so that a bucket that flushes never waits for whoever
//! changes a bucket's record.

use crate::{
    bucket::{Batch, ManifestRecorder, ManifestRef, MetaStore, StoreError},
    crypt::{BucketId, KEYRING_MAX_BYTES},
    format::{Decoder, Encoder, FormatError},
};
use std::sync::Arc;

const MANIFEST: u8 = 0x51;
const KEYRING: u8 = 0x52;
const VERSION: u8 = 1;

/// The catalog's records of manifests and keyrings.
#[derive(Clone)]
pub struct Ledger {
    catalog: Arc<dyn MetaStore>,
}

fn key(kind: u8, bucket: BucketId) -> Vec<u8> {
    [kind].into_iter().chain(*bucket.as_bytes()).collect()
}

fn decode_manifest(bytes: &[u8]) -> Result<ManifestRef, FormatError> {
    let mut from = Decoder::new(bytes);
    if from.u8("record version")? != VERSION {
        return Err(FormatError::Invalid("record version"));
    }
    let reference = ManifestRef { version: from.u64("manifest number")?, tag: from.array("manifest tag")? };
    from.finish("a manifest's record")?;
    Ok(reference)
}

/// For `crate::fuzzing`: decodes the record of a manifest.
pub(crate) fn fuzz_manifest_reference(bytes: &[u8]) {
    let _ = decode_manifest(bytes);
}

impl Ledger {
    /// Records in this catalog.
    #[must_use]
    pub fn new(catalog: Arc<dyn MetaStore>) -> Self {
        Self { catalog }
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let number = self.catalog.commit(batch)?.number;
        self.catalog.sync(number)
    }

    /// The manifest in force of a bucket.
    ///
    /// # Errors
    /// Those of the catalog.
    pub fn manifest(&self, bucket: BucketId) -> Result<Option<ManifestRef>, StoreError> {
        let found = self.catalog.snapshot()?.get(&key(MANIFEST, bucket))?;
        found
            .map(|bytes| decode_manifest(&bytes))
            .transpose()
            .map_err(|e| StoreError::damaged(format!("the catalog: {e}")))
    }

    /// The bytes of a bucket's keyring, MAC included.
    ///
    /// # Errors
    /// Those of the catalog.
    pub fn keyring(&self, bucket: BucketId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.catalog.snapshot()?.get(&key(KEYRING, bucket))?.map(|bytes| bytes.to_vec()))
    }

    /// Records a keyring, and the first manifest with it when there is one; durable when it returns.
    ///
    /// # Errors
    /// Those of the catalog.
    pub fn put_keyring(
        &self,
        bucket: BucketId,
        keyring: &[u8],
        manifest: Option<ManifestRef>,
    ) -> Result<(), StoreError> {
        if keyring.len() > KEYRING_MAX_BYTES {
            return Err(StoreError::damaged("a keyring is longer than its limit"));
        }
        let mut batch = Batch::new();
        batch.put(key(KEYRING, bucket), keyring.to_vec());
        if let Some(manifest) = manifest {
            batch.put(key(MANIFEST, bucket), encode_manifest(manifest));
        }
        self.commit(batch)
    }

    /// Forgets a bucket; durable when it returns.
    ///
    /// # Errors
    /// Those of the catalog.
    pub fn remove(&self, bucket: BucketId) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.frees_space();
        batch.delete(key(KEYRING, bucket));
        batch.delete(key(MANIFEST, bucket));
        self.commit(batch)
    }
}

fn encode_manifest(manifest: ManifestRef) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).u64(manifest.version).raw(&manifest.tag);
    out.finish()
}

impl ManifestRecorder for Ledger {
    fn record(&self, bucket: BucketId, manifest: ManifestRef) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.frees_space();
        batch.put(key(MANIFEST, bucket), encode_manifest(manifest));
        self.commit(batch)
    }
}
