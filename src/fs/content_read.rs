//! Reading committed content: from the record, from segments, through pieces.

use super::{
    Content, ContentId, Extent, FsError, FsResult, Inode, Namespace,
    records::{self},
    txn::{Records, extent_at},
};
use crate::{
    bucket::Snapshot,
    crypt::{self, CHUNK_LEN_BYTES, Oek, OekId, SealedOek, SegmentKey},
};

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    fn intersect(self, start: u64, end: u64) -> Option<Self> {
        let both = Self { start: self.start.max(start), end: self.end.min(end) };
        (both.start < both.end).then_some(both)
    }
}

fn index(value: u64) -> FsResult<usize> {
    usize::try_from(value).map_err(|_| FsError::TooLarge("a range in memory"))
}

/// The part of `buf`, which begins at `origin`, that holds `span`.
fn part(buf: &mut [u8], origin: u64, span: Span) -> FsResult<&mut [u8]> {
    let range = index(span.start.saturating_sub(origin))?..index(span.end.saturating_sub(origin))?;
    buf.get_mut(range).ok_or(FsError::TooLarge("a range in memory"))
}

impl Namespace {
    /// Fills `buf` with the committed content from `offset`; all of it must lie before the end of the file.
    pub(super) fn read_committed(
        &self,
        snapshot: &dyn Snapshot,
        inode: &Inode,
        offset: u64,
        buf: &mut [u8],
    ) -> FsResult<()> {
        buf.fill(0);
        if buf.is_empty() {
            return Ok(());
        }
        let span = Span { start: offset, end: offset.saturating_add(buf.len() as u64) };
        let content = &inode.content;
        if !content.inline.is_empty() {
            let plain = self.open_inline(content)?;
            if let Some(both) = span.intersect(0, plain.len() as u64)
                && let Some(from) = plain.get(index(both.start)?..index(both.end)?)
            {
                part(buf, offset, both)?.copy_from_slice(from);
            }
            return Ok(());
        }
        self.read_own(snapshot, content, span, buf)?;
        for piece in &content.pieces {
            if let Some(both) = span.intersect(piece.offset, piece.end()) {
                let at = both.start.saturating_sub(piece.offset).saturating_add(piece.content_offset);
                self.read_shared(snapshot, piece.content, at, part(buf, offset, both)?)?;
            }
        }
        Ok(())
    }

    /// Opens inline content.
    pub(super) fn open_inline(&self, content: &Content) -> FsResult<Vec<u8>> {
        let sealed = content.sealed_oek.ok_or_else(|| FsError::damaged("inline content without a key"))?;
        let oek = self.parts.keys.open_oek(&sealed)?;
        Ok(crypt::open_inline(&oek, sealed.id(), &content.inline)?)
    }

    fn read_own(&self, snapshot: &dyn Snapshot, content: &Content, span: Span, buf: &mut [u8]) -> FsResult<()> {
        if !content.spilled && content.extents.is_empty() {
            return Ok(());
        }
        let sealed = content.sealed_oek.ok_or_else(|| FsError::damaged("content without a key"))?;
        if content.spilled {
            return self.read_records(snapshot, &sealed, ContentId(content.own), span, buf);
        }
        let oek = self.parts.keys.open_oek(&sealed)?;
        for extent in &content.extents {
            if let Some(both) = span.intersect(extent.offset, extent.end()) {
                self.read_extent(snapshot, &oek, sealed.id(), extent, both, part(buf, span.start, both)?)?;
            }
        }
        Ok(())
    }

    fn read_shared(&self, snapshot: &dyn Snapshot, content: ContentId, offset: u64, buf: &mut [u8]) -> FsResult<()> {
        let record = snapshot.record(&records::id_key(records::SHARED, content.0))?;
        let record = record.ok_or_else(|| FsError::damaged(format!("shared content {} is missing", content.0)))?;
        let shared = records::decode_shared(&record)?;
        let span = Span { start: offset, end: offset.saturating_add(buf.len() as u64) };
        self.read_records(snapshot, &shared.sealed_oek, content, span, buf)
    }

    fn read_records(
        &self,
        snapshot: &dyn Snapshot,
        sealed: &SealedOek,
        content: ContentId,
        span: Span,
        buf: &mut [u8],
    ) -> FsResult<()> {
        let oek = self.parts.keys.open_oek(sealed)?;
        let behind = records::behind(&records::id_key(records::EXTENT, content.0));
        let mut cursor = snapshot.range(&records::extent_key(content, span.start), behind.as_deref());
        while let Some((key, value)) = cursor.next()? {
            let extent = extent_at(&key, &value)?;
            let Some(both) = span.intersect(extent.offset, extent.end()) else {
                break;
            };
            self.read_extent(snapshot, &oek, sealed.id(), &extent, both, part(buf, span.start, both)?)?;
        }
        Ok(())
    }

    /// Opens the chunks of `extent` that hold `span` of the content into `out`, which has its length.
    pub(super) fn read_extent(
        &self,
        snapshot: &dyn Snapshot,
        oek: &Oek,
        oek_id: OekId,
        extent: &Extent,
        span: Span,
        out: &mut [u8],
    ) -> FsResult<()> {
        let contradiction = || FsError::damaged("an extent whose numbers contradict each other");
        let start = index(span.start.saturating_sub(extent.offset))?.saturating_add(extent.segment_offset as usize);
        let end = start.saturating_add(out.len());
        let plain_len = extent.segment_len as usize;
        let chunks = crypt::chunks_of(start, end);
        let (first, _) = crypt::chunk_range(chunks.start, plain_len).ok_or_else(contradiction)?;
        let last = crypt::chunk_range(chunks.end.saturating_sub(1), plain_len).ok_or_else(contradiction)?;
        let mut sealed = vec![0; last.0.saturating_add(last.1).saturating_sub(first)];
        let from = u32::try_from(first).map_err(|_| contradiction())?;
        self.parts.segments.read(snapshot, extent.segment, from, &mut sealed)?;
        let key = SegmentKey::derive(oek, oek_id, &crypt::Salt::from_bytes(extent.salt))?;
        let count = crypt::chunk_count(plain_len);
        let mut whole = Vec::new();
        for chunk in chunks {
            let (at, len) = crypt::chunk_range(chunk, plain_len).ok_or_else(contradiction)?;
            let at = at.saturating_sub(first);
            let ciphertext = sealed.get(at..at.saturating_add(len)).ok_or_else(contradiction)?;
            let plain_start = chunk.saturating_mul(CHUNK_LEN_BYTES);
            let plain_end = plain_start.saturating_add(len.saturating_sub(crypt::TAG_LEN_BYTES));
            let number = u32::try_from(chunk).map_err(|_| contradiction())?;
            let is_last = chunk.saturating_add(1) == count;
            let wanted = plain_start.max(start)..plain_end.min(end);
            let target = out
                .get_mut(wanted.start.saturating_sub(start)..wanted.end.saturating_sub(start))
                .ok_or_else(contradiction)?;
            if wanted == (plain_start..plain_end) {
                key.open_chunk(number, is_last, ciphertext, target)?;
            } else {
                whole.resize(plain_end.saturating_sub(plain_start), 0);
                key.open_chunk(number, is_last, ciphertext, &mut whole)?;
                let inside = wanted.start.saturating_sub(plain_start)..wanted.end.saturating_sub(plain_start);
                target.copy_from_slice(whole.get(inside).ok_or_else(contradiction)?);
            }
        }
        Ok(())
    }
}
