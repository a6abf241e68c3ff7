//! What can go wrong below `fs`.

use crate::{crypt::CryptError, log::LogError, tree::TreeError};
use std::{io, sync::Arc};

/// An error of a bucket's store. Cheap to clone: one failed sync answers many waiters.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing was changed. Freeing space heals it (promise D6).
    #[error("no space left on the disk below the store; free some, or remove files")]
    NoSpace,
    /// The bucket takes no more changes since an earlier I/O error (promise D5) or damage; reads go on.
    #[error("the bucket is read-only: {reason}")]
    ReadOnly {
        /// What happened first, in one sentence.
        reason: Arc<str>,
    },
    /// Bytes on the disk are not what was sealed there. The rest of the bucket is served.
    #[error("damaged: {what}; run `strongroom fsck` to see what is affected")]
    Damaged {
        /// File and place, and what was expected there.
        what: Arc<str>,
    },
    /// The bucket's keys are not there (locked); nothing can be read or sealed.
    #[error("the bucket is locked: its keys are not available")]
    Locked,
    /// The batch is larger than one transaction may be.
    #[error("a transaction of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Encoded size.
        bytes: u64,
        /// Largest allowed.
        limit: u64,
    },
    /// The segment is not in the segment table of this snapshot.
    #[error("no segment {0:?} in this snapshot")]
    NoSegment(super::SegmentId),
    /// The disk failed.
    #[error("{what}: {source}")]
    Io {
        /// The call and the file.
        what: Arc<str>,
        /// The error of the system call.
        source: Arc<io::Error>,
    },
}

impl StoreError {
    /// An I/O error, with a full disk told apart.
    pub(crate) fn io(what: impl Into<Arc<str>>, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::NoSpace;
        }
        Self::Io { what: what.into(), source: Arc::new(source) }
    }

    /// Damage, described.
    pub(crate) fn damaged(what: impl Into<Arc<str>>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl From<LogError> for StoreError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::NoSpace => Self::NoSpace,
            LogError::Failed(reason) => Self::ReadOnly { reason },
            LogError::Io { what, source } => Self::Io { what, source },
            LogError::Crypt { source, .. } if matches!(*source, CryptError::Locked) => Self::Locked,
            LogError::Crypt { what, source } => Self::damaged(format!("{what}: {source}")),
            LogError::Format { what, source } => Self::damaged(format!("{what}: {source}")),
            LogError::TooLarge { bytes, limit } => Self::TooLarge { bytes, limit },
        }
    }
}

impl From<TreeError> for StoreError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Locked => Self::Locked,
            TreeError::NoSpace => Self::NoSpace,
            TreeError::Io { what, source } => Self::Io { what, source },
            other => Self::damaged(other.to_string()),
        }
    }
}

impl From<CryptError> for StoreError {
    fn from(error: CryptError) -> Self {
        match error {
            CryptError::Locked => Self::Locked,
            other => Self::damaged(other.to_string()),
        }
    }
}
