//! What the adapter is told when it is made.

use std::path::PathBuf;

/// Threads that read requests. At least two of them stay free while others wait for the disk.
pub const READERS: usize = 4;

/// What the adapter needs to know beside the catalog.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the EK of buckets that are made by `mkdir`.
    pub default_key: String,
    /// Owner of the mount's root: the daemon's user.
    pub uid: u32,
    /// Group of the mount's root.
    pub gid: u32,
    /// Where the store is, for the free space that `statfs` tells; `None` for a store in memory.
    pub store: Option<PathBuf>,
}
