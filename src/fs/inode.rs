//! Inodes: what a file, directory, link or special file is, apart from its names.

use super::{component::Component, content::Content, object::ObjectAttributes};
use crate::clock::UnixNanos;

/// An inode's number within its bucket: 44 bits, never used twice. The FUSE adapter puts the bucket's slot above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The root directory of every bucket.
    pub const ROOT: Self = Self(1);
    /// First number that is not an inode number.
    pub const LIMIT: u64 = 1 << 44;
}

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file; S3 sees an object.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; S3 sees an object whose body is the target (R15).
    Symlink,
    /// A named pipe; hidden from S3, as are the next three.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl FileKind {
    /// Whether S3 lists it as an object (R15); directories follow rules of their own (R4).
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self, Self::File | Self::Symlink)
    }
}

/// What `stat` tells of an inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Number within the bucket.
    pub ino: Ino,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with setuid, setgid and sticky (07777).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names it has; of a directory 2 and one for each subdirectory. 0 for an open file without a name.
    pub nlink: u32,
    /// Length in bytes, uncommitted writes included; of a symbolic link the target's; of a directory 4096.
    pub size: u64,
    /// Last access (noatime: only set by `setattr`, and at creation).
    pub atime: UnixNanos,
    /// Last change of content.
    pub mtime: UnixNanos,
    /// Last change of content or attributes.
    pub ctime: UnixNanos,
    /// When the inode was made.
    pub btime: UnixNanos,
    /// Device number of a device, else 0.
    pub rdev: u32,
    /// 512-byte units, counted from the length.
    pub blocks: u64,
}

/// Who is calling, for the owner of what is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The time of the call.
    Now,
    /// This time.
    To(UnixNanos),
}

/// What `setattr` changes; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetAttributes {
    /// Permission bits (07777).
    pub mode: Option<u16>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Length: cut or extended with zeros.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<SetTime>,
    /// Last change of content.
    pub mtime: Option<SetTime>,
    /// Whether setuid and (where the group may execute) setgid go, because the caller is not privileged.
    /// The adapter sets it for `chown` and for truncation by callers other than root (`FATTR_KILL_SUIDGID`).
    pub kill_privileges: bool,
}

/// What a new inode starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits (07777), umask already applied.
    pub mode: u16,
    /// Who makes it. A setgid parent directory gives its group instead.
    pub owner: Owner,
    /// Device number for devices, else 0.
    pub rdev: u32,
}

/// An entity tag without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ETag {
    /// An MD5 of the content, given by the client and checked: 32 hex digits.
    Md5([u8; 16]),
    /// Random, new with each content: 32 hex digits and `-1` (R9).
    Random([u8; 16]),
}

impl std::fmt::Display for ETag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Md5(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Random(bytes) => write!(f, "{}-1", hex::encode(bytes)),
        }
    }
}

/// What a directory keeps beside what every inode has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectoryFacts {
    /// Entries of any kind.
    pub entries: u64,
    /// Entries that are directories.
    pub subdirs: u32,
    /// Children that S3 lists, or below which S3 lists something (R4).
    pub listed: u64,
    /// Aliases allocated for entries of this directory (R3).
    pub aliases: u32,
    /// Made by `mkdir` or by a PUT of `a/`, not as the parent of a PUT (R4).
    pub explicit: bool,
    /// Whether the object `a/` exists: the inode's content and object attributes are its (R4).
    pub facet: bool,
}

impl DirectoryFacts {
    /// Whether S3 lists the directory, or something below it.
    #[must_use]
    pub fn bears(&self) -> bool {
        self.facet || self.explicit || self.listed > 0
    }

    /// Whether S3 lists the key `a/` itself: always with a facet; an explicit one only while nothing below is listed.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.facet || (self.explicit && self.listed == 0)
    }
}

/// The whole of an inode, as its record holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Number.
    pub ino: Ino,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits (07777).
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names; 1 for a directory, 0 for an orphan.
    pub nlink: u32,
    /// Device number.
    pub rdev: u32,
    /// Last access.
    pub atime: UnixNanos,
    /// Last change of content by POSIX.
    pub mtime: UnixNanos,
    /// Last change.
    pub ctime: UnixNanos,
    /// Making.
    pub btime: UnixNanos,
    /// When the content was last committed: S3's Last-Modified (R11).
    pub content_time: UnixNanos,
    /// Length of the content; of a directory, of its facet.
    pub size: u64,
    /// Entity tag of the content.
    pub etag: ETag,
    /// CRC64NVME of the whole content, when known.
    pub crc64: Option<u64>,
    /// The target of a symbolic link.
    pub target: Vec<u8>,
    /// Where the content is.
    pub content: Content,
    /// What S3 keeps of the object.
    pub object: ObjectAttributes,
    /// Extended attributes that have records of their own.
    pub xattrs: u32,
    /// Of a directory only.
    pub directory: DirectoryFacts,
}

impl Inode {
    /// A new inode with one name and nothing in it, owned by root.
    pub(super) fn blank(ino: Ino, kind: FileKind, now: UnixNanos) -> Self {
        Self {
            ino,
            kind,
            mode: 0,
            uid: 0,
            gid: 0,
            nlink: 1,
            rdev: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            content_time: now,
            size: 0,
            etag: ETag::Md5(super::MD5_OF_NOTHING),
            crc64: Some(0),
            target: Vec::new(),
            content: Content::default(),
            object: ObjectAttributes::default(),
            xattrs: 0,
            directory: DirectoryFacts::default(),
        }
    }

    /// What S3 counts: an object, or a directory that bears listed keys.
    #[must_use]
    pub fn bears(&self) -> bool {
        if self.kind == FileKind::Directory { self.directory.bears() } else { self.kind.is_object() }
    }

    /// What `stat` tells, as committed.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let (nlink, size) = match self.kind {
            FileKind::Directory => (self.directory.subdirs.saturating_add(2), 4096),
            FileKind::Symlink => (self.nlink, self.target.len() as u64),
            _ => (self.nlink, self.size),
        };
        Attributes {
            ino: self.ino,
            kind: self.kind,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            nlink,
            size,
            atime: self.atime,
            mtime: self.mtime,
            ctime: self.ctime,
            btime: self.btime,
            rdev: self.rdev,
            blocks: size.div_ceil(512),
        }
    }
}

/// Where an inode's only name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub parent: Ino,
    /// The component in it.
    pub component: Component,
}
