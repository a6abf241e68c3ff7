//! Open files and directories, by the handle that the kernel carries.

use fuser::FileHandle;
use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use strongroom::fs::{DirectoryHandle, Handle, Namespace};

const SHARDS: usize = 16;

/// An open directory.
pub enum OpenDirectory {
    /// The root of the mount.
    Root,
    /// A directory of a bucket.
    In(Arc<Namespace>, DirectoryHandle),
}

/// A table of open things. Numbers are never used twice, so a late request never meets another's handle.
pub struct Table<T> {
    next: AtomicU64,
    shards: [RwLock<HashMap<u64, Arc<T>>>; SHARDS],
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { next: AtomicU64::new(1), shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl<T> Table<T> {
    /// Keeps `open` and returns its number.
    pub fn insert(&self, open: T) -> FileHandle {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(shard) = self.shard(number) {
            shard.write().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::new(open));
        }
        FileHandle(number)
    }

    /// What has this number.
    pub fn get(&self, handle: FileHandle) -> Option<Arc<T>> {
        self.shard(handle.0)?.read().unwrap_or_else(PoisonError::into_inner).get(&handle.0).cloned()
    }

    /// Forgets it; what it stood for is dropped with its last request.
    pub fn remove(&self, handle: FileHandle) -> Option<Arc<T>> {
        self.shard(handle.0)?.write().unwrap_or_else(PoisonError::into_inner).remove(&handle.0)
    }

    /// Forgets all.
    pub fn clear(&self) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn shard(&self, number: u64) -> Option<&RwLock<HashMap<u64, Arc<T>>>> {
        self.shards.get(usize::try_from(number).unwrap_or_default() % SHARDS)
    }
}

/// All that is open.
#[derive(Default)]
pub struct Handles {
    /// Files.
    pub files: Table<Handle>,
    /// Directories.
    pub directories: Table<OpenDirectory>,
}
