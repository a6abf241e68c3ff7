//! The core of key rotation: rewrap, and a new generation with the old one dropped (DESIGN 3.10). Their commands come
//! later; the format stands or falls with them.
//!
//! Each step is durable before the next, and can be repeated: after a crash, calling the same function again finishes it.

use super::{
    Store,
    host::{dek_of, kms_error},
};
use crate::{
    bucket::StoreError,
    crypt::{BucketId, Dek, Generation, GenerationState, Slot},
    fs::{FsError, FsResult, Namespace, ResealProgress},
    kms::{Context, KeyName, KmsError},
};
use std::sync::Arc;

impl Store {
    /// Seals the bucket keys of a bucket anew under a new DEK of EK `ek`. No file is touched; when it returns, the old
    /// EK is not needed for this bucket any more (backups older than this still need it).
    ///
    /// # Errors
    /// `Locked` when the present EK or the new one is not granted; `Io`. The bucket stays readable under the old EK, or
    /// is readable under the new one.
    pub fn rewrap_bucket(&self, bucket: &str, ek: &str) -> FsResult<()> {
        let (id, _held_open) = self.open_for_rotation(bucket)?;
        let (keyring, _) = self.host.keyring(id)?;
        let keys = self.storage_of(id)?.keys().clone();
        let generated = self.generate(id, ek)?;
        let dek = dek_of(&generated.0);
        let rewrapped = keyring
            .rewrap(Slot::OWN, ek, &generated.1, &keys, &dek, self.host.env.entropy.as_ref())
            .map_err(StoreError::from)?;
        self.host.put_keyring(&rewrapped, None)?;
        self.catalog.update_record(*id.as_bytes(), |record| {
            ek.clone_into(&mut record.key_name);
            Ok(())
        })?;
        Ok(())
    }

    /// Gives the bucket a new generation, seals all keys of contents, logs and tables anew under it, and drops every
    /// older one. Returns how many keys of contents were sealed anew.
    ///
    /// # Errors
    /// `Locked`, `NoSpace`, `Io`, `ReadOnly`: what was done stays done; call it again to finish.
    pub fn reseal_bucket(&self, bucket: &str) -> FsResult<u64> {
        let (id, namespace) = self.open_for_rotation(bucket)?;
        let (keyring, _) = self.host.keyring(id)?;
        let storage = self.storage_of(id)?;
        let dek = self.host.unwrap_dek(&keyring, Slot::OWN)?;
        let own = |slot| (slot == Slot::OWN).then_some(&dek);
        let retiring = |state| matches!(state, GenerationState::Retiring);
        let unfinished = keyring.generations().any(|(slot, _, state)| slot == Slot::OWN && retiring(state));
        if !unfinished {
            let grown =
                keyring.add_generation(Slot::OWN, &dek, self.host.env.entropy.as_ref()).map_err(StoreError::from)?;
            self.host.put_keyring(&grown, None)?;
            grown.apply(storage.keys(), own).map_err(StoreError::from)?;
        }
        let resealed = reseal_contents(&namespace)?;
        storage.reseal_files()?;
        self.drop_older(id, &dek)?;
        Ok(resealed)
    }

    /// Drops every generation but the newest, once nothing in force is sealed under it.
    fn drop_older(&self, id: BucketId, dek: &Dek) -> FsResult<()> {
        let storage = self.storage_of(id)?;
        let (mut keyring, _) = self.host.keyring(id)?;
        let newest = keyring.newest(Slot::OWN).map_err(StoreError::from)?;
        let older: Vec<Generation> = keyring
            .generations()
            .filter(|(slot, generation, _)| *slot == Slot::OWN && *generation != newest)
            .map(|(_, generation, _)| generation)
            .collect();
        for generation in older {
            if storage.needs_generation(generation) {
                return Err(FsError::Busy("the bucket's files still need an older generation; call it again"));
            }
            keyring = keyring.drop_generation(Slot::OWN, generation).map_err(StoreError::from)?;
        }
        self.host.put_keyring(&keyring, None)?;
        keyring.apply(storage.keys(), |slot| (slot == Slot::OWN).then_some(dek)).map_err(StoreError::from)?;
        Ok(())
    }

    fn open_for_rotation(&self, bucket: &str) -> FsResult<(BucketId, Arc<Namespace>)> {
        let id = BucketId::from_bytes(self.catalog.bucket(bucket)?.id);
        Ok((id, self.catalog.namespace(bucket)?))
    }

    fn storage_of(&self, id: BucketId) -> FsResult<Arc<crate::bucket::LocalBucket>> {
        self.host.open_bucket(id).ok_or(FsError::Locked)
    }

    /// A new DEK of a bucket under an EK, which is made when the KMS does not have it yet.
    fn generate(&self, id: BucketId, ek: &str) -> FsResult<(crate::kms::DekBytes, Vec<u8>)> {
        let name = KeyName::new(ek).map_err(|_| FsError::InvalidArgument("the name of the key"))?;
        let context = Context::bucket(id.as_bytes());
        let generated = match self.host.kms.generate(&name, &context) {
            Err(KmsError::NotFound { .. }) => {
                self.host.kms.create_key(&name).map_err(|e| kms_error(&e))?;
                self.host.kms.generate(&name, &context)
            }
            generated => generated,
        };
        let generated = generated.map_err(|e| kms_error(&e))?;
        Ok((generated.plain, generated.sealed))
    }
}

/// Passes over all records until one pass finds nothing to do.
fn reseal_contents(namespace: &Namespace) -> FsResult<u64> {
    let mut total = 0;
    loop {
        let mut progress = ResealProgress::default();
        loop {
            progress = namespace.reseal_step(progress)?;
            if progress.next.is_none() {
                break;
            }
        }
        total += progress.resealed;
        if progress.resealed == 0 {
            return Ok(total);
        }
    }
}
