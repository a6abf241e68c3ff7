//! Writes a table, from front to end, holding one block and the index of one partition in memory.

use super::{
    PAGE_LEN,
    footer::Footer,
    header::TableHeader,
    index::{PartitionBuilder, TopEntry, encode_top, separator_between},
    table_path,
};
use crate::{
    crypt::{FileId, SealedFileKey, TAG_LEN_BYTES},
    disk::{Disk, DiskFile},
    tree::{
        TreeError,
        block::{BlockBuilder, BlockHandle, BlockKind, seal_block},
        entry::KeyRef,
        meta::TableMeta,
        sealing::{NewTable, TableKey},
    },
};
use std::sync::Arc;

/// Bytes collected before a write.
const WRITE_BUFFER_LEN: usize = 256 * 1024;

/// How large blocks and partitions become.
#[derive(Clone, Copy, Debug)]
pub struct TableShape {
    /// Plaintext bytes of a data block at which it is closed.
    pub block_bytes: usize,
    /// Data blocks of a partition.
    pub partition_blocks: u32,
}

impl Default for TableShape {
    fn default() -> Self {
        Self { block_bytes: 16 * 1024, partition_blocks: 200 }
    }
}

/// A table being written. Dropped before [`TableWriter::finish`], it removes its file.
pub(in crate::tree) struct TableWriter<'d> {
    disk: &'d dyn Disk,
    path: String,
    file: Arc<dyn DiskFile>,
    number: u64,
    file_id: FileId,
    sealed_key: SealedFileKey,
    key: TableKey,
    shape: TableShape,
    /// Bytes not yet written; they go to `written`.
    buffer: Vec<u8>,
    written: u64,
    next_index: u32,
    block: BlockBuilder,
    /// Separator of the block being built.
    separator: (Vec<u8>, u64),
    /// Last user key of the block before it.
    previous_last: Option<Vec<u8>>,
    partition: PartitionBuilder,
    /// The partition being built, as the top will name it.
    partition_begin: Option<TopEntry>,
    top: Vec<TopEntry>,
    smallest: Option<Vec<u8>>,
    entry_count: u64,
    partition_entries: u64,
    max_seq: u64,
    finished: bool,
}

impl<'d> TableWriter<'d> {
    /// Creates the file and writes both headers into the buffer.
    pub(in crate::tree) fn create(
        disk: &'d dyn Disk,
        dir: &str,
        table: NewTable,
        shape: TableShape,
    ) -> Result<Self, TreeError> {
        let path = table_path(dir, table.number);
        let file_id = table.key.id();
        let (number, sealed_key) = (table.number, table.sealed_key);
        let (header, key) = TableHeader::of_new(table)?;
        let page = header.encode();
        debug_assert_eq!(page.len(), PAGE_LEN);
        let file = disk.create(&path).map_err(|e| TreeError::io("create", &path, e))?;
        Ok(Self {
            disk,
            path,
            file,
            number,
            file_id,
            sealed_key,
            key,
            shape,
            buffer: [page.as_slice(), page.as_slice()].concat(),
            written: 0,
            next_index: 0,
            block: BlockBuilder::default(),
            separator: (Vec::new(), 0),
            previous_last: None,
            partition: PartitionBuilder::default(),
            partition_begin: None,
            top: Vec::new(),
            smallest: None,
            entry_count: 0,
            partition_entries: 0,
            max_seq: 0,
            finished: false,
        })
    }

    /// Length of the file so far, the block being built included.
    pub(in crate::tree) fn len(&self) -> u64 {
        self.offset() + self.block.len() as u64
    }

    /// Adds the next entry, in internal key order.
    pub(in crate::tree) fn add(&mut self, key: KeyRef<'_>, value: Option<&[u8]>) -> Result<(), TreeError> {
        if self.block.is_empty() {
            let separator = separator_between(self.previous_last.as_deref(), key);
            self.separator = (separator.user.to_vec(), separator.seq);
        }
        self.partition.add_key(key.user);
        self.block.add(key, value)?;
        if self.smallest.is_none() {
            self.smallest = Some(key.user.to_vec());
        }
        self.entry_count += 1;
        self.partition_entries += 1;
        self.max_seq = self.max_seq.max(key.seq);
        if self.block.len() >= self.shape.block_bytes { self.close_block() } else { Ok(()) }
    }

    fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn append(&mut self, kind: BlockKind, plain: Vec<u8>) -> Result<(BlockHandle, [u8; TAG_LEN_BYTES]), TreeError> {
        let (offset, index) = (self.offset(), self.next_index);
        let (sealed_len, tag) = seal_block(&self.key, self.file_id, kind, index, plain, &mut self.buffer)?;
        self.next_index = index.checked_add(1).ok_or(TreeError::TooLarge { what: "a table" })?;
        if self.buffer.len() >= WRITE_BUFFER_LEN {
            self.write_buffer()?;
        }
        Ok((BlockHandle { offset, sealed_len, index }, tag))
    }

    fn write_buffer(&mut self) -> Result<(), TreeError> {
        self.file.write_at(self.written, &[&self.buffer]).map_err(|e| TreeError::io("write", &self.path, e))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), TreeError> {
        self.previous_last = Some(self.block.last_key().to_vec());
        let plain = self.block.finish()?;
        let (handle, _) = self.append(BlockKind::Data, plain)?;
        let (user, seq) = std::mem::take(&mut self.separator);
        self.partition.add_block(KeyRef { user: &user, seq }, handle);
        self.partition_begin.get_or_insert(TopEntry {
            user,
            seq,
            handle,
            data_offset: handle.offset,
            first_index: handle.index,
            entry_count: 0,
        });
        if self.partition.blocks() >= self.shape.partition_blocks { self.close_partition() } else { Ok(()) }
    }

    fn close_partition(&mut self) -> Result<(), TreeError> {
        let Some(mut entry) = self.partition_begin.take() else { return Ok(()) };
        let plain = self.partition.finish();
        (entry.handle, _) = self.append(BlockKind::Partition, plain)?;
        entry.entry_count = std::mem::take(&mut self.partition_entries);
        self.top.push(entry);
        Ok(())
    }

    /// Closes the table and syncs it. The directory is the caller's to sync, once for all tables that he writes.
    ///
    /// Returns `None`, and removes the file, when nothing was added.
    pub(in crate::tree) fn finish(mut self, level: u8) -> Result<Option<TableMeta>, TreeError> {
        let Some(smallest) = self.smallest.take() else { return Ok(None) };
        if !self.block.is_empty() {
            self.close_block()?;
        }
        self.close_partition()?;
        let largest = self.previous_last.take().unwrap_or_default();
        let plain = encode_top(&self.top)?;
        let (top, tag) = self.append(BlockKind::Top, plain)?;
        let padding = self.offset().next_multiple_of(PAGE_LEN as u64) - self.offset();
        let padded = self.buffer.len() + usize::try_from(padding).unwrap_or_default();
        self.buffer.resize(padded, 0);
        let len = self.offset() + 2 * PAGE_LEN as u64;
        let page = Footer { top, file_len: len }.encode(self.file_id);
        self.buffer.extend_from_slice(&page);
        self.buffer.extend_from_slice(&page);
        self.write_buffer()?;
        debug_assert_eq!(self.written, len);
        self.file.sync().map_err(|e| TreeError::io("sync", &self.path, e))?;
        self.finished = true;
        Ok(Some(TableMeta {
            file_number: self.number,
            file_id: self.file_id,
            len,
            level,
            sealed_key: self.sealed_key,
            smallest,
            largest,
            entry_count: self.entry_count,
            max_seq: self.max_seq,
            tag,
        }))
    }
}

impl Drop for TableWriter<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // A file that stays is not in the manifest: recovery removes it.
            let _ = self.disk.remove_file(&self.path);
        }
    }
}
