//! The revocable handle on the unsealed keys of one bucket.
//!
//! Every key below a bucket key is made and opened through it, so that one call of [`BucketKeys::revoke`] locks the
//! bucket for everyone who holds a clone. One lock guards the map; it is held for reading while a key is derived and
//! for writing while keys come or go, and never over I/O.
//!
//! What was handed out before (OEKs, file keys, sealers) stays with its holder and is wiped when he drops it: whoever
//! locks a bucket also empties the caches that hold such keys.

use super::{
    BucketId, CryptError, Entropy, FileId, FileKey, Generation, KeyringMacKey, ManifestKey, Oek, OekId, Salt,
    SealedFileKey, SealedOek, Slot, StoreId,
    cipher::Cipher,
    derive::{Info, Label},
    keys::BucketKey,
    sealed_key::Place,
    secret::SecretKey,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// What is unsealed, and what the keyring has beside it.
pub(crate) struct Open {
    /// The bucket keys of the slots whose DEK was there.
    pub(crate) keys: BTreeMap<(Slot, Generation), BucketKey>,
    /// Every generation in the keyring, also of slots that are locked.
    pub(crate) known: BTreeSet<(Slot, Generation)>,
}

impl Open {
    fn newest(&self, bucket: BucketId, slot: Slot) -> Result<Generation, CryptError> {
        let all = (slot, Generation(0))..=(slot, Generation(u32::MAX));
        let newest = self.known.range(all).next_back().map(|(_, generation)| *generation);
        newest.ok_or(CryptError::UnknownSlot { bucket, slot })
    }

    fn key(&self, bucket: BucketId, slot: Slot, generation: Generation) -> Result<&BucketKey, CryptError> {
        if let Some(key) = self.keys.get(&(slot, generation)) {
            return Ok(key);
        }
        if self.known.contains(&(slot, generation)) {
            return Err(CryptError::SlotLocked { bucket, slot });
        }
        self.newest(bucket, slot)?;
        Err(CryptError::UnknownGeneration { bucket, slot, generation })
    }
}

struct Shared {
    store: StoreId,
    bucket: BucketId,
    open: RwLock<Option<Open>>,
}

/// The unsealed bucket keys of one bucket, by slot and generation. Clones share them, and lose them together.
#[derive(Clone)]
pub struct BucketKeys(Arc<Shared>);

impl BucketKeys {
    pub(crate) fn new(store: StoreId, bucket: BucketId, open: Open) -> Self {
        Self(Arc::new(Shared { store, bucket, open: RwLock::new(Some(open)) }))
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> StoreId {
        self.0.store
    }

    /// The bucket.
    #[must_use]
    pub fn bucket(&self) -> BucketId {
        self.0.bucket
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Open>> {
        self.0.open.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` on a bucket key; `generation` of `None` means the newest of the slot.
    pub(crate) fn with_key<T>(
        &self,
        slot: Slot,
        generation: Option<Generation>,
        work: impl FnOnce(Place, &[u8; 32]) -> Result<T, CryptError>,
    ) -> Result<T, CryptError> {
        let guard = self.read();
        let open = guard.as_ref().ok_or(CryptError::Locked)?;
        let bucket = self.0.bucket;
        let generation = match generation {
            Some(generation) => generation,
            None => open.newest(bucket, slot)?,
        };
        open.key(bucket, slot, generation)?.0.with(|key| work(Place { bucket, slot, generation }, key))
    }

    /// Runs `change` on the open keys.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Open) -> T) -> Result<T, CryptError> {
        let mut guard = self.0.open.write().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(change).ok_or(CryptError::Locked)
    }

    /// Wipes the keys. Every later call, through any clone, gives [`CryptError::Locked`]; there is no way back but to
    /// unlock the keyring into a new handle.
    pub fn revoke(&self) {
        *self.0.open.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Wipes the keys of one slot only, when the EK that requests named is denied.
    ///
    /// # Errors
    /// [`CryptError::Locked`]; [`CryptError::Refused`] for the bucket's own slot, which needs [`Self::revoke`].
    pub fn revoke_slot(&self, slot: Slot) -> Result<(), CryptError> {
        if slot == Slot::OWN {
            return Err(CryptError::Refused("the bucket's own slot is locked with the whole bucket"));
        }
        self.change(|open| open.keys.retain(|(of, _), _| *of != slot))
    }

    /// Whether the keys are gone.
    #[must_use]
    pub fn is_revoked(&self) -> bool {
        self.read().is_none()
    }

    /// The generation under which new keys of `slot` are sealed.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::UnknownSlot`].
    pub fn newest(&self, slot: Slot) -> Result<Generation, CryptError> {
        self.read().as_ref().ok_or(CryptError::Locked)?.newest(self.0.bucket, slot)
    }

    /// A new OEK, sealed under the newest generation of `slot`.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::SlotLocked`], [`CryptError::UnknownSlot`], [`CryptError::Entropy`],
    /// [`CryptError::SelfCheck`].
    pub fn new_oek(&self, slot: Slot, entropy: &dyn Entropy) -> Result<(Oek, SealedOek), CryptError> {
        let oek = Oek { id: OekId::random(entropy)?, key: SecretKey::random(entropy)? };
        let sealed = self.seal_oek(slot, &oek, entropy)?;
        Ok((oek, sealed))
    }

    fn seal_oek(&self, slot: Slot, oek: &Oek, entropy: &dyn Entropy) -> Result<SealedOek, CryptError> {
        let salt = Salt::random(entropy)?;
        self.with_key(slot, None, |place, parent| SealedOek::seal(Label::Oek, place, parent, oek.id, salt, &oek.key))
    }

    /// Opens a sealed OEK under the one bucket key that it names.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::SlotLocked`], [`CryptError::UnknownSlot`],
    /// [`CryptError::UnknownGeneration`], [`CryptError::WrongKey`], [`CryptError::Damaged`].
    pub fn open_oek(&self, sealed: &SealedOek) -> Result<Oek, CryptError> {
        let key = self.with_key(sealed.slot, Some(sealed.generation), |place, parent| {
            sealed.open(Label::Oek, place.bucket, parent)
        })?;
        Ok(Oek { id: sealed.id, key })
    }

    /// Seals the same OEK, with the same id, under the newest generation of its slot.
    ///
    /// # Errors
    /// As [`Self::open_oek`] and [`Self::new_oek`].
    pub fn reseal_oek(&self, sealed: &SealedOek, entropy: &dyn Entropy) -> Result<SealedOek, CryptError> {
        let oek = self.open_oek(sealed)?;
        self.seal_oek(sealed.slot, &oek, entropy)
    }

    /// A key for a new log or table file, sealed under the newest generation of the bucket's own slot.
    ///
    /// # Errors
    /// As [`Self::new_oek`].
    pub fn new_file_key(&self, entropy: &dyn Entropy) -> Result<(FileId, FileKey, SealedFileKey), CryptError> {
        let id = FileId::random(entropy)?;
        let key = FileKey { bucket: self.0.bucket, id, key: SecretKey::random(entropy)? };
        let sealed = self.seal_file_key(&key, entropy)?;
        Ok((id, key, sealed))
    }

    fn seal_file_key(&self, key: &FileKey, entropy: &dyn Entropy) -> Result<SealedFileKey, CryptError> {
        let salt = Salt::random(entropy)?;
        self.with_key(Slot::OWN, None, |place, parent| {
            SealedFileKey::seal(Label::FileKey, place, parent, key.id, salt, &key.key)
        })
    }

    /// Opens the key of the file `id`.
    ///
    /// # Errors
    /// As [`Self::open_oek`]; [`CryptError::WrongKey`] also when the record is of another file, and
    /// [`CryptError::UnknownSlot`] when it names another slot than the bucket's own.
    pub fn open_file_key(&self, id: FileId, sealed: &SealedFileKey) -> Result<FileKey, CryptError> {
        if sealed.id != id {
            return Err(CryptError::WrongKey("the key of another file"));
        }
        if sealed.slot != Slot::OWN {
            return Err(CryptError::UnknownSlot { bucket: self.0.bucket, slot: sealed.slot });
        }
        let key = self.with_key(Slot::OWN, Some(sealed.generation), |place, parent| {
            sealed.open(Label::FileKey, place.bucket, parent)
        })?;
        Ok(FileKey { bucket: self.0.bucket, id, key })
    }

    /// Seals the same file key, with the same id, under the newest generation.
    ///
    /// # Errors
    /// As [`Self::open_file_key`] and [`Self::new_file_key`].
    pub fn reseal_file_key(
        &self,
        id: FileId,
        sealed: &SealedFileKey,
        entropy: &dyn Entropy,
    ) -> Result<SealedFileKey, CryptError> {
        self.seal_file_key(&self.open_file_key(id, sealed)?, entropy)
    }

    /// The key of the one manifest that has this salt. To seal one: [`Self::newest`] of the own slot and a new
    /// [`Salt::random`], both of which stand in clear in front of it.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::UnknownGeneration`].
    pub fn manifest_key(&self, generation: Generation, salt: Salt) -> Result<ManifestKey, CryptError> {
        self.with_key(Slot::OWN, Some(generation), |place, parent| {
            let info = Info { bucket: place.bucket, generation, salt, ..Info::of(Label::Manifest) };
            Ok(ManifestKey(Cipher::new(&info.key(parent)?)?))
        })
    }

    /// Called on the catalog's keys: the key for the MAC of the keyring of `of` (the catalog's own too), under the
    /// newest generation.
    ///
    /// # Errors
    /// [`CryptError::Locked`].
    pub fn keyring_mac_key(&self, of: BucketId) -> Result<KeyringMacKey, CryptError> {
        let newest = self.newest(Slot::OWN)?;
        self.keyring_mac_key_at(newest, of)
    }

    /// As [`Self::keyring_mac_key`], under the generation that a stored keyring names.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::UnknownGeneration`].
    pub fn keyring_mac_key_at(&self, generation: Generation, of: BucketId) -> Result<KeyringMacKey, CryptError> {
        self.with_key(Slot::OWN, Some(generation), |place, parent| {
            let info =
                Info { bucket: place.bucket, generation, subject: *of.as_bytes(), ..Info::of(Label::KeyringMac) };
            Ok(KeyringMacKey { generation, key: info.key(parent)? })
        })
    }
}
