//! GET, HEAD and DELETE of objects.

use super::{
    Change, Component, Conditions, Deleted, Done, FileKind, FsError, FsResult, Ino, Inode, KeyPath, Namespace,
    ObjectInfo, Place,
    put::{as_object, check_conditions},
    txn::{self, ChildChange, Located, Records, Txn},
};
use crate::bucket::Snapshot;
use std::sync::Arc;

/// An object as it was when it was opened, whatever happens to its name or content meanwhile.
pub struct ObjectReader {
    namespace: Arc<Namespace>,
    snapshot: Arc<dyn Snapshot>,
    inode: Inode,
    info: ObjectInfo,
}

impl ObjectReader {
    /// Size, tag and metadata of exactly the content that `read_at` gives.
    #[must_use]
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Fills `buf` from `offset`; returns how many bytes there were before the end.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> FsResult<usize> {
        let there = usize::try_from(self.info.size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..there) else { return Ok(0) };
        if self.inode.kind == FileKind::Symlink {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if let Some(target) = self.inode.target.get(start..start.saturating_add(there)) {
                buf.copy_from_slice(target);
            }
            return Ok(there);
        }
        self.namespace.read_committed(self.snapshot.as_ref(), &self.inode, offset, buf)?;
        Ok(there)
    }
}

/// The inode at a key, whether S3 sees an object there or not, and where its entry is.
pub(super) fn find<R: Records + ?Sized>(from: &R, path: &KeyPath) -> FsResult<Option<(Place, Located)>> {
    let mut at = Ino::ROOT;
    let mut directories = path.directories.iter();
    let last = match &path.object {
        Some(component) => component,
        None => directories.next_back().ok_or(FsError::InvalidName("an empty key"))?,
    };
    for component in directories {
        match txn::locate(from, at, component)? {
            Some(located) => at = located.inode.ino,
            None => return Ok(None),
        }
    }
    let located = txn::locate(from, at, last)?;
    Ok(located.map(|located| (Place { parent: at, component: last.clone() }, located)))
}

impl Namespace {
    /// Opens an object for reading.
    ///
    /// # Errors
    /// `NotFound`, `InvalidName`, `Locked`.
    pub fn get_object(self: &Arc<Self>, key: &[u8]) -> FsResult<ObjectReader> {
        let snapshot = self.parts.meta.snapshot()?;
        let (_, located) = find(snapshot.as_ref(), &KeyPath::parse(key)?)?.ok_or(FsError::NotFound)?;
        let inode = as_object(&located).ok_or(FsError::NotFound)?.clone();
        let info = inode.object_info();
        if let Some(sealed) = &inode.content.sealed_oek {
            // Says at once, before any header is sent, that the key is away.
            drop(self.parts.keys.open_oek(sealed)?);
        }
        Ok(ObjectReader { namespace: Arc::clone(self), snapshot, inode, info })
    }

    /// What HEAD tells.
    ///
    /// # Errors
    /// `NotFound`, `InvalidName`.
    pub fn head_object(&self, key: &[u8]) -> FsResult<ObjectInfo> {
        let snapshot = self.parts.meta.snapshot()?;
        let (_, located) = find(snapshot.as_ref(), &KeyPath::parse(key)?)?.ok_or(FsError::NotFound)?;
        Ok(as_object(&located).ok_or(FsError::NotFound)?.object_info())
    }

    /// Removes an object (R4, R21); implied parents that become empty go too.
    ///
    /// # Errors
    /// `PreconditionFailed`, `InvalidName`, `ReadOnly`, `Io`.
    pub fn delete_object(&self, key: &[u8], conditions: &Conditions) -> FsResult<Done<Deleted>> {
        let path = KeyPath::parse(key)?;
        let mut txn = self.begin()?;
        let found = find(&txn, &path)?.filter(|(_, located)| as_object(located).is_some());
        let Some((place, located)) = found else {
            return Ok(Done { value: Deleted::Missing, number: self.committed() });
        };
        check_conditions(conditions, Some(&located.inode))?;
        if located.inode.kind == FileKind::Directory {
            txn.delete_facet(&place, located)?;
        } else {
            txn.changes.push(Change::Inode { ino: located.inode.ino });
            txn.remove_and_tell(place.parent, &place.component, located)?;
            txn.prune(place.parent)?;
        }
        txn.batch.frees_space();
        Ok(Done { value: Deleted::Removed, number: txn.commit()? })
    }
}

impl Txn<'_> {
    fn remove_and_tell(&mut self, parent: Ino, component: &Component, located: Located) -> FsResult<()> {
        let at = self.changes.len();
        let name = self.remove_entry(parent, component, &located)?;
        self.changes.insert(at, Change::Entry { parent, name, came_or_went: true });
        self.drop_name(located)
    }

    /// DELETE of `a/`: the facet and the explicitness go; the directory too when it is empty.
    fn delete_facet(&mut self, place: &Place, mut located: Located) -> FsResult<()> {
        let bore = located.inode.directory.bears();
        let inode = &mut located.inode;
        let mut content = std::mem::take(&mut inode.content);
        self.free_content(inode.ino, &mut content)?;
        self.state.bytes = self.state.bytes.saturating_sub(inode.size);
        inode.size = 0;
        inode.etag = super::ETag::Md5(super::MD5_OF_NOTHING);
        inode.crc64 = Some(0);
        inode.object = super::ObjectAttributes::default();
        inode.directory.facet = false;
        inode.directory.explicit = false;
        inode.ctime = self.now;
        let ino = inode.ino;
        self.changes.push(Change::Inode { ino });
        self.store(&located);
        if bore && !located.inode.directory.bears() {
            self.change_children(place.parent, ChildChange { listed: -1, ..ChildChange::default() })?;
        }
        self.prune(ino)
    }

    /// Removes a directory that is implied and empty, and its parents as far as they are then.
    fn prune(&mut self, from: Ino) -> FsResult<()> {
        let mut at = from;
        loop {
            let located = txn::load_directory(self, at)?;
            let facts = located.inode.directory;
            let Some(place) = located.place.clone() else { return Ok(()) };
            if facts.explicit || facts.facet || facts.entries > 0 {
                return Ok(());
            }
            self.remove_and_tell(place.parent, &place.component, located)?;
            at = place.parent;
        }
    }
}
