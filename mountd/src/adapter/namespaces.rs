//! The buckets that are open, by slot, and what the catalog tells of buckets.

use super::{Adapter, Invalidations, invalidation::mark_reader};
use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::SystemTime,
};
use strongroom::fs::{BucketWatcher, FsResult, Namespace};

thread_local! {
    /// Whether this thread changes the list of buckets for the kernel, which then knows of it by the reply.
    static OWN_CHANGE: Cell<bool> = const { Cell::new(false) };
}

/// Open namespaces, kept so that a request costs no search in the catalog. Filled and emptied by the catalog's word
/// alone: a slot can go to another bucket.
pub(super) struct Namespaces {
    open: RwLock<HashMap<u32, Weak<Namespace>>>,
    root_changed: RwLock<SystemTime>,
    invalidations: Invalidations,
}

impl Namespaces {
    pub(super) fn new(invalidations: Invalidations) -> Self {
        Self { open: RwLock::default(), root_changed: RwLock::new(SystemTime::now()), invalidations }
    }

    /// When the list of buckets last changed.
    pub(super) fn root_changed(&self) -> SystemTime {
        *self.root_changed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, slot: u32) -> Option<Arc<Namespace>> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).get(&slot)?.upgrade()
    }
}

impl BucketWatcher for Namespaces {
    fn opened(&self, namespace: &Arc<Namespace>) {
        let slot = namespace.slot();
        namespace.set_watcher(Some(self.invalidations.watcher(slot)));
        self.open.write().unwrap_or_else(PoisonError::into_inner).insert(slot, Arc::downgrade(namespace));
    }

    fn closed(&self, slot: u32) {
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&slot);
    }

    fn name_changed(&self, name: &str) {
        *self.root_changed.write().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
        if !OWN_CHANGE.get() {
            self.invalidations.bucket(name.as_bytes());
        }
    }
}

/// Runs a change of the list of buckets that the kernel asked for. It is not told of it again: its entry would be
/// taken away under a program that has just gone there.
pub(super) fn for_the_kernel<T>(change: impl FnOnce() -> T) -> T {
    OWN_CHANGE.set(true);
    let result = change();
    OWN_CHANGE.set(false);
    result
}

impl Adapter {
    /// The files of the bucket with this slot, opened if need be. Requests by name or number begin here.
    pub(super) fn namespace(&self, slot: u32) -> FsResult<Arc<Namespace>> {
        mark_reader();
        self.namespaces.get(slot).map_or_else(|| self.catalog.namespace_by_slot(slot), Ok)
    }
}
