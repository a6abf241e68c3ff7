//! PUT: a new inode, sealed as it comes, and an atomic swap of the name (R7).

use super::{
    Change, Component, Conditions, Content, ContentId, Crc64, Done, ETag, FileKind, FsError, FsResult,
    INLINE_LIMIT_BYTES, Ino, Inode, KEY_LIMIT_BYTES, KeyPath, Namespace, ObjectAttributes, ObjectInfo, Place,
    PutOptions, records,
    seal::{ContentKey, SealedExtent, Space},
    txn::{self, ChildChange, Located, Txn},
    window::FILE_SIZE_LIMIT,
};
use crate::crypt::{self, SEGMENT_MAX_BYTES};
use std::sync::Arc;

/// Segments that a PUT holds before it publishes them under a content of its own, so that no batch grows with the
/// object and no log file is pinned for long.
const PUBLISH_AT: usize = 512;

/// Takes the content of one object. Nothing is visible until [`Self::finish`]; dropping it gives everything up.
pub struct PutWriter {
    namespace: Arc<Namespace>,
    path: KeyPath,
    options: PutOptions,
    key: ContentKey,
    crc: Crc64,
    size: u64,
    /// Plaintext that is not sealed yet, less than a segment.
    tail: Vec<u8>,
    held: Vec<SealedExtent>,
    /// The content that earlier segments were published under; its job record frees them if this PUT is not finished.
    published: Option<ContentId>,
    /// An earlier error: a part of the content is missing.
    failed: Option<FsError>,
}

impl PutWriter {
    /// Appends content.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Locked`, `Io`, `TooLarge`; every later call gives the same error then.
    pub fn write(&mut self, data: &[u8]) -> FsResult<()> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let written = self.take(data);
        self.failed = written.as_ref().err().cloned();
        written
    }

    fn take(&mut self, data: &[u8]) -> FsResult<()> {
        let size = self.size.checked_add(data.len() as u64).filter(|size| *size <= FILE_SIZE_LIMIT);
        self.size = size.ok_or(FsError::TooLarge("the object"))?;
        self.crc.add(data);
        let mut rest = data;
        while self.tail.len().saturating_add(rest.len()) >= SEGMENT_MAX_BYTES {
            let (head, behind) = rest.split_at(SEGMENT_MAX_BYTES.saturating_sub(self.tail.len()).min(rest.len()));
            rest = behind;
            let offset = self.sealed_bytes(head.len().saturating_add(rest.len()));
            let tail = std::mem::take(&mut self.tail);
            self.held.push(self.namespace.append_segment(&self.key, offset, &[&tail, head], Space::Common)?);
            if self.held.len() >= PUBLISH_AT {
                self.publish_held()?;
            }
        }
        self.tail.extend_from_slice(rest);
        Ok(())
    }

    /// Where the tail begins, when `ahead` bytes of the current call are not in it yet.
    fn sealed_bytes(&self, ahead: usize) -> u64 {
        self.size.saturating_sub(ahead as u64).saturating_sub(self.tail.len() as u64)
    }

    fn publish_held(&mut self) -> FsResult<()> {
        let mut txn = self.namespace.begin()?;
        let content = match self.published {
            Some(content) => content,
            None => {
                let content = ContentId(txn.number()?);
                super::lock(&self.namespace.uploads).insert(content);
                self.published = Some(content);
                content
            }
        };
        txn.batch.put(records::id_key(records::JOB, content.0), records::encode_job(0));
        let mut target = Content { own: content.0, spilled: true, ..Content::default() };
        for SealedExtent { extent, pending } in std::mem::take(&mut self.held) {
            txn.publish(pending, &extent);
            txn.add_extent(&mut target, extent)?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// CRC64NVME of the bytes so far (for a comparison with what the client says before `finish`).
    #[must_use]
    pub fn crc64(&self) -> u64 {
        self.crc.value()
    }

    /// Headers and metadata as they will be stored; checksums from a trailer are added here.
    pub fn attributes_mut(&mut self) -> &mut ObjectAttributes {
        &mut self.options.attributes
    }

    /// Sets the MD5 of the content, for an entity tag that is one (known only at the end).
    pub fn set_md5(&mut self, md5: Option<[u8; 16]>) {
        self.options.md5 = md5;
    }

    /// Commits: makes missing parents, swaps the name, tells the watcher. The caller waits for the number.
    ///
    /// # Errors
    /// `PreconditionFailed`, `NotFound` (If-Match on a missing object), `NoSpace`, `ReadOnly`, `Locked`, `Io`.
    pub fn finish(mut self, conditions: &Conditions) -> FsResult<Done<ObjectInfo>> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let offset = self.sealed_bytes(0);
        let tail = std::mem::take(&mut self.tail);
        let mut content = Content { sealed_oek: Some(self.key.sealed), ..Content::default() };
        if self.size <= INLINE_LIMIT_BYTES {
            let entropy = self.namespace.parts.entropy.as_ref();
            match self.size {
                0 => content.sealed_oek = None,
                _ => content.inline = crypt::seal_inline(&self.key.oek, self.key.sealed.id(), &tail, entropy)?,
            }
        } else if !tail.is_empty() {
            self.held.push(self.namespace.append_segment(&self.key, offset, &[&tail], Space::Common)?);
        }
        if let Some(published) = self.published {
            content.own = published.0;
            content.spilled = true;
        }
        let etag = match self.options.md5 {
            Some(md5) => ETag::Md5(md5),
            None => self.namespace.random_etag()?,
        };
        let namespace = Arc::clone(&self.namespace);
        let mut txn = namespace.begin()?;
        content.sealed_oek = content.sealed_oek.map(|sealed| namespace.current_seal(sealed)).transpose()?;
        for SealedExtent { extent, pending } in std::mem::take(&mut self.held) {
            txn.publish(pending, &extent);
            txn.add_extent(&mut content, extent)?;
        }
        if let Some(published) = self.published {
            txn.batch.delete(records::id_key(records::JOB, published.0));
        }
        let fresh = Fresh {
            size: self.size,
            etag,
            crc64: Some(self.crc.value()),
            content,
            object: std::mem::take(&mut self.options.attributes),
            mtime: self.options.mtime,
        };
        let info = txn.put_object(&self.path, fresh, conditions)?;
        let number = txn.commit()?;
        Ok(Done { value: info, number })
    }
}

impl Drop for PutWriter {
    fn drop(&mut self) {
        // From here on the job, if it is still there, frees what was published.
        if let Some(content) = self.published {
            super::lock(&self.namespace.uploads).remove(&content);
        }
    }
}

impl Namespace {
    /// Begins a PUT of `key`. A key that ends in `/` makes an explicit directory with a facet (R4).
    ///
    /// # Errors
    /// `InvalidName`, `NameTooLong` (a key over 1024 bytes), `Locked`.
    pub fn begin_put(self: &Arc<Self>, key: &[u8], options: PutOptions) -> FsResult<PutWriter> {
        if key.len() > KEY_LIMIT_BYTES {
            return Err(FsError::NameTooLong);
        }
        Ok(PutWriter {
            namespace: Arc::clone(self),
            path: KeyPath::parse(key)?,
            options,
            key: self.new_content_key()?,
            crc: Crc64::new(),
            size: 0,
            tail: Vec::new(),
            held: Vec::new(),
            published: None,
            failed: None,
        })
    }
}

/// The object that a PUT or COPY brings.
pub(super) struct Fresh {
    pub size: u64,
    pub etag: ETag,
    pub crc64: Option<u64>,
    pub content: Content,
    pub object: ObjectAttributes,
    pub mtime: Option<crate::clock::UnixNanos>,
}

impl Fresh {
    fn fill(self, inode: &mut Inode, now: crate::clock::UnixNanos) {
        inode.size = self.size;
        inode.etag = self.etag;
        inode.crc64 = self.crc64;
        inode.content = self.content;
        inode.object = self.object;
        inode.content_time = now;
        inode.mtime = self.mtime.unwrap_or(now);
        inode.ctime = now;
    }
}

/// Checks the conditions of a PUT or DELETE against what is there.
pub(super) fn check_conditions(conditions: &Conditions, there: Option<&Inode>) -> FsResult<()> {
    if conditions.must_not_exist && there.is_some() {
        return Err(FsError::PreconditionFailed("If-None-Match"));
    }
    let Some(tags) = &conditions.must_match else { return Ok(()) };
    let tag = there.ok_or(FsError::NotFound)?.object_info().etag.to_string();
    if tags.iter().any(|wanted| wanted == "*" || *wanted == tag) {
        return Ok(());
    }
    Err(FsError::PreconditionFailed("If-Match"))
}

/// Whether S3 sees an object in what is there: a file or link, or a directory that was made on purpose (R4).
pub(super) fn as_object(located: &Located) -> Option<&Inode> {
    let inode = &located.inode;
    let seen = match inode.kind {
        FileKind::Directory => inode.directory.facet || inode.directory.explicit,
        kind => kind.is_object(),
    };
    seen.then_some(inode)
}

impl Txn<'_> {
    /// Puts an object at a key.
    pub fn put_object(&mut self, path: &KeyPath, fresh: Fresh, conditions: &Conditions) -> FsResult<ObjectInfo> {
        let parent = self.make_directories(&path.directories)?;
        self.state.bytes = self.state.bytes.saturating_add(fresh.size);
        match &path.object {
            Some(component) => self.put_file(parent, component, fresh, conditions),
            None => self.put_facet(parent, fresh, conditions),
        }
    }

    /// The directory of a key; what is missing on the way is made as implied (R4).
    fn make_directories(&mut self, path: &[Component]) -> FsResult<Ino> {
        let mut at = Ino::ROOT;
        for component in path {
            at = match txn::locate(self, at, component)? {
                Some(located) => located.inode.ino,
                None => self.make_implied(at, component)?,
            };
        }
        Ok(at)
    }

    fn make_implied(&mut self, parent: Ino, component: &Component) -> FsResult<Ino> {
        let inode = self.new_owned(FileKind::Directory, 0o755)?;
        let ino = inode.ino;
        let name = self.name_component(parent, component)?;
        self.store_at(Place { parent, component: component.clone() }, inode);
        self.change_children(parent, ChildChange { entries: 1, subdirs: 1, touch: true, ..ChildChange::default() })?;
        self.changes.push(Change::Entry { parent, name, came_or_went: true });
        Ok(ino)
    }

    /// A new inode that takes owner and group of the bucket's root (R17).
    fn new_owned(&mut self, kind: FileKind, mode: u16) -> FsResult<Inode> {
        let root = self.namespace.parts.root.root();
        let mut inode = Inode::blank(Ino(self.number()?), kind, self.now);
        inode.mode = mode;
        inode.uid = root.uid;
        inode.gid = root.gid;
        self.state.inodes = self.state.inodes.saturating_add(1);
        Ok(inode)
    }

    fn put_file(
        &mut self,
        parent: Ino,
        component: &Component,
        fresh: Fresh,
        conditions: &Conditions,
    ) -> FsResult<ObjectInfo> {
        let there = txn::locate(self, parent, component)?;
        check_conditions(conditions, there.as_ref().and_then(as_object))?;
        let mut inode = self.new_owned(FileKind::File, 0o644)?;
        match there {
            None => {
                let name = self.name_component(parent, component)?;
                self.changes.push(Change::Entry { parent, name, came_or_went: true });
            }
            Some(old) => {
                self.inherit(&mut inode, &old)?;
                let aliases = txn::load_directory(self, parent)?.inode.directory.aliases;
                let name = super::alias::posix_name(self, parent, aliases, component)?;
                self.changes.push(Change::Entry { parent, name, came_or_went: false });
                self.changes.push(Change::Inode { ino: old.inode.ino });
                self.remove_entry_in_place(parent, component, &old)?;
                self.drop_name(old)?;
            }
        }
        fresh.fill(&mut inode, self.now);
        let located = self.store_at(Place { parent, component: component.clone() }, inode);
        self.change_children(parent, ChildChange { entries: 1, listed: 1, touch: true, ..ChildChange::default() })?;
        Ok(located.inode.object_info())
    }

    /// What of an overwritten file the path keeps: owner, mode and the attributes that rule access (R7, R13).
    fn inherit(&mut self, inode: &mut Inode, old: &Located) -> FsResult<()> {
        inode.uid = old.inode.uid;
        inode.gid = old.inode.gid;
        inode.btime = old.inode.btime;
        if old.inode.kind == FileKind::File {
            inode.mode = old.inode.mode & 0o777;
        }
        if old.inode.xattrs == 0 {
            return Ok(());
        }
        for (name, value) in self.xattr_records(old.inode.ino)? {
            if name.starts_with(b"security.") || name.starts_with(b"system.") || name.starts_with(b"trusted.") {
                self.batch.put(records::named_key(records::XATTR, inode.ino, &name), value);
                inode.xattrs = inode.xattrs.saturating_add(1);
            }
        }
        Ok(())
    }

    fn put_facet(&mut self, directory: Ino, fresh: Fresh, conditions: &Conditions) -> FsResult<ObjectInfo> {
        if directory == Ino::ROOT {
            return Err(FsError::InvalidName("the root has no key"));
        }
        let mut located = txn::load_directory(self, directory)?;
        check_conditions(conditions, as_object(&located))?;
        let bore = located.inode.directory.bears();
        let inode = &mut located.inode;
        let mut old = std::mem::take(&mut inode.content);
        self.free_content(inode.ino, &mut old)?;
        self.state.bytes = self.state.bytes.saturating_sub(inode.size);
        // The directory's own mtime tells of its entries; only a client that gives one changes it.
        let mtime = fresh.mtime.unwrap_or(inode.mtime);
        fresh.fill(inode, self.now);
        inode.mtime = mtime;
        inode.directory.facet = true;
        inode.directory.explicit = true;
        self.store(&located);
        if !bore && let Some(place) = &located.place {
            self.change_children(place.parent, ChildChange { listed: 1, ..ChildChange::default() })?;
        }
        self.changes.push(Change::Inode { ino: directory });
        Ok(located.inode.object_info())
    }
}
