//! An open table: finding and reading its blocks.

use super::{
    BLOCKS_OFFSET, FOOTERS_LEN, PAGE_LEN,
    footer::Footer,
    index::{Partition, TopEntry, decode_top},
    rebuild::{Scan, rebuild_partition, rebuild_table},
    table_path,
};
use crate::{
    crypt::TAG_LEN_BYTES,
    disk::{Disk, DiskFile},
    tree::{
        TreeError,
        block::{BLOCK_HEADER_LEN, BlockCursor, BlockHandle, BlockKind, DataBlock, open_block},
        bloom,
        cache::{BlockCache, Opened},
        entry::KeyRef,
        file_cache::FileCache,
        meta::TableMeta,
        sealing::{TableKey, TableKeys},
    },
};
use bytes::Bytes;
use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Read at once from the end of a table: both footers and, nearly always, the top.
const TAIL_LEN: u64 = 16 * 1024;
/// The error number of an unreadable sector.
const EIO: i32 = 5;

/// What a reader of a whole table does about a damaged block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// Stops with the error.
    Fail,
    /// Goes on behind the block and counts it: what a person accepted as lost.
    Skip,
}

/// What all tables of a tree share.
pub struct TableContext {
    pub(in crate::tree) disk: Arc<dyn Disk>,
    pub(in crate::tree) dir: String,
    pub(in crate::tree) cache: Arc<BlockCache>,
    pub(in crate::tree) files: Arc<FileCache>,
    pub(in crate::tree) keys: Arc<dyn TableKeys>,
    /// Set when the bucket is locked: nothing is read any more.
    pub(in crate::tree) locked: AtomicBool,
}

/// The part of a table that is in memory while it is used.
struct Loaded {
    key: TableKey,
    top: Vec<TopEntry>,
    /// Partitions that could not be read, built anew, by place in `top`.
    rebuilt: Mutex<HashMap<usize, Arc<Partition>>>,
}

/// Whether blocks read stay in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tree) enum Keep {
    /// For readers of single keys and ranges.
    Cached,
    /// For compaction, which reads each block once.
    Streaming,
}

/// A table of a version. Opened at its first use; costs no descriptor by itself.
pub struct Table {
    pub(in crate::tree) meta: TableMeta,
    context: Arc<TableContext>,
    path: String,
    /// Shared with the same file at other levels, in older versions: tells, too, whether they are still read.
    loaded: Arc<RwLock<Option<Arc<Loaded>>>>,
    /// Set when a compaction met damage here, so that the table is not picked again and again.
    pub(in crate::tree) damaged: AtomicBool,
}

impl Table {
    pub(in crate::tree) fn new(meta: TableMeta, context: Arc<TableContext>) -> Self {
        let path = table_path(&context.dir, meta.file_number);
        Self { meta, context, path, loaded: Arc::default(), damaged: AtomicBool::new(false) }
    }

    /// The same file at another level.
    pub(in crate::tree) fn moved(&self, meta: TableMeta) -> Self {
        debug_assert_eq!(self.meta.file_id, meta.file_id);
        let loaded = Arc::clone(&self.loaded);
        Self {
            meta,
            context: Arc::clone(&self.context),
            path: self.path.clone(),
            loaded,
            damaged: AtomicBool::new(false),
        }
    }

    /// Whether nobody but the holder of `this` can read the file: no version has it, at this level or another.
    pub(in crate::tree) fn is_unused(this: &Arc<Self>) -> bool {
        Arc::strong_count(this) == 1 && Arc::strong_count(&this.loaded) == 1
    }

    /// Drops the key and everything that was read; the next use needs the key again.
    pub(in crate::tree) fn unload(&self) {
        let loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(loaded);
    }

    /// The error for a place in this table.
    pub(super) fn damage(&self, block: u32, offset: u64, what: &'static str) -> TreeError {
        TreeError::Damaged { table: self.meta.file_number, block, offset, what }
    }

    fn file(&self) -> Result<Arc<dyn DiskFile>, TreeError> {
        match self.context.files.open(self.context.disk.as_ref(), self.meta.file_id, &self.path) {
            Err(TreeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(self.damage(u32::MAX, 0, "the file is missing"))
            }
            other => other,
        }
    }

    /// Reads bytes that must be there; an unreadable sector is damage of whatever lies in it.
    fn read(&self, block: u32, offset: u64, buffer: &mut [u8]) -> Result<(), TreeError> {
        self.file()?.read_at(offset, buffer).map_err(|e| {
            if e.kind() == io::ErrorKind::UnexpectedEof {
                self.damage(block, offset, "the file ends early")
            } else if e.raw_os_error() == Some(EIO) {
                self.damage(block, offset, "the disk cannot read it")
            } else {
                TreeError::io("read", &self.path, e)
            }
        })
    }

    fn loaded(&self) -> Result<Arc<Loaded>, TreeError> {
        if self.context.locked.load(Ordering::Acquire) {
            return Err(TreeError::Locked);
        }
        if let Some(loaded) = self.loaded.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let mut place = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = place.as_ref() {
            return Ok(Arc::clone(loaded));
        }
        let key = TableKey::new(self.context.keys.open_file_key(self.meta.file_id, &self.meta.sealed_key)?)?;
        let loaded = match self.load_top(&key) {
            Ok(top) => Loaded { key, top, rebuilt: Mutex::default() },
            Err(error) if error.is_damage() => {
                tracing::warn!(table = self.meta.file_number, %error, "the index of a table is lost and is built anew");
                let (top, partition) = rebuild_table(&self.scan(&key))?;
                Loaded { key, top: vec![top], rebuilt: Mutex::new(HashMap::from([(0, Arc::new(partition))])) }
            }
            Err(error) => return Err(error),
        };
        let loaded = Arc::new(loaded);
        // A lock that came meanwhile has looked for loaded tables already.
        if self.context.locked.load(Ordering::Acquire) {
            return Err(TreeError::Locked);
        }
        *place = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    fn load_top(&self, key: &TableKey) -> Result<Vec<TopEntry>, TreeError> {
        let len = self.meta.len;
        if len < BLOCKS_OFFSET + FOOTERS_LEN || !len.is_multiple_of(PAGE_LEN as u64) {
            return Err(self.damage(u32::MAX, 0, "the length is impossible"));
        }
        let tail_at = len.saturating_sub(TAIL_LEN);
        let mut tail = vec![0; usize::try_from(len - tail_at).unwrap_or_default()];
        let whole = self.read(u32::MAX, tail_at, &mut tail).is_ok();
        let footer = self.footer(whole.then_some(&tail))?;
        let top = footer.top;
        let at = usize::try_from(top.offset.saturating_sub(tail_at)).unwrap_or(usize::MAX);
        let at = at.saturating_add(BLOCK_HEADER_LEN);
        let sealed_len = usize::try_from(top.sealed_len).unwrap_or(usize::MAX);
        let in_tail = if whole && top.offset >= tail_at { tail.get(at..at.saturating_add(sealed_len)) } else { None };
        let plain = match in_tail {
            Some(sealed) => self.open_sealed(key, BlockKind::Top, top, sealed)?,
            None => self.read_block(key, BlockKind::Top, top)?,
        };
        let entries = decode_top(&plain).map_err(|error| self.located(top, error))?;
        let blocks_end = len - FOOTERS_LEN;
        let inside = entries.iter().all(|entry| entry.data_offset >= BLOCKS_OFFSET && entry.handle.end() <= blocks_end);
        let total = entries.iter().try_fold(0u64, |sum, entry| sum.checked_add(entry.entry_count));
        if !inside || total != Some(self.meta.entry_count) {
            return Err(self.damage(top.index, top.offset, "the top block contradicts the manifest"));
        }
        Ok(entries)
    }

    /// Either copy of the footer, from the tail when that could be read.
    fn footer(&self, tail: Option<&Vec<u8>>) -> Result<Footer, TreeError> {
        for copy in 1..=2u64 {
            let back = copy * PAGE_LEN as u64;
            let mut page = vec![0; PAGE_LEN];
            let start = tail.and_then(|tail| tail.len().checked_sub(usize::try_from(back).unwrap_or(usize::MAX)));
            match tail.zip(start).and_then(|(tail, start)| tail.get(start..start + PAGE_LEN)) {
                Some(bytes) => page.copy_from_slice(bytes),
                None => {
                    if self.read(u32::MAX, self.meta.len - back, &mut page).is_err() {
                        continue;
                    }
                }
            }
            if let Ok(footer) = Footer::decode(self.meta.file_id, &page)
                && footer.file_len == self.meta.len
            {
                return Ok(footer);
            }
        }
        Err(self.damage(u32::MAX, self.meta.len - FOOTERS_LEN, "neither copy of the footer is good"))
    }

    /// A malformed or forged block becomes damage with its place.
    fn located(&self, handle: BlockHandle, error: TreeError) -> TreeError {
        match error {
            TreeError::Malformed(what) => self.damage(handle.index, handle.offset, what),
            other => other,
        }
    }

    fn open_sealed(
        &self,
        key: &TableKey,
        kind: BlockKind,
        handle: BlockHandle,
        sealed: &[u8],
    ) -> Result<Vec<u8>, TreeError> {
        if kind == BlockKind::Top && sealed.last_chunk::<TAG_LEN_BYTES>() != Some(&self.meta.tag) {
            return Err(self.damage(handle.index, handle.offset, "not the top block that the manifest names"));
        }
        open_block(key, self.meta.file_id, kind, handle.index, sealed).map_err(|error| self.located(handle, error))
    }

    pub(super) fn read_block(
        &self,
        key: &TableKey,
        kind: BlockKind,
        handle: BlockHandle,
    ) -> Result<Vec<u8>, TreeError> {
        if handle == BlockHandle::LOST {
            return Err(self.damage(handle.index, 0, "a block is lost"));
        }
        if handle.offset < BLOCKS_OFFSET || handle.end() > self.meta.len.saturating_sub(FOOTERS_LEN) {
            return Err(self.damage(handle.index, handle.offset, "a block lies outside of the file"));
        }
        let mut sealed = vec![0; usize::try_from(handle.sealed_len).unwrap_or_default()];
        self.read(handle.index, handle.offset + BLOCK_HEADER_LEN as u64, &mut sealed)?;
        self.open_sealed(key, kind, handle, &sealed)
    }

    fn scan<'a>(&'a self, key: &'a TableKey) -> Scan<'a> {
        Scan { table: self, key }
    }

    /// Reads for a scan; `false` where the disk cannot.
    pub(super) fn read_raw(&self, offset: u64, buffer: &mut [u8]) -> Result<bool, TreeError> {
        match self.read(u32::MAX, offset, buffer) {
            Ok(()) => Ok(true),
            Err(TreeError::Damaged { what: "the file is missing", .. }) => {
                Err(self.damage(u32::MAX, 0, "the file is missing"))
            }
            Err(error) if error.is_damage() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn partition(&self, loaded: &Loaded, place: usize) -> Result<Option<Arc<Partition>>, TreeError> {
        let Some(entry) = loaded.top.get(place) else { return Ok(None) };
        if let Some(Opened::Partition(partition)) = self.context.cache.get(self.meta.file_id, entry.handle.offset) {
            return Ok(Some(partition));
        }
        if let Some(partition) = loaded.rebuilt.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(Some(Arc::clone(partition)));
        }
        let read = self.read_block(&loaded.key, BlockKind::Partition, entry.handle);
        match read.and_then(|plain| Partition::parse(plain).map_err(|error| self.located(entry.handle, error))) {
            Ok(partition) => {
                let partition = Arc::new(partition);
                self.keep(entry.handle, Opened::Partition(Arc::clone(&partition)))?;
                Ok(Some(partition))
            }
            Err(error) if error.is_damage() => {
                tracing::warn!(table = self.meta.file_number, %error, "a partition is lost and is built anew");
                let partition = Arc::new(rebuild_partition(&self.scan(&loaded.key), entry)?);
                let mut rebuilt = loaded.rebuilt.lock().unwrap_or_else(PoisonError::into_inner);
                rebuilt.insert(place, Arc::clone(&partition));
                Ok(Some(partition))
            }
            Err(error) => Err(error),
        }
    }

    /// Puts a block into the cache, unless a lock has come meanwhile and has cleared it.
    fn keep(&self, handle: BlockHandle, block: Opened) -> Result<(), TreeError> {
        self.context.cache.insert(self.meta.file_id, handle.offset, block);
        if self.context.locked.load(Ordering::Acquire) {
            self.context.cache.forget(&[self.meta.file_id]);
            return Err(TreeError::Locked);
        }
        Ok(())
    }

    fn data(&self, loaded: &Loaded, handle: BlockHandle, keep: Keep) -> Result<DataBlock, TreeError> {
        if let Some(Opened::Data(block)) = self.context.cache.get(self.meta.file_id, handle.offset) {
            return Ok(block);
        }
        let plain = self.read_block(&loaded.key, BlockKind::Data, handle)?;
        let block = DataBlock::parse(plain).map_err(|error| self.located(handle, error))?;
        if keep == Keep::Cached {
            self.keep(handle, Opened::Data(block.clone()))?;
        }
        Ok(block)
    }

    /// The newest version of `key` at or below `seq`: `None` when there is none, `Some(None)` when it is a deletion.
    ///
    /// # Errors
    /// `Damaged` when the block that may hold the key is, `Locked`, `Io`.
    pub(in crate::tree) fn get(&self, key: &[u8], hash: u64, seq: u64) -> Result<Option<Option<Bytes>>, TreeError> {
        if !self.meta.covers(key) {
            return Ok(None);
        }
        let target = KeyRef { user: key, seq };
        let loaded = self.loaded()?;
        let mut place = find_partition(&loaded.top, target);
        let Some(mut partition) = self.partition(&loaded, place)? else { return Ok(None) };
        if !partition.may_contain(hash) {
            return Ok(None);
        }
        let mut block = partition.find(target);
        loop {
            let Some(handle) = partition.handle(block) else {
                // The versions of one key may go on in the next partition.
                place += 1;
                match self.partition(&loaded, place)? {
                    Some(next) if next.separator(0).is_some_and(|first| first.user == key) => partition = next,
                    _ => return Ok(None),
                }
                block = 0;
                continue;
            };
            let data = self.data(&loaded, handle, Keep::Cached)?;
            let cursor = BlockCursor::at(data, target).map_err(|error| self.located(handle, error))?;
            if let Some(found) = cursor.key() {
                return Ok((found.user == key).then(|| cursor.value()));
            }
            block += 1;
            if partition.separator(block).is_some_and(|next| next.user != key) {
                return Ok(None);
            }
        }
    }

    /// Where to look for the first entry at or after `target`: places of partition and block.
    pub(super) fn find(&self, target: KeyRef<'_>) -> Result<(usize, usize), TreeError> {
        let loaded = self.loaded()?;
        let place = find_partition(&loaded.top, target);
        Ok((place, self.partition(&loaded, place)?.map_or(0, |partition| partition.find(target))))
    }

    /// The partition at a place, `None` behind the last.
    pub(super) fn partition_at(&self, place: usize) -> Result<Option<Arc<Partition>>, TreeError> {
        let loaded = self.loaded()?;
        self.partition(&loaded, place)
    }

    /// A data block, as a cursor at its first entry or at the first not before `target`.
    pub(super) fn enter(
        &self,
        handle: BlockHandle,
        target: Option<KeyRef<'_>>,
        keep: Keep,
    ) -> Result<BlockCursor, TreeError> {
        let loaded = self.loaded()?;
        let data = self.data(&loaded, handle, keep)?;
        let cursor = match target {
            Some(target) => BlockCursor::at(data, target),
            None => BlockCursor::first(data),
        };
        cursor.map_err(|error| self.located(handle, error))
    }

    /// Turns an error of a block cursor into damage of its block.
    pub(super) fn locate(&self, handle: BlockHandle, error: TreeError) -> TreeError {
        self.located(handle, error)
    }
}

fn find_partition(top: &[TopEntry], target: KeyRef<'_>) -> usize {
    top.partition_point(|entry| entry.separator() <= target).saturating_sub(1)
}

/// The hash that [`Table::get`] takes, computed once for all tables.
pub(in crate::tree) fn key_hash(key: &[u8]) -> u64 {
    bloom::hash(key)
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("number", &self.meta.file_number).field("level", &self.meta.level).finish()
    }
}
