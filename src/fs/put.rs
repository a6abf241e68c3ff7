//! PUT: a new inode, sealed as it comes, and an atomic swap of the name (R7).

use super::{Conditions, Done, FsError, FsResult, Namespace, ObjectAttributes, ObjectInfo, PutOptions};
use std::sync::Arc;

/// Takes the content of one object. Nothing is visible until [`Self::finish`]; dropping it gives everything up.
pub struct PutWriter {
    pub(super) namespace: Arc<Namespace>,
    pub(super) options: PutOptions,
    pub(super) size: u64,
}

impl PutWriter {
    /// Appends content.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Locked`, `Io`, `TooLarge`.
    pub fn write(&mut self, data: &[u8]) -> FsResult<()> {
        let _ = data;
        Err(FsError::Unsupported("not yet"))
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// CRC64NVME of the bytes so far (for a comparison with what the client says before `finish`).
    #[must_use]
    pub fn crc64(&self) -> u64 {
        0
    }

    /// Headers and metadata as they will be stored; checksums from a trailer are added here.
    pub fn attributes_mut(&mut self) -> &mut ObjectAttributes {
        &mut self.options.attributes
    }

    /// Sets the MD5 of the content, for an entity tag that is one (known only at the end).
    pub fn set_md5(&mut self, md5: Option<[u8; 16]>) {
        self.options.md5 = md5;
    }

    /// Commits: makes missing parents, swaps the name, tells the watcher. The caller waits for the number.
    ///
    /// # Errors
    /// `PreconditionFailed`, `NotFound` (If-Match on a missing object), `NoSpace`, `ReadOnly`, `Locked`, `Io`.
    pub fn finish(self, conditions: &Conditions) -> FsResult<Done<ObjectInfo>> {
        let _ = (&self.namespace, conditions);
        Err(FsError::Unsupported("not yet"))
    }
}

impl Namespace {
    /// Begins a PUT of `key`. A key that ends in `/` makes an explicit directory with a facet (R4).
    ///
    /// # Errors
    /// `InvalidName`, `NameTooLong` (a key over 1024 bytes), `Locked`.
    pub fn begin_put(self: &Arc<Self>, key: &[u8], options: PutOptions) -> FsResult<PutWriter> {
        let _ = key;
        Ok(PutWriter { namespace: Arc::clone(self), options, size: 0 })
    }
}
