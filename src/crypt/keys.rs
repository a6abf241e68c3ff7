//! The keys above content, as types that cannot stand in for each other.

use super::{
    BucketId, CryptError, FileId, OekId,
    locked::LockedKey,
    secret::{KEY_LEN_BYTES, SecretKey},
};
use zeroize::Zeroizing;

/// A data encryption key, made and unwrapped by the KMS: seals the bucket keys of one slot. In a locked page.
pub struct Dek(pub(crate) LockedKey);

impl Dek {
    /// From the plaintext that the KMS gave; the argument is wiped.
    #[must_use]
    pub fn new(plaintext: Zeroizing<[u8; KEY_LEN_BYTES]>) -> Self {
        Self(LockedKey::new(&plaintext))
    }
}

/// The random key of a bucket, of one slot and generation. In a locked page; reached through `BucketKeys` only.
pub(crate) struct BucketKey(pub(crate) LockedKey);

/// An object encryption key: heads the keys of one object's content. Wiped on drop.
pub struct Oek {
    pub(crate) id: OekId,
    pub(crate) key: SecretKey,
}

impl Oek {
    /// The id that extents name.
    #[must_use]
    pub const fn id(&self) -> OekId {
        self.id
    }

    /// The key, when it is the one that the caller means.
    pub(crate) fn named(&self, id: OekId) -> Result<&SecretKey, CryptError> {
        if self.id == id { Ok(&self.key) } else { Err(CryptError::OekMismatch { expected: id, found: self.id }) }
    }
}

/// The key of one log or table file: heads the keys of its batches, blocks and header. Wiped on drop.
pub struct FileKey {
    pub(crate) bucket: BucketId,
    pub(crate) id: FileId,
    pub(crate) key: SecretKey,
}

impl FileKey {
    /// The file's id.
    #[must_use]
    pub const fn id(&self) -> FileId {
        self.id
    }
}
