//! The files of buckets, as POSIX and as S3 see them: the one place where an operation of either view gets its meaning.
//!
//! A [`Namespace`] is one bucket's files over a [`crate::bucket::MetaStore`] and a [`crate::bucket::SegmentStore`];
//! the [`Catalog`] says which buckets there are. The adapters only translate. What each call means is in
//! `docs/SEMANTICS.md`, what the records look like in `docs/FORMAT.md` 7.
//!
//! One writer at a time and a namespace (the transaction lock); readers use snapshots and wait for nobody. Content is
//! sealed and appended before that lock is taken, and nothing under it waits for a sync. Every changing call returns
//! the [`crate::bucket::Number`] to wait for, where durability matters.

mod alias;
mod bucket_name;
mod catalog;
mod check;
mod checksum;
mod component;
mod content;
mod content_read;
mod copy;
mod directory;
mod error;
mod extent;
pub(crate) mod fuzzing;
mod get;
mod handle;
mod host;
mod inode;
mod link;
mod listing;
mod memory;
mod namespace;
mod node;
mod object;
mod orphan;
mod put;
mod records;
mod rename;
mod reseal;
mod runs;
mod seal;
mod status;
mod tidy;
mod txn;
mod verify;
mod watch;
mod window;
mod xattr;

pub use catalog::{BucketInfo, BucketRecord, BucketState, Catalog, CatalogParts, DEFAULT_WINDOW_POOL_BYTES};
pub use check::{Inspection, Problem, check, inspect};
pub use component::{Component, KEY_LIMIT_BYTES, KeyPath, NAME_LIMIT_BYTES, base_of_name};
pub use content::{Content, ContentId, Extent, INLINE_EXTENTS, INLINE_LIMIT_BYTES, Piece};
pub use directory::{DirectoryEntry, DirectoryHandle};
pub use error::{FsError, FsResult};
pub use get::ObjectReader;
pub use handle::{Access, Handle, SeekTo};
pub use host::{BucketHost, BucketParts};
pub use inode::{
    Attributes, DirectoryFacts, ETag, FileKind, Ino, Inode, NewNode, Owner, Place, SetAttributes, SetTime,
};
pub use listing::{ListEntry, ListFrom, ListPage, ListRequest};
pub use memory::{MemoryHost, MemoryRoot, memory_keys};
pub use namespace::{Done, EncryptionStatus, Namespace, NamespaceParts, NamespaceUsage, RootAttributes, RootKeeper};
pub use object::{Conditions, Deleted, MD5_OF_NOTHING, ObjectAttributes, ObjectInfo, PutOptions};
pub use put::PutWriter;
pub use rename::RenameMode;
pub use reseal::ResealProgress;
pub use verify::{ContentReport, DamagedContent, verify_content};
pub use watch::{BucketWatcher, Change, Watcher};
pub use xattr::SetMode;

use checksum::{Crc64, combine_crc64, crc64};

/// Locks; what a thread that died left is as good as any commit left it.
fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
