//! Names within a bucket: looking up, making, linking, renaming, removing; and attributes of inodes.

use super::{
    Adapter, Answer,
    attributes::{file_attr, set_time},
    number::Place,
};
use fuser::{Errno, FileAttr, FileHandle, INodeNo, RenameFlags, TimeOrNow};
use nix::sys::stat::SFlag;
use strongroom::fs::{FileKind, FsError, Ino, NewNode, Owner, RenameMode, SetAttributes};

/// What a `setattr` request carries.
#[derive(Debug)]
pub(super) struct AttributeChange {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub atime: Option<TimeOrNow>,
    pub mtime: Option<TimeOrNow>,
    pub handle: Option<FileHandle>,
    /// Whether root calls.
    pub privileged: bool,
}

impl Adapter {
    pub(super) fn lookup_name(&self, parent: INodeNo, name: &[u8]) -> Answer<FileAttr> {
        match Place::of(parent) {
            Place::Root => self.lookup_bucket(name),
            Place::In(_, Ino::ROOT) if name == b".." => Ok(self.root_attr()),
            Place::In(slot, ino) => Ok(file_attr(slot, &self.namespace(slot)?.lookup(ino, name)?)),
        }
    }

    pub(super) fn attributes(&self, ino: INodeNo) -> Answer<FileAttr> {
        match Place::of(ino) {
            Place::Root => Ok(self.root_attr()),
            Place::In(slot, Ino::ROOT) => self.bucket_attr(slot),
            Place::In(slot, ino) => Ok(file_attr(slot, &self.namespace(slot)?.getattr(ino)?)),
        }
    }

    pub(super) fn set_attributes(&self, ino: INodeNo, change: AttributeChange) -> Answer<FileAttr> {
        let (slot, ino) = Place::of(ino).within(Errno::EPERM)?;
        let namespace = self.namespace(slot)?;
        let handle = change.handle.and_then(|handle| self.handles.files.get(handle));
        // As Linux does it: `chown` takes setuid and setgid whoever calls, truncation only when root does not.
        let chown = change.uid.is_some() || change.gid.is_some();
        let truncate = change.size.is_some() && !change.privileged;
        let change = SetAttributes {
            mode: change.mode.map(|mode| super::permissions(mode, 0)),
            uid: change.uid,
            gid: change.gid,
            size: change.size,
            atime: change.atime.map(set_time),
            mtime: change.mtime.map(set_time),
            kill_privileges: chown || truncate,
        };
        let done = namespace.setattr(ino, &change, handle.as_deref())?;
        Ok(file_attr(slot, &done.value))
    }

    pub(super) fn make_node(
        &self,
        parent: INodeNo,
        name: &[u8],
        mode: u32,
        umask: u32,
        rdev: u32,
        owner: Owner,
    ) -> Answer<FileAttr> {
        let (slot, parent) = Place::of(parent).within(Errno::EPERM)?;
        let kind = kind_of_mode(mode)?;
        let node = NewNode { kind, mode: super::permissions(mode, umask), owner, rdev };
        Ok(file_attr(slot, &self.namespace(slot)?.mknod(parent, name, &node)?.value))
    }

    pub(super) fn make_directory(&self, parent: INodeNo, name: &[u8], mode: u16, owner: Owner) -> Answer<FileAttr> {
        match Place::of(parent) {
            Place::Root => self.make_bucket(name, mode, owner),
            Place::In(slot, parent) => {
                let node = NewNode { kind: FileKind::Directory, mode, owner, rdev: 0 };
                Ok(file_attr(slot, &self.namespace(slot)?.mkdir(parent, name, &node)?.value))
            }
        }
    }

    pub(super) fn make_symlink(&self, parent: INodeNo, name: &[u8], target: &[u8], owner: Owner) -> Answer<FileAttr> {
        let (slot, parent) = Place::of(parent).within(Errno::EPERM)?;
        Ok(file_attr(slot, &self.namespace(slot)?.symlink(parent, name, target, owner)?.value))
    }

    pub(super) fn link_target(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        let (slot, ino) = Place::of(ino).within(Errno::EINVAL)?;
        Ok(self.namespace(slot)?.readlink(ino)?)
    }

    pub(super) fn add_name(&self, ino: INodeNo, parent: INodeNo, name: &[u8]) -> Answer<FileAttr> {
        let (slot, parent) = Place::of(parent).within(Errno::EPERM)?;
        let (source_slot, ino) = Place::of(ino).within(Errno::EPERM)?;
        if slot != source_slot {
            return Err(FsError::CrossBucket.into());
        }
        Ok(file_attr(slot, &self.namespace(slot)?.link(ino, parent, name)?.value))
    }

    pub(super) fn remove_name(&self, parent: INodeNo, name: &[u8]) -> Answer<()> {
        let (slot, parent) = Place::of(parent).within(Errno::EPERM)?;
        self.namespace(slot)?.unlink(parent, name)?;
        Ok(())
    }

    pub(super) fn remove_directory(&self, parent: INodeNo, name: &[u8]) -> Answer<()> {
        match Place::of(parent) {
            Place::Root => self.remove_bucket(name),
            Place::In(slot, parent) => {
                self.namespace(slot)?.rmdir(parent, name)?;
                Ok(())
            }
        }
    }

    pub(super) fn move_name(
        &self,
        (from_parent, from): (INodeNo, &[u8]),
        (to_parent, to): (INodeNo, &[u8]),
        flags: RenameFlags,
    ) -> Answer<()> {
        match (Place::of(from_parent), Place::of(to_parent)) {
            (Place::Root, Place::Root) => self.rename_bucket(from, to, flags),
            (Place::In(from_slot, from_parent), Place::In(to_slot, to_parent)) if from_slot == to_slot => {
                let mode = rename_mode(flags)?;
                match self.namespace(from_slot)?.rename(from_parent, from, to_parent, to, mode) {
                    Ok(_) => Ok(()),
                    // What renameat2(2) says of a flag that a file system does not have.
                    Err(FsError::Unsupported(_)) => Err(Errno::EINVAL.into()),
                    Err(other) => Err(other.into()),
                }
            }
            (Place::Root | Place::In(..), Place::Root | Place::In(..)) => Err(FsError::CrossBucket.into()),
        }
    }
}

fn rename_mode(flags: RenameFlags) -> Answer<RenameMode> {
    if flags.is_empty() {
        Ok(RenameMode::Replace)
    } else if flags == RenameFlags::RENAME_NOREPLACE {
        Ok(RenameMode::NoReplace)
    } else if flags == RenameFlags::RENAME_EXCHANGE {
        Ok(RenameMode::Exchange)
    } else {
        Err(Errno::EINVAL.into())
    }
}

fn kind_of_mode(mode: u32) -> Answer<FileKind> {
    match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => Ok(FileKind::File),
        SFlag::S_IFIFO => Ok(FileKind::Fifo),
        SFlag::S_IFSOCK => Ok(FileKind::Socket),
        SFlag::S_IFCHR => Ok(FileKind::CharDevice),
        SFlag::S_IFBLK => Ok(FileKind::BlockDevice),
        _other => Err(Errno::EINVAL.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_mknod() {
        assert_eq!(kind_of_mode(0o100_644).unwrap(), FileKind::File);
        assert_eq!(kind_of_mode(0o010_600).unwrap(), FileKind::Fifo);
        assert_eq!(kind_of_mode(0o140_600).unwrap(), FileKind::Socket);
        assert_eq!(kind_of_mode(0o020_600).unwrap(), FileKind::CharDevice);
        assert_eq!(kind_of_mode(0o060_600).unwrap(), FileKind::BlockDevice);
        assert!(kind_of_mode(0o040_755).is_err());
    }

    #[test]
    fn whiteouts_are_refused() {
        assert!(rename_mode(RenameFlags::RENAME_WHITEOUT).is_err());
        assert!(rename_mode(RenameFlags::RENAME_NOREPLACE | RenameFlags::RENAME_EXCHANGE).is_err());
    }
}
