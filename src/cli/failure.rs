//! How a command ends.

use std::{io, process::ExitCode};
use strongroom::{fs::FsError, store::OpenError};

/// The message of a command that failed: what happened to what, and what the operator can do.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A message.
    pub fn said(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// A call to the system.
    pub fn io(what: &str, error: io::Error) -> Self {
        Self(format!("{what}: {error}"))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self(error.to_string())
    }
}

impl From<FsError> for Failure {
    fn from(error: FsError) -> Self {
        Self(error.to_string())
    }
}

/// How a command that did not fail ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// `fsck` found problems.
    Problems,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Problems => Self::from(3),
        }
    }
}
