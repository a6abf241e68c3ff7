//! LIST: keys in S3's order, with prefix, any delimiter, and a place to go on from.

use super::{FsError, FsResult, Namespace, ObjectInfo};

/// Where a listing begins, behind its prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListFrom {
    /// At the first key.
    #[default]
    Start,
    /// Behind this key (`start-after`, V1 `marker`, or the token of a page that ended with a key).
    AfterKey(Vec<u8>),
    /// Behind everything that begins with these bytes (the token of a page that ended with a common prefix).
    AfterPrefix(Vec<u8>),
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that begin with it.
    pub prefix: Vec<u8>,
    /// Rolls up keys behind its first occurrence after the prefix; empty for none.
    pub delimiter: Vec<u8>,
    /// Where to begin.
    pub from: ListFrom,
    /// Most entries, keys and prefixes together.
    pub max_entries: usize,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// An object.
    Object {
        /// Its whole key.
        key: Vec<u8>,
        /// What HEAD would tell.
        info: Box<ObjectInfo>,
    },
    /// Keys rolled up.
    CommonPrefix(Vec<u8>),
}

/// A page of a listing, all of it from one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// In byte order.
    pub entries: Vec<ListEntry>,
    /// Where the next page begins; `None` when this was the last. A page is full before there is a next.
    pub next: Option<ListFrom>,
}

impl Namespace {
    /// Lists a page.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn list(&self, request: &ListRequest) -> FsResult<ListPage> {
        let _ = request;
        Err(FsError::Unsupported("not yet"))
    }
}
