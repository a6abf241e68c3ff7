//! Which file system the store lies on, for a warning at start.

use std::{fmt, io, os::fd::AsFd};

use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FUSE_SUPER_MAGIC, FsType, NFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
    XFS_SUPER_MAGIC, fstatfs,
};

/// Not among the kernel's own; from OpenZFS, `zfs_znode.h`.
const ZFS_SUPER_MAGIC: i64 = 0x2fc1_2fc1;

/// A kind of file system, told by its magic number (`statfs(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsKind {
    /// ext2, ext3 and ext4 share one number.
    Ext4,
    /// XFS.
    Xfs,
    /// tmpfs: nothing survives, good for tests.
    Tmpfs,
    /// btrfs: copies on write, so that an allocation reserves nothing.
    Btrfs,
    /// ZFS: as btrfs.
    Zfs,
    /// Any version of NFS.
    Nfs,
    /// overlayfs, as in a container without a volume.
    Overlay,
    /// Any FUSE server.
    Fuse,
    /// Another, by its number.
    Other(i64),
}

impl FsKind {
    /// The kind of the file system that the open file or directory lies on.
    pub(super) fn of<Fd: AsFd>(fd: &Fd) -> io::Result<Self> {
        Ok(Self::from_magic(fstatfs(fd.as_fd())?.filesystem_type()))
    }

    fn from_magic(magic: FsType) -> Self {
        match magic {
            EXT4_SUPER_MAGIC => Self::Ext4,
            XFS_SUPER_MAGIC => Self::Xfs,
            TMPFS_MAGIC => Self::Tmpfs,
            BTRFS_SUPER_MAGIC => Self::Btrfs,
            NFS_SUPER_MAGIC => Self::Nfs,
            OVERLAYFS_SUPER_MAGIC => Self::Overlay,
            FUSE_SUPER_MAGIC => Self::Fuse,
            FsType(ZFS_SUPER_MAGIC) => Self::Zfs,
            FsType(other) => Self::Other(other),
        }
    }

    /// Whether space that was allocated is there when it is written (promise D6) and a sync means what the room
    /// relies on; the daemon warns at start where not.
    #[must_use]
    pub fn is_relied_upon(self) -> bool {
        match self {
            Self::Ext4 | Self::Xfs => true,
            Self::Tmpfs | Self::Btrfs | Self::Zfs | Self::Nfs | Self::Overlay | Self::Fuse | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for FsKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ext4 => out.write_str("ext4"),
            Self::Xfs => out.write_str("xfs"),
            Self::Tmpfs => out.write_str("tmpfs"),
            Self::Btrfs => out.write_str("btrfs"),
            Self::Zfs => out.write_str("zfs"),
            Self::Nfs => out.write_str("nfs"),
            Self::Overlay => out.write_str("overlayfs"),
            Self::Fuse => out.write_str("fuse"),
            Self::Other(magic) => write!(out, "file system {magic:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ext4_and_xfs_are_relied_upon() {
        assert!(FsKind::from_magic(FsType(0xef53)).is_relied_upon());
        assert!(FsKind::from_magic(FsType(0x5846_5342)).is_relied_upon());
        for magic in [0x9123_683e, 0x2fc1_2fc1, 0x6969, 0x0102_1994, 0x794c_7630, 0x6573_5546, 7] {
            assert!(!FsKind::from_magic(FsType(magic)).is_relied_upon(), "{magic:#x}");
        }
        assert_eq!(FsKind::from_magic(FsType(0x9123_683e)).to_string(), "btrfs");
        assert_eq!(FsKind::from_magic(FsType(7)).to_string(), "file system 0x7");
    }
}
