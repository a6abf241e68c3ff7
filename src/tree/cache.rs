//! The block cache of the whole store: opened blocks by file and offset, least recently used ones dropped first.
//!
//! What it holds is plaintext; it is wiped when the last reader lets go of it. A locked bucket's blocks are dropped by
//! [`BlockCache::forget`].

use super::{block::DataBlock, table::Partition};
use crate::crypt::FileId;
use lru::LruCache;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Shards, each under a lock of its own.
const SHARDS: usize = 16;
/// Cost of an entry beside its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 160;

/// An opened block.
#[derive(Clone)]
pub(super) enum Opened {
    /// Entries.
    Data(DataBlock),
    /// An index partition with its filter.
    Partition(Arc<Partition>),
}

impl Opened {
    fn weight(&self) -> usize {
        ENTRY_OVERHEAD_BYTES
            + match self {
                Self::Data(block) => block.weight(),
                Self::Partition(partition) => partition.weight(),
            }
    }
}

type Key = (FileId, u64);

struct Shard {
    blocks: LruCache<Key, Opened>,
    bytes: usize,
}

/// Opened blocks of all tables of a store, within one budget of bytes.
pub struct BlockCache {
    shards: Vec<Mutex<Shard>>,
    budget: AtomicUsize,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl BlockCache {
    /// A cache that keeps at most `budget_bytes`.
    #[must_use]
    pub fn new(budget_bytes: usize) -> Self {
        let shard = || Mutex::new(Shard { blocks: LruCache::unbounded(), bytes: 0 });
        Self {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            budget: AtomicUsize::new(budget_bytes),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Changes the budget; what is over it goes at once.
    pub fn set_budget(&self, budget_bytes: usize) {
        self.budget.store(budget_bytes, Ordering::Relaxed);
        for shard in &self.shards {
            Self::shrink(&mut lock(shard), budget_bytes / SHARDS);
        }
    }

    /// Bytes held, overhead included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).bytes).sum()
    }

    /// Look-ups that found a block, and those that did not, since the start.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    /// Drops all blocks of these files.
    pub fn forget(&self, files: &[FileId]) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let gone: Vec<Key> =
                shard.blocks.iter().map(|(key, _)| *key).filter(|(file, _)| files.contains(file)).collect();
            for key in gone {
                if let Some(block) = shard.blocks.pop(&key) {
                    shard.bytes -= block.weight();
                }
            }
        }
    }

    fn shard(&self, (file, offset): Key) -> Option<&Mutex<Shard>> {
        let (words, _) = file.as_bytes().as_chunks::<8>();
        let word = words.first().map_or(0, |word| u64::from_le_bytes(*word));
        let mixed = (word ^ (offset / 64)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.shards.get(usize::try_from(mixed >> 32).unwrap_or(0) % SHARDS)
    }

    pub(super) fn get(&self, file: FileId, offset: u64) -> Option<Opened> {
        let found = self.shard((file, offset)).and_then(|shard| lock(shard).blocks.get(&(file, offset)).cloned());
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn insert(&self, file: FileId, offset: u64, block: Opened) {
        let budget = self.budget.load(Ordering::Relaxed) / SHARDS;
        let weight = block.weight();
        let Some(shard) = self.shard((file, offset)) else { return };
        if weight > budget {
            return;
        }
        let mut shard = lock(shard);
        shard.bytes += weight;
        if let Some(old) = shard.blocks.put((file, offset), block) {
            shard.bytes -= old.weight();
        }
        Self::shrink(&mut shard, budget);
    }

    fn shrink(shard: &mut Shard, budget: usize) {
        while shard.bytes > budget {
            let Some((_, block)) = shard.blocks.pop_lru() else { break };
            shard.bytes -= block.weight();
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockCache").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
