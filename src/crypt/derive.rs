//! The one derivation: HKDF-SHA-256, expand only, with an `info` of fixed width (docs/FORMAT.md 1.3).

use super::{BucketId, CryptError, Generation, Salt, Slot, Suite, secret::SecretKey};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What a derived key is for; no key serves two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    BucketKey,
    Oek,
    ObjectOek,
    CustomerOek,
    FileKey,
    CatalogSecret,
    KeyringMac,
    Manifest,
    Segment,
    Inline,
    Attributes,
    LogBatch,
    TableBlock,
    TableIndex,
    FileHeader,
}

impl Label {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 15] = [
        Self::BucketKey,
        Self::Oek,
        Self::ObjectOek,
        Self::CustomerOek,
        Self::FileKey,
        Self::CatalogSecret,
        Self::KeyringMac,
        Self::Manifest,
        Self::Segment,
        Self::Inline,
        Self::Attributes,
        Self::LogBatch,
        Self::TableBlock,
        Self::TableIndex,
        Self::FileHeader,
    ];

    pub(crate) const fn bytes(self) -> &'static [u8; 16] {
        match self {
            Self::BucketKey => b"bucket-key\0\0\0\0\0\0",
            Self::Oek => b"oek\0\0\0\0\0\0\0\0\0\0\0\0\0",
            Self::ObjectOek => b"object-oek\0\0\0\0\0\0",
            Self::CustomerOek => b"customer-oek\0\0\0\0",
            Self::FileKey => b"file-key\0\0\0\0\0\0\0\0",
            Self::CatalogSecret => b"catalog-secret\0\0",
            Self::KeyringMac => b"keyring-mac\0\0\0\0\0",
            Self::Manifest => b"manifest\0\0\0\0\0\0\0\0",
            Self::Segment => b"segment\0\0\0\0\0\0\0\0\0",
            Self::Inline => b"inline\0\0\0\0\0\0\0\0\0\0",
            Self::Attributes => b"attributes\0\0\0\0\0\0",
            Self::LogBatch => b"log-batch\0\0\0\0\0\0\0",
            Self::TableBlock => b"table-block\0\0\0\0\0",
            Self::TableIndex => b"table-index\0\0\0\0\0",
            Self::FileHeader => b"file-header\0\0\0\0\0",
        }
    }
}

/// The place a key is bound to. Fields that a label does not use stay zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info {
    pub(crate) label: Label,
    pub(crate) suite: Suite,
    pub(crate) bucket: BucketId,
    pub(crate) slot: Slot,
    pub(crate) generation: Generation,
    pub(crate) subject: [u8; 16],
    pub(crate) salt: Salt,
}

/// Where the second half of a 64-byte expansion goes: tells "another key" from "damaged".
pub(crate) type Commitment = [u8; 32];

impl Info {
    /// Nothing bound but label and suite.
    pub(crate) const fn of(label: Label) -> Self {
        Self {
            label,
            suite: Suite::Aes256Gcm,
            bucket: BucketId::from_bytes([0; 16]),
            slot: Slot(0),
            generation: Generation(0),
            subject: [0; 16],
            salt: Salt::ZERO,
        }
    }

    fn expand_into(&self, parent: &[u8; 32], out: &mut [u8]) -> Result<(), CryptError> {
        let hkdf = Hkdf::<Sha256>::from_prk(parent).map_err(|_| CryptError::Cipher("HKDF"))?;
        let parts: [&[u8]; 7] = [
            self.label.bytes(),
            &[self.suite.to_u8()],
            self.bucket.as_bytes(),
            &self.slot.0.to_le_bytes(),
            &self.generation.0.to_le_bytes(),
            &self.subject,
            self.salt.as_bytes(),
        ];
        hkdf.expand_multi_info(&parts, out).map_err(|_| CryptError::Cipher("HKDF"))
    }

    /// A key that seals content or records.
    pub(crate) fn key(&self, parent: &[u8; 32]) -> Result<SecretKey, CryptError> {
        SecretKey::from_fn(|key| self.expand_into(parent, key))
    }

    /// A key that seals a key, with its commitment.
    pub(crate) fn committed_key(&self, parent: &[u8; 32]) -> Result<(SecretKey, Commitment), CryptError> {
        let mut wide = Zeroizing::new([0u8; 64]);
        self.expand_into(parent, wide.as_mut_slice())?;
        let [key, commitment] = wide.as_chunks::<32>().0 else {
            return Err(CryptError::Cipher("HKDF"));
        };
        Ok((SecretKey::copy_of(key), *commitment))
    }

    /// As [`Self::committed_key`], and refuses any other commitment than the stored one.
    pub(crate) fn key_committed_to(
        &self,
        parent: &[u8; 32],
        stored: &Commitment,
        what: &'static str,
    ) -> Result<SecretKey, CryptError> {
        let (key, commitment) = self.committed_key(parent)?;
        if bool::from(commitment.ct_eq(stored)) { Ok(key) } else { Err(CryptError::WrongKey(what)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_and_every_field_gives_another_key() {
        let parent = [9; 32];
        let mut infos: Vec<Info> = Label::ALL.into_iter().map(Info::of).collect();
        let base = Info::of(Label::Oek);
        infos.push(Info { bucket: BucketId::from_bytes([1; 16]), ..base });
        infos.push(Info { slot: Slot(1), ..base });
        infos.push(Info { generation: Generation(1), ..base });
        infos.push(Info { subject: [1; 16], ..base });
        infos.push(Info { salt: Salt::from_bytes([1; 16]), ..base });
        let keys: std::collections::BTreeSet<[u8; 32]> =
            infos.iter().map(|info| *info.key(&parent).unwrap().expose()).collect();
        assert_eq!(keys.len(), infos.len());
    }

    #[test]
    fn the_key_is_the_first_half_of_the_wide_expansion() {
        let info = Info::of(Label::FileKey);
        let (key, commitment) = info.committed_key(&[3; 32]).unwrap();
        assert_eq!(key.expose(), info.key(&[3; 32]).unwrap().expose());
        assert_ne!(key.expose(), &commitment);
    }
}
