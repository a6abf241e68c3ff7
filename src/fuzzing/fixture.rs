//! Keys and sealed keys that are the same in every run.

use crate::{
    crypt::{BucketId, BucketKeys, FileId, FileKey, SealedFileKey, SealedOek, SeededEntropy, Slot},
    fs::memory_keys,
};
use std::sync::OnceLock;

/// The bucket of the fixture.
pub const BUCKET: BucketId = BucketId::from_bytes([7; 16]);

/// Keys of a bucket, and what they made.
pub struct Fixture {
    /// The keys of [`BUCKET`].
    pub keys: BucketKeys,
    /// A file.
    pub file: FileId,
    /// Its key.
    pub file_key: FileKey,
    /// Its key, sealed.
    pub sealed_file_key: SealedFileKey,
    /// An OEK, sealed.
    pub sealed_oek: SealedOek,
}

/// The fixture; `None` only when memory for keys cannot be had.
#[must_use]
pub fn fixture() -> Option<&'static Fixture> {
    static FIXTURE: OnceLock<Option<Fixture>> = OnceLock::new();
    FIXTURE.get_or_init(make).as_ref()
}

fn make() -> Option<Fixture> {
    let entropy = SeededEntropy::new(1);
    let keys = memory_keys(BUCKET, &entropy).ok()?;
    let (file, file_key, sealed_file_key) = keys.new_file_key(&entropy).ok()?;
    let (_, sealed_oek) = keys.new_oek(Slot::OWN, &entropy).ok()?;
    Some(Fixture { keys, file, file_key, sealed_file_key, sealed_oek })
}
