//! Tables: immutable, sorted, sealed files (docs/FORMAT.md 5).
//!
//! Every block opens only under the file's own key at its own index, so that no block of another file, of another
//! place or of another time is ever taken for it. The index only says where to look; when it cannot be read it is
//! built anew, in memory, from blocks that describe themselves.

mod cursor;
mod footer;
pub(super) mod fuzzing;
mod header;
mod index;
mod open;
mod rebuild;
mod verify;
mod writer;

pub(super) use cursor::TableCursor;
pub use header::{TableHeader, read_table_header};
pub(super) use index::Partition;
pub(super) use open::{Keep, OnDamage, Table, TableContext, key_hash};
pub use verify::{Finding, TableReport, verify_table};
pub use writer::TableShape;
pub(super) use writer::TableWriter;

/// Version of the table format, in headers, footers and the AAD of every block.
pub const FORMAT_VERSION: u16 = 1;
/// Headers and footers stand each in a page of their own.
pub(super) const PAGE_LEN: usize = 4096;
/// Offset of the first block: behind both headers.
pub(super) const BLOCKS_OFFSET: u64 = 2 * PAGE_LEN as u64;
/// Bytes behind the blocks: two footers.
pub(super) const FOOTERS_LEN: u64 = 2 * PAGE_LEN as u64;

/// Path of a table's file.
#[must_use]
pub fn table_path(dir: &str, number: u64) -> String {
    format!("{dir}/table/{number}.tbl")
}

/// Path of the directory that holds the tables.
#[must_use]
pub fn table_dir(dir: &str) -> String {
    format!("{dir}/table")
}
