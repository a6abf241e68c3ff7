//! Builds an index anew from data blocks, when the one in the file cannot be read.
//!
//! What is found is as trustworthy as the index was: a block opens only under this file's key and at its own index, so
//! that blocks cannot be exchanged or doubled, and the manifest's count of entries tells whether all were found. Where
//! one is missing, a place-holder covers the keys that it may have held, so that they give `Damaged` and not "absent".

use super::{
    BLOCKS_OFFSET, FOOTERS_LEN, PAGE_LEN, Table,
    index::{Partition, TopEntry, separator_between},
};
use crate::tree::{
    TreeError,
    block::{BLOCK_ALIGN, BLOCK_HEADER_LEN, BlockCursor, BlockFrame, BlockHandle, BlockKind, DataBlock},
    entry::KeyRef,
    sealing::TableKey,
};
use std::collections::BTreeMap;

/// Bytes of the file searched for headers at a time.
const WINDOW_LEN: usize = 64 * 1024;

/// A table and its key, to search.
pub(super) struct Scan<'a> {
    pub(super) table: &'a Table,
    pub(super) key: &'a TableKey,
}

/// A block that was found and opened.
enum Found {
    Data { handle: BlockHandle, first: (Vec<u8>, u64), last: (Vec<u8>, u64), entries: u64 },
    Other,
}

/// The index of a whole table.
pub(super) fn rebuild_table(scan: &Scan<'_>) -> Result<(TopEntry, Partition), TreeError> {
    let meta = &scan.table.meta;
    let found = scan.blocks(BLOCKS_OFFSET, meta.len.saturating_sub(FOOTERS_LEN))?;
    let partition = lay_out(&found, (&[], u64::MAX), 0, None, meta.entry_count, Some(&meta.largest))?;
    let top = TopEntry {
        user: Vec::new(),
        seq: u64::MAX,
        handle: BlockHandle::LOST,
        data_offset: BLOCKS_OFFSET,
        first_index: 0,
        entry_count: meta.entry_count,
    };
    Ok((top, partition))
}

/// The index of one partition's data blocks.
pub(super) fn rebuild_partition(scan: &Scan<'_>, entry: &TopEntry) -> Result<Partition, TreeError> {
    let found = scan.blocks(entry.data_offset, entry.handle.offset)?;
    let end = Some(entry.handle.index);
    lay_out(&found, (&entry.user, entry.seq), entry.first_index, end, entry.entry_count, None)
}

/// Separators for the blocks found, and place-holders where some are missing.
///
/// `start` is a separator before all of them, `first_index` the index of the first block, `end_index` that behind the
/// last where known, else `largest` is the greatest user key.
fn lay_out(
    found: &BTreeMap<u32, Found>,
    start: (&[u8], u64),
    first_index: u32,
    end_index: Option<u32>,
    expected: u64,
    largest: Option<&[u8]>,
) -> Result<Partition, TreeError> {
    let counted: u64 =
        found.values().map(|block| if let Found::Data { entries, .. } = block { *entries } else { 0 }).sum();
    let complete = counted == expected;
    let mut slots: Vec<(Vec<u8>, u64, BlockHandle)> = Vec::with_capacity(found.len());
    let mut previous: Option<&(Vec<u8>, u64)> = None;
    let mut next_index = first_index;
    let mut gap = false;
    let mut gaps = 0;
    let lost = |previous: Option<&(Vec<u8>, u64)>| {
        let (user, seq) = previous.map_or((start.0.to_vec(), start.1), successor);
        (user, seq, BlockHandle::LOST)
    };
    for (index, block) in found {
        gap |= !complete && *index > next_index;
        next_index = index.saturating_add(1);
        let Found::Data { handle, first, last, .. } = block else { continue };
        let key = KeyRef { user: &first.0, seq: first.1 };
        if gap {
            slots.push(lost(previous));
            slots.push((key.user.to_vec(), key.seq, *handle));
            gaps += 1;
        } else {
            let separator = separator_between(previous.map(|(user, _)| user.as_slice()), key);
            slots.push((separator.user.to_vec(), separator.seq, *handle));
        }
        gap = false;
        previous = Some(last);
    }
    let tail_lost = match end_index {
        Some(end) => gap || next_index < end,
        None => gap || gaps == 0 || previous.is_none_or(|(user, _)| Some(user.as_slice()) < largest),
    };
    if !complete && tail_lost {
        slots.push(lost(previous));
    }
    Partition::rebuilt(&slots)
}

/// The least internal key behind this one.
fn successor((user, seq): &(Vec<u8>, u64)) -> (Vec<u8>, u64) {
    match seq.checked_sub(1) {
        Some(seq) => (user.clone(), seq),
        None => ([user.as_slice(), &[0]].concat(), u64::MAX),
    }
}

impl Scan<'_> {
    /// All blocks between two offsets that open, by index.
    fn blocks(&self, from: u64, to: u64) -> Result<BTreeMap<u32, Found>, TreeError> {
        let mut found = BTreeMap::new();
        let mut window = Window::default();
        let mut at = from.next_multiple_of(BLOCK_ALIGN);
        while at + BLOCK_HEADER_LEN as u64 <= to {
            let frame = match window.header(self.table, at, to)? {
                Some(bytes) => BlockFrame::decode(self.table.meta.file_id, bytes).ok(),
                None => None,
            };
            if let Some(frame) = frame
                && let handle = (BlockHandle { offset: at, sealed_len: frame.sealed_len, index: frame.index })
                && handle.end() <= to
                && let Some(block) = self.open(frame.kind, handle)?
            {
                found.entry(frame.index).or_insert(block);
                at = handle.end();
            } else {
                at += BLOCK_ALIGN;
            }
        }
        Ok(found)
    }

    /// The block at a place where a header points to one, if it is one.
    fn open(&self, kind: BlockKind, handle: BlockHandle) -> Result<Option<Found>, TreeError> {
        let plain = match self.table.read_block(self.key, kind, handle) {
            Ok(plain) => plain,
            Err(error) if error.is_damage() => return Ok(None),
            Err(error) => return Err(error),
        };
        if kind != BlockKind::Data {
            return Ok(Some(Found::Other));
        }
        Ok(ends_of(plain).ok().flatten().map(|(first, last, entries)| Found::Data { handle, first, last, entries }))
    }
}

/// An internal key, owned.
type OwnedKey = (Vec<u8>, u64);

/// First and last key of a data block, and its number of entries.
fn ends_of(plain: Vec<u8>) -> Result<Option<(OwnedKey, OwnedKey, u64)>, TreeError> {
    let mut cursor = BlockCursor::first(DataBlock::parse(plain)?)?;
    let Some(first) = cursor.key().map(|key| (key.user.to_vec(), key.seq)) else { return Ok(None) };
    let mut last = first.clone();
    let mut entries = 0;
    while let Some(key) = cursor.key() {
        last.0.clear();
        last.0.extend_from_slice(key.user);
        last.1 = key.seq;
        entries += 1;
        cursor.advance()?;
    }
    Ok(Some((first, last, entries)))
}

/// The part of the file that is searched; parts that the disk cannot read are told from others page by page.
#[derive(Default)]
struct Window {
    start: u64,
    bytes: Vec<u8>,
    /// Which pages of `bytes` could be read.
    readable: Vec<bool>,
}

impl Window {
    /// The bytes of a header at `at`, if they can be read.
    fn header(&mut self, table: &Table, at: u64, to: u64) -> Result<Option<&[u8]>, TreeError> {
        if at < self.start || at + BLOCK_HEADER_LEN as u64 > self.start + self.bytes.len() as u64 {
            self.fill(table, at, to)?;
        }
        let offset = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        // A header never crosses a page: it is 32 bytes at a multiple of 64.
        if !self.readable.get(offset / PAGE_LEN).is_some_and(|readable| *readable) {
            return Ok(None);
        }
        Ok(self.bytes.get(offset..offset + BLOCK_HEADER_LEN))
    }

    fn fill(&mut self, table: &Table, at: u64, to: u64) -> Result<(), TreeError> {
        self.start = at - at % PAGE_LEN as u64;
        let len = usize::try_from(to - self.start).unwrap_or(WINDOW_LEN).min(WINDOW_LEN);
        self.bytes.clear();
        self.bytes.resize(len, 0);
        self.readable = vec![true; len.div_ceil(PAGE_LEN)];
        if table.read_raw(self.start, &mut self.bytes)? {
            return Ok(());
        }
        let mut page_at = self.start;
        for (page, readable) in self.bytes.chunks_mut(PAGE_LEN).zip(&mut self.readable) {
            *readable = table.read_raw(page_at, page)?;
            page_at += page.len() as u64;
        }
        Ok(())
    }
}
