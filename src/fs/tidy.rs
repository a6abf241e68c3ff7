//! Sealing anew the live bytes of segments that are mostly dead, so that space stays within its bound.

use super::{
    Content, ContentId, Extent, FsError, FsResult, Ino, Inode, Namespace, records,
    seal::{SealedExtent, Space},
    txn::{self, Records, Txn},
};
use crate::{bucket::SegmentId, crypt::SealedOek};

/// Whose extents name a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Own content of an inode.
    Inode(Ino),
    /// A shared content.
    Shared(ContentId),
}

/// Where the extents that name a segment are: within `base..base + len` of its owner's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SparseNote {
    pub owner: Owner,
    pub base: u64,
    pub len: u32,
}

impl SparseNote {
    fn end(&self) -> u64 {
        self.base.saturating_add(u64::from(self.len))
    }
}

/// Segments that are noted at most; more come back when they are touched again, or by a scan.
const NOTES_LIMIT: usize = 65_536;

/// Segments that may wait before writers help.
const PRESSURE_AT: usize = 512;

impl Namespace {
    /// Notes segments to be tidied.
    pub(super) fn note_sparse(&self, notes: impl Iterator<Item = (SegmentId, SparseNote)>) {
        let mut queue = super::lock(&self.sparse);
        for (id, note) in notes {
            if queue.len() < NOTES_LIMIT {
                queue.insert(id, note);
            }
        }
    }

    /// Where more waits than the background gets done, a writer tidies as much as it makes sparse.
    pub(super) fn tidy_under_pressure(&self) {
        for _ in 0..2 {
            if super::lock(&self.sparse).len() < PRESSURE_AT {
                return;
            }
            if let Err(error) = self.tidy_next() {
                tracing::debug!(%error, "a sparse segment is tidied later");
                return;
            }
        }
    }

    /// Tidies one segment; true when there was one.
    pub(super) fn tidy_next(&self) -> FsResult<bool> {
        let next = super::lock(&self.sparse).pop_first();
        let Some((segment, note)) = next else {
            return Ok(false);
        };
        match self.tidy(segment, note) {
            // The inode or the key is gone: nothing is left to tidy, or nothing can be.
            Ok(()) | Err(FsError::NotFound | FsError::Locked) => Ok(true),
            // It stays as it is, and must not keep the others waiting.
            Err(FsError::Damaged(what)) => {
                tracing::warn!(segment = segment.0, %what, "a damaged segment is not tidied");
                Ok(true)
            }
            Err(error) => {
                super::lock(&self.sparse).insert(segment, note);
                Err(error)
            }
        }
    }

    fn tidy(&self, segment: SegmentId, note: SparseNote) -> FsResult<()> {
        let snapshot = self.parts.meta.snapshot()?;
        let Some(subject) = Subject::load(snapshot.as_ref(), note.owner)? else {
            return Ok(());
        };
        let old = subject.extents_of(segment, note, |content, start, end| {
            let behind = records::behind(&records::id_key(records::EXTENT, content.0));
            let mut cursor = snapshot.range(&records::extent_key(content, start), behind.as_deref());
            let mut found = Vec::new();
            while let Some((key, value)) = cursor.next()? {
                let extent = txn::extent_at(&key, &value)?;
                if extent.offset >= end {
                    break;
                }
                found.push(extent);
            }
            Ok(found)
        })?;
        if old.is_empty() {
            return Ok(());
        }
        let key = self.content_key(&Content { sealed_oek: Some(subject.sealed_oek), ..Content::default() })?;
        let mut fresh = Vec::with_capacity(old.len());
        for run in runs(&old) {
            let mut plain = Vec::new();
            let mut start = None;
            for extent in run {
                start.get_or_insert(extent.offset);
                let mut bytes = vec![0; extent.len as usize];
                self.read_committed(snapshot.as_ref(), &subject.view(*extent), extent.offset, &mut bytes)?;
                plain.append(&mut bytes);
            }
            self.append_run(&key, start.unwrap_or(0), &plain, Space::Reserve, &mut fresh)?;
        }
        drop(snapshot);
        let mut txn = self.begin()?;
        if txn.replace_extents(segment, note, &subject, &old, fresh)? {
            txn.batch.frees_space();
            txn.commit()?;
        }
        Ok(())
    }
}

/// Neighbours that follow one another without a gap.
fn runs(extents: &[Extent]) -> impl Iterator<Item = &[Extent]> {
    extents.chunk_by(|before, after| before.end() == after.offset)
}

/// The content whose segment is tidied.
struct Subject {
    inode: Option<txn::Located>,
    content: ContentId,
    spilled: bool,
    sealed_oek: SealedOek,
}

impl Subject {
    fn load<R: Records + ?Sized>(from: &R, owner: Owner) -> FsResult<Option<Self>> {
        Ok(match owner {
            Owner::Inode(ino) => {
                let located = txn::load(from, ino)?;
                let content = &located.inode.content;
                content.sealed_oek.map(|sealed_oek| Self {
                    content: ContentId(content.own),
                    spilled: content.spilled,
                    sealed_oek,
                    inode: Some(located.clone()),
                })
            }
            Owner::Shared(content) => match from.record(&records::id_key(records::SHARED, content.0))? {
                None => None,
                Some(record) => {
                    let sealed_oek = records::decode_shared(&record)?.sealed_oek;
                    Some(Self { inode: None, content, spilled: true, sealed_oek })
                }
            },
        })
    }

    fn extents_of(
        &self,
        segment: SegmentId,
        note: SparseNote,
        scan: impl FnOnce(ContentId, u64, u64) -> FsResult<Vec<Extent>>,
    ) -> FsResult<Vec<Extent>> {
        let mut found = match &self.inode {
            Some(located) if !self.spilled => located.inode.content.extents.clone(),
            _ => scan(self.content, note.base, note.end())?,
        };
        found.retain(|extent| extent.segment == segment);
        Ok(found)
    }

    /// A file that consists of one extent, to read it.
    fn view(&self, extent: Extent) -> Inode {
        let mut inode = Inode::blank(Ino(0), super::FileKind::File, crate::clock::UnixNanos(0));
        inode.content.sealed_oek = Some(self.sealed_oek);
        inode.content.extents.push(extent);
        inode
    }
}

impl Txn<'_> {
    /// Puts `fresh` in the place of `old`, unless something changed meanwhile.
    fn replace_extents(
        &mut self,
        segment: SegmentId,
        note: SparseNote,
        before: &Subject,
        old: &[Extent],
        fresh: Vec<SealedExtent>,
    ) -> FsResult<bool> {
        let Some(now) = Subject::load(self, note.owner)? else {
            return Ok(false);
        };
        let same_key = now.sealed_oek.id() == before.sealed_oek.id() && now.content == before.content;
        let found =
            now.extents_of(segment, note, |content, start, end| self.extents(content, start, end, usize::MAX))?;
        if !same_key || now.spilled != before.spilled || found != old {
            return Ok(false);
        }
        let mut content = match &now.inode {
            Some(located) => located.inode.content.clone(),
            None => Content { own: now.content.0, spilled: true, ..Content::default() },
        };
        for extent in old {
            self.adjust(note.owner, extent, -1, -i64::from(extent.len));
            if now.spilled {
                self.batch.delete(records::extent_key(now.content, extent.end().saturating_sub(1)));
            }
        }
        content.extents.retain(|extent| extent.segment != segment);
        for SealedExtent { extent, pending } in fresh {
            self.publish(pending, &extent);
            self.add_extent(&mut content, extent)?;
        }
        if let Some(mut located) = now.inode {
            located.inode.content = content;
            self.store(&located);
        }
        Ok(true)
    }
}
