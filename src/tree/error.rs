//! What can go wrong in a tree.

use std::{io, sync::Arc};

/// An error of the tree. Cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TreeError {
    /// Bytes of a table are not what was sealed there, or cannot be read. Only keys in the range of that block are
    /// concerned; everything else is served.
    #[error("table {table}, block {block}, offset {offset}: {what}")]
    Damaged {
        /// File number of the table.
        table: u64,
        /// Block index within the table; `u32::MAX` for what is no block.
        block: u32,
        /// Offset of the block in the file, 0 when it could not be found.
        offset: u64,
        /// What was expected and not found.
        what: &'static str,
    },
    /// A record does not decode. Comes out of the room only from decoders of single records; reads of tables turn it
    /// into `Damaged`.
    #[error("malformed record: {0}")]
    Malformed(&'static str),
    /// The keys are not there (locked); nothing can be read or sealed.
    #[error("the tree is locked: its keys are not available")]
    Locked,
    /// Sealing or opening a file key failed for a reason other than a lock.
    #[error("key of a table: {0}")]
    Key(Arc<str>),
    /// The disk is full; the table begun was removed, nothing else changed.
    #[error("no space left on the disk for a table")]
    NoSpace,
    /// A key or value is over the limit of the format.
    #[error("{what} is over the limit of the table format")]
    TooLarge {
        /// What is too large.
        what: &'static str,
    },
    /// The job was told to stop; what it wrote was removed.
    #[error("the compaction was cancelled")]
    Cancelled,
    /// The disk failed.
    #[error("{what}: {source}")]
    Io {
        /// The call and the file.
        what: Arc<str>,
        /// The error of the system call.
        source: Arc<io::Error>,
    },
}

impl TreeError {
    /// An I/O error with its place; a full disk is an error of its own.
    pub(super) fn io(call: &str, path: &str, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull || source.kind() == io::ErrorKind::QuotaExceeded {
            return Self::NoSpace;
        }
        Self::Io { what: format!("{call} {path}").into(), source: Arc::new(source) }
    }

    /// Whether the bytes themselves are at fault, so that a second copy or a rebuilt index may help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Malformed(_))
    }
}
