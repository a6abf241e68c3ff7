//! Reads every byte of a table and says what is wrong: for fsck and scrub.

use super::{
    BLOCKS_OFFSET, FOOTERS_LEN, PAGE_LEN,
    footer::Footer,
    header::TableHeader,
    index::{Partition, decode_top},
    table_path,
};
use crate::{
    crypt::TAG_LEN_BYTES,
    disk::{Disk, DiskFile},
    tree::{
        TreeError,
        block::{
            BLOCK_ALIGN, BLOCK_HEADER_LEN, BlockCursor, BlockFrame, BlockHandle, BlockKind, DataBlock, open_block,
        },
        bloom,
        meta::TableMeta,
        sealing::{TableKey, TableKeys},
    },
};
use std::{ops::Range, sync::Arc};

/// Something wrong in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The bytes concerned.
    pub bytes: Range<u64>,
    /// Whether entries are lost; else a copy, or an index built anew, serves in place of these bytes.
    pub loses_entries: bool,
    /// What was expected and not found.
    pub what: &'static str,
}

/// The outcome of reading a whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReport {
    /// What is wrong, in the order of the file; empty for a sound table.
    pub findings: Vec<Finding>,
    /// Bytes that nothing depends on (padding, second copies). They are checked too.
    pub dead: Vec<Range<u64>>,
    /// Entries read.
    pub entries: u64,
    /// Blocks read.
    pub blocks: u32,
}

/// Reads every byte of a table and checks it: each lies under a MAC or a tag, in a checked header or footer, or in
/// padding that must be zero.
///
/// # Errors
/// `Locked` or `Key` when the file's key cannot be had; `Io` when the file cannot be opened. What is wrong in the file
/// itself is in the report.
pub fn verify_table(
    disk: &dyn Disk,
    dir: &str,
    meta: &TableMeta,
    keys: &dyn TableKeys,
) -> Result<TableReport, TreeError> {
    let path = table_path(dir, meta.file_number);
    let file = disk.open_read(&path).map_err(|e| TreeError::io("open", &path, e))?;
    let key = TableKey::new(keys.open_file_key(meta.file_id, &meta.sealed_key)?)?;
    let len = file.len().map_err(|e| TreeError::io("stat", &path, e))?;
    let mut walk = Walk { file, key, meta, report: TableReport::default(), data: Vec::new(), hashes: Vec::new() };
    if len != meta.len {
        walk.find(len.min(meta.len)..len.max(meta.len), false, "the length is not the manifest's");
    }
    if meta.len < BLOCKS_OFFSET + FOOTERS_LEN {
        walk.find(0..meta.len, true, "the table is shorter than its frame");
        return Ok(walk.report);
    }
    walk.headers();
    let top = walk.blocks();
    walk.footers(top);
    if walk.report.entries != meta.entry_count {
        walk.find(0..meta.len, true, "entries are missing");
    } else {
        // The manifest's count decides: every block that could not be found by its header was an index.
        walk.report.findings.iter_mut().for_each(|finding| finding.loses_entries = false);
    }
    Ok(walk.report)
}

/// What a partition must say of a data block.
struct Seen {
    handle: BlockHandle,
    first: (Vec<u8>, u64),
}

struct Walk<'a> {
    file: Arc<dyn DiskFile>,
    key: TableKey,
    meta: &'a TableMeta,
    report: TableReport,
    /// Data blocks since the last partition.
    data: Vec<Seen>,
    /// Hashes of their keys.
    hashes: Vec<u64>,
}

impl Walk<'_> {
    fn find(&mut self, bytes: Range<u64>, loses_entries: bool, what: &'static str) {
        self.report.findings.push(Finding { bytes, loses_entries, what });
    }

    fn read(&self, bytes: &Range<u64>) -> Option<Vec<u8>> {
        let mut buffer = vec![0; usize::try_from(bytes.end.checked_sub(bytes.start)?).ok()?];
        self.file.read_at(bytes.start, &mut buffer).is_ok().then_some(buffer)
    }

    fn page(&self, start: u64) -> (Range<u64>, Option<Vec<u8>>) {
        let range = start..start + PAGE_LEN as u64;
        let bytes = self.read(&range);
        (range, bytes)
    }

    fn headers(&mut self) {
        for copy in 0..2 {
            let (range, page) = self.page(copy * PAGE_LEN as u64);
            let header = page.and_then(|page| TableHeader::decode(&page).ok());
            let good = header.is_some_and(|header| {
                header.file_id == self.meta.file_id
                    && header.number == self.meta.file_number
                    && header.has_mac(&self.key)
            });
            if !good {
                self.find(range.clone(), false, "a copy of the header is damaged");
            }
            if copy == 1 {
                self.report.dead.push(range);
            }
        }
    }

    /// Walks all blocks; returns the top if it was met.
    fn blocks(&mut self) -> Option<BlockHandle> {
        let end = self.meta.len - FOOTERS_LEN;
        let mut at = BLOCKS_OFFSET;
        let mut index = 0;
        let mut top = None;
        while top.is_none() && at < end {
            let header = self.frame(at, end);
            let Some((frame, handle)) = header else {
                let next = self.next_header(at + BLOCK_ALIGN, end);
                // The header may be damaged alone: the block itself still opens at its index.
                let loses = !self.opens_without_header(at, next, index);
                self.find(at..next, loses, "a block cannot be found by its header");
                at = next;
                index += 1;
                continue;
            };
            if frame.index != index {
                let what = "a block is missing before this one";
                self.find(at..at + BLOCK_HEADER_LEN as u64, true, what);
                index = frame.index;
            }
            self.block(&frame, handle);
            self.padding(handle.offset + BLOCK_HEADER_LEN as u64 + u64::from(handle.sealed_len)..handle.end());
            if frame.kind == BlockKind::Top {
                top = Some(handle);
            }
            index = index.saturating_add(1);
            at = handle.end();
        }
        if top.is_none() {
            self.find(at..end, false, "the top block is missing");
        } else {
            self.padding(at..end);
        }
        top
    }

    fn frame(&self, at: u64, end: u64) -> Option<(BlockFrame, BlockHandle)> {
        let bytes = self.read(&(at..at + BLOCK_HEADER_LEN as u64))?;
        let frame = BlockFrame::decode(self.meta.file_id, &bytes).ok()?;
        let handle = BlockHandle { offset: at, sealed_len: frame.sealed_len, index: frame.index };
        (handle.end() <= end).then_some((frame, handle))
    }

    fn next_header(&self, from: u64, end: u64) -> u64 {
        let mut at = from;
        while at < end && self.frame(at, end).is_none() {
            at += BLOCK_ALIGN;
        }
        at.min(end)
    }

    /// Whether the bytes behind a damaged header open as block `index` at one of the lengths that they may have.
    fn opens_without_header(&mut self, at: u64, next: u64, index: u32) -> bool {
        let Some(bytes) = self.read(&(at + BLOCK_HEADER_LEN as u64..next)) else { return false };
        let shortest = bytes.len().saturating_sub(usize::try_from(BLOCK_ALIGN).unwrap_or(64)).max(TAG_LEN_BYTES);
        for len in (shortest..=bytes.len()).rev() {
            for kind in [BlockKind::Data, BlockKind::Partition, BlockKind::Top] {
                let sealed = bytes.get(..len).unwrap_or_default();
                if let Ok(plain) = open_block(&self.key, self.meta.file_id, kind, index, sealed) {
                    let sealed_len = u32::try_from(len).unwrap_or(u32::MAX);
                    self.contents(kind, BlockHandle { offset: at, sealed_len, index }, plain);
                    return true;
                }
            }
        }
        false
    }

    fn block(&mut self, frame: &BlockFrame, handle: BlockHandle) {
        let range = handle.offset..handle.end();
        let start = handle.offset + BLOCK_HEADER_LEN as u64;
        let loses = frame.kind == BlockKind::Data;
        let Some(sealed) = self.read(&(start..start + u64::from(handle.sealed_len))) else {
            return self.find(range, loses, "the disk cannot read a block");
        };
        if crc32c::crc32c(&sealed) != frame.crc {
            self.find(range.clone(), false, "a block fails its checksum");
        }
        if frame.kind == BlockKind::Top && sealed.last_chunk::<TAG_LEN_BYTES>() != Some(&self.meta.tag) {
            self.find(range.clone(), false, "the top block is not the one that the manifest names");
        }
        match open_block(&self.key, self.meta.file_id, frame.kind, handle.index, &sealed) {
            Ok(plain) => self.contents(frame.kind, handle, plain),
            Err(_) => self.find(range, loses, "a block does not open"),
        }
    }

    /// Checks what an opened block says.
    fn contents(&mut self, kind: BlockKind, handle: BlockHandle, plain: Vec<u8>) {
        self.report.blocks += 1;
        let good = match kind {
            BlockKind::Data => self.data_block(handle, plain),
            BlockKind::Partition => self.partition(plain),
            BlockKind::Top => decode_top(&plain).map(|_| true),
        };
        match good {
            Ok(true) => {}
            Ok(false) => self.find(handle.offset..handle.end(), false, "an index block contradicts the blocks"),
            Err(_) => self.find(handle.offset..handle.end(), kind == BlockKind::Data, "a block is malformed"),
        }
    }

    fn data_block(&mut self, handle: BlockHandle, plain: Vec<u8>) -> Result<bool, TreeError> {
        let mut cursor = BlockCursor::first(DataBlock::parse(plain)?)?;
        let mut previous: Option<(Vec<u8>, u64)> = None;
        while let Some(key) = cursor.key() {
            if let Some((user, seq)) = &previous
                && (crate::tree::entry::KeyRef { user, seq: *seq }) >= key
            {
                return Err(TreeError::Malformed("entries are out of order"));
            }
            if previous.is_none() {
                self.data.push(Seen { handle, first: (key.user.to_vec(), key.seq) });
            }
            if !self.meta.covers(key.user) || key.seq > self.meta.max_seq {
                return Err(TreeError::Malformed("an entry is out of the table's range"));
            }
            self.hashes.push(bloom::hash(key.user));
            self.report.entries += 1;
            previous = Some((key.user.to_vec(), key.seq));
            cursor.advance()?;
        }
        Ok(true)
    }

    /// Whether a partition names the blocks that were read since the one before it, and its filter their keys. Blocks
    /// that are damaged have been reported, and are not missed again.
    fn partition(&mut self, plain: Vec<u8>) -> Result<bool, TreeError> {
        let partition = Partition::parse(plain)?;
        let data = std::mem::take(&mut self.data);
        let hashes = std::mem::take(&mut self.hashes);
        let named = data.iter().all(|seen| {
            let key = crate::tree::entry::KeyRef { user: &seen.first.0, seq: seen.first.1 };
            partition.handle(partition.find(key)) == Some(seen.handle)
        });
        Ok(named && hashes.iter().all(|hash| partition.may_contain(*hash)))
    }

    fn padding(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if self.read(&range).is_none_or(|bytes| bytes.iter().any(|byte| *byte != 0)) {
            self.find(range.clone(), false, "padding is not zero");
        }
        self.report.dead.push(range);
    }

    fn footers(&mut self, top: Option<BlockHandle>) {
        for copy in 0..2 {
            let (range, page) = self.page(self.meta.len - FOOTERS_LEN + copy * PAGE_LEN as u64);
            let footer = page.and_then(|page| Footer::decode(self.meta.file_id, &page).ok());
            let good = footer
                .is_some_and(|footer| footer.file_len == self.meta.len && top.is_none_or(|top| footer.top == top));
            if !good {
                self.find(range.clone(), false, "a copy of the footer is damaged");
            }
            if copy == 1 {
                self.report.dead.push(range);
            }
        }
    }
}
