//! What can go wrong in `fs`, for both views.

use crate::{bucket::StoreError, crypt::CryptError, format::FormatError};
use std::{io, sync::Arc};

/// Result of a call of this room.
pub type FsResult<T> = Result<T, FsError>;

/// An error of a file operation. Each adapter maps it to an errno or an S3 code with one exhaustive `match`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FsError {
    /// No such file, directory, key or inode.
    #[error("no such file or object")]
    NotFound,
    /// The name is taken, and the call must not replace it.
    #[error("the name exists already")]
    Exists,
    /// A directory is needed, and something else was found.
    #[error("not a directory")]
    NotDir,
    /// A directory was found where none may be.
    #[error("is a directory")]
    IsDir,
    /// The directory still has entries.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A POSIX name has more than 255 bytes, or a symbolic link's target more than 4095.
    #[error("the name is too long")]
    NameTooLong,
    /// The name or key cannot be used here (empty, `.`, `..`, with `/` or NUL in a POSIX name; empty or not UTF-8 as a key).
    #[error("the name is not valid: {0}")]
    InvalidName(&'static str),
    /// An argument makes no sense, or a rename would put a directory into itself.
    #[error("invalid argument: {0}")]
    InvalidArgument(&'static str),
    /// A file, value or transaction over its limit.
    #[error("{0} is over its limit")]
    TooLarge(&'static str),
    /// The disk is full; nothing was changed (promise D6).
    #[error("no space left on the disk below the store; free some, or remove files")]
    NoSpace,
    /// The bucket takes no more changes (promise D5).
    #[error("the bucket is read-only: {0}")]
    ReadOnly(Arc<str>),
    /// The bucket's keys, or those of this object, are not available.
    #[error("locked: the keys are not available")]
    Locked,
    /// Rename or link between two buckets.
    #[error("source and target are in different buckets")]
    CrossBucket,
    /// The inode has as many names as it can have.
    #[error("too many links")]
    TooManyLinks,
    /// No such extended attribute.
    #[error("no such attribute")]
    NoAttr,
    /// The extended attribute exists, and was to be created.
    #[error("the attribute exists already")]
    AttrExists,
    /// A buffer is too small, a byte range lies outside of the object, or there is no data behind an offset.
    #[error("out of range")]
    Range,
    /// The caller may not do this to this thing, whatever its permission bits are.
    #[error("not permitted: {0}")]
    NotPermitted(&'static str),
    /// Not offered by this version.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// A condition of the request (If-Match, If-None-Match) does not hold.
    #[error("the precondition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// Bytes on the disk are not what was sealed there; the rest of the bucket is served.
    #[error("damaged: {0}")]
    Damaged(Arc<str>),
    /// The disk failed, now or before; for a handle: data that it wrote is lost.
    #[error("{what}")]
    Io {
        /// What failed.
        what: Arc<str>,
        /// The error of the system call, where one is known.
        #[source]
        source: Option<Arc<io::Error>>,
    },
    /// A bucket of this name exists.
    #[error("the bucket exists already")]
    BucketExists,
    /// The bucket still holds objects.
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// No bucket of this name.
    #[error("no such bucket")]
    NoSuchBucket,
    /// The thing is being made, removed or used elsewhere; try again.
    #[error("busy: {0}")]
    Busy(&'static str),
}

impl FsError {
    /// An integrity error, with the thing that is damaged.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(Arc::from(what.into()))
    }

    /// An I/O error without a system call behind it.
    pub(crate) fn io(what: impl Into<String>) -> Self {
        Self::Io { what: Arc::from(what.into()), source: None }
    }
}

impl From<StoreError> for FsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSpace => Self::NoSpace,
            StoreError::ReadOnly { reason } => Self::ReadOnly(reason),
            StoreError::Damaged { what } => Self::Damaged(what),
            StoreError::Locked => Self::Locked,
            StoreError::TooLarge { .. } => Self::TooLarge("the transaction"),
            StoreError::NoSegment(id) => Self::damaged(format!("segment {} is missing", id.0)),
            StoreError::Io { what, source } => Self::Io { what, source: Some(source) },
        }
    }
}

impl From<FormatError> for FsError {
    fn from(error: FormatError) -> Self {
        Self::damaged(format!("a file record: {error}"))
    }
}

impl From<CryptError> for FsError {
    fn from(error: CryptError) -> Self {
        match error {
            CryptError::Locked | CryptError::SlotLocked { .. } => Self::Locked,
            CryptError::TooLarge { what, .. } => Self::TooLarge(what),
            CryptError::Entropy(_) => Self::io(error.to_string()),
            other => Self::damaged(other.to_string()),
        }
    }
}
