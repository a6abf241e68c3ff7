//! Cutting, adding and freeing extents and pieces, with the references of segments kept exact.

use super::{
    Content, ContentId, Extent, FsError, FsResult, INLINE_EXTENTS, Ino, Inode, Piece,
    records::{self, SharedContent},
    tidy::Owner,
    txn::{Records, Txn},
};

/// Extents that one transaction frees on the way; more are left to a job.
pub(super) const FREE_LIMIT: usize = 256;

/// Extents that one step of a job frees.
pub(super) const JOB_LIMIT: usize = 4_096;

/// What of `extent` lies before and behind `start..end`, and how many bytes lie within.
fn split(extent: &Extent, start: u64, end: u64) -> (Option<Extent>, Option<Extent>, i64) {
    let part = |from: u64, to: u64| {
        let len = u32::try_from(to.checked_sub(from)?).ok().filter(|len| *len > 0)?;
        let skipped = u32::try_from(from.checked_sub(extent.offset)?).ok()?;
        let segment_offset = extent.segment_offset.checked_add(skipped)?;
        Some(Extent { offset: from, len, segment_offset, ..*extent })
    };
    let left = part(extent.offset, start.clamp(extent.offset, extent.end()));
    let right = part(end.clamp(extent.offset, extent.end()), extent.end());
    let kept = left.map_or(0, |e| i64::from(e.len)) + right.map_or(0, |e| i64::from(e.len));
    (left, right, i64::from(extent.len) - kept)
}

impl Txn<'_> {
    /// Takes `start..end` out of a content: what lay there reads as zero. Inline content is not looked at.
    pub fn cut(&mut self, ino: Ino, content: &mut Content, start: u64, end: u64) -> FsResult<()> {
        if content.spilled {
            let own = ContentId(content.own);
            for extent in self.extents(own, start, end, usize::MAX)? {
                self.cut_record(Owner::Inode(ino), own, &extent, start, end);
            }
        } else {
            let mut kept = Vec::with_capacity(content.extents.len().saturating_add(1));
            for extent in std::mem::take(&mut content.extents) {
                if extent.end() <= start || extent.offset >= end {
                    kept.push(extent);
                    continue;
                }
                let (left, right, gone) = split(&extent, start, end);
                let parts = i32::from(left.is_some()) + i32::from(right.is_some());
                self.adjust(Owner::Inode(ino), &extent, parts - 1, -gone);
                kept.extend(left.into_iter().chain(right));
            }
            content.extents = kept;
            self.spill_if_many(content)?;
        }
        self.cut_pieces(content, start, end)
    }

    fn cut_record(&mut self, owner: Owner, content: ContentId, extent: &Extent, start: u64, end: u64) {
        let (left, right, gone) = split(extent, start, end);
        let parts = i32::from(left.is_some()) + i32::from(right.is_some());
        self.adjust(owner, extent, parts - 1, -gone);
        if right.is_none() {
            self.batch.delete(records::extent_key(content, extent.end().saturating_sub(1)));
        }
        for part in left.into_iter().chain(right) {
            self.put_extent(content, &part);
        }
    }

    fn put_extent(&mut self, content: ContentId, extent: &Extent) {
        let last = extent.end().saturating_sub(1);
        self.batch.put(records::extent_key(content, last), records::encode_extent(extent));
    }

    /// Adds an extent where nothing lies.
    pub fn add_extent(&mut self, content: &mut Content, extent: Extent) -> FsResult<()> {
        if content.spilled {
            self.put_extent(ContentId(content.own), &extent);
            return Ok(());
        }
        let at = content.extents.partition_point(|other| other.offset < extent.offset);
        content.extents.insert(at, extent);
        self.spill_if_many(content)
    }

    /// Gives extents records of their own once they are more than the inode's record takes.
    fn spill_if_many(&mut self, content: &mut Content) -> FsResult<()> {
        if content.extents.len() <= INLINE_EXTENTS {
            return Ok(());
        }
        self.spill(content)
    }

    fn spill(&mut self, content: &mut Content) -> FsResult<()> {
        if content.spilled {
            return Ok(());
        }
        if content.own == 0 {
            content.own = self.number()?;
        }
        content.spilled = true;
        for extent in std::mem::take(&mut content.extents) {
            self.put_extent(ContentId(content.own), &extent);
        }
        Ok(())
    }

    fn cut_pieces(&mut self, content: &mut Content, start: u64, end: u64) -> FsResult<()> {
        let mut kept = Vec::with_capacity(content.pieces.len().saturating_add(1));
        for piece in std::mem::take(&mut content.pieces) {
            if piece.end() <= start || piece.offset >= end {
                kept.push(piece);
                continue;
            }
            let before = kept.len();
            if piece.offset < start {
                kept.push(Piece { len: start.saturating_sub(piece.offset), ..piece });
            }
            if end < piece.end() {
                let skipped = end.saturating_sub(piece.offset);
                kept.push(Piece {
                    offset: end,
                    len: piece.end().saturating_sub(end),
                    content: piece.content,
                    content_offset: piece.content_offset.saturating_add(skipped),
                });
            }
            match kept.len().saturating_sub(before) {
                0 => self.release_shared(piece.content)?,
                1 => {}
                _ => self.retain_shared(piece.content)?,
            }
        }
        content.pieces = kept;
        Ok(())
    }

    fn shared(&self, content: ContentId) -> FsResult<SharedContent> {
        let record = self.record(&records::id_key(records::SHARED, content.0))?;
        let record = record.ok_or_else(|| FsError::damaged(format!("shared content {} is missing", content.0)))?;
        records::decode_shared(&record)
    }

    /// One more piece refers to a shared content.
    pub fn retain_shared(&mut self, content: ContentId) -> FsResult<()> {
        let mut shared = self.shared(content)?;
        shared.refs = shared.refs.checked_add(1).ok_or(FsError::TooLarge("the number of copies of one content"))?;
        self.batch.put(records::id_key(records::SHARED, content.0), records::encode_shared(&shared));
        Ok(())
    }

    fn release_shared(&mut self, content: ContentId) -> FsResult<()> {
        let mut shared = self.shared(content)?;
        shared.refs = shared.refs.saturating_sub(1);
        let key = records::id_key(records::SHARED, content.0);
        if shared.refs > 0 {
            self.batch.put(key, records::encode_shared(&shared));
            return Ok(());
        }
        self.batch.delete(key);
        self.free_extents(content, 0)
    }

    /// Frees the extents of a content that nobody refers to at or behind `keep`: now when they are few, else by a job.
    fn free_extents(&mut self, content: ContentId, keep: u64) -> FsResult<()> {
        let found = self.extents(content, keep, u64::MAX, FREE_LIMIT + 1)?;
        if found.len() > FREE_LIMIT {
            self.batch.put(records::id_key(records::JOB, content.0), records::encode_job(keep));
            return Ok(());
        }
        for extent in found {
            self.cut_record(Owner::Shared(content), content, &extent, keep, u64::MAX);
        }
        Ok(())
    }

    /// Frees all of a content; it is empty then, and has no OEK.
    pub fn free_content(&mut self, ino: Ino, content: &mut Content) -> FsResult<()> {
        let content = std::mem::take(content);
        for extent in &content.extents {
            self.adjust(Owner::Inode(ino), extent, -1, -i64::from(extent.len));
        }
        if content.spilled {
            self.free_extents(ContentId(content.own), 0)?;
        }
        for piece in content.pieces {
            self.release_shared(piece.content)?;
        }
        self.batch.frees_space();
        Ok(())
    }

    /// Cuts a content off at `size`. Where much would have to be freed, the content is set aside whole as a shared one
    /// of which the file keeps the front, and a job trims it: one small transaction whatever the size.
    pub fn truncate_content(&mut self, inode: &mut Inode, size: u64) -> FsResult<()> {
        self.batch.frees_space();
        if size == 0 {
            let mut content = std::mem::take(&mut inode.content);
            return self.free_content(inode.ino, &mut content);
        }
        if inode.content.spilled {
            let own = ContentId(inode.content.own);
            if self.extents(own, size, u64::MAX, FREE_LIMIT + 1)?.len() > FREE_LIMIT {
                self.set_aside(&mut inode.content, inode.size)?;
                self.cut_pieces(&mut inode.content, size, u64::MAX)?;
                self.batch.put(records::id_key(records::JOB, own.0), records::encode_job(size));
                return Ok(());
            }
        }
        self.cut(inode.ino, &mut inode.content, size, u64::MAX)
    }

    /// Turns own extents into a shared content that the file's pieces refer to. The offsets stay.
    pub fn set_aside(&mut self, content: &mut Content, size: u64) -> FsResult<()> {
        let Some(sealed_oek) = content.sealed_oek else {
            return Ok(());
        };
        if content.extents.is_empty() && !content.spilled {
            return Ok(());
        }
        self.spill(content)?;
        let shared = ContentId(content.own);
        // Pieces fill the gaps between other files' pieces; own extents never lie under those.
        let mut gaps = Vec::new();
        let mut from = 0;
        for piece in &content.pieces {
            gaps.push((from, piece.offset));
            from = piece.end();
        }
        gaps.push((from, size));
        gaps.retain(|(start, end)| start < end);
        if gaps.is_empty() {
            return Ok(());
        }
        let refs = u32::try_from(gaps.len()).map_err(|_| FsError::TooLarge("the number of pieces of a file"))?;
        let fresh = gaps.into_iter().map(|(start, end)| Piece {
            offset: start,
            len: end.saturating_sub(start),
            content: shared,
            content_offset: start,
        });
        content.pieces.extend(fresh);
        content.pieces.sort_by_key(|piece| piece.offset);
        let record = SharedContent { refs, sealed_oek };
        self.batch.put(records::id_key(records::SHARED, shared.0), records::encode_shared(&record));
        content.sealed_oek = None;
        content.spilled = false;
        content.own = 0;
        Ok(())
    }

    /// Does one step of a job; true when it is finished.
    pub fn step_job(&mut self, content: ContentId) -> FsResult<bool> {
        let key = records::id_key(records::JOB, content.0);
        let Some(record) = self.record(&key)? else {
            return Ok(true);
        };
        let keep = records::decode_job(&record)?;
        let found = self.extents(content, keep, u64::MAX, JOB_LIMIT)?;
        let finished = found.len() < JOB_LIMIT;
        for extent in found {
            self.cut_record(Owner::Shared(content), content, &extent, keep, u64::MAX);
        }
        if finished {
            self.batch.delete(key);
        }
        self.batch.frees_space();
        Ok(finished)
    }
}
