//! Flush: one frozen memtable becomes one table of level 0.

use super::{
    Tree, TreeError,
    entry::KeyRef,
    memtable::{CHUNK_ENTRIES_MAX, Want},
    sealing::TableFiles,
    table::{TableWriter, table_dir},
    version::VersionEdit,
};
use std::{ops::Bound, sync::Arc};

impl Tree {
    /// Writes the oldest frozen memtable as a table of level 0; `None` when none is frozen. File and directory are
    /// synced when it returns. The caller makes the edit durable in a manifest, then calls [`Tree::install`].
    ///
    /// # Errors
    /// `NoSpace`, `Io`, `Locked`: the file begun was removed and the memtable still waits.
    pub fn write_frozen(&self, files: &dyn TableFiles) -> Result<Option<VersionEdit>, TreeError> {
        let Some(memory) = self.state().frozen.last().cloned() else { return Ok(None) };
        let boundaries = self.boundaries();
        let disk = self.context.disk.as_ref();
        let mut writer = TableWriter::create(disk, &self.context.dir, files.new_table()?, self.shape.table)?;
        let mut chunk = Vec::new();
        let mut resume = memory.chunk(Bound::Unbounded, None, Want::All, CHUNK_ENTRIES_MAX, &mut chunk);
        loop {
            let mut newer: Option<(&[u8], u64)> = None;
            for entry in &chunk {
                let above = newer.filter(|(key, _)| *key == entry.key.as_ref()).map(|(_, seq)| seq);
                if boundaries.needs(entry.seq, above) {
                    writer.add(KeyRef { user: &entry.key, seq: entry.seq }, entry.value.as_deref())?;
                }
                newer = Some((&entry.key, entry.seq));
            }
            chunk.clear();
            let Some(from) = resume else { break };
            resume = memory.chunk(Bound::Excluded(&from), None, Want::All, CHUNK_ENTRIES_MAX, &mut chunk);
        }
        let added: Vec<_> = writer.finish(0)?.into_iter().collect();
        let dir = table_dir(&self.context.dir);
        disk.sync_dir(&dir).map_err(|e| TreeError::io("sync", &dir, e))?;
        let flushed_through = Some(memory.max_seq());
        Ok(Some(VersionEdit { added, flushed_through, flushed: Some(Arc::clone(&memory)), ..VersionEdit::default() }))
    }
}
