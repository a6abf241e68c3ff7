//! What is sealed under an OEK inside the metadata record: content of up to 256 bytes, and attributes such as
//! checksums (docs/FORMAT.md 1.5).

use super::{
    CryptError, Entropy, Oek, OekId, Salt,
    cipher::{Cipher, TAG_LEN_BYTES},
    derive::{Info, Label},
};
use crate::format::FORMAT_VERSION;

/// Most content that stands in the metadata record; more is a segment.
pub const INLINE_MAX_BYTES: usize = 256;
/// Most attributes of one object under its OEK.
pub const ATTRIBUTES_MAX_BYTES: usize = 65_536;
/// What sealing in a record adds: salt and tag.
pub const INLINE_OVERHEAD_BYTES: usize = Salt::LEN + TAG_LEN_BYTES;

/// What is sealed in the record; each has a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Content,
    Attributes,
}

impl Kind {
    const fn what(self) -> &'static str {
        match self {
            Self::Content => "inline content",
            Self::Attributes => "attributes under an OEK",
        }
    }

    const fn limit(self) -> usize {
        match self {
            Self::Content => INLINE_MAX_BYTES,
            Self::Attributes => ATTRIBUTES_MAX_BYTES,
        }
    }

    fn cipher(self, oek: &Oek, oek_id: OekId, salt: Salt) -> Result<Cipher, CryptError> {
        let label = match self {
            Self::Content => Label::Inline,
            Self::Attributes => Label::Attributes,
        };
        let info = Info { subject: *oek_id.as_bytes(), salt, ..Info::of(label) };
        Cipher::new(&info.key(oek.named(oek_id)?.expose())?)
    }

    fn seal(self, oek: &Oek, oek_id: OekId, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, CryptError> {
        if plain.len() > self.limit() {
            let (found, limit) = (plain.len() as u64, self.limit() as u64);
            return Err(CryptError::TooLarge { what: self.what(), found, limit });
        }
        let salt = Salt::random(entropy)?;
        let cipher = self.cipher(oek, oek_id, salt)?;
        let mut out = Vec::with_capacity(plain.len() + INLINE_OVERHEAD_BYTES);
        out.extend_from_slice(salt.as_bytes());
        out.extend_from_slice(plain);
        let body = out.get_mut(Salt::LEN..).ok_or(CryptError::Cipher("sealing in a record"))?;
        let tag = cipher.seal(0, &aad(oek_id, salt), body)?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    fn open(self, oek: &Oek, oek_id: OekId, sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
        let (salt, body) = sealed.split_first_chunk::<{ Salt::LEN }>().ok_or(CryptError::Damaged(self.what()))?;
        if body.len() > self.limit() + TAG_LEN_BYTES {
            return Err(CryptError::Damaged(self.what()));
        }
        let salt = Salt::from_bytes(*salt);
        self.cipher(oek, oek_id, salt)?.open_to_vec(0, &aad(oek_id, salt), body, self.what())
    }
}

fn aad(oek_id: OekId, salt: Salt) -> Vec<u8> {
    [FORMAT_VERSION.to_le_bytes().as_slice(), oek_id.as_bytes(), salt.as_bytes()].concat()
}

/// Seals content of up to [`INLINE_MAX_BYTES`] for the metadata record, under a salt of its own that the result holds.
///
/// # Errors
/// [`CryptError::TooLarge`], [`CryptError::OekMismatch`], [`CryptError::Entropy`].
pub fn seal_inline(oek: &Oek, oek_id: OekId, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, CryptError> {
    Kind::Content.seal(oek, oek_id, plain, entropy)
}

/// The reverse of [`seal_inline`].
///
/// # Errors
/// [`CryptError::Damaged`], [`CryptError::OekMismatch`].
pub fn open_inline(oek: &Oek, oek_id: OekId, sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
    Kind::Content.open(oek, oek_id, sealed)
}

/// Seals attributes that must stand under the OEK (checksums and MD5 of objects with an EK of their own).
///
/// # Errors
/// As [`seal_inline`], with [`ATTRIBUTES_MAX_BYTES`].
pub fn seal_attributes(oek: &Oek, oek_id: OekId, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, CryptError> {
    Kind::Attributes.seal(oek, oek_id, plain, entropy)
}

/// The reverse of [`seal_attributes`].
///
/// # Errors
/// As [`open_inline`].
pub fn open_attributes(oek: &Oek, oek_id: OekId, sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
    Kind::Attributes.open(oek, oek_id, sealed)
}
