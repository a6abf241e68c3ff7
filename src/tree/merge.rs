//! Merges memtables, tables and levels in internal key order, all versions of all keys.

use super::{
    TreeError,
    entry::{Entry, KeyRef},
    memtable::{CHUNK_ENTRIES_MAX, MemTable, Want},
    table::{Keep, Table, TableCursor},
};
use bytes::Bytes;
use std::{ops::Bound, sync::Arc};

/// Entries of the first chunk of a memtable; each later one is twice as large.
const CHUNK_ENTRIES_FIRST: usize = 8;

/// Walks a memtable in chunks, each copied under its lock.
pub(super) struct MemCursor {
    table: Arc<MemTable>,
    want: Want,
    end: Option<Bytes>,
    chunk: std::vec::IntoIter<Entry>,
    current: Option<Entry>,
    /// Where the next chunk begins; `None` when there is none.
    resume: Option<Box<[u8]>>,
    limit: usize,
}

impl MemCursor {
    /// A cursor that stands nowhere until it seeks.
    pub(super) fn new(table: Arc<MemTable>, want: Want, end: Option<Bytes>) -> Self {
        let chunk = Vec::new().into_iter();
        Self { table, want, end, chunk, current: None, resume: None, limit: CHUNK_ENTRIES_FIRST }
    }

    fn seek(&mut self, target: KeyRef<'_>) {
        // Forward within the chunk, where it reaches far enough.
        let reaches = self.chunk.as_slice().last().is_some_and(|last| last.key.as_ref() >= target.user);
        let ahead = self.current.as_ref().is_some_and(|entry| entry.key_ref() <= target);
        if !(reaches && ahead) {
            self.limit = CHUNK_ENTRIES_FIRST;
            self.fill(Bound::Included(target.user));
            self.advance();
        }
        while self.current.as_ref().is_some_and(|entry| entry.key_ref() < target) {
            self.advance();
        }
    }

    fn fill(&mut self, start: Bound<&[u8]>) {
        let mut out = Vec::with_capacity(self.limit);
        self.resume = self.table.chunk(start, self.end.as_deref(), self.want, self.limit, &mut out);
        self.limit = (self.limit * 2).min(CHUNK_ENTRIES_MAX);
        self.chunk = out.into_iter();
    }

    fn advance(&mut self) {
        self.current = self.chunk.next();
        while self.current.is_none() {
            let Some(from) = self.resume.take() else { return };
            self.fill(Bound::Excluded(&from));
            self.current = self.chunk.next();
        }
    }
}

/// Walks the tables of a level that do not overlap, opening one at a time.
pub(super) struct LevelCursor {
    tables: Arc<[Arc<Table>]>,
    keep: Keep,
    place: usize,
    end: Option<Bytes>,
    cursor: Option<TableCursor>,
}

impl LevelCursor {
    /// A cursor that stands nowhere until it seeks.
    pub(super) fn new(tables: Arc<[Arc<Table>]>, keep: Keep, end: Option<Bytes>) -> Self {
        Self { tables, keep, place: 0, end, cursor: None }
    }

    fn seek(&mut self, target: KeyRef<'_>) -> Result<(), TreeError> {
        let place = self.tables.partition_point(|table| table.meta.largest.as_slice() < target.user);
        if self.cursor.is_none() || place != self.place {
            self.place = place;
            self.open();
        }
        if let Some(cursor) = &mut self.cursor {
            cursor.seek(target)?;
        }
        self.settle()
    }

    fn open(&mut self) {
        let table = self.tables.get(self.place);
        let wanted = table.filter(|table| self.end.as_ref().is_none_or(|end| table.meta.smallest.as_slice() < end));
        self.cursor = wanted.map(|table| TableCursor::new(Arc::clone(table), self.keep));
    }

    fn settle(&mut self) -> Result<(), TreeError> {
        while self.cursor.as_ref().is_some_and(|cursor| cursor.key().is_none()) {
            self.place += 1;
            self.open();
            if let Some(cursor) = &mut self.cursor {
                cursor.seek(KeyRef { user: &[], seq: u64::MAX })?;
            }
        }
        Ok(())
    }
}

/// One input of a merge.
pub(super) enum Source {
    /// A memtable.
    Memory(MemCursor),
    /// A table of level 0.
    Table(TableCursor),
    /// A level below.
    Level(LevelCursor),
}

impl Source {
    fn seek(&mut self, target: KeyRef<'_>) -> Result<(), TreeError> {
        match self {
            Self::Memory(cursor) => {
                cursor.seek(target);
                Ok(())
            }
            Self::Table(cursor) => cursor.seek(target),
            Self::Level(cursor) => cursor.seek(target),
        }
    }

    fn key(&self) -> Option<KeyRef<'_>> {
        match self {
            Self::Memory(cursor) => cursor.current.as_ref().map(Entry::key_ref),
            Self::Table(cursor) => cursor.key(),
            Self::Level(cursor) => cursor.cursor.as_ref()?.key(),
        }
    }

    fn value(&self) -> Option<Bytes> {
        match self {
            Self::Memory(cursor) => cursor.current.as_ref()?.value.clone(),
            Self::Table(cursor) => cursor.value(),
            Self::Level(cursor) => cursor.cursor.as_ref()?.value(),
        }
    }

    fn value_ref(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(cursor) => cursor.current.as_ref()?.value.as_deref(),
            Self::Table(cursor) => cursor.value_ref(),
            Self::Level(cursor) => cursor.cursor.as_ref()?.value_ref(),
        }
    }

    fn advance(&mut self) -> Result<(), TreeError> {
        match self {
            Self::Memory(cursor) => {
                cursor.advance();
                Ok(())
            }
            Self::Table(cursor) => cursor.advance(),
            Self::Level(cursor) => {
                if let Some(table) = &mut cursor.cursor {
                    table.advance()?;
                }
                cursor.settle()
            }
        }
    }

    /// The table that an error came from.
    fn table(&self) -> Option<&Arc<Table>> {
        match self {
            Self::Memory(_) => None,
            Self::Table(cursor) => Some(cursor.table()),
            Self::Level(cursor) => cursor.cursor.as_ref().map(TableCursor::table),
        }
    }

    /// After an error: goes on behind the damaged block.
    fn skip_block(&mut self) -> Result<(), TreeError> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Table(cursor) => cursor.skip_block(),
            Self::Level(cursor) => {
                if let Some(table) = &mut cursor.cursor {
                    table.skip_block()?;
                }
                cursor.settle()
            }
        }
    }
}

impl Entry {
    fn key_ref(&self) -> KeyRef<'_> {
        KeyRef { user: &self.key, seq: self.seq }
    }
}

/// All sources as one, in internal key order. No two sources hold the same internal key.
pub(super) struct Merge {
    sources: Vec<Source>,
    /// The source that holds the least key.
    least: Option<usize>,
    /// The source that holds the next key after it: as long as the first stays below, nothing else need be looked at.
    second: Option<usize>,
    /// Sources that stand before a damaged block.
    failed: Vec<usize>,
}

impl Merge {
    /// A merge that stands nowhere until it seeks.
    pub(super) fn new(sources: Vec<Source>) -> Self {
        Self { sources, least: None, second: None, failed: Vec::new() }
    }

    /// Moves to the first entry at or after `target`.
    pub(super) fn seek(&mut self, target: KeyRef<'_>) -> Result<(), TreeError> {
        self.failed.clear();
        let mut outcome = Ok(());
        for (place, source) in self.sources.iter_mut().enumerate() {
            if let Err(error) = source.seek(target) {
                self.failed.push(place);
                outcome = Err(error);
            }
        }
        self.choose();
        outcome
    }

    fn choose(&mut self) {
        self.least = None;
        self.second = None;
        let mut least: Option<(usize, KeyRef<'_>)> = None;
        let mut second: Option<(usize, KeyRef<'_>)> = None;
        for (place, source) in self.sources.iter().enumerate() {
            let Some(key) = source.key() else { continue };
            if least.is_none_or(|(_, other)| key < other) {
                second = least;
                least = Some((place, key));
            } else if second.is_none_or(|(_, other)| key < other) {
                second = Some((place, key));
            }
        }
        let places = (least.map(|(place, _)| place), second.map(|(place, _)| place));
        (self.least, self.second) = places;
    }

    fn source(&self) -> Option<&Source> {
        self.sources.get(self.least?)
    }

    /// The least key, `None` at the end.
    pub(super) fn key(&self) -> Option<KeyRef<'_>> {
        self.source()?.key()
    }

    /// Its value, `None` for a deletion.
    pub(super) fn value(&self) -> Option<Bytes> {
        self.source()?.value()
    }

    /// Its value, borrowed.
    pub(super) fn value_ref(&self) -> Option<&[u8]> {
        self.source()?.value_ref()
    }

    /// Moves to the next entry.
    pub(super) fn advance(&mut self) -> Result<(), TreeError> {
        let Some(place) = self.least else { return Ok(()) };
        let Some(source) = self.sources.get_mut(place) else { return Ok(()) };
        let outcome = source.advance();
        if outcome.is_err() {
            self.failed.push(place);
        }
        let stays = match (self.sources.get(place).and_then(Source::key), self.second) {
            (Some(key), Some(second)) => self.sources.get(second).and_then(Source::key).is_some_and(|next| key < next),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if !stays {
            self.choose();
        }
        outcome
    }

    /// A table that gave the last error.
    pub(super) fn failed_table(&self) -> Option<&Arc<Table>> {
        self.sources.get(*self.failed.last()?)?.table()
    }

    /// After an error: goes on behind a damaged block; errors again while there are more.
    pub(super) fn skip_block(&mut self) -> Result<(), TreeError> {
        let Some(place) = self.failed.pop() else { return Ok(()) };
        let outcome = self.sources.get_mut(place).map_or(Ok(()), Source::skip_block);
        if outcome.is_err() {
            self.failed.push(place);
        }
        self.choose();
        match outcome {
            // Another source waits still: its error was not told yet.
            Ok(()) if !self.failed.is_empty() => Err(TreeError::Malformed("another block is damaged")),
            other => other,
        }
    }
}
