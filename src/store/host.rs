//! Keeps buckets on the disk, for the catalog: makes, opens, closes and removes their storage.

use super::{
    keyring_files::{repair_keyrings, write_keyring},
    ledger::Ledger,
};
use crate::{
    bucket::{Env, LocalBucket, ManifestRef, StoreError},
    crypt::{BucketId, BucketKeys, Dek, Keyring, Slot, StoreId, UnverifiedKeyring},
    disk::Disk,
    fs::{BucketHost, BucketParts, EncryptionStatus, FsError, FsResult},
    kms::{Context, DekBytes, KeyName, Kms, KmsError},
};
use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use zeroize::Zeroizing;

/// The directory of all buckets.
pub(super) const BUCKETS: &str = "buckets";

/// The storage of a store's buckets.
pub(super) struct DiskHost {
    pub env: Env,
    pub store: StoreId,
    pub kms: Arc<dyn Kms>,
    /// The catalog's keys: MAC keys of keyrings come from them.
    pub catalog_keys: BucketKeys,
    pub ledger: Ledger,
    open: Mutex<HashMap<BucketId, Arc<LocalBucket>>>,
    accepted: Mutex<Accepted>,
    shut: AtomicBool,
}

/// Whose losses the operator accepted.
enum Accepted {
    /// Those of every bucket.
    All,
    /// Those of these buckets.
    Buckets(HashSet<BucketId>),
}

pub(super) fn bucket_dir(bucket: BucketId) -> String {
    format!("{BUCKETS}/{bucket}")
}

/// A DEK as the key hierarchy takes it.
pub(super) fn dek_of(bytes: &DekBytes) -> Dek {
    Dek::new(Zeroizing::new(*bytes.expose()))
}

/// What the KMS's refusal means for files.
pub(super) fn kms_error(error: &KmsError) -> FsError {
    match error {
        KmsError::Denied { .. } | KmsError::NotFound { .. } | KmsError::Unreachable { .. } => FsError::Locked,
        other => FsError::from(StoreError::damaged(other.to_string())),
    }
}

fn io_error(what: impl Into<Arc<str>>, error: io::Error) -> FsError {
    StoreError::io(what, error).into()
}

/// Removes a directory and all in it; no error when it is gone already.
pub(super) fn remove_tree(disk: &dyn Disk, path: &str) -> io::Result<()> {
    let entries = match disk.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    for entry in entries {
        let inner = format!("{path}/{}", entry.name);
        if entry.is_dir { remove_tree(disk, &inner)? } else { disk.remove_file(&inner)? }
    }
    disk.sync_dir(path)?;
    disk.remove_dir(path)
}

impl DiskHost {
    pub fn new(
        env: Env,
        store: StoreId,
        kms: Arc<dyn Kms>,
        catalog_keys: BucketKeys,
        ledger: Ledger,
        accept_loss: bool,
    ) -> Self {
        let accepted = if accept_loss { Accepted::All } else { Accepted::Buckets(HashSet::new()) };
        let (open, accepted, shut) = (Mutex::default(), Mutex::new(accepted), AtomicBool::new(false));
        Self { env, store, kms, catalog_keys, ledger, open, accepted, shut }
    }

    fn accepted(&self) -> MutexGuard<'_, Accepted> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on only the losses that [`Self::accept_loss`] names are accepted.
    pub fn accept_no_loss(&self) {
        *self.accepted() = Accepted::Buckets(HashSet::new());
    }

    /// The next opening of this bucket accepts what it lost.
    pub fn accept_loss(&self, bucket: BucketId) {
        if let Accepted::Buckets(buckets) = &mut *self.accepted() {
            buckets.insert(bucket);
        }
    }

    fn accepts_loss(&self, bucket: BucketId) -> bool {
        match &*self.accepted() {
            Accepted::All => true,
            Accepted::Buckets(buckets) => buckets.contains(&bucket),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BucketId, Arc<LocalBucket>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is made or opened: a request that comes late must not touch a store that was given up.
    pub fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    fn check_not_shut(&self) -> FsResult<()> {
        let closed = || StoreError::ReadOnly { reason: Arc::from("the store is closed") };
        if self.shut.load(Ordering::Acquire) { Err(closed().into()) } else { Ok(()) }
    }

    /// The buckets that are open now.
    pub fn open_buckets(&self) -> Vec<Arc<LocalBucket>> {
        self.lock().values().cloned().collect()
    }

    /// One open bucket.
    pub fn open_bucket(&self, bucket: BucketId) -> Option<Arc<LocalBucket>> {
        self.lock().get(&bucket).cloned()
    }

    /// The keyring that the catalog holds, verified, with its bytes.
    pub fn keyring(&self, bucket: BucketId) -> Result<(Keyring, Vec<u8>), FsError> {
        let bytes = self.ledger.keyring(bucket)?.ok_or_else(|| {
            FsError::from(StoreError::damaged(format!("the catalog holds no keyring of bucket {bucket}")))
        })?;
        let unverified = UnverifiedKeyring::decode(&bytes).map_err(StoreError::from)?;
        let mac =
            self.catalog_keys.keyring_mac_key_at(unverified.mac_generation(), bucket).map_err(StoreError::from)?;
        let (keyring, _) = unverified.verify(&mac).map_err(StoreError::from)?;
        if keyring.store() != self.store || keyring.bucket() != bucket {
            return Err(StoreError::damaged(format!("the keyring of bucket {bucket} is another bucket's")).into());
        }
        Ok((keyring, bytes))
    }

    /// Puts a changed keyring in force: in the catalog first, then in its files.
    pub fn put_keyring(&self, keyring: &Keyring, manifest: Option<ManifestRef>) -> Result<Vec<u8>, FsError> {
        let bucket = keyring.bucket();
        let mac = self.catalog_keys.keyring_mac_key(bucket).map_err(StoreError::from)?;
        let (bytes, _) = keyring.encode(&mac).map_err(StoreError::from)?;
        self.ledger.put_keyring(bucket, &bytes, manifest)?;
        write_keyring(self.env.disk.as_ref(), &bucket_dir(bucket), &bytes)
            .map_err(|e| io_error(format!("writing the keyring of bucket {bucket}"), e))?;
        Ok(bytes)
    }

    /// Unwraps the DEK of one slot.
    pub fn unwrap_dek(&self, keyring: &Keyring, slot: Slot) -> Result<Dek, FsError> {
        let entry = keyring.slot(slot).map_err(StoreError::from)?;
        let name = KeyName::new(entry.ek_name()).map_err(|e| FsError::from(StoreError::damaged(e.to_string())))?;
        let context = Context::bucket(keyring.bucket().as_bytes());
        let bytes = self.kms.unwrap(&name, entry.sealed_dek(), &context).map_err(|e| kms_error(&e))?;
        Ok(dek_of(&bytes))
    }

    fn unlock(&self, keyring: &Keyring) -> Result<BucketKeys, FsError> {
        let own = self.unwrap_dek(keyring, Slot::OWN)?;
        Ok(keyring.unlock(|slot| (slot == Slot::OWN).then_some(&own)).map_err(StoreError::from)?)
    }

    fn make_dir(&self, path: &str) -> FsResult<()> {
        match self.env.disk.create_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(io_error(format!("making {path}"), error))
            }
            _ => Ok(()),
        }
    }
}

impl BucketHost for DiskHost {
    fn create_storage(&self, id: [u8; 16], key_name: &str) -> FsResult<Vec<u8>> {
        self.check_not_shut()?;
        let bucket = BucketId::from_bytes(id);
        let dir = bucket_dir(bucket);
        if self.ledger.manifest(bucket)?.is_some() {
            let (_, bytes) = self.keyring(bucket)?;
            return Ok(bytes);
        }
        let name = KeyName::new(key_name).map_err(|e| FsError::from(StoreError::damaged(e.to_string())))?;
        let generated = self.kms.generate(&name, &Context::bucket(&id)).map_err(|e| kms_error(&e))?;
        let dek = dek_of(&generated.plain);
        let keyring = Keyring::create(self.store, bucket, key_name, &generated.sealed, &dek, self.env.entropy.as_ref())
            .map_err(StoreError::from)?;
        let keys = keyring.unlock(|slot| (slot == Slot::OWN).then_some(&dek)).map_err(StoreError::from)?;
        self.make_dir(BUCKETS)?;
        self.env.disk.sync_dir("").map_err(|e| io_error("syncing the store directory", e))?;
        // What an interrupted attempt left was under other keys, and nothing was ever stored in it.
        remove_tree(self.env.disk.as_ref(), &dir).map_err(|e| io_error(format!("clearing {dir}"), e))?;
        self.make_dir(&dir)?;
        self.env.disk.sync_dir(BUCKETS).map_err(|e| io_error("syncing the directory of buckets", e))?;
        let manifest = LocalBucket::create(&self.env, &dir, bucket, &keys)?;
        self.put_keyring(&keyring, Some(manifest))
    }

    fn open_storage(&self, id: [u8; 16]) -> FsResult<BucketParts> {
        self.check_not_shut()?;
        let bucket = BucketId::from_bytes(id);
        let (keyring, bytes) = self.keyring(bucket)?;
        let keys = self.unlock(&keyring)?;
        let dir = bucket_dir(bucket);
        // A file that differs from the catalog is repaired, never believed. A disk that cannot take it is met later.
        if let Err(error) = repair_keyrings(self.env.disk.as_ref(), &dir, &bytes) {
            tracing::warn!(%bucket, %error, "the files of the keyring could not be repaired");
        }
        let recorded = self.ledger.manifest(bucket)?;
        let recorder = Arc::new(self.ledger.clone());
        let local = LocalBucket::open(
            self.env.clone(),
            &dir,
            bucket,
            keys.clone(),
            recorded,
            recorder,
            self.accepts_loss(bucket),
        )?;
        self.lock().insert(bucket, Arc::clone(&local));
        let own = keyring.slot(Slot::OWN).map_err(StoreError::from)?;
        let generation = keyring.newest(Slot::OWN).map_err(StoreError::from)?;
        Ok(BucketParts {
            meta: Arc::clone(&local) as _,
            segments: local,
            keys,
            entropy: Arc::clone(&self.env.entropy),
            clock: Arc::clone(&self.env.clock),
            encryption: EncryptionStatus {
                algorithm: "aws:kms".to_owned(),
                key_id: own.ek_name().to_owned(),
                generation: generation.0,
                status: "unlocked".to_owned(),
            },
        })
    }

    fn close_storage(&self, id: [u8; 16]) -> FsResult<()> {
        let closed = self.lock().remove(&BucketId::from_bytes(id));
        closed.map_or(Ok(()), |bucket| Ok(bucket.close()?))
    }

    fn remove_storage(&self, id: [u8; 16]) -> FsResult<()> {
        let bucket = BucketId::from_bytes(id);
        drop(self.lock().remove(&bucket));
        let dir = bucket_dir(bucket);
        remove_tree(self.env.disk.as_ref(), &dir).map_err(|e| io_error(format!("removing {dir}"), e))?;
        match self.env.disk.sync_dir(BUCKETS) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("syncing the directory of buckets", error));
            }
            _ => {}
        }
        Ok(self.ledger.remove(bucket)?)
    }
}
