//! OEKs that no bucket key seals: under a DEK of one object, or under a customer's key (SSE-C).

use super::{
    BucketId, CryptError, Entropy, Generation, KEY_LEN_BYTES, Oek, OekId, Salt, SealedOek, Slot, derive::Label,
    sealed_key::Place, secret::SecretKey,
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

const CUSTOMER_SALT: &[u8] = b"strongroom customer key v1";

/// A DEK of one object alone, which stands in its bucket key's place. Wiped on drop.
pub struct ObjectDek(SecretKey);

/// What is extracted from a customer's key; nothing of it is ever stored. Wiped on drop.
pub struct CustomerKey(SecretKey);

impl ObjectDek {
    /// From the plaintext that the KMS gave; the argument is wiped.
    #[must_use]
    pub fn new(plaintext: Zeroizing<[u8; KEY_LEN_BYTES]>) -> Self {
        Self(SecretKey::copy_of(&plaintext))
    }

    /// A new OEK, sealed under this DEK for an object of `bucket`.
    ///
    /// # Errors
    /// [`CryptError::Entropy`], [`CryptError::SelfCheck`].
    pub fn new_oek(&self, bucket: BucketId, entropy: &dyn Entropy) -> Result<(Oek, SealedOek), CryptError> {
        new_oek(Label::ObjectOek, Slot::OBJECT, bucket, &self.0, entropy)
    }

    /// Seals an existing OEK, to put its object under this DEK.
    ///
    /// # Errors
    /// As [`Self::new_oek`].
    pub fn seal_oek(&self, bucket: BucketId, oek: &Oek, entropy: &dyn Entropy) -> Result<SealedOek, CryptError> {
        seal_oek(Label::ObjectOek, Slot::OBJECT, bucket, &self.0, oek, entropy)
    }

    /// Opens an OEK of `bucket` that this DEK seals.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`] when something else seals it, [`CryptError::WrongKey`], [`CryptError::Damaged`].
    pub fn open_oek(&self, bucket: BucketId, sealed: &SealedOek) -> Result<Oek, CryptError> {
        open_oek(Label::ObjectOek, Slot::OBJECT, bucket, &self.0, sealed)
    }
}

impl CustomerKey {
    /// From the key of a request's headers; the caller wipes its own copy.
    #[must_use]
    pub fn extract(key: &[u8; KEY_LEN_BYTES]) -> Self {
        let (mut extracted, _) = Hkdf::<Sha256>::extract(Some(CUSTOMER_SALT), key);
        let secret = SecretKey::copy_of(extracted.as_ref());
        extracted.as_mut_slice().zeroize();
        Self(secret)
    }

    /// A new OEK, sealed under this key for an object of `bucket`.
    ///
    /// # Errors
    /// [`CryptError::Entropy`], [`CryptError::SelfCheck`].
    pub fn new_oek(&self, bucket: BucketId, entropy: &dyn Entropy) -> Result<(Oek, SealedOek), CryptError> {
        new_oek(Label::CustomerOek, Slot::CUSTOMER, bucket, &self.0, entropy)
    }

    /// Opens an OEK of `bucket` that this key seals. [`CryptError::WrongKey`] means that the customer sent another
    /// key than at first.
    ///
    /// # Errors
    /// [`CryptError::UnknownSlot`] when something else seals it, [`CryptError::WrongKey`], [`CryptError::Damaged`].
    pub fn open_oek(&self, bucket: BucketId, sealed: &SealedOek) -> Result<Oek, CryptError> {
        open_oek(Label::CustomerOek, Slot::CUSTOMER, bucket, &self.0, sealed)
    }
}

fn new_oek(
    label: Label,
    slot: Slot,
    bucket: BucketId,
    parent: &SecretKey,
    entropy: &dyn Entropy,
) -> Result<(Oek, SealedOek), CryptError> {
    let oek = Oek { id: OekId::random(entropy)?, key: SecretKey::random(entropy)? };
    let sealed = seal_oek(label, slot, bucket, parent, &oek, entropy)?;
    Ok((oek, sealed))
}

fn seal_oek(
    label: Label,
    slot: Slot,
    bucket: BucketId,
    parent: &SecretKey,
    oek: &Oek,
    entropy: &dyn Entropy,
) -> Result<SealedOek, CryptError> {
    let place = Place { bucket, slot, generation: Generation(0) };
    SealedOek::seal(label, place, parent.expose(), oek.id, Salt::random(entropy)?, &oek.key)
}

fn open_oek(
    label: Label,
    slot: Slot,
    bucket: BucketId,
    parent: &SecretKey,
    sealed: &SealedOek,
) -> Result<Oek, CryptError> {
    if sealed.slot != slot {
        return Err(CryptError::UnknownSlot { bucket, slot: sealed.slot });
    }
    Ok(Oek { id: sealed.id, key: sealed.open(label, bucket, parent.expose())? })
}
