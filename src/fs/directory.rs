//! Looking names up and reading directories.

use super::{
    Attributes, Component, FsError, FsResult, Ino, Namespace, alias, records,
    txn::{self, Located},
};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

/// Places that a directory handle remembers exactly; older ones are thinned out.
const MARKS_LIMIT: usize = 8_192;

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The POSIX name, an alias where the component has no other (R3).
    pub name: Vec<u8>,
    /// Attributes, as `getattr` gives them.
    pub attributes: Attributes,
    /// Where the next read goes on behind this entry.
    pub cookie: u64,
}

/// An open directory. Cookies are stable as long as it lives.
#[derive(Debug)]
pub struct DirectoryHandle {
    ino: Ino,
    /// The component that each cookie stands behind.
    marks: Mutex<BTreeMap<u64, Component>>,
}

impl DirectoryHandle {
    /// The directory.
    #[must_use]
    pub fn ino(&self) -> Ino {
        self.ino
    }

    /// The last mark at or before `cookie`.
    fn mark(&self, cookie: u64) -> Option<(u64, Component)> {
        super::lock(&self.marks).range(..=cookie).next_back().map(|(at, component)| (*at, component.clone()))
    }

    fn remember(&self, cookie: u64, component: Component) {
        let mut marks = super::lock(&self.marks);
        if marks.len() >= MARKS_LIMIT {
            // Every other old one goes: a seek to a forgotten place reads on from the mark before it.
            let mut keep = false;
            marks.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        marks.insert(cookie, component);
    }
}

/// Cookies of `.` and `..`; entries follow.
const DOT: u64 = 1;
const DOT_DOT: u64 = 2;

impl Namespace {
    /// The inode that `name` means in directory `parent`; `.` and `..` are understood (the root is its own parent).
    ///
    /// # Errors
    /// `NotFound`, `NotDir`, `NameTooLong`, `InvalidName`.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> FsResult<Attributes> {
        let snapshot = self.parts.meta.snapshot()?;
        let directory = txn::load_directory(snapshot.as_ref(), parent)?;
        let found = match name {
            b"." => directory,
            b".." => self.parent_of(snapshot.as_ref(), &directory)?,
            _ => alias::resolve(snapshot.as_ref(), &directory, name)?.located.ok_or(FsError::NotFound)?,
        };
        Ok(self.attributes_with_writes(&found.inode))
    }

    fn parent_of(&self, snapshot: &dyn crate::bucket::Snapshot, directory: &Located) -> FsResult<Located> {
        txn::load(snapshot, directory.place.as_ref().map_or(Ino::ROOT, |place| place.parent))
    }

    /// Opens a directory for reading.
    ///
    /// # Errors
    /// `NotFound`, `NotDir`.
    pub fn open_dir(self: &Arc<Self>, ino: Ino) -> FsResult<DirectoryHandle> {
        txn::load_directory(self.parts.meta.snapshot()?.as_ref(), ino)?;
        Ok(DirectoryHandle { ino, marks: Mutex::default() })
    }

    /// Hands entries behind `cookie` (0: from the start) to `take` until it breaks. `.` and `..` come first; the root's
    /// `..` is the root itself. An entry that `take` breaks on counts as not taken, and comes first in the next call.
    ///
    /// # Errors
    /// `NotFound` when the directory is gone.
    pub fn read_dir(
        &self,
        handle: &DirectoryHandle,
        cookie: u64,
        take: &mut dyn FnMut(DirectoryEntry) -> ControlFlow<()>,
    ) -> FsResult<()> {
        let snapshot = self.parts.meta.snapshot()?;
        let from = snapshot.as_ref();
        let directory = txn::load_directory(from, handle.ino)?;
        if cookie < DOT {
            let attributes = self.attributes_of(&directory.inode);
            if take(DirectoryEntry { name: b".".to_vec(), attributes, cookie: DOT }).is_break() {
                return Ok(());
            }
        }
        if cookie < DOT_DOT {
            let attributes = self.attributes_of(&self.parent_of(from, &directory)?.inode);
            if take(DirectoryEntry { name: b"..".to_vec(), attributes, cookie: DOT_DOT }).is_break() {
                return Ok(());
            }
        }
        let mark = handle.mark(cookie);
        let mut at = mark.as_ref().map_or(DOT_DOT, |(at, _)| *at);
        let start = match &mark {
            // Behind a component: no component follows it directly but the longer ones.
            Some((_, component)) => {
                let mut key = records::entry_key(handle.ino, component);
                key.push(0);
                key
            }
            None => records::id_key(records::ENTRY, handle.ino.0),
        };
        let end = records::behind(&records::id_key(records::ENTRY, handle.ino.0));
        let mut cursor = from.range(&start, end.as_deref());
        while let Some((key, value)) = cursor.next()? {
            at = at.saturating_add(1);
            if at <= cookie {
                continue;
            }
            let component = records::split(&key).and_then(|(_, _, rest)| Component::parse(rest));
            let component = component.ok_or_else(|| FsError::damaged("an entry's key"))?;
            let entry = records::decode_entry(&value)?;
            let located = txn::follow(from, handle.ino, &component, entry)?;
            let name = alias::posix_name(from, handle.ino, directory.inode.directory.aliases, &component)?;
            let attributes = self.attributes_with_writes(&located.inode);
            if take(DirectoryEntry { name, attributes, cookie: at }).is_break() {
                return Ok(());
            }
            handle.remember(at, component);
        }
        Ok(())
    }
}
