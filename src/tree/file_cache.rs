//! Open descriptors of tables, for the whole store: opened when a block is read, least recently used ones closed.

use super::TreeError;
use crate::{
    crypt::FileId,
    disk::{Disk, DiskFile},
};
use lru::LruCache;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Descriptors that a store keeps open for tables unless told otherwise.
pub const FILES_OPEN_DEFAULT: NonZeroUsize = match NonZeroUsize::new(256) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};

/// Open tables by file id.
pub struct FileCache {
    files: Mutex<LruCache<FileId, Arc<dyn DiskFile>>>,
}

impl FileCache {
    /// Keeps at most `capacity` descriptors (readers in flight may hold a few more).
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { files: Mutex::new(LruCache::new(capacity)) }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<FileId, Arc<dyn DiskFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open file; the lock is not held while it is opened.
    pub(crate) fn open(&self, disk: &dyn Disk, file: FileId, path: &str) -> Result<Arc<dyn DiskFile>, TreeError> {
        if let Some(open) = self.lock().get(&file) {
            return Ok(Arc::clone(open));
        }
        let open = disk.open_read(path).map_err(|e| TreeError::io("open", path, e))?;
        let evicted = self.lock().push(file, Arc::clone(&open));
        drop(evicted);
        Ok(open)
    }

    /// Closes these files, when no reader is in them.
    pub fn forget(&self, files: &[FileId]) {
        for file in files {
            let closed = self.lock().pop(file);
            drop(closed);
        }
    }

    /// Descriptors open now.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.lock().len()
    }
}

impl Default for FileCache {
    fn default() -> Self {
        Self::new(FILES_OPEN_DEFAULT)
    }
}

impl std::fmt::Debug for FileCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileCache").field("open", &self.open_files()).finish_non_exhaustive()
    }
}
