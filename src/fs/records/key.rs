//! Keys of file records: a kind, then ids in big-endian, so that a scan keeps to one directory or one content in order.

use crate::fs::{Component, ContentId, Ino};

/// Counters of the namespace.
pub const STATE: u8 = 0x01;
/// (directory, component) → inode or link.
pub const ENTRY: u8 = 0x10;
/// inode → its only place.
pub const PLACE: u8 = 0x11;
/// inode → inode, for the root, inodes with several names, and orphans.
pub const INODE: u8 = 0x12;
/// content → counted content that pieces refer to.
pub const SHARED: u8 = 0x13;
/// (content, last byte) → extent.
pub const EXTENT: u8 = 0x14;
/// (inode, name) → value.
pub const XATTR: u8 = 0x15;
/// inode → nothing: has no name, and goes when it is closed or at the next start.
pub const ORPHAN: u8 = 0x16;
/// content → from where on its extents are to be freed.
pub const JOB: u8 = 0x17;
/// (directory, alias) → component.
pub const ALIAS: u8 = 0x18;
/// (directory, component) → alias.
pub const ALIAS_OF: u8 = 0x19;
// Reserved, refused until a feature flag names them: 0x20 object versions, 0x21 retention, 0x22 tags, 0x23 snapshots,
// 0x24 quota.

// 0x40 is reserved for an index of bucket names.
/// Catalog: id → bucket record.
pub const BUCKET: u8 = 0x41;
/// Catalog: freed slot → next inode number.
pub const FREE_SLOT: u8 = 0x42;
/// Catalog: name → setting.
pub const SETTING: u8 = 0x43;

fn key(kind: u8, id: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(rest.len().saturating_add(7));
    key.push(kind);
    let [_, _, id @ ..] = id.to_be_bytes();
    key.extend_from_slice(&id);
    key.extend_from_slice(rest);
    key
}

/// First key behind all that begin with `prefix`; `None` when there is none.
pub fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// A key of `kind` for an inode or content as a whole; also the prefix of those below it.
pub fn id_key(kind: u8, id: u64) -> Vec<u8> {
    key(kind, id, &[])
}

/// Key of an entry.
pub fn entry_key(parent: Ino, component: &Component) -> Vec<u8> {
    key(ENTRY, parent.0, component.as_bytes())
}

/// Key of an entry of whatever bytes, to seek to.
pub fn entry_seek_key(parent: Ino, from: &[u8]) -> Vec<u8> {
    key(ENTRY, parent.0, from)
}

/// Key of an extent: its last byte, so that the first one at or behind an offset is found by one seek.
pub fn extent_key(content: ContentId, last: u64) -> Vec<u8> {
    key(EXTENT, content.0, &last.to_be_bytes())
}

/// Key of an extended attribute, of an alias, or of the alias of a component.
pub fn named_key(kind: u8, ino: Ino, name: &[u8]) -> Vec<u8> {
    key(kind, ino.0, name)
}

/// Kind, id and rest of a key.
pub fn split(key: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (kind, rest) = key.split_first()?;
    let (id, rest) = rest.split_first_chunk::<6>()?;
    let mut bytes = [0; 8];
    bytes.get_mut(2..)?.copy_from_slice(id);
    Some((*kind, u64::from_be_bytes(bytes), rest))
}
