//! The files of buckets, as POSIX and as S3 see them: the one place where an operation of either view gets its meaning.
//!
//! A [`Namespace`] is one bucket's files over a [`crate::bucket::MetaStore`] and a [`crate::bucket::SegmentStore`];
//! the [`Catalog`] says which buckets there are. The adapters only translate. What each call means is in
//! `docs/SEMANTICS.md`, what the records look like in `docs/FORMAT.md` 7.
//!
//! One writer at a time and a namespace (the transaction lock); readers use snapshots and wait for nobody. Content is
//! sealed and appended before that lock is taken, and nothing under it waits for a sync. Every changing call returns
//! the [`crate::bucket::Number`] to wait for, where durability matters.

mod catalog;
mod check;
mod component;
mod content;
mod directory;
mod error;
mod get;
mod handle;
mod host;
mod inode;
mod link;
mod listing;
mod namespace;
mod node;
mod object;
mod put;
mod rename;
mod status;
mod watch;
mod xattr;

pub use catalog::{BucketInfo, BucketRecord, BucketState, Catalog};
pub use check::{Problem, check};
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
pub use namespace::{Done, EncryptionStatus, Namespace, NamespaceParts, NamespaceUsage, RootAttributes, RootKeeper};
pub use object::{Conditions, Deleted, MD5_OF_NOTHING, ObjectAttributes, ObjectInfo, PutOptions};
pub use put::PutWriter;
pub use rename::RenameMode;
pub use watch::{Change, Watcher};
pub use xattr::SetMode;
