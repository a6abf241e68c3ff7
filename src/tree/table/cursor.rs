//! Walks a table, all versions of all keys, forward.

use super::{Table, index::Partition, open::Keep};
use crate::tree::{
    TreeError,
    block::{BlockCursor, BlockHandle},
    entry::KeyRef,
};
use bytes::Bytes;
use std::sync::Arc;

/// A place in a table. After an error it stands before the next block: [`TableCursor::skip_block`] goes on there.
pub(in crate::tree) struct TableCursor {
    table: Arc<Table>,
    keep: Keep,
    place: usize,
    partition: Option<Arc<Partition>>,
    block: usize,
    handle: BlockHandle,
    cursor: Option<BlockCursor>,
}

impl TableCursor {
    /// A cursor at the first entry at or after `target`.
    pub(in crate::tree) fn new(table: Arc<Table>, keep: Keep) -> Self {
        Self { table, keep, place: 0, partition: None, block: 0, handle: BlockHandle::LOST, cursor: None }
    }

    /// The table walked.
    pub(in crate::tree) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Moves to the first entry at or after `target`.
    pub(in crate::tree) fn seek(&mut self, target: KeyRef<'_>) -> Result<(), TreeError> {
        if !self.seek_in_block(target)? {
            self.cursor = None;
            self.partition = None;
            (self.place, self.block) = self.table.find(target)?;
            self.partition = self.table.partition_at(self.place)?;
            self.enter(Some(target))?;
        }
        self.settle()
    }

    /// Seeks without the index when the target lies in the block at hand.
    fn seek_in_block(&mut self, target: KeyRef<'_>) -> Result<bool, TreeError> {
        let (Some(cursor), Some(partition)) = (self.cursor.as_mut(), self.partition.as_ref()) else { return Ok(false) };
        let behind = partition.separator(self.block + 1).is_some_and(|next| target < next);
        let before = cursor.key().is_some_and(|key| key <= target);
        if behind && before {
            cursor.seek(target).map_err(|error| self.table.locate(self.handle, error))?;
        }
        Ok(behind && before)
    }

    /// The entry's key, `None` at the end or after an error.
    pub(in crate::tree) fn key(&self) -> Option<KeyRef<'_>> {
        self.cursor.as_ref()?.key()
    }

    /// The entry's value, `None` for a deletion.
    pub(in crate::tree) fn value(&self) -> Option<Bytes> {
        self.cursor.as_ref()?.value()
    }

    /// The entry's value, borrowed.
    pub(in crate::tree) fn value_ref(&self) -> Option<&[u8]> {
        self.cursor.as_ref()?.value_ref()
    }

    /// Moves to the next entry.
    pub(in crate::tree) fn advance(&mut self) -> Result<(), TreeError> {
        let Some(cursor) = self.cursor.as_mut() else { return Ok(()) };
        if let Err(error) = cursor.advance() {
            self.cursor = None;
            return Err(self.table.locate(self.handle, error));
        }
        self.settle()
    }

    /// After an error: goes on with the block behind the damaged one.
    pub(in crate::tree) fn skip_block(&mut self) -> Result<(), TreeError> {
        self.cursor = None;
        self.block += 1;
        self.enter(None)?;
        self.settle()
    }

    /// Moves on over block ends.
    fn settle(&mut self) -> Result<(), TreeError> {
        while self.cursor.as_ref().is_some_and(|cursor| cursor.key().is_none()) {
            self.cursor = None;
            self.block += 1;
            self.enter(None)?;
        }
        Ok(())
    }

    /// Opens the block at `place` and `block`; leaves no cursor behind the last.
    fn enter(&mut self, target: Option<KeyRef<'_>>) -> Result<(), TreeError> {
        self.cursor = None;
        while let Some(partition) = &self.partition {
            if let Some(handle) = partition.handle(self.block) {
                self.handle = handle;
                self.cursor = Some(self.table.enter(handle, target, self.keep)?);
                return Ok(());
            }
            self.place += 1;
            self.block = 0;
            self.partition = None;
            self.partition = self.table.partition_at(self.place)?;
        }
        Ok(())
    }
}
