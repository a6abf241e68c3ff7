//! AES-256-GCM over content and records with a key set up once, and the nonce as a number (docs/FORMAT.md 1.2).

use super::{CryptError, secret::SecretKey};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes that sealing adds.
pub const TAG_LEN_BYTES: usize = 16;

/// A key set up for sealing. The library wipes its schedule when it is freed.
pub(crate) struct Cipher(LessSafeKey);

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    for (to, from) in bytes.iter_mut().zip(number.to_le_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher {
    pub(crate) fn new(key: &SecretKey) -> Result<Self, CryptError> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| CryptError::Cipher("AES-GCM set-up"))?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// Seals all of `body` in place and returns the tag.
    pub(crate) fn seal(&self, number: u64, aad: &[u8], body: &mut [u8]) -> Result<[u8; TAG_LEN_BYTES], CryptError> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(aad), body)
            .map_err(|_| CryptError::Cipher("AES-GCM"))?;
        tag.as_ref().try_into().map_err(|_| CryptError::Cipher("AES-GCM"))
    }

    /// Opens ciphertext ‖ tag into `out`, which must have the length of the plaintext. On an error `out` is zeroed.
    pub(crate) fn open(
        &self,
        number: u64,
        aad: &[u8],
        sealed: &[u8],
        out: &mut [u8],
        what: &'static str,
    ) -> Result<(), CryptError> {
        let (body, tag) = sealed.split_last_chunk::<TAG_LEN_BYTES>().ok_or(CryptError::Damaged(what))?;
        if body.len() != out.len() {
            return Err(CryptError::Damaged(what));
        }
        self.0.open_separate_gather(nonce(number), Aad::from(aad), body, tag, out).map_err(|_| {
            out.fill(0);
            CryptError::Damaged(what)
        })
    }

    /// As [`Self::open`], into a new vector.
    pub(crate) fn open_to_vec(
        &self,
        number: u64,
        aad: &[u8],
        sealed: &[u8],
        what: &'static str,
    ) -> Result<Vec<u8>, CryptError> {
        let len = sealed.len().checked_sub(TAG_LEN_BYTES).ok_or(CryptError::Damaged(what))?;
        let mut plain = vec![0; len];
        self.open(number, aad, sealed, &mut plain, what)?;
        Ok(plain)
    }
}
