//! The key hierarchy, and the sealing of keys, content and records under it (docs/FORMAT.md 1 and 2).
//!
//! From a DEK down: [`Keyring::unlock`] gives [`BucketKeys`]; these make and open [`Oek`]s and [`FileKey`]s; an OEK
//! heads [`SegmentKey`]s and inline content, a file key heads [`RecordSealer`]s.
//!
//! Invariants: a derived key serves one label; a key never seals two things under one nonce; a record names the key
//! that opens it, and no other is tried; another key and damaged bytes are different errors. Keys are wiped on drop
//! and have no `Debug` and no `Clone`. Knows nothing of disks and of how a KMS is reached.

mod bucket_keys;
mod catalog_secret;
mod cipher;
mod derive;
mod entropy;
mod error;
mod harden;
mod ids;
mod inline;
mod keyring;
mod keyring_change;
mod keyring_file;
mod keys;
mod locked;
mod outside_keys;
mod record;
mod sealed_key;
mod secret;
mod segment;
mod wrap;

pub use bucket_keys::BucketKeys;
pub use catalog_secret::SECRET_MAX_BYTES;
pub use cipher::TAG_LEN_BYTES;
pub use entropy::{Entropy, KernelEntropy, SeededEntropy};
pub use error::CryptError;
pub use harden::harden_process;
pub use ids::{BucketId, EpochId, FileId, Generation, InstanceId, ObjectId, OekId, Salt, Slot, StoreId, Suite};
pub use inline::{
    ATTRIBUTES_MAX_BYTES, INLINE_MAX_BYTES, INLINE_OVERHEAD_BYTES, open_attributes, open_inline, seal_attributes,
    seal_inline,
};
pub use keyring::{
    EK_NAME_MAX_BYTES, GENERATIONS_MAX, GenerationState, Keyring, KeyringSlot, SEALED_DEK_MAX_BYTES, SLOTS_MAX,
};
pub use keyring_file::{KEYRING_MAX_BYTES, KeyringMacKey, KeyringTag, UnverifiedKeyring};
pub use keys::{Dek, FileKey, Oek};
pub use locked::{LockedMemory, locked_memory};
pub use outside_keys::{CustomerKey, ObjectDek};
pub use record::{ManifestKey, RecordSealer};
pub use sealed_key::{SealedFileKey, SealedOek};
pub use secret::KEY_LEN_BYTES;
pub use segment::{
    CHUNK_LEN_BYTES, SEGMENT_MAX_BYTES, SegmentKey, chunk_count, chunk_range, chunks_of, seal_segment, sealed_len,
};

#[cfg(test)]
mod tests;
