//! The tree: the ordered metadata of one bucket, an in-memory table over immutable sealed tables, merged in key order.
//!
//! A batch goes into the active memtable; a full one is frozen and flushed into a table of level 0; compaction merges
//! tables into deeper levels, each ten times as large. Readers hold a [`TreeSnapshot`]: a number, and the memtables and
//! tables that were in force; flush and compaction keep every version that one of them sees. Nothing is ever changed
//! in place: a [`VersionEdit`] names what comes and goes, the bucket makes it durable in its manifest and installs it.
//!
//! The tree writes table files and nothing else. It knows neither what keys mean nor how manifests, logs and file keys
//! are kept: [`TableFiles`] gives it numbers and keys for new tables, [`TableKeys`] opens those of old ones.

mod block;
mod bloom;
mod cache;
mod codec;
mod compaction;
mod core;
mod entry;
mod error;
mod file_cache;
mod flush;
pub(crate) mod fuzzing;
mod memtable;
mod merge;
mod meta;
mod sealing;
mod snapshot;
mod table;
#[cfg(test)]
mod tests;
mod version;

pub use cache::BlockCache;
pub use compaction::CompactionJob;
pub use core::{Tree, TreeDebt, TreeOptions, TreeShape};
pub use entry::{KEY_LEN_MAX, Operation, VALUE_LEN_MAX};
pub use error::TreeError;
pub use file_cache::{FILES_OPEN_DEFAULT, FileCache};
pub use memtable::MemTable;
pub use meta::{LEVEL_MAX, TableMeta};
pub use sealing::{NewTable, TableFiles, TableKeys};
pub use snapshot::{TreeCursor, TreeSnapshot};
pub use table::{
    FORMAT_VERSION, Finding, TableHeader, TableReport, TableShape, read_table_header, table_dir, table_path,
    verify_table,
};
pub use version::VersionEdit;
