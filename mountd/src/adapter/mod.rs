//! Translates FUSE requests into calls of `strongroom::fs`, and their results into replies.
//!
//! What the kernel is told to keep, it keeps for an hour; what changes behind its back (through S3) is taken back by
//! [`Invalidations`]. Requests are handled on the thread that read them. Only durability is waited for elsewhere, when
//! too many readers would wait for it ([`durable`]).
//!
//! | file | requests |
//! |---|---|
//! | [`buckets`] | everything at the root, which lists the buckets |
//! | [`namespaces`] | which buckets are open, and what the catalog tells of them |
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
mod namespaces;
mod number;
mod refusal;
mod settings;
mod space;
mod xattrs;

pub use invalidation::Invalidations;
pub use settings::{READERS, Settings};

use handles::Handles;
use namespaces::Namespaces;
use refusal::{Answer, Refusal};
use std::{sync::Arc, time::Duration};
use strongroom::fs::{Catalog, Owner};

/// How long the kernel keeps names and attributes: until it is told otherwise.
const KEEP: Duration = Duration::from_secs(3600);

/// The file system that the kernel sees.
pub struct Adapter {
    catalog: Arc<Catalog>,
    settings: Settings,
    handles: Handles,
    invalidations: Invalidations,
    durable: durable::Waiters,
    namespaces: Arc<Namespaces>,
}

impl Adapter {
    /// A view of the buckets of `catalog`.
    #[must_use]
    pub fn new(catalog: Arc<Catalog>, settings: Settings) -> Self {
        let invalidations = Invalidations::default();
        let namespaces = Arc::new(Namespaces::new(invalidations.clone()));
        catalog.set_watcher(Some(Arc::clone(&namespaces) as _));
        let (handles, durable) = (Handles::default(), durable::Waiters::default());
        Self { catalog, settings, handles, invalidations, durable, namespaces }
    }

    /// What the kernel must be told; to be started with the session's notifier.
    #[must_use]
    pub fn invalidations(&self) -> Invalidations {
        self.invalidations.clone()
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
