//! A transaction: one snapshot to decide on, one batch to commit, under the namespace's writer lock.

use super::{
    Change, Component, ContentId, Extent, FileKind, FsError, FsResult, Ino, Inode, Namespace, Place,
    records::{self, Entry, NamespaceState},
    tidy::{Owner, SparseNote},
};
use crate::{
    bucket::{Batch, Number, PendingSegment, SegmentId, SegmentRef, Snapshot},
    clock::UnixNanos,
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
};

/// Something to read records from: a snapshot, or a transaction with its own changes laid over one.
pub(super) trait Records {
    /// The value at `key`.
    fn record(&self, key: &[u8]) -> FsResult<Option<Bytes>>;
}

impl Records for dyn Snapshot + '_ {
    fn record(&self, key: &[u8]) -> FsResult<Option<Bytes>> {
        Ok(self.get(key)?)
    }
}

impl Records for Txn<'_> {
    fn record(&self, key: &[u8]) -> FsResult<Option<Bytes>> {
        match self.batch.staged(key) {
            Some(staged) => Ok(staged.map(Bytes::copy_from_slice)),
            None => Ok(self.snapshot.get(key)?),
        }
    }
}

/// An inode and where its record is.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub inode: Inode,
    /// The entry that holds it; `None` for one with a record of its own.
    pub place: Option<Place>,
}

/// The inode `ino`, wherever its record is.
pub(super) fn load<R: Records + ?Sized>(from: &R, ino: Ino) -> FsResult<Located> {
    if ino != Ino::ROOT
        && let Some(bytes) = from.record(&records::id_key(records::PLACE, ino.0))?
    {
        let place = records::decode_place(&bytes)?;
        return match entry(from, place.parent, &place.component)? {
            Some(Entry::Inode(inode)) if inode.ino == ino => Ok(Located { inode: *inode, place: Some(place) }),
            _ => Err(FsError::damaged(format!("the back-pointer of inode {}", ino.0))),
        };
    }
    let bytes = from.record(&records::id_key(records::INODE, ino.0))?.ok_or(FsError::NotFound)?;
    Ok(Located { inode: records::decode_inode(&bytes)?, place: None })
}

/// What stands at a component.
pub(super) fn entry<R: Records + ?Sized>(from: &R, parent: Ino, component: &Component) -> FsResult<Option<Entry>> {
    from.record(&records::entry_key(parent, component))?.map(|bytes| records::decode_entry(&bytes)).transpose()
}

/// The inode that an entry means.
pub(super) fn follow<R: Records + ?Sized>(
    from: &R,
    parent: Ino,
    component: &Component,
    entry: Entry,
) -> FsResult<Located> {
    match entry {
        Entry::Inode(inode) => {
            Ok(Located { inode: *inode, place: Some(Place { parent, component: component.clone() }) })
        }
        Entry::Link(ino) => match load(from, ino) {
            Err(FsError::NotFound) => Err(FsError::damaged(format!("a link to inode {}, which is missing", ino.0))),
            other => other,
        },
    }
}

/// The inode at a component, if any.
pub(super) fn locate<R: Records + ?Sized>(from: &R, parent: Ino, component: &Component) -> FsResult<Option<Located>> {
    entry(from, parent, component)?.map(|found| follow(from, parent, component, found)).transpose()
}

/// The directory `ino`.
pub(super) fn load_directory<R: Records + ?Sized>(from: &R, ino: Ino) -> FsResult<Located> {
    let located = load(from, ino)?;
    if located.inode.kind == FileKind::Directory { Ok(located) } else { Err(FsError::NotDir) }
}

/// How the children of a directory change.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChildChange {
    pub entries: i64,
    pub subdirs: i32,
    pub listed: i64,
    pub aliases: i32,
    /// A POSIX call showed intent: an implied directory becomes explicit (R4).
    pub explicit: bool,
    /// Whether mtime and ctime change.
    pub touch: bool,
}

/// See the module.
pub(super) struct Txn<'a> {
    pub namespace: &'a Namespace,
    writer: MutexGuard<'a, NamespaceState>,
    pub snapshot: Arc<dyn Snapshot>,
    pub batch: Batch,
    pub now: UnixNanos,
    pub state: NamespaceState,
    pub changes: Vec<Change>,
    pub sparse: BTreeMap<SegmentId, SparseNote>,
}

impl Namespace {
    /// Begins a transaction; waits for the one before.
    pub(super) fn begin(&self) -> FsResult<Txn<'_>> {
        let writer = super::lock(&self.writer);
        if self.closed.load(std::sync::atomic::Ordering::Acquire) {
            return Err(FsError::NoSuchBucket);
        }
        let snapshot = self.parts.meta.snapshot()?;
        Ok(Txn {
            namespace: self,
            state: *writer,
            writer,
            snapshot,
            batch: Batch::new(),
            now: self.parts.clock.now(),
            changes: Vec::new(),
            sparse: BTreeMap::new(),
        })
    }
}

impl Txn<'_> {
    /// Commits everything, or nothing. Tells the watcher after the lock is given back.
    pub fn commit(mut self) -> FsResult<Number> {
        if self.batch.is_empty() {
            return Ok(self.snapshot.number());
        }
        if self.state != *self.writer {
            self.batch.put(vec![records::STATE], records::encode_state(&self.state));
        }
        let Self { namespace, mut writer, snapshot, batch, state, changes, mut sparse, .. } = self;
        drop(snapshot);
        let committed = namespace.parts.meta.commit(batch)?;
        *writer = state;
        drop(writer);
        if !committed.sparse.is_empty() {
            namespace.note_sparse(committed.sparse.iter().filter_map(|id| sparse.remove(id).map(|note| (*id, note))));
        }
        namespace.tell(&changes);
        Ok(committed.number)
    }

    /// A new number for an inode or content.
    pub fn number(&mut self) -> FsResult<u64> {
        let number = self.state.next;
        if number >= Ino::LIMIT {
            return Err(FsError::TooLarge("the number of inodes ever made in this bucket"));
        }
        self.state.next = number.saturating_add(1);
        Ok(number)
    }

    /// Writes an inode where it is.
    pub fn store(&mut self, located: &Located) {
        let Located { inode, place } = located;
        match place {
            Some(place) => {
                let key = records::entry_key(place.parent, &place.component);
                self.batch.put(key, records::encode_inode_entry(inode));
            }
            None => self.batch.put(records::id_key(records::INODE, inode.ino.0), records::encode_inode(inode)),
        }
    }

    /// Puts an inode that has one name at its place.
    pub fn store_at(&mut self, place: Place, inode: Inode) -> Located {
        self.batch.put(records::id_key(records::PLACE, inode.ino.0), records::encode_place(&place));
        let located = Located { inode, place: Some(place) };
        self.store(&located);
        located
    }

    /// Changes the counts of a directory, and those of its parents where it begins or ceases to bear listed keys (R4).
    pub fn change_children(&mut self, directory: Ino, change: ChildChange) -> FsResult<()> {
        let mut ino = directory;
        let mut change = change;
        loop {
            let mut located = load_directory(self, ino)?;
            let facts = &mut located.inode.directory;
            let before = facts.bears();
            let broken = || FsError::damaged(format!("the counts of directory {}", ino.0));
            facts.entries = facts.entries.checked_add_signed(change.entries).ok_or_else(broken)?;
            facts.subdirs = facts.subdirs.checked_add_signed(change.subdirs).ok_or_else(broken)?;
            facts.listed = facts.listed.checked_add_signed(change.listed).ok_or_else(broken)?;
            facts.aliases = facts.aliases.checked_add_signed(change.aliases).ok_or_else(broken)?;
            facts.explicit |= change.explicit;
            let after = facts.bears();
            if change.touch {
                located.inode.mtime = self.now;
                located.inode.ctime = self.now;
            }
            self.store(&located);
            let (Some(place), true) = (located.place, before != after) else {
                return Ok(());
            };
            ino = place.parent;
            change = ChildChange { listed: if after { 1 } else { -1 }, ..ChildChange::default() };
        }
    }

    /// Publishes a segment under its first extent.
    pub fn publish(&mut self, pending: PendingSegment, extent: &Extent) {
        self.batch.publish(pending, SegmentRef { extents: 1, live_bytes: i64::from(extent.len) });
    }

    /// Changes the references to an extent's segment.
    pub fn adjust(&mut self, owner: Owner, extent: &Extent, extents: i32, live_bytes: i64) {
        self.batch.adjust(extent.segment, SegmentRef { extents, live_bytes });
        let base = extent.offset.saturating_sub(u64::from(extent.segment_offset));
        self.sparse.insert(extent.segment, SparseNote { owner, base, len: extent.segment_len });
    }

    /// The extents of `content` that overlap `start..end`, in order.
    pub fn extents(&self, content: ContentId, start: u64, end: u64, limit: usize) -> FsResult<Vec<Extent>> {
        let from = records::extent_key(content, start);
        let behind = records::behind(&records::id_key(records::EXTENT, content.0));
        let mut found = BTreeMap::new();
        let mut cursor = self.snapshot.range(&from, behind.as_deref());
        while found.len() < limit
            && let Some((key, value)) = cursor.next()?
        {
            let extent = extent_at(&key, &value)?;
            if extent.offset >= end {
                break;
            }
            if self.batch.staged(&key).is_none() {
                found.insert(extent.offset, extent);
            }
        }
        for (key, value) in self.batch.changes.range(from..) {
            if behind.as_ref().is_some_and(|behind| key >= behind) {
                break;
            }
            if let Some(value) = value {
                let extent = extent_at(key, value)?;
                if extent.offset >= end {
                    break;
                }
                found.insert(extent.offset, extent);
            }
        }
        Ok(found.into_values().take(limit).collect())
    }
}

/// Decodes an extent's record with its key.
pub(super) fn extent_at(key: &[u8], value: &[u8]) -> FsResult<Extent> {
    let (_, _, last) = records::split(key).ok_or_else(|| FsError::damaged("the key of an extent"))?;
    records::decode_extent(last, value)
}
