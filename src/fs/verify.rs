//! Opens all content of a namespace under its keys, for `fsck`: whatever checksums say, only this tells an older or a
//! foreign segment from the right one.

use super::{
    Component, Content, ContentId, Extent, FsError, FsResult, Ino, Namespace, Piece,
    content_read::Span,
    records::{self, Entry},
    txn::{self, Records, extent_at},
};
use crate::{
    bucket::{SegmentId, Snapshot},
    crypt::{CHUNK_LEN_BYTES, SealedOek},
};
use std::collections::{BTreeMap, BTreeSet};

/// Longest way up to the root that is followed.
const DEPTH_LIMIT: usize = 4_096;

/// Content that does not open, or records of it that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedContent {
    /// Keys of the files that have it, each with every `/`; none when no name leads to it.
    pub paths: Vec<String>,
    /// The range of the file, or of content that several files share; `None` when all of it is concerned.
    pub range: Option<(u64, u64)>,
    /// The segment.
    pub segment: Option<SegmentId>,
    /// What is wrong.
    pub what: String,
}

/// What opening everything gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentReport {
    /// What does not open.
    pub damaged: Vec<DamagedContent>,
    /// Bytes of content that were opened.
    pub bytes: u64,
    /// Files that were looked at.
    pub files: u64,
}

/// Whose content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    File(Ino),
    Shared(ContentId),
}

/// Opens every chunk that a file refers to. `progress` is told of bytes opened, now and then.
///
/// # Errors
/// `Locked`. What is damaged is in the report.
pub fn verify_content(namespace: &Namespace, progress: &mut dyn FnMut(u64)) -> FsResult<ContentReport> {
    let snapshot = namespace.parts.meta.snapshot()?;
    let mut walk = Walk {
        namespace,
        snapshot: snapshot.as_ref(),
        report: ContentReport::default(),
        owners: Vec::new(),
        buffer: Vec::new(),
        progress,
    };
    for kind in [records::ENTRY, records::INODE, records::SHARED] {
        walk.records(kind)?;
    }
    walk.name_owners();
    Ok(walk.report)
}

struct Walk<'a> {
    namespace: &'a Namespace,
    snapshot: &'a dyn Snapshot,
    report: ContentReport,
    /// Whose each line of the report is; the names are looked up at the end, and only when there are any.
    owners: Vec<Option<Owner>>,
    buffer: Vec<u8>,
    progress: &'a mut dyn FnMut(u64),
}

impl Walk<'_> {
    fn damaged(
        &mut self,
        owner: Option<Owner>,
        range: Option<(u64, u64)>,
        segment: Option<SegmentId>,
        error: &FsError,
    ) -> FsResult<()> {
        if matches!(error, FsError::Locked) {
            return Err(FsError::Locked);
        }
        let what = error.to_string();
        self.report.damaged.push(DamagedContent { paths: Vec::new(), range, segment, what });
        self.owners.push(owner);
        Ok(())
    }

    /// All records of a kind. A block that cannot be read hides those behind it; `LocalBucket::verify` names the block.
    fn records(&mut self, kind: u8) -> FsResult<()> {
        let end = records::behind(&[kind]);
        let snapshot = self.snapshot;
        let mut cursor = snapshot.range(&[kind], end.as_deref());
        loop {
            match cursor.next() {
                Ok(Some((key, value))) => {
                    let (owner, outcome) = self.record(kind, &key, &value);
                    if let Err(error) = outcome {
                        self.damaged(owner, None, None, &error)?;
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    let error = FsError::from(error);
                    let behind = FsError::damaged(format!("{error}; the files recorded behind it were not opened"));
                    let error = if matches!(error, FsError::Locked) { error } else { behind };
                    return self.damaged(None, None, None, &error);
                }
            }
        }
    }

    fn record(&mut self, kind: u8, key: &[u8], value: &[u8]) -> (Option<Owner>, FsResult<()>) {
        let Some((_, id, _)) = records::split(key) else {
            return (None, Err(FsError::damaged("a key of no known form")));
        };
        let inode = match kind {
            records::ENTRY => match records::decode_entry(value) {
                Ok(Entry::Inode(inode)) => *inode,
                Ok(Entry::Link(_)) => return (None, Ok(())),
                Err(error) => return (None, Err(error)),
            },
            records::INODE => match records::decode_inode(value) {
                Ok(inode) => inode,
                Err(error) => return (Some(Owner::File(Ino(id))), Err(error)),
            },
            _ => {
                let owner = Owner::Shared(ContentId(id));
                let outcome = records::decode_shared(value)
                    .and_then(|shared| self.extent_records(owner, &shared.sealed_oek, ContentId(id)));
                return (Some(owner), outcome);
            }
        };
        let owner = Owner::File(inode.ino);
        self.report.files = self.report.files.saturating_add(1);
        (Some(owner), self.content(owner, &inode.content))
    }

    fn content(&mut self, owner: Owner, content: &Content) -> FsResult<()> {
        if !content.inline.is_empty() {
            let plain = self.namespace.open_inline(content)?;
            self.opened(plain.len() as u64);
        }
        if !content.spilled && content.extents.is_empty() {
            return Ok(());
        }
        let sealed = content.sealed_oek.ok_or_else(|| FsError::damaged("content without a key"))?;
        if content.spilled {
            return self.extent_records(owner, &sealed, ContentId(content.own));
        }
        for extent in &content.extents {
            self.extent(owner, &sealed, extent)?;
        }
        Ok(())
    }

    fn extent_records(&mut self, owner: Owner, sealed: &SealedOek, content: ContentId) -> FsResult<()> {
        let prefix = records::id_key(records::EXTENT, content.0);
        let behind = records::behind(&prefix);
        let snapshot = self.snapshot;
        let mut cursor = snapshot.range(&prefix, behind.as_deref());
        while let Some((key, value)) = cursor.next()? {
            match extent_at(&key, &value) {
                Ok(extent) => self.extent(owner, sealed, &extent)?,
                Err(error) => self.damaged(Some(owner), None, None, &error)?,
            }
        }
        Ok(())
    }

    /// Opens an extent; where that fails, chunk by chunk, so that the report names no more than what is lost.
    fn extent(&mut self, owner: Owner, sealed: &SealedOek, extent: &Extent) -> FsResult<()> {
        let oek = self.namespace.parts.keys.open_oek(sealed)?;
        let mut open = |start: u64, end: u64| {
            let len = usize::try_from(end.saturating_sub(start)).map_err(|_| FsError::TooLarge("an extent"))?;
            self.buffer.resize(len, 0);
            let span = Span { start, end };
            self.namespace.read_extent(self.snapshot, &oek, sealed.id(), extent, span, &mut self.buffer)
        };
        if open(extent.offset, extent.end()).is_ok() {
            self.opened(u64::from(extent.len));
            return Ok(());
        }
        let mut failures: Vec<(u64, u64, FsError)> = Vec::new();
        let mut at = extent.offset;
        while at < extent.end() {
            let within = at.saturating_sub(extent.offset).saturating_add(u64::from(extent.segment_offset));
            let chunk = CHUNK_LEN_BYTES as u64;
            let end = at.saturating_add(chunk.saturating_sub(within % chunk)).min(extent.end());
            if let Err(error) = open(at, end) {
                match failures.last_mut() {
                    Some((_, last, _)) if *last == at => *last = end,
                    _ => failures.push((at, end, error)),
                }
            }
            at = end;
        }
        for (start, end, error) in failures {
            self.damaged(Some(owner), Some((start, end)), Some(extent.segment), &error)?;
        }
        Ok(())
    }

    fn opened(&mut self, bytes: u64) {
        self.report.bytes = self.report.bytes.saturating_add(bytes);
        (self.progress)(self.report.bytes);
    }

    /// Looks up which files have what is damaged.
    fn name_owners(&mut self) {
        let wanted: BTreeSet<Owner> = self.owners.iter().flatten().copied().collect();
        if wanted.is_empty() {
            return;
        }
        let mut paths: BTreeMap<Owner, Vec<String>> = BTreeMap::new();
        let mut linked: BTreeMap<Ino, Vec<String>> = BTreeMap::new();
        let end = records::behind(&[records::ENTRY]);
        let mut cursor = self.snapshot.range(&[records::ENTRY], end.as_deref());
        while let Ok(Some((key, value))) = cursor.next() {
            let Some((_, parent, component)) = records::split(&key) else { continue };
            match records::decode_entry(&value) {
                Ok(Entry::Inode(inode)) => {
                    let owners = owners_of(inode.ino, &inode.content.pieces);
                    for owner in owners.filter(|owner| wanted.contains(owner)) {
                        paths.entry(owner).or_default().push(self.path(Ino(parent), component));
                    }
                }
                Ok(Entry::Link(ino)) => {
                    linked.entry(ino).or_default().push(self.path(Ino(parent), component));
                }
                Err(_) => {}
            }
        }
        for (ino, names) in linked {
            let pieces = txn::load(self.snapshot, ino).map(|located| located.inode.content.pieces).unwrap_or_default();
            for owner in owners_of(ino, &pieces).filter(|owner| wanted.contains(owner)) {
                paths.entry(owner).or_default().extend(names.iter().cloned());
            }
        }
        for (line, owner) in self.report.damaged.iter_mut().zip(&self.owners) {
            line.paths = owner.and_then(|owner| paths.get(&owner).cloned()).unwrap_or_default();
        }
    }

    /// The key of an entry, as far as its directories can be found.
    fn path(&self, parent: Ino, component: &[u8]) -> String {
        let mut parts = vec![String::from_utf8_lossy(component).into_owned()];
        let mut at = parent;
        for _ in 0..DEPTH_LIMIT {
            if at == Ino::ROOT {
                break;
            }
            let Some((above, component)) = self.place(at) else {
                parts.push(format!("(directory {})/", at.0));
                break;
            };
            parts.push(String::from_utf8_lossy(component.as_bytes()).into_owned());
            at = above;
        }
        parts.reverse();
        parts.concat()
    }

    fn place(&self, ino: Ino) -> Option<(Ino, Component)> {
        let bytes = self.snapshot.record(&records::id_key(records::PLACE, ino.0)).ok()??;
        let place = records::decode_place(&bytes).ok()?;
        Some((place.parent, place.component))
    }
}

fn owners_of(ino: Ino, pieces: &[Piece]) -> impl Iterator<Item = Owner> {
    std::iter::once(Owner::File(ino)).chain(pieces.iter().map(|piece| Owner::Shared(piece.content)))
}
