//! Why a mount point cannot be used or left.

use std::{io, path::PathBuf};

/// An error of mounting. Every message names the thing and the next step.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// It does not exist.
    #[error("the mount point {0} does not exist; make it with mkdir")]
    Missing(PathBuf),
    /// It is a file or something else.
    #[error("the mount point {0} is not a directory; name one that is, and that is empty")]
    NotDirectory(PathBuf),
    /// Files lie in it, which would be hidden.
    #[error("the mount point {0} is not empty; name an empty directory, or move its files away")]
    NotEmpty(PathBuf),
    /// A store is mounted there and served.
    #[error("a Strongroom store is mounted on {0} already; stop that daemon, or name another mount point")]
    InUse(PathBuf),
    /// A dead mount of something else.
    #[error("the mount point {point} is a dead mount of type {kind}; unmount it with: umount -l {point}")]
    DeadMount {
        /// The mount point.
        point: PathBuf,
        /// Type of file system in the mount table.
        kind: String,
    },
    /// A dead mount of ours that could not be cleared.
    #[error(
        "the mount that a killed daemon left on {point} could not be removed ({source}); unmount it with: umount -l {point}"
    )]
    Stale {
        /// The mount point.
        point: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Store and mount point lie within each other.
    #[error("the store {store} and the mount point {point} lie within each other; keep them apart")]
    Nested {
        /// The store directory.
        store: PathBuf,
        /// The mount point.
        point: PathBuf,
    },
    /// It cannot be looked at.
    #[error("the mount point {point} cannot be used: {source}")]
    Unusable {
        /// The mount point.
        point: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No FUSE in this kernel or container.
    #[error("/dev/fuse cannot be opened ({0}); load the module with: modprobe fuse, or give this container the device")]
    NoDevice(io::Error),
    /// The helper for ordinary users is missing.
    #[error("fusermount3 was not found, and only root can mount without it; install the package fuse3")]
    NoHelper,
    /// `allow_other` without leave.
    #[error(
        "-o allow_other needs the line user_allow_other in /etc/fuse.conf; ask an administrator to add it, or leave the option out"
    )]
    AllowOther,
    /// The helper or the kernel refused.
    #[error("mounting on {point} failed: {reason}")]
    Refused {
        /// The mount point.
        point: PathBuf,
        /// What the helper or the kernel says.
        reason: String,
    },
    /// Unmounting failed.
    #[error("{point} could not be unmounted: {reason}; unmount it with: umount -l {point}")]
    Unmount {
        /// The mount point.
        point: PathBuf,
        /// What the helper or the kernel says.
        reason: String,
    },
    /// The connection to the kernel could not be set up or used.
    #[error("the FUSE connection failed: {0}")]
    Session(io::Error),
}
