//! The invariants of a namespace, checked record by record; for tests and `fsck`.
//!
//! It holds a few words for every inode and content in memory.

use super::{
    Component, Content, ContentId, DirectoryFacts, Extent, FileKind, FsError, FsResult, INLINE_EXTENTS, Ino, Inode,
    Namespace, alias,
    records::{self, Entry},
    txn::{self, Records},
};
use crate::{
    bucket::{SegmentId, SegmentRef, Snapshot},
    crypt,
};
use std::collections::{BTreeMap, BTreeSet};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What and where, for the operator.
    pub what: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The references that extents make to segments, to be compared with the segment table.
    pub references: BTreeMap<SegmentId, SegmentRef>,
}

/// Checks a namespace as of now: every record decodes, entries and back-pointers agree, counts are exact, extents lie
/// within their file and name segments that exist, orphans are recorded.
///
/// # Errors
/// When the metadata cannot be read at all.
pub fn check(namespace: &Namespace) -> FsResult<Vec<Problem>> {
    Ok(inspect(namespace)?.problems)
}

/// As [`check`], with the references that the segment table must show.
///
/// # Errors
/// When the metadata cannot be read at all.
pub fn inspect(namespace: &Namespace) -> FsResult<Inspection> {
    let snapshot = namespace.parts.meta.snapshot()?;
    let mut check =
        Check { namespace, snapshot: snapshot.as_ref(), found: Inspection::default(), seen: Seen::default() };
    check.scan()?;
    check.compare()?;
    Ok(check.found)
}

#[derive(Default)]
struct Seen {
    inodes: u64,
    bytes: u64,
    /// What entries say of each directory.
    counted: BTreeMap<Ino, DirectoryFacts>,
    /// What each directory says of itself.
    stated: BTreeMap<Ino, DirectoryFacts>,
    names: BTreeMap<Ino, u32>,
    nlinks: BTreeMap<Ino, u32>,
    orphans: BTreeSet<Ino>,
    places: u64,
    xattrs: BTreeMap<Ino, u32>,
    stated_xattrs: BTreeMap<Ino, u32>,
    /// Contents with records, and the length that their extents keep to.
    owned: BTreeMap<ContentId, u64>,
    shared: BTreeMap<ContentId, u32>,
    pieces: BTreeMap<ContentId, u32>,
    jobs: BTreeSet<ContentId>,
    last_extent: Option<(ContentId, u64)>,
    /// Where the last extent of each content with records ends.
    ends: BTreeMap<ContentId, u64>,
    highest: u64,
}

struct Check<'a> {
    namespace: &'a Namespace,
    snapshot: &'a dyn Snapshot,
    found: Inspection,
    seen: Seen,
}

impl Check<'_> {
    fn problem(&mut self, what: impl Into<String>) {
        self.found.problems.push(Problem { what: what.into() });
    }

    fn scan(&mut self) -> FsResult<()> {
        let mut cursor = self.snapshot.range(&[0x01], None);
        while let Some((key, value)) = cursor.next()? {
            if key.as_ref() == [records::STATE] {
                continue;
            }
            let Some((kind, id, rest)) = records::split(&key) else {
                self.problem(format!("a key of {} bytes of no known form", key.len()));
                continue;
            };
            if let Err(error) = self.record(kind, id, rest, &value) {
                self.problem(format!("record of kind {kind:#04x} of {id}: {error}"));
            }
        }
        Ok(())
    }

    fn record(&mut self, kind: u8, id: u64, rest: &[u8], value: &[u8]) -> FsResult<()> {
        let ino = Ino(id);
        self.seen.highest = self.seen.highest.max(id);
        match kind {
            records::ENTRY => self.entry(ino, rest, value)?,
            records::PLACE => {
                self.seen.places = self.seen.places.saturating_add(1);
                txn::load(self.snapshot, ino)?;
            }
            records::INODE => {
                let inode = records::decode_inode(value)?;
                if inode.ino != ino {
                    self.problem(format!("the record of inode {id} holds {}", inode.ino.0));
                }
                self.seen.nlinks.insert(ino, inode.nlink);
                self.inode(&inode)?;
            }
            records::SHARED => drop(self.seen.shared.insert(ContentId(id), records::decode_shared(value)?.refs)),
            records::EXTENT => self.extent_record(ContentId(id), &records::decode_extent(rest, value)?)?,
            records::XATTR => {
                let count = self.seen.xattrs.entry(ino).or_default();
                *count = count.saturating_add(1);
            }
            records::ORPHAN => drop(self.seen.orphans.insert(ino)),
            records::JOB => {
                records::decode_job(value)?;
                self.seen.jobs.insert(ContentId(id));
            }
            records::ALIAS => self.alias(ino, rest, value)?,
            records::ALIAS_OF => {
                let back = self.snapshot.record(&records::named_key(records::ALIAS, ino, value))?;
                if back.as_deref() != Some(rest) {
                    self.problem(format!("an alias in directory {id} that does not lead back"));
                }
            }
            _ => self.problem(format!("a record of unknown kind {kind:#04x}")),
        }
        Ok(())
    }

    fn entry(&mut self, parent: Ino, rest: &[u8], value: &[u8]) -> FsResult<()> {
        let component = Component::parse(rest).ok_or_else(|| FsError::damaged("the component"))?;
        let entry = records::decode_entry(value)?;
        let inode = match &entry {
            Entry::Inode(inode) => {
                let place = self.snapshot.record(&records::id_key(records::PLACE, inode.ino.0))?;
                let place = place.map(|bytes| records::decode_place(&bytes)).transpose()?;
                if place.is_none_or(|place| place.parent != parent || place.component != component) {
                    self.problem(format!("the back-pointer of inode {} does not lead to its entry", inode.ino.0));
                }
                if inode.nlink != 1 {
                    self.problem(format!("inode {} has one name and counts {}", inode.ino.0, inode.nlink));
                }
                self.inode(inode)?;
                inode.as_ref().clone()
            }
            Entry::Link(ino) => {
                let names = self.seen.names.entry(*ino).or_default();
                *names = names.saturating_add(1);
                txn::load(self.snapshot, *ino)?.inode
            }
        };
        if component.is_directory() != (inode.kind == FileKind::Directory) {
            self.problem(format!("inode {} is not of the kind that its component says", inode.ino.0));
        }
        let counted = self.seen.counted.entry(parent).or_default();
        counted.entries = counted.entries.saturating_add(1);
        counted.subdirs = counted.subdirs.saturating_add(u32::from(component.is_directory()));
        counted.listed = counted.listed.saturating_add(u64::from(inode.bears()));
        if component.plain_name().is_none() && alias::alias_of(self.snapshot, parent, &component)?.is_none() {
            self.problem(format!("inode {} has no POSIX name", inode.ino.0));
        }
        if let Some(rival) = component.rival()
            && txn::entry(self.snapshot, parent, &rival)?.is_some()
            && alias::alias_of(self.snapshot, parent, &component)?.is_none()
            && alias::alias_of(self.snapshot, parent, &rival)?.is_none()
        {
            self.problem(format!("two entries of directory {} have the same POSIX name", parent.0));
        }
        Ok(())
    }

    fn alias(&mut self, directory: Ino, name: &[u8], value: &[u8]) -> FsResult<()> {
        let component = Component::parse(value).ok_or_else(|| FsError::damaged("the component"))?;
        let counted = self.seen.counted.entry(directory).or_default();
        counted.aliases = counted.aliases.saturating_add(1);
        if txn::entry(self.snapshot, directory, &component)?.is_none() {
            self.problem(format!("an alias of nothing in directory {}", directory.0));
        }
        if alias::alias_of(self.snapshot, directory, &component)?.as_deref() != Some(name) {
            self.problem(format!("an alias in directory {} that its component does not know", directory.0));
        }
        Ok(())
    }

    fn inode(&mut self, inode: &Inode) -> FsResult<()> {
        self.seen.highest = self.seen.highest.max(inode.ino.0);
        if inode.nlink > 0 && inode.ino != Ino::ROOT {
            self.seen.inodes = self.seen.inodes.saturating_add(1);
            self.seen.bytes = self.seen.bytes.saturating_add(inode.size);
        }
        if inode.kind == FileKind::Directory {
            self.seen.stated.insert(inode.ino, inode.directory);
        }
        if inode.xattrs > 0 {
            self.seen.stated_xattrs.insert(inode.ino, inode.xattrs);
        }
        self.content(inode.ino, inode.size, &inode.content)
    }

    fn content(&mut self, ino: Ino, size: u64, content: &Content) -> FsResult<()> {
        let ino = ino.0;
        let has_own = content.spilled || !content.extents.is_empty();
        if (has_own || !content.inline.is_empty()) && content.sealed_oek.is_none() {
            self.problem(format!("the content of inode {ino} has no key"));
        }
        if !content.inline.is_empty() && (has_own || !content.pieces.is_empty()) {
            self.problem(format!("inode {ino} has inline content and more"));
        }
        if content.extents.len() > INLINE_EXTENTS || (content.spilled && !content.extents.is_empty()) {
            self.problem(format!("inode {ino} has extents in the wrong place"));
        }
        self.seen.highest = self.seen.highest.max(content.own);
        let mut ranges: Vec<(u64, u64)> = content.extents.iter().map(|extent| (extent.offset, extent.end())).collect();
        for extent in &content.extents {
            self.extent(extent)?;
        }
        if content.spilled {
            let own = ContentId(content.own);
            if self.seen.owned.insert(own, size).is_some() {
                self.problem(format!("content {} has two owners", own.0));
            }
        }
        for piece in &content.pieces {
            let count = self.seen.pieces.entry(piece.content).or_default();
            *count = count.saturating_add(1);
            ranges.push((piece.offset, piece.end()));
        }
        ranges.sort_unstable();
        let overlap = ranges.windows(2).any(|pair| matches!(pair, [(_, end), (start, _)] if end > start));
        if overlap || ranges.last().is_some_and(|(_, end)| *end > size) {
            self.problem(format!("extents of inode {ino} overlap, or lie behind its end"));
        }
        Ok(())
    }

    fn extent_record(&mut self, content: ContentId, extent: &Extent) -> FsResult<()> {
        self.seen.ends.insert(content, extent.end());
        if let Some((last, end)) = self.seen.last_extent
            && last == content
            && end > extent.offset
        {
            self.problem(format!("extents of content {} overlap", content.0));
        }
        self.seen.last_extent = Some((content, extent.end()));
        self.extent(extent)
    }

    fn extent(&mut self, extent: &Extent) -> FsResult<()> {
        let reference = self.found.references.entry(extent.segment).or_default();
        reference.extents = reference.extents.saturating_add(1);
        reference.live_bytes = reference.live_bytes.saturating_add(i64::from(extent.len));
        let sealed = self.namespace.parts.segments.sealed_len(self.snapshot, extent.segment)?;
        if sealed as usize != crypt::sealed_len(extent.segment_len as usize) {
            self.problem(format!("segment {} has another length than its extent says", extent.segment.0));
        }
        Ok(())
    }

    fn compare(&mut self) -> FsResult<()> {
        let seen = std::mem::take(&mut self.seen);
        for (ino, stated) in &seen.stated {
            let counted = seen.counted.get(ino).copied().unwrap_or_default();
            let counted = DirectoryFacts { explicit: stated.explicit, facet: stated.facet, ..counted };
            if counted != *stated {
                self.problem(format!("directory {} states {stated:?}, its records say {counted:?}", ino.0));
            }
        }
        for ino in seen.counted.keys().filter(|ino| !seen.stated.contains_key(ino)) {
            self.problem(format!("entries in directory {}, which is missing", ino.0));
        }
        for (ino, nlink) in &seen.nlinks {
            let names = seen.names.get(ino).copied().unwrap_or(0);
            let is_root = *ino == Ino::ROOT;
            if !is_root && names != *nlink {
                self.problem(format!("inode {} has {names} names and counts {nlink}", ino.0));
            }
            if !is_root && (*nlink == 0) != seen.orphans.contains(ino) {
                self.problem(format!("inode {} has no name and is no orphan, or the reverse", ino.0));
            }
        }
        for ino in seen.orphans.iter().filter(|ino| !seen.nlinks.contains_key(ino)) {
            self.problem(format!("orphan {} is missing", ino.0));
        }
        if seen.xattrs != seen.stated_xattrs {
            self.problem("counts of extended attributes differ from the attributes");
        }
        if seen.shared != seen.pieces {
            self.problem(format!("shared contents count {:?}, pieces are {:?}", seen.shared, seen.pieces));
        }
        for (content, end) in &seen.ends {
            if seen.owned.get(content).is_some_and(|size| end > size) {
                self.problem(format!("extents of content {} lie behind the end of its file", content.0));
            }
            let known = seen.owned.contains_key(content) || seen.shared.contains_key(content);
            if !known && !seen.jobs.contains(content) {
                self.problem(format!("extents of content {}, which nobody has", content.0));
            }
        }
        let state = self.snapshot.record(&[records::STATE])?;
        let state = records::decode_state(&state.ok_or_else(|| FsError::damaged("the counters are missing"))?)?;
        if state.inodes != seen.inodes || state.bytes != seen.bytes {
            self.problem(format!("counters say {state:?}, there are {} inodes and {} bytes", seen.inodes, seen.bytes));
        }
        if state.next <= seen.highest {
            self.problem(format!("number {} is in use and {} is the next", seen.highest, state.next));
        }
        Ok(())
    }
}
