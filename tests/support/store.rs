//! A whole store on a simulated disk, without threads: the test syncs and works.

use std::sync::Arc;
use strongroom::{
    bucket::Limits,
    clock::SystemClock,
    crypt::{InstanceId, KernelEntropy, StoreId},
    disk::{Disk, SimDisk},
    kms::Kms,
    store::{Foundation, OpenError, Store, StoreFile},
    tree::TreeShape,
};

/// What a store stands on.
#[derive(Clone)]
pub struct Ground {
    pub disk: SimDisk,
    pub kms: Arc<dyn Kms>,
}

/// Opens the store, or makes it when there is none.
pub fn open(ground: &Ground) -> Result<Arc<Store>, OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(ground.disk.clone());
    let found = StoreFile::read(disk.as_ref())
        .map_err(|source| OpenError::Io { what: "reading the store file".into(), source })?;
    let first = found.is_none();
    let file = found.unwrap_or_else(|| StoreFile::new(StoreId::from_bytes([5; 16]), InstanceId::from_bytes([6; 16])));
    let foundation = Foundation {
        disk,
        kms: Arc::clone(&ground.kms),
        entropy: Arc::new(KernelEntropy),
        clock: Arc::new(SystemClock),
        limits: Limits {
            memtable_bytes: 48 << 10,
            log_max_bytes: 512 << 10,
            dead_slack_bytes: 64 << 10,
            ..Limits::default()
        },
        shape: TreeShape::default(),
        cache_bytes: 1 << 20,
        window_bytes: 1 << 20,
        reserve_bytes: 4 << 20,
        accept_loss: false,
        with_threads: false,
    };
    Store::open_on(foundation, file, first, None, None).map(|(store, _)| store)
}
