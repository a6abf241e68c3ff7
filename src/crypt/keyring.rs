//! The keyring of a bucket: its sealed DEKs and bucket keys (docs/FORMAT.md 2.2).
//!
//! A keyring is a value: each change (in `keyring_change`) gives a new one with the next version, to be made durable
//! before anything is sealed under what it added. It holds sealed things only; [`Keyring::unlock`] gives the handle on the keys.

use super::{
    BucketId, BucketKeys, CryptError, Dek, Generation, Salt, Slot, StoreId, Suite,
    bucket_keys::Open,
    derive::{Info, Label},
    keys::BucketKey,
    locked::LockedKey,
    secret::SecretKey,
    wrap::{self, SEALED_KEY_LEN, Wrapped},
};
use std::collections::BTreeMap;

/// Longest name of an EK in bytes.
pub const EK_NAME_MAX_BYTES: usize = 255;
/// Longest sealed DEK in bytes, as the KMS returns it.
pub const SEALED_DEK_MAX_BYTES: usize = 4096;
/// Most slots of a keyring.
pub const SLOTS_MAX: usize = 256;
/// Most generations of a keyring, over all slots.
pub const GENERATIONS_MAX: usize = 4096;

pub(crate) const BUCKET_KEY: &str = "a bucket key";

/// Why a slot is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The bucket's own EK.
    Own,
    /// An EK that requests named.
    Named,
}

/// Whether a generation still seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    /// The newest of its slot: new keys are sealed under it.
    Active,
    /// An older one: it only opens, until a reseal has moved everything off it.
    Retiring,
}

/// One slot: an EK, and the DEK that was made under it for this bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringSlot {
    pub(crate) ek_name: String,
    pub(crate) sealed_dek: Vec<u8>,
}

pub(crate) fn bounded(what: &'static str, found: usize, limit: usize) -> Result<(), CryptError> {
    if found > limit { Err(CryptError::TooLarge { what, found: found as u64, limit: limit as u64 }) } else { Ok(()) }
}

impl KeyringSlot {
    pub(crate) fn new(ek_name: &str, sealed_dek: &[u8]) -> Result<Self, CryptError> {
        bounded("the name of an EK in bytes", ek_name.len(), EK_NAME_MAX_BYTES)?;
        bounded("a sealed DEK in bytes", sealed_dek.len(), SEALED_DEK_MAX_BYTES)?;
        if ek_name.is_empty() || sealed_dek.is_empty() {
            return Err(CryptError::Refused("an EK needs a name and a sealed DEK"));
        }
        Ok(Self { ek_name: ek_name.to_owned(), sealed_dek: sealed_dek.to_vec() })
    }

    /// The EK's name in the KMS.
    #[must_use]
    pub fn ek_name(&self) -> &str {
        &self.ek_name
    }

    /// What to hand the KMS to get the DEK.
    #[must_use]
    pub fn sealed_dek(&self) -> &[u8] {
        &self.sealed_dek
    }
}

/// One sealed bucket key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedBucketKey {
    pub(crate) state: GenerationState,
    pub(crate) salt: Salt,
    pub(crate) wrapped: Wrapped,
}

/// The keyring of one bucket, or of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    pub(crate) store: StoreId,
    pub(crate) bucket: BucketId,
    pub(crate) version: u64,
    pub(crate) epoch: u64,
    pub(crate) slots: BTreeMap<Slot, KeyringSlot>,
    pub(crate) generations: BTreeMap<(Slot, Generation), SealedBucketKey>,
}

impl Keyring {
    /// The store.
    #[must_use]
    pub const fn store(&self) -> StoreId {
        self.store
    }

    /// The bucket.
    #[must_use]
    pub const fn bucket(&self) -> BucketId {
        self.bucket
    }

    /// Grows by one with each change.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The epoch in which it was written.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The slots, the own one first.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, &KeyringSlot)> {
        self.slots.iter().map(|(slot, entry)| (*slot, entry))
    }

    /// One slot.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`].
    pub fn slot(&self, slot: Slot) -> Result<&KeyringSlot, CryptError> {
        self.slots.get(&slot).ok_or(CryptError::UnknownSlot { bucket: self.bucket, slot })
    }

    /// The slot of an EK that requests named; never the bucket's own, even when that has the same EK.
    #[must_use]
    pub fn named_slot(&self, ek_name: &str) -> Option<Slot> {
        self.slots().find(|(slot, entry)| *slot != Slot::OWN && entry.ek_name == ek_name).map(|(slot, _)| slot)
    }

    /// The generations, by slot and number.
    pub fn generations(&self) -> impl Iterator<Item = (Slot, Generation, GenerationState)> {
        self.generations.iter().map(|((slot, generation), sealed)| (*slot, *generation, sealed.state))
    }

    /// The newest generation of a slot.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`].
    pub fn newest(&self, slot: Slot) -> Result<Generation, CryptError> {
        let all = (slot, Generation(0))..=(slot, Generation(u32::MAX));
        let newest = self.generations.range(all).next_back().map(|((_, generation), _)| *generation);
        newest.ok_or(CryptError::UnknownSlot { bucket: self.bucket, slot })
    }

    pub(crate) fn info(&self, slot: Slot, generation: Generation, salt: Salt) -> Info {
        let (suite, bucket) = (Suite::Aes256Gcm, self.bucket);
        Info { suite, bucket, slot, generation, salt, ..Info::of(Label::BucketKey) }
    }

    pub(crate) fn open_key(
        &self,
        slot: Slot,
        generation: Generation,
        sealed: &SealedBucketKey,
        dek: &Dek,
    ) -> Result<SecretKey, CryptError> {
        let info = self.info(slot, generation, sealed.salt);
        dek.0.with(|dek| wrap::unwrap(dek, &info, &sealed.wrapped, BUCKET_KEY))
    }

    /// Unseals the bucket keys of every slot for which `dek_of` has a DEK. The own slot must be among them; the keys
    /// of others may come later, with [`Self::apply`].
    ///
    /// # Errors
    /// [`CryptError::SlotLocked`] without a DEK of the own slot, [`CryptError::WrongKey`] for a DEK that is not the
    /// recorded one, [`CryptError::Damaged`].
    pub fn unlock<'d>(&self, dek_of: impl FnMut(Slot) -> Option<&'d Dek>) -> Result<BucketKeys, CryptError> {
        let keys = self.open_missing(&BTreeMap::new(), dek_of)?;
        let known = self.generations.keys().copied().collect();
        if !keys.keys().any(|(slot, _)| *slot == Slot::OWN) {
            return Err(CryptError::SlotLocked { bucket: self.bucket, slot: Slot::OWN });
        }
        Ok(BucketKeys::new(self.store, self.bucket, Open { keys, known }))
    }

    /// Brings an open handle to the state of this keyring, for all its clones: adds the generations it does not have
    /// and for whose slot `dek_of` has a DEK, and wipes those that this keyring no longer has.
    ///
    /// # Errors
    /// [`CryptError::Locked`], [`CryptError::SlotLocked`] when the own slot's newest key could not be added,
    /// [`CryptError::WrongKey`], [`CryptError::Damaged`], [`CryptError::Refused`] for the handle of another bucket;
    /// the handle is then as it was.
    pub fn apply<'d>(
        &self,
        handle: &BucketKeys,
        dek_of: impl FnMut(Slot) -> Option<&'d Dek>,
    ) -> Result<(), CryptError> {
        if handle.bucket() != self.bucket {
            return Err(CryptError::Refused("these are the keys of another bucket"));
        }
        let own = (Slot::OWN, self.newest(Slot::OWN)?);
        handle.change(|open| {
            let fresh = self.open_missing(&open.keys, dek_of)?;
            if !fresh.contains_key(&own) && !open.keys.contains_key(&own) {
                return Err(CryptError::SlotLocked { bucket: self.bucket, slot: Slot::OWN });
            }
            open.keys.extend(fresh);
            open.keys.retain(|place, _| self.generations.contains_key(place));
            open.known = self.generations.keys().copied().collect();
            Ok(())
        })?
    }

    fn open_missing<'d>(
        &self,
        have: &BTreeMap<(Slot, Generation), BucketKey>,
        mut dek_of: impl FnMut(Slot) -> Option<&'d Dek>,
    ) -> Result<BTreeMap<(Slot, Generation), BucketKey>, CryptError> {
        let mut fresh = BTreeMap::new();
        for ((slot, generation), sealed) in &self.generations {
            if have.contains_key(&(*slot, *generation)) {
                continue;
            }
            let Some(dek) = dek_of(*slot) else { continue };
            let key = self.open_key(*slot, *generation, sealed, dek)?;
            fresh.insert((*slot, *generation), BucketKey(LockedKey::new(key.expose())));
        }
        Ok(fresh)
    }

    pub(crate) fn purpose(slot: Slot) -> Purpose {
        if slot == Slot::OWN { Purpose::Own } else { Purpose::Named }
    }
}

/// The length of a sealed bucket key, for the codec.
pub(crate) const SEALED_BUCKET_KEY_LEN: usize = SEALED_KEY_LEN;
