//! The keyring of a bucket: its sealed DEKs and bucket keys (docs/FORMAT.md 2.2).
//!
//! A keyring is a value: each change gives a new one with the next version, to be made durable before anything is
//! sealed under what it added. It holds sealed things only; [`Keyring::unlock`] gives the handle on the keys.

use super::{
    BucketId, BucketKeys, CryptError, Dek, Entropy, Generation, Salt, Slot, StoreId, Suite,
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

const BUCKET_KEY: &str = "a bucket key";

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

fn bounded(what: &'static str, found: usize, limit: usize) -> Result<(), CryptError> {
    if found > limit { Err(CryptError::TooLarge { what, found: found as u64, limit: limit as u64 }) } else { Ok(()) }
}

impl Keyring {
    /// The first keyring of a new bucket, version 1, with one bucket key in the own slot. `sealed_dek` is what the
    /// KMS gave together with `dek`.
    ///
    /// # Errors
    /// [`CryptError::TooLarge`], [`CryptError::Refused`] for an empty name, [`CryptError::Entropy`],
    /// [`CryptError::SelfCheck`].
    pub fn create(
        store: StoreId,
        bucket: BucketId,
        ek_name: &str,
        sealed_dek: &[u8],
        dek: &Dek,
        entropy: &dyn Entropy,
    ) -> Result<Self, CryptError> {
        let slots = BTreeMap::from([(Slot::OWN, KeyringSlot::new(ek_name, sealed_dek)?)]);
        let mut keyring = Self { store, bucket, version: 1, epoch: 0, slots, generations: BTreeMap::new() };
        let key = SecretKey::random(entropy)?;
        keyring.seal_key(Slot::OWN, Generation::FIRST, GenerationState::Active, &key, dek, entropy)?;
        Ok(keyring)
    }

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

    fn info(&self, slot: Slot, generation: Generation, salt: Salt) -> Info {
        let (suite, bucket) = (Suite::Aes256Gcm, self.bucket);
        Info { suite, bucket, slot, generation, salt, ..Info::of(Label::BucketKey) }
    }

    fn seal_key(
        &mut self,
        slot: Slot,
        generation: Generation,
        state: GenerationState,
        key: &SecretKey,
        dek: &Dek,
        entropy: &dyn Entropy,
    ) -> Result<(), CryptError> {
        let salt = Salt::random(entropy)?;
        let info = self.info(slot, generation, salt);
        let wrapped = dek.0.with(|dek| wrap::wrap(dek, &info, key, BUCKET_KEY))?;
        self.generations.insert((slot, generation), SealedBucketKey { state, salt, wrapped });
        Ok(())
    }

    fn open_key(
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

    /// Puts a slot under another EK, or under a new DEK of the same: all its bucket keys are sealed anew under
    /// `new_dek`. The bucket keys stay, so that no sealed OEK changes and `keys` stays good.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`], [`CryptError::Locked`], [`CryptError::SlotLocked`], [`CryptError::TooLarge`],
    /// [`CryptError::Entropy`], [`CryptError::SelfCheck`].
    pub fn rewrap(
        &self,
        slot: Slot,
        new_ek_name: &str,
        new_sealed_dek: &[u8],
        keys: &BucketKeys,
        new_dek: &Dek,
        entropy: &dyn Entropy,
    ) -> Result<Self, CryptError> {
        self.slot(slot)?;
        if keys.bucket() != self.bucket {
            return Err(CryptError::Refused("these are the keys of another bucket"));
        }
        let mut changed = self.next_version()?;
        changed.slots.insert(slot, KeyringSlot::new(new_ek_name, new_sealed_dek)?);
        for (of, generation, state) in self.generations().filter(|(of, ..)| *of == slot) {
            let key = keys.with_key(of, Some(generation), |_, key| Ok(SecretKey::copy_of(key)))?;
            changed.seal_key(of, generation, state, &key, new_dek, entropy)?;
        }
        Ok(changed)
    }

    /// Adds a bucket key to a slot: the first step of a reseal. `dek` is the slot's.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`], [`CryptError::WrongKey`], [`CryptError::TooLarge`], [`CryptError::Entropy`],
    /// [`CryptError::SelfCheck`].
    pub fn add_generation(&self, slot: Slot, dek: &Dek, entropy: &dyn Entropy) -> Result<Self, CryptError> {
        let newest = self.newest(slot)?;
        let limit = u64::from(u32::MAX);
        let next = newest.next().ok_or(CryptError::TooLarge { what: "generations", found: limit, limit })?;
        bounded("generations of a keyring", self.generations.len() + 1, GENERATIONS_MAX)?;
        let mut changed = self.next_version()?;
        if let Some(old) = changed.generations.get_mut(&(slot, newest)) {
            // A DEK that does not open the present key must not seal the next one.
            self.open_key(slot, newest, old, dek)?;
            old.state = GenerationState::Retiring;
        }
        changed.seal_key(slot, next, GenerationState::Active, &SecretKey::random(entropy)?, dek, entropy)?;
        Ok(changed)
    }

    /// Removes a bucket key to which nothing refers any more: the last step of a reseal.
    ///
    /// # Errors
    /// [`CryptError::UnknownGeneration`]; [`CryptError::Refused`] for the newest one, whose number must never return.
    pub fn drop_generation(&self, slot: Slot, generation: Generation) -> Result<Self, CryptError> {
        if self.newest(slot)? == generation {
            return Err(CryptError::Refused("the newest generation of a slot stays"));
        }
        let mut changed = self.next_version()?;
        let gone = changed.generations.remove(&(slot, generation));
        gone.map(|_| changed).ok_or(CryptError::UnknownGeneration { bucket: self.bucket, slot, generation })
    }

    /// Adds a slot for an EK that a request named, with a first bucket key. [`Self::free_slot`] gives the number.
    ///
    /// # Errors
    /// [`CryptError::Refused`] when the slot is taken or reserved, [`CryptError::TooLarge`], [`CryptError::Entropy`],
    /// [`CryptError::SelfCheck`].
    pub fn add_slot(
        &self,
        slot: Slot,
        ek_name: &str,
        sealed_dek: &[u8],
        dek: &Dek,
        entropy: &dyn Entropy,
    ) -> Result<Self, CryptError> {
        if slot > Slot::LAST_EXPLICIT || self.slots.contains_key(&slot) {
            return Err(CryptError::Refused("the slot is taken or reserved"));
        }
        bounded("slots of a keyring", self.slots.len() + 1, SLOTS_MAX)?;
        bounded("generations of a keyring", self.generations.len() + 1, GENERATIONS_MAX)?;
        let mut changed = self.next_version()?;
        changed.slots.insert(slot, KeyringSlot::new(ek_name, sealed_dek)?);
        let key = SecretKey::random(entropy)?;
        changed.seal_key(slot, Generation::FIRST, GenerationState::Active, &key, dek, entropy)?;
        Ok(changed)
    }

    /// The lowest slot that is not taken; `None` when the keyring is full.
    #[must_use]
    pub fn free_slot(&self) -> Option<Slot> {
        let mut numbers = 1..=Slot::LAST_EXPLICIT.0;
        let free = numbers.find(|number| !self.slots.contains_key(&Slot(*number)))?;
        (self.slots.len() < SLOTS_MAX).then_some(Slot(free))
    }

    /// The same keys, written in a later epoch.
    ///
    /// # Errors
    /// [`CryptError::Refused`] for an earlier epoch.
    pub fn with_epoch(&self, epoch: u64) -> Result<Self, CryptError> {
        if epoch < self.epoch {
            return Err(CryptError::Refused("an epoch never goes back"));
        }
        Ok(Self { epoch, ..self.next_version()? })
    }

    fn next_version(&self) -> Result<Self, CryptError> {
        let limit = u64::MAX;
        let version =
            self.version.checked_add(1).ok_or(CryptError::TooLarge { what: "versions", found: limit, limit })?;
        Ok(Self { version, ..self.clone() })
    }

    pub(crate) fn purpose(slot: Slot) -> Purpose {
        if slot == Slot::OWN { Purpose::Own } else { Purpose::Named }
    }
}

/// The length of a sealed bucket key, for the codec.
pub(crate) const SEALED_BUCKET_KEY_LEN: usize = SEALED_KEY_LEN;
