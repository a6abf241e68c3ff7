//! Telling the mount what changed behind its back.

use super::Ino;

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

/// Whoever keeps a cache of names and attributes: the FUSE adapter. It must queue and return at once.
pub trait Watcher: Send + Sync {
    /// Takes the changes of one commit, in order.
    fn changed(&self, changes: &[Change]);
}
