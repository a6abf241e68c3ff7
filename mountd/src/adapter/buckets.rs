//! The root of the mount: its entries are the buckets, and nothing else can be there.

use super::{
    Adapter, Answer,
    attributes::{bucket_attr, file_attr, root_attr},
    namespaces::for_the_kernel,
};
use fuser::{Errno, FileAttr, RenameFlags};
use std::{ops::ControlFlow, time::Duration};
use strongroom::{
    clock::{Clock, SystemClock},
    fs::{FsError, Ino, Owner, RootAttributes},
};

/// How often a removal is tried while files of the bucket are open. The kernel tells of a `close` in passing, so its
/// word may come behind that of the `rmdir` that followed.
const REMOVE_TRIES: u32 = 5;
const REMOVE_PAUSE: Duration = Duration::from_millis(4);

/// An entry of the root.
pub(super) struct RootEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// What is known without opening a bucket.
    pub attr: FileAttr,
    /// Where the next read goes on.
    pub cookie: u64,
}

impl Adapter {
    pub(super) fn root_attr(&self) -> FileAttr {
        let changed = self.namespaces.root_changed();
        root_attr(self.settings.uid, self.settings.gid, changed, self.catalog.buckets().len())
    }

    pub(super) fn lookup_bucket(&self, name: &[u8]) -> Answer<FileAttr> {
        if matches!(name, b"." | b"..") {
            return Ok(self.root_attr());
        }
        let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        self.bucket_attr(self.catalog.bucket(name)?.slot)
    }

    /// Attributes of a bucket's root. A locked bucket tells what the catalog has of it.
    pub(super) fn bucket_attr(&self, slot: u32) -> Answer<FileAttr> {
        match self.namespace(slot).and_then(|namespace| namespace.getattr(Ino::ROOT)) {
            Ok(attributes) => Ok(file_attr(slot, &attributes)),
            Err(FsError::Locked) => Ok(bucket_attr(&self.catalog.bucket_by_slot(slot)?)),
            Err(other) => Err(other.into()),
        }
    }

    pub(super) fn make_bucket(&self, name: &[u8], mode: u16, owner: Owner) -> Answer<FileAttr> {
        let name = std::str::from_utf8(name).map_err(|_| Errno::EINVAL)?;
        let root = RootAttributes {
            mode,
            uid: owner.uid,
            gid: owner.gid,
            ctime: SystemClock.now(),
            ..RootAttributes::default()
        };
        let made = for_the_kernel(|| self.catalog.create_bucket(name, root, &self.settings.default_key))?;
        self.bucket_attr(made.slot)
    }

    pub(super) fn remove_bucket(&self, name: &[u8]) -> Answer<()> {
        let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        for _ in 1..REMOVE_TRIES {
            match for_the_kernel(|| self.catalog.remove_bucket(name)) {
                Err(FsError::Busy(_)) => std::thread::sleep(REMOVE_PAUSE),
                result => return Ok(result?),
            }
        }
        Ok(for_the_kernel(|| self.catalog.remove_bucket(name))?)
    }

    pub(super) fn rename_bucket(&self, from: &[u8], to: &[u8], flags: RenameFlags) -> Answer<()> {
        if !(flags & !RenameFlags::RENAME_NOREPLACE).is_empty() {
            return Err(Errno::EINVAL.into());
        }
        let from = std::str::from_utf8(from).map_err(|_| Errno::ENOENT)?;
        let to = std::str::from_utf8(to).map_err(|_| Errno::EINVAL)?;
        Ok(for_the_kernel(|| self.catalog.rename_bucket(from, to))?)
    }

    /// Hands the entries behind `cookie` to `take` until it breaks. A bucket's cookie comes from its slot, so that a
    /// listing goes on rightly whatever buckets come and go meanwhile.
    pub(super) fn read_root(&self, cookie: u64, take: &mut dyn FnMut(RootEntry) -> ControlFlow<()>) {
        for (place, name) in [(1, &b"."[..]), (2, b"..")] {
            let entry = RootEntry { name: name.to_vec(), attr: self.root_attr(), cookie: place };
            if cookie < place && take(entry).is_break() {
                return;
            }
        }
        let mut buckets = self.catalog.buckets();
        buckets.sort_by_key(|bucket| bucket.slot);
        for bucket in &buckets {
            let place = u64::from(bucket.slot).saturating_add(3);
            if cookie < place {
                let name = bucket.name.clone().into_bytes();
                if take(RootEntry { name, attr: bucket_attr(bucket), cookie: place }).is_break() {
                    return;
                }
            }
        }
    }
}
