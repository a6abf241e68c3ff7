//! Translates FUSE requests into calls of `strongroom::fs`, and their results into replies.
//!
//! What the kernel is told to keep, it keeps for an hour; what changes behind its back (through S3) is taken back by
//! [`Invalidations`]. Requests are handled on the thread that read them. Only durability is waited for elsewhere, when
//! too many readers would wait for it ([`durable`]).
//!
//! | file | requests |
//! |---|---|
//! | [`buckets`] | everything at the root, which lists the buckets |
//! | [`names`] | lookup, making, linking, renaming and removing within a bucket |
//! | [`files`] | open files |
//! | [`directories`] | open directories |
//! | [`xattrs`] | extended attributes |

mod attributes;
mod buckets;
mod directories;
mod durable;
mod files;
mod filesystem;
mod handles;
mod invalidation;
mod names;
mod number;
mod refusal;
mod settings;
mod space;
mod xattrs;

pub use invalidation::Invalidations;
pub use settings::{READERS, Settings};

use handles::Handles;
use refusal::{Answer, Refusal};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, SystemTime},
};
use strongroom::fs::{Catalog, Namespace, Owner};

/// How long the kernel keeps names and attributes: until it is told otherwise.
const KEEP: Duration = Duration::from_secs(3600);

/// The file system that the kernel sees.
pub struct Adapter {
    catalog: Arc<Catalog>,
    settings: Settings,
    handles: Handles,
    invalidations: Invalidations,
    durable: durable::Waiters,
    /// The namespaces that report their changes here, by slot.
    watched: RwLock<HashMap<u32, Weak<Namespace>>>,
    /// When the list of buckets last changed.
    root_changed: RwLock<SystemTime>,
}

impl Adapter {
    /// A view of the buckets of `catalog`.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, settings: Settings) -> Self {
        Self {
            catalog,
            settings,
            handles: Handles::default(),
            invalidations: Invalidations::default(),
            durable: durable::Waiters::default(),
            watched: RwLock::default(),
            root_changed: RwLock::new(SystemTime::now()),
        }
    }

    /// What the kernel must be told; to be started with the session's notifier.
    #[must_use]
    pub fn invalidations(&self) -> Invalidations {
        self.invalidations.clone()
    }

    /// The files of the bucket with this slot, opened if need be, and watched.
    fn namespace(&self, slot: u32) -> Answer<Arc<Namespace>> {
        let namespace = self.catalog.namespace_by_slot(slot)?;
        let known = {
            let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner);
            watched.get(&slot).is_some_and(|seen| std::ptr::eq(seen.as_ptr(), Arc::as_ptr(&namespace)))
        };
        if !known {
            namespace.set_watcher(Some(self.invalidations.watcher(slot)));
            let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
            watched.insert(slot, Arc::downgrade(&namespace));
        }
        Ok(namespace)
    }
}

/// The caller, as owner of what he makes.
fn owner(request: &fuser::Request) -> Owner {
    Owner { uid: request.uid(), gid: request.gid() }
}

/// Permission bits of a mode as the kernel sends it, less the caller's umask.
fn permissions(mode: u32, umask: u32) -> u16 {
    u16::try_from(mode & !umask & 0o7777).unwrap_or_default()
}
