//! GET, HEAD and DELETE of objects.

use super::{Conditions, Deleted, Done, FsError, FsResult, Namespace, ObjectInfo};
use std::sync::Arc;

/// An object as it was when it was opened, whatever happens to its name or content meanwhile.
pub struct ObjectReader {
    pub(super) namespace: Arc<Namespace>,
    pub(super) info: ObjectInfo,
}

impl ObjectReader {
    /// Size, tag and metadata of exactly the content that `read_at` gives.
    #[must_use]
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Fills `buf` from `offset`; returns how many bytes there were before the end.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> FsResult<usize> {
        let _ = (&self.namespace, offset, buf);
        Err(FsError::Unsupported("not yet"))
    }
}

impl Namespace {
    /// Opens an object for reading.
    ///
    /// # Errors
    /// `NotFound`, `InvalidName`, `Locked`.
    pub fn get_object(self: &Arc<Self>, key: &[u8]) -> FsResult<ObjectReader> {
        let _ = key;
        Err(FsError::NotFound)
    }

    /// What HEAD tells.
    ///
    /// # Errors
    /// `NotFound`, `InvalidName`.
    pub fn head_object(&self, key: &[u8]) -> FsResult<ObjectInfo> {
        let _ = key;
        Err(FsError::NotFound)
    }

    /// Removes an object (R4, R21); implied parents that become empty go too.
    ///
    /// # Errors
    /// `PreconditionFailed`, `InvalidName`, `ReadOnly`, `Io`.
    pub fn delete_object(&self, key: &[u8], conditions: &Conditions) -> FsResult<Done<Deleted>> {
        let _ = (key, conditions);
        Err(FsError::Unsupported("not yet"))
    }
}
