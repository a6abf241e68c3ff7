//! A bucket for tests: keys that no KMS made, and an environment on a simulated disk with small limits.

use std::sync::Arc;
use strongroom::{
    bucket::{Env, Limits},
    clock::SystemClock,
    crypt::{BucketId, BucketKeys, Dek, KernelEntropy, Keyring, Slot, StoreId},
    disk::{Disk, SimDisk},
    space::Reserve,
    tree::{BlockCache, FileCache, TreeShape},
};
use zeroize::Zeroizing;

/// The unsealed keys of a bucket.
pub fn keys_of(id: BucketId) -> BucketKeys {
    let dek = Dek::new(Zeroizing::new([7; 32]));
    let keyring = Keyring::create(StoreId::from_bytes([1; 16]), id, "key", b"sealed", &dek, &KernelEntropy).unwrap();
    keyring.unlock(|slot| (slot == Slot::OWN).then_some(&dek)).unwrap()
}

/// An environment whose tables in memory and logs are small, so that much happens in little time.
pub fn env_on(disk: &SimDisk) -> std::io::Result<Env> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Ok(Env {
        reserve: Arc::new(Reserve::open(Arc::clone(&disk), 1 << 20)?),
        disk,
        entropy: Arc::new(KernelEntropy),
        clock: Arc::new(SystemClock),
        blocks: Arc::new(BlockCache::new(1 << 20)),
        descriptors: Arc::new(FileCache::default()),
        limits: Limits {
            memtable_bytes: 24 << 10,
            log_max_bytes: 256 << 10,
            dead_slack_bytes: 64 << 10,
            ..Limits::default()
        },
        shape: TreeShape::default(),
        wake: Arc::new(|| {}),
    })
}
