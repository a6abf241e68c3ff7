//! LIST: keys in S3's order, with prefix, any delimiter, and a place to go on from.

use super::{Component, FsError, FsResult, Ino, Inode, Namespace, ObjectInfo, records, txn};
use crate::bucket::{Cursor, Snapshot};

/// Where a listing begins, behind its prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListFrom {
    /// At the first key.
    #[default]
    Start,
    /// Behind this key (`start-after`, V1 `marker`, or the token of a page that ended with a key).
    AfterKey(Vec<u8>),
    /// Behind everything that begins with these bytes (the token of a page that ended with a common prefix).
    AfterPrefix(Vec<u8>),
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that begin with it.
    pub prefix: Vec<u8>,
    /// Rolls up keys behind its first occurrence after the prefix; empty for none.
    pub delimiter: Vec<u8>,
    /// Where to begin.
    pub from: ListFrom,
    /// Most entries, keys and prefixes together.
    pub max_entries: usize,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// An object.
    Object {
        /// Its whole key.
        key: Vec<u8>,
        /// What HEAD would tell.
        info: Box<ObjectInfo>,
    },
    /// Keys rolled up.
    CommonPrefix(Vec<u8>),
}

/// A page of a listing, all of it from one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// In byte order.
    pub entries: Vec<ListEntry>,
    /// Where the next page begins; `None` when this was the last. A page is full before there is a next.
    pub next: Option<ListFrom>,
}

impl Namespace {
    /// Lists a page.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn list(&self, request: &ListRequest) -> FsResult<ListPage> {
        let snapshot = self.parts.meta.snapshot()?;
        let mut page = ListPage::default();
        if request.max_entries == 0 {
            return Ok(page);
        }
        let Some(start) = first_key(request) else { return Ok(page) };
        let mut cursor = KeyCursor::new(snapshot.as_ref());
        cursor.seek(&start)?;
        while let Some(step) = cursor.next()? {
            let Some(rest) = step.key.strip_prefix(request.prefix.as_slice()) else {
                // Directories above the prefix are walked through, and say nothing.
                if step.is_directory && request.prefix.starts_with(&step.key) {
                    continue;
                }
                break;
            };
            let bears = if step.is_directory { step.inode.directory.bears() } else { step.inode.kind.is_object() };
            if !bears {
                cursor.skip(&step);
                continue;
            }
            let entry = match common_prefix(&request.prefix, rest, &request.delimiter) {
                Some(prefix) => ListEntry::CommonPrefix(prefix),
                None if step.is_directory && !step.inode.directory.is_listed() => continue,
                None => ListEntry::Object { key: step.key.clone(), info: Box::new(step.inode.object_info()) },
            };
            if page.entries.len() == request.max_entries {
                page.next = page.entries.last().map(behind_entry);
                return Ok(page);
            }
            if let ListEntry::CommonPrefix(prefix) = &entry {
                if step.is_directory && *prefix == step.key {
                    cursor.skip(&step);
                } else if let Some(behind) = records::behind(prefix) {
                    cursor.seek(&behind)?;
                } else {
                    page.entries.push(entry);
                    break;
                }
            }
            page.entries.push(entry);
        }
        Ok(page)
    }
}

fn behind_entry(entry: &ListEntry) -> ListFrom {
    match entry {
        ListEntry::Object { key, .. } => ListFrom::AfterKey(key.clone()),
        ListEntry::CommonPrefix(prefix) => ListFrom::AfterPrefix(prefix.clone()),
    }
}

/// The smallest key that a page may hold; `None` when there is none.
fn first_key(request: &ListRequest) -> Option<Vec<u8>> {
    let from = match &request.from {
        ListFrom::Start => return Some(request.prefix.clone()),
        ListFrom::AfterKey(key) => [key.as_slice(), &[0]].concat(),
        ListFrom::AfterPrefix(prefix) => records::behind(prefix)?,
    };
    Some(from.max(request.prefix.clone()))
}

/// The common prefix that a key rolls up into: through the first delimiter behind the prefix.
fn common_prefix(prefix: &[u8], rest: &[u8], delimiter: &[u8]) -> Option<Vec<u8>> {
    if delimiter.is_empty() {
        return None;
    }
    let at = rest.windows(delimiter.len()).position(|window| window == delimiter)?;
    Some([prefix, rest.get(..at.saturating_add(delimiter.len()))?].concat())
}

/// One entry that the cursor stands on.
struct Step {
    key: Vec<u8>,
    inode: Inode,
    is_directory: bool,
}

struct Level<'a> {
    directory: Ino,
    /// Length of the directory's key.
    key_len: usize,
    cursor: Box<dyn Cursor + 'a>,
}

/// Walks all entries of a namespace in the order of their full keys. A directory comes before what is below it, which
/// follows unless it is skipped.
pub(super) struct KeyCursor<'a> {
    snapshot: &'a dyn Snapshot,
    levels: Vec<Level<'a>>,
    /// Key of the innermost directory.
    path: Vec<u8>,
}

impl<'a> KeyCursor<'a> {
    fn new(snapshot: &'a dyn Snapshot) -> Self {
        let mut cursor = Self { snapshot, levels: Vec::new(), path: Vec::new() };
        cursor.enter(Ino::ROOT, &[], &[]);
        cursor
    }

    fn enter(&mut self, directory: Ino, component: &[u8], from: &[u8]) {
        self.path.extend_from_slice(component);
        let end = records::behind(&records::id_key(records::ENTRY, directory.0));
        let cursor = self.snapshot.range(&records::entry_seek_key(directory, from), end.as_deref());
        self.levels.push(Level { directory, key_len: self.path.len(), cursor });
    }

    /// Stands before the first key at or behind `key`: one descent, whatever lies before.
    fn seek(&mut self, key: &[u8]) -> FsResult<()> {
        self.levels.clear();
        self.path.clear();
        let mut directory = Ino::ROOT;
        let mut component: &[u8] = &[];
        let mut rest = key;
        loop {
            let slash = rest.iter().position(|byte| *byte == b'/');
            let (head, tail) = rest.split_at(slash.map_or(rest.len(), |at| at.saturating_add(1)));
            if tail.is_empty() {
                // The key may be that of the last directory itself, which then comes first.
                self.enter(directory, component, head);
                return Ok(());
            }
            let inner = Component::parse(head).ok_or_else(|| FsError::damaged("a component"))?;
            let Some(located) = txn::locate(self.snapshot, directory, &inner)? else {
                self.enter(directory, component, head);
                return Ok(());
            };
            // Behind the directory itself, whose key is smaller than the one wanted.
            self.enter(directory, component, &[head, &[0]].concat());
            directory = located.inode.ino;
            component = head;
            rest = tail;
        }
    }

    fn next(&mut self) -> FsResult<Option<Step>> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            let (directory, key_len) = (level.directory, level.key_len);
            let Some((key, value)) = level.cursor.next()? else {
                self.levels.pop();
                self.path.truncate(self.levels.last().map_or(0, |level| level.key_len));
                continue;
            };
            self.path.truncate(key_len);
            let component = records::split(&key).and_then(|(_, _, rest)| Component::parse(rest));
            let component = component.ok_or_else(|| FsError::damaged("an entry's key"))?;
            let located = txn::follow(self.snapshot, directory, &component, records::decode_entry(&value)?)?;
            let full = [self.path.as_slice(), component.as_bytes()].concat();
            let is_directory = component.is_directory();
            if is_directory {
                self.enter(located.inode.ino, component.as_bytes(), &[]);
            }
            return Ok(Some(Step { key: full, inode: located.inode, is_directory }));
        }
    }

    /// Leaves out what is below the directory that `step` is.
    fn skip(&mut self, step: &Step) {
        if step.is_directory {
            self.levels.pop();
            self.path.truncate(self.levels.last().map_or(0, |level| level.key_len));
        }
    }
}
