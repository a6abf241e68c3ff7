//! The content of one simulated file: what is durable, and what the page cache holds over it.
//!
//! Invariants: bytes of the view behind `len` are zero; a page that is not in `cached` is seen as it is in
//! `durable`, or as zeros. Blocks are shared and copied when written, so that a copy of a content is cheap.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    ops::Range,
    sync::Arc,
};

use nix::errno::Errno;

use super::{
    dice::Dice,
    fate::{CutMood, Fate},
    ranges::PageRanges,
};

/// Unit of loss.
pub(super) const PAGE_BYTES: u64 = PAGE_LEN as u64;
const PAGE_LEN: usize = 4096;
/// Unit that a disk writes whole.
const SECTOR_BYTES: usize = 512;

pub(super) type Block = [u8; PAGE_LEN];

/// A page of the cache. No bytes: zeros, as behind a truncation.
#[derive(Clone, Debug)]
struct CachedPage {
    block: Option<Arc<Block>>,
    /// False after a failed sync: the kernel takes the page for clean, though the disk has other bytes.
    dirty: bool,
}

/// See the module's page.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    len: u64,
    durable_len: u64,
    cached: BTreeMap<u64, CachedPage>,
    durable: BTreeMap<u64, Arc<Block>>,
    allocated: PageRanges,
    durable_allocated: PageRanges,
    unreadable: BTreeSet<u64>,
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Pages that have space of their own.
    pub(super) fn allocated_pages(&self) -> u64 {
        self.allocated.count()
    }

    /// The pages of `offset..offset + len` that have no space yet.
    pub(super) fn unallocated(&self, offset: u64, len: u64) -> Vec<Range<u64>> {
        if len == 0 {
            return Vec::new();
        }
        self.allocated.gaps(offset / PAGE_BYTES..(offset + len).div_ceil(PAGE_BYTES))
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` behind the end; EIO for an unreadable page that the cache does not hold.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if !buf.is_empty() && offset.saturating_add(buf.len() as u64) > self.len {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut left = buf;
        let mut at = offset;
        while !left.is_empty() {
            let (page, within, take) = place(at, left.len());
            let (head, rest) = left.split_at_mut(take);
            if self.unreadable.contains(&page) && !self.cached.contains_key(&page) {
                return Err(Errno::EIO.into());
            }
            match self.view(page).and_then(|block| block.get(within..within + take)) {
                Some(bytes) => head.copy_from_slice(bytes),
                None => head.fill(0),
            }
            left = rest;
            at += take as u64;
        }
        Ok(())
    }

    /// Writes into the cache. With `writeback`, a page that is dirty already may become durable as it is first, as
    /// when the kernel's flusher comes between two writes.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], mut writeback: Option<&mut Dice>) {
        let mut left = bytes;
        let mut at = offset;
        while !left.is_empty() {
            let (page, within, take) = place(at, left.len());
            let (head, rest) = left.split_at(take);
            if let Some(dice) = &mut writeback
                && self.cached.get(&page).is_some_and(|cached| cached.dirty)
                && dice.percent(25)
            {
                self.make_durable(page, self.view(page).cloned());
            }
            if let Some(target) = Arc::make_mut(self.dirty_block(page)).get_mut(within..within + take) {
                target.copy_from_slice(head);
            }
            left = rest;
            at += take as u64;
        }
        if !bytes.is_empty() {
            self.allocated.insert(offset / PAGE_BYTES..at.div_ceil(PAGE_BYTES));
            self.len = self.len.max(at);
        }
    }

    /// `fallocate` mode 0.
    pub(super) fn allocate(&mut self, offset: u64, len: u64) {
        let end = offset + len;
        self.allocated.insert(offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
        self.len = self.len.max(end);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            let first_gone = len.div_ceil(PAGE_BYTES);
            self.cached.split_off(&first_gone);
            for page in self.durable.range(first_gone..).map(|(page, _)| *page) {
                self.cached.insert(page, CachedPage { block: None, dirty: true });
            }
            self.zero_tail(len);
            self.allocated.truncate(first_gone);
        }
        self.len = len;
    }

    /// Makes everything dirty durable.
    pub(super) fn sync(&mut self) {
        for (page, cached) in std::mem::take(&mut self.cached) {
            if cached.dirty {
                self.make_durable(page, cached.block);
            } else {
                self.cached.insert(page, cached);
            }
        }
        self.durable_len = self.len;
        self.durable_allocated = self.allocated.clone();
    }

    /// A sync that fails: some pages made it, whole or in part, and the kernel takes all of them for clean.
    pub(super) fn fail_sync(&mut self, dice: &mut Dice) {
        for (page, cached) in std::mem::take(&mut self.cached) {
            let Some(block) = cached.block.as_ref().filter(|_| cached.dirty) else {
                self.cached.insert(page, cached);
                continue;
            };
            let fate = CutMood::Thirds.page(dice, 0, 0);
            self.meet_fate(page, Some(block), fate, dice);
            if fate != Fate::Kept {
                self.cached.insert(page, CachedPage { dirty: false, ..cached });
            }
        }
    }

    /// Drops clean pages of the cache.
    pub(super) fn forget_cache(&mut self) {
        self.cached.retain(|_, page| page.dirty);
    }

    /// What is found after a power cut.
    pub(super) fn cut(&self, mood: CutMood, dice: &mut Dice) -> Self {
        let mut found = Self { cached: BTreeMap::new(), ..self.clone() };
        let dirty = self.cached.iter().filter(|(_, page)| page.dirty);
        let prefix = dice.below(dirty.clone().count() as u64 + 1);
        for (nth, (page, cached)) in dirty.enumerate() {
            let fate = mood.page(dice, nth as u64, prefix);
            found.meet_fate(*page, cached.block.as_ref(), fate, dice);
        }
        found.len = self.found_len(mood, dice);
        found.allocated = self.durable_allocated.clone();
        if mood.keeps_change(dice) {
            found.allocated.union(&self.allocated);
        }
        found.settle();
        found
    }

    /// The view, as bytes. Unreadable pages are no obstacle: this is for whoever examines the disk.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(self.len).unwrap_or(0)];
        for (page, buf) in bytes.chunks_mut(PAGE_LEN).enumerate() {
            if let Some(found) = self.view(page as u64).and_then(|block| block.get(..buf.len())) {
                buf.copy_from_slice(found);
            }
        }
        bytes
    }

    /// One byte of the view; none behind the end.
    pub(super) fn byte(&self, at: u64) -> Option<u8> {
        let (page, within, _) = place(at, 1);
        let found = self.view(page).map_or(Some(0), |block| block.get(within).copied());
        found.filter(|_| at < self.len)
    }

    /// Whether a power cut changes nothing.
    pub(super) fn is_settled(&self) -> bool {
        self.cached.is_empty() && self.len == self.durable_len && self.allocated == self.durable_allocated
    }

    /// The same view with everything durable, and every page readable.
    pub(super) fn settled(&self) -> Self {
        let mut settled = self.clone();
        for cached in settled.cached.values_mut() {
            cached.dirty = true;
        }
        settled.sync();
        settled.settle();
        settled.unreadable.clear();
        settled
    }

    /// Overwrites bytes on the disk and in the cache alike, beneath all rules; extends the file durably.
    pub(super) fn patch(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        for page in offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES) {
            // Byte by byte, since a page may have different bytes in the two places.
            let from = (page * PAGE_BYTES).max(offset);
            let (_, within, take) = place(from, bytes.len());
            let start = usize::try_from(from - offset).unwrap_or(usize::MAX);
            let Some(part) = bytes.get(start..bytes.len().min(start.saturating_add(take))) else { continue };
            let put = |block: &mut Arc<Block>| {
                if let Some(target) = Arc::make_mut(block).get_mut(within..within + part.len()) {
                    target.copy_from_slice(part);
                }
            };
            put(self.durable.entry(page).or_insert_with(zero_block));
            if let Some(cached) = self.cached.get_mut(&page) {
                put(cached.block.get_or_insert_with(zero_block));
            }
        }
        let pages = offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES);
        self.allocated.insert(pages.clone());
        self.durable_allocated.insert(pages);
        self.len = self.len.max(end);
        self.durable_len = self.durable_len.max(end);
    }

    pub(super) fn make_unreadable(&mut self, page: u64) {
        self.unreadable.insert(page);
    }

    fn view(&self, page: u64) -> Option<&Arc<Block>> {
        match self.cached.get(&page) {
            Some(cached) => cached.block.as_ref(),
            None => self.durable.get(&page),
        }
    }

    /// The page as a dirty one of the cache, to write into.
    fn dirty_block(&mut self, page: u64) -> &mut Arc<Block> {
        let cached = self
            .cached
            .entry(page)
            .or_insert_with(|| CachedPage { block: self.durable.get(&page).cloned(), dirty: true });
        cached.dirty = true;
        cached.block.get_or_insert_with(zero_block)
    }

    /// A written page is readable again: the drive maps the sector elsewhere.
    fn make_durable(&mut self, page: u64, block: Option<Arc<Block>>) {
        self.unreadable.remove(&page);
        match block {
            Some(block) => self.durable.insert(page, block),
            None => self.durable.remove(&page),
        };
    }

    fn meet_fate(&mut self, page: u64, block: Option<&Arc<Block>>, fate: Fate, dice: &mut Dice) {
        match fate {
            Fate::Lost => {}
            Fate::Kept => self.make_durable(page, block.cloned()),
            Fate::Torn => {
                let mut torn = self.durable.get(&page).cloned().unwrap_or_else(zero_block);
                let new = block.cloned().unwrap_or_else(zero_block);
                let old_sectors = Arc::make_mut(&mut torn).chunks_mut(SECTOR_BYTES);
                for (old, new) in old_sectors.zip(new.chunks(SECTOR_BYTES)) {
                    if dice.percent(50) {
                        old.copy_from_slice(new);
                    }
                }
                self.make_durable(page, Some(torn));
            }
        }
    }

    /// A file that grew may be found at any page between, since lengths follow the pages as they are written back.
    fn found_len(&self, mood: CutMood, dice: &mut Dice) -> u64 {
        if !mood.keeps_change(dice) {
            return self.durable_len;
        }
        let between = self.len.saturating_sub(self.durable_len) / PAGE_BYTES;
        if mood != CutMood::AllKept && between > 0 && dice.percent(33) {
            let page = self.durable_len / PAGE_BYTES + 1 + dice.below(between);
            return (page * PAGE_BYTES).min(self.len);
        }
        self.len
    }

    /// Cuts off what lies behind the length, when there is no cache over it.
    fn settle(&mut self) {
        let first_gone = self.len.div_ceil(PAGE_BYTES);
        self.durable.split_off(&first_gone);
        self.unreadable.split_off(&first_gone);
        self.allocated.truncate(first_gone);
        for page in self.durable.keys() {
            self.allocated.insert(*page..*page + 1);
        }
        let (page, within, _) = place(self.len, 0);
        if let Some(tail) = self.durable.get_mut(&page).and_then(|block| Arc::make_mut(block).get_mut(within..)) {
            tail.fill(0);
        }
        self.durable_len = self.len;
        self.durable_allocated = self.allocated.clone();
    }

    /// Zeros in the cache what the page of a new end holds behind it.
    fn zero_tail(&mut self, len: u64) {
        let (page, within, _) = place(len, 0);
        let holds_more =
            |block: &Arc<Block>| block.get(within..).is_some_and(|tail| tail.iter().any(|byte| *byte != 0));
        if within > 0
            && self.view(page).is_some_and(holds_more)
            && let Some(tail) = Arc::make_mut(self.dirty_block(page)).get_mut(within..)
        {
            tail.fill(0);
        }
    }
}

fn zero_block() -> Arc<Block> {
    Arc::new([0; PAGE_LEN])
}

/// Page of byte `at`, position within it, and how many of `len` bytes lie in that page.
fn place(at: u64, len: usize) -> (u64, usize, usize) {
    let within = usize::try_from(at % PAGE_BYTES).unwrap_or(0);
    (at / PAGE_BYTES, within, len.min(PAGE_LEN - within))
}
