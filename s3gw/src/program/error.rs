//! Why the gateway did not start, or did not end well.

use std::io;
use strongroom::store::OpenError;

/// An error of the program. Its message is the last line on standard error; the exit code is 1.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The store cannot be opened or closed.
    #[error("{0}")]
    Store(#[from] OpenError),
    /// The S3 address makes no sense.
    #[error("--s3 {address} is not an address and a port: {source}; an example is 127.0.0.1:9000")]
    Address {
        /// As given.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The S3 address is taken.
    #[error("{address} is in use by another program; stop it, or choose another address with --s3 ADDR")]
    AddressInUse {
        /// As given.
        address: String,
    },
    /// The S3 address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address with --s3 ADDR")]
    Listen {
        /// As given.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The process could not get a thread, a signal handler or its standard output.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl ProgramError {
    /// To be used with `map_err`.
    pub(super) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
