//! What `fsck` found. The fields are stable: later versions add fields and take none away.

use serde::{Deserialize, Serialize};

/// The outcome of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsckReport {
    /// The store's id.
    pub store_id: String,
    /// Whether there are no findings, repaired ones included.
    pub clean: bool,
    /// What is or was wrong.
    pub findings: Vec<FsckFinding>,
    /// Losses that were accepted by this run: names of buckets, and `(catalog)`.
    pub accepted: Vec<String>,
    /// Files and directories that no record knows, from the store directory. Nothing is removed by itself.
    pub unknown: Vec<String>,
    /// Bytes of files that nothing depends on.
    pub dead: Vec<DeadBytes>,
    /// How much was read.
    pub checked: Checked,
}

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Buckets.
    pub buckets: u64,
    /// Files whose content was opened.
    pub files: u64,
    /// Bytes of content that were opened.
    pub content_bytes: u64,
    /// Bytes of the store's own files that were checked.
    pub disk_bytes: u64,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsckFinding {
    /// Name of the bucket, `(catalog)`, or absent for the store as a whole.
    pub bucket: Option<String>,
    /// File on the disk, from the store directory.
    pub file: Option<String>,
    /// Where in that file.
    pub offset: Option<u64>,
    /// How many bytes there.
    pub len: Option<u64>,
    /// Keys of the objects concerned, where known.
    pub objects: Vec<String>,
    /// The range of the object that is lost, as (start, end); absent when it is all of it, or none.
    pub object_range: Option<(u64, u64)>,
    /// What is wrong.
    pub what: String,
    /// `lost`: something cannot be read; `redundant`: another copy serves, and is written anew when the bucket is next
    /// opened or written; `repaired`: it was written anew from the other copy.
    pub severity: Severity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something cannot be read, or contradicts itself.
    #[default]
    Lost,
    /// Another copy serves.
    Redundant,
    /// Another copy served, and this one was written anew.
    Repaired,
}

/// Bytes that nothing depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadBytes {
    /// File on the disk, from the store directory.
    pub file: String,
    /// First byte.
    pub start: u64,
    /// Behind the last byte.
    pub end: u64,
}
