//! Sealing of records: batches of a log, blocks and indexes of a table, manifests; MAC of a file's header.
//!
//! The nonce is a number that the caller never uses twice under one key: a batch number within its log file, a block
//! number within its table. What else a record is bound to is the caller's AAD (docs/FORMAT.md says which).

use super::{
    CryptError, FileKey,
    cipher::{Cipher, TAG_LEN_BYTES},
    derive::{Info, Label},
    secret::SecretKey,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key that seals many records of one kind of one file, set up once.
pub struct RecordSealer {
    cipher: Cipher,
    what: &'static str,
}

impl RecordSealer {
    /// Seals `record` in place and appends the 16-byte tag, which is returned too.
    ///
    /// # Errors
    /// [`CryptError::Cipher`]; `record` must then be dropped.
    pub fn seal_in_place(
        &self,
        number: u64,
        aad: &[u8],
        record: &mut Vec<u8>,
    ) -> Result<[u8; TAG_LEN_BYTES], CryptError> {
        self.seal_tail_in_place(number, aad, record, 0)
    }

    /// As [`Self::seal_in_place`], but leaves what stands in front of `start` in clear (a frame's header).
    ///
    /// # Errors
    /// [`CryptError::Cipher`], also when `start` lies behind the end.
    pub fn seal_tail_in_place(
        &self,
        number: u64,
        aad: &[u8],
        record: &mut Vec<u8>,
        start: usize,
    ) -> Result<[u8; TAG_LEN_BYTES], CryptError> {
        let body = record.get_mut(start..).ok_or(CryptError::Cipher("sealing a record"))?;
        let tag = self.cipher.seal(number, aad, body)?;
        record.extend_from_slice(&tag);
        Ok(tag)
    }

    /// Opens ciphertext and tag.
    ///
    /// # Errors
    /// [`CryptError::Damaged`] when bytes, number or AAD are not those that were sealed.
    pub fn open(&self, number: u64, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
        self.cipher.open_to_vec(number, aad, sealed, self.what)
    }

    /// As [`Self::open`], into `out`, which must have the length of the plaintext.
    ///
    /// # Errors
    /// As [`Self::open`]; `out` is zeroed then.
    pub fn open_into(&self, number: u64, aad: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), CryptError> {
        self.cipher.open(number, aad, sealed, out, self.what)
    }
}

impl FileKey {
    fn derive(&self, label: Label) -> Result<SecretKey, CryptError> {
        let info = Info { bucket: self.bucket, subject: *self.id.as_bytes(), ..Info::of(label) };
        info.key(self.key.expose())
    }

    fn sealer(&self, label: Label, what: &'static str) -> Result<RecordSealer, CryptError> {
        Ok(RecordSealer { cipher: Cipher::new(&self.derive(label)?)?, what })
    }

    /// For the batches of this log file; the number is the batch's.
    ///
    /// # Errors
    /// [`CryptError::Cipher`].
    pub fn batch_sealer(&self) -> Result<RecordSealer, CryptError> {
        self.sealer(Label::LogBatch, "a batch of the log")
    }

    /// For the blocks of this table; the number is the block's.
    ///
    /// # Errors
    /// [`CryptError::Cipher`].
    pub fn block_sealer(&self) -> Result<RecordSealer, CryptError> {
        self.sealer(Label::TableBlock, "a block of a table")
    }

    /// For the index of this table; the number is that of the index part.
    ///
    /// # Errors
    /// [`CryptError::Cipher`].
    pub fn index_sealer(&self) -> Result<RecordSealer, CryptError> {
        self.sealer(Label::TableIndex, "the index of a table")
    }

    /// HMAC-SHA-256 of the header of this file, over the exact bytes.
    ///
    /// # Errors
    /// [`CryptError::Cipher`].
    pub fn header_mac(&self, header: &[u8]) -> Result<[u8; 32], CryptError> {
        Ok(hmac(&self.derive(Label::FileHeader)?, header)?.finalize().into_bytes().into())
    }

    /// Checks a header against its MAC, in constant time.
    ///
    /// # Errors
    /// [`CryptError::Mac`].
    pub fn verify_header(&self, header: &[u8], mac: &[u8; 32]) -> Result<(), CryptError> {
        hmac(&self.derive(Label::FileHeader)?, header)?
            .verify_slice(mac)
            .map_err(|_| CryptError::Mac("the header of a file"))
    }
}

/// HMAC-SHA-256 under `key`, fed with `bytes`.
pub(crate) fn hmac(key: &SecretKey, bytes: &[u8]) -> Result<Hmac<Sha256>, CryptError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).map_err(|_| CryptError::Cipher("HMAC"))?;
    mac.update(bytes);
    Ok(mac)
}

/// The key of one manifest. It seals once.
pub struct ManifestKey(pub(crate) Cipher);

const MANIFEST: &str = "a manifest";

impl ManifestKey {
    /// Seals the manifest in place and appends the tag, which is returned too; the key is used up.
    ///
    /// # Errors
    /// [`CryptError::Cipher`].
    pub fn seal_in_place(self, aad: &[u8], manifest: &mut Vec<u8>) -> Result<[u8; TAG_LEN_BYTES], CryptError> {
        let tag = self.0.seal(0, aad, manifest)?;
        manifest.extend_from_slice(&tag);
        Ok(tag)
    }

    /// Opens a manifest.
    ///
    /// # Errors
    /// [`CryptError::Damaged`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptError> {
        self.0.open_to_vec(0, aad, sealed, MANIFEST)
    }
}
