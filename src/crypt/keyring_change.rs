//! The changes of a keyring: each gives a new keyring of the next version, and leaves the old one as it was.
//!
//! Order for the caller: make the change, make it durable, [`Keyring::apply`] it to the open handle, then use it.

use super::{
    BucketId, BucketKeys, CryptError, Dek, Entropy, Generation, GenerationState, Keyring, KeyringSlot, Salt, Slot,
    StoreId,
    keyring::{BUCKET_KEY, GENERATIONS_MAX, SLOTS_MAX, SealedBucketKey, bounded},
    secret::SecretKey,
    wrap,
};
use std::collections::BTreeMap;

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
}
