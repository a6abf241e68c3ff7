//! Telling the mount what changed behind its back.

use super::{Ino, Namespace};
use std::sync::Arc;

/// What changed through S3, or by the promotion of an alias. Told after the commit, under no lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A POSIX name now means something else, came, or went.
    Entry {
        /// The directory.
        parent: Ino,
        /// The POSIX name in it.
        name: Vec<u8>,
        /// Whether a name came or went: then the directory's own inode must be invalidated too.
        came_or_went: bool,
    },
    /// Attributes or content of an inode that keeps its name.
    Inode {
        /// The inode.
        ino: Ino,
    },
}

/// Whoever keeps a cache of names and attributes: the FUSE adapter. It queues, and waits for the kernel only briefly, and
/// never on a thread that answers the kernel.
pub trait Watcher: Send + Sync {
    /// Takes the changes of one commit, in order.
    fn changed(&self, changes: &[Change]);
}

/// Whoever keeps a cache of the list of buckets, and wants to be told of changes within them.
pub trait BucketWatcher: Send + Sync {
    /// A bucket was opened, and nobody has used it yet: the moment for [`Namespace::set_watcher`]. Called under a lock of
    /// the catalog, as is `closed`: neither may call back or wait.
    fn opened(&self, namespace: &Arc<Namespace>);
    /// The bucket with this slot was closed, or is gone.
    fn closed(&self, slot: u32);
    /// The name of a bucket came, went, or means another bucket now; told on the thread that changed it,
    /// under no lock.
    fn name_changed(&self, name: &str);
}
