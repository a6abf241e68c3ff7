//! What can go wrong in the log.

use crate::{crypt::CryptError, format::FormatError};
use std::{io, sync::Arc};

/// An error of the log; cheap to clone, because one failed sync answers many waiters.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// The disk is full; nothing was written.
    #[error("no space left on the disk below the store")]
    NoSpace,
    /// An earlier write or sync failed: nothing more is written (promise D5).
    #[error("the log takes no more writes: {0}")]
    Failed(Arc<str>),
    /// The disk failed.
    #[error("{what}: {source}")]
    Io {
        /// The call and the file.
        what: Arc<str>,
        /// The error of the system call.
        source: Arc<io::Error>,
    },
    /// Keys are gone, or bytes are not what was sealed.
    #[error("{what}: {source}")]
    Crypt {
        /// The file.
        what: Arc<str>,
        /// What the cipher said.
        source: Arc<CryptError>,
    },
    /// A record does not decode.
    #[error("{what}: {source}")]
    Format {
        /// The file.
        what: Arc<str>,
        /// What the decoder said.
        source: FormatError,
    },
    /// A batch over the limit of one transaction.
    #[error("a transaction of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Encoded size.
        bytes: u64,
        /// Largest allowed.
        limit: u64,
    },
}

impl LogError {
    /// An I/O error, with a full disk told apart.
    pub fn io(what: impl Into<Arc<str>>, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::StorageFull {
            return Self::NoSpace;
        }
        Self::Io { what: what.into(), source: Arc::new(source) }
    }

    /// An error of the cipher at `what`.
    pub fn crypt(what: impl Into<Arc<str>>, source: CryptError) -> Self {
        Self::Crypt { what: what.into(), source: Arc::new(source) }
    }

    /// A record of `what` that does not decode.
    pub fn format(what: impl Into<Arc<str>>, source: FormatError) -> Self {
        Self::Format { what: what.into(), source }
    }
}
