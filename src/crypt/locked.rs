//! Keys that live long (DEKs and bucket keys), in pages that are neither swapped nor dumped.
//!
//! Pages hold 128 keys each, so that the usual limit of 8 MiB of locked memory is enough for a quarter of a million
//! keys. Where a page cannot be locked, keys are kept all the same and the page is counted ([`locked_memory`]).
//! A slot is zero whenever no key owns it.
//!
//! The mappings are `memmap2`'s: anonymous ones, their locking and their advice are its safe interface.

use super::CryptError;
use memmap2::{Advice, MmapMut};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use zeroize::{Zeroize, Zeroizing};

const KEY_LEN: usize = 32;
const KEYS_PER_PAGE: usize = 128;
const PAGE_LEN: usize = KEY_LEN * KEYS_PER_PAGE;

static PAGES: Mutex<Vec<Arc<Page>>> = Mutex::new(Vec::new());

/// How the long-lived keys of this process are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LockedMemory {
    /// Keys held now.
    pub keys: usize,
    /// Pages that are locked and left out of dumps.
    pub pages_locked: usize,
    /// Pages that the kernel refused to lock (the limit on locked memory), or to leave out of dumps.
    pub pages_not_locked: usize,
}

/// Counts the pages of long-lived keys, for status and metrics.
#[must_use]
pub fn locked_memory() -> LockedMemory {
    let mut sum = LockedMemory::default();
    for page in PAGES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        sum.keys += page.used.lock().unwrap_or_else(PoisonError::into_inner).count_ones() as usize;
        if page.locked {
            sum.pages_locked += 1;
        } else {
            sum.pages_not_locked += 1;
        }
    }
    sum
}

enum Memory {
    Mapped(MmapMut),
    /// When the kernel gives no mapping at all.
    Heap(Zeroizing<Vec<u8>>),
}

struct Page {
    memory: RwLock<Memory>,
    /// One bit for each slot in use. Locked after `PAGES`, before `memory`.
    used: Mutex<u128>,
    locked: bool,
}

impl Page {
    fn new() -> Self {
        let (memory, locked) = match MmapMut::map_anon(PAGE_LEN) {
            Ok(map) => {
                let locked = map.lock().and_then(|()| map.advise(Advice::DontDump)).is_ok();
                (Memory::Mapped(map), locked)
            }
            Err(_) => (Memory::Heap(Zeroizing::new(vec![0; PAGE_LEN])), false),
        };
        Self { memory: RwLock::new(memory), used: Mutex::new(0), locked }
    }

    fn take_slot(&self) -> Option<usize> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = used.trailing_ones();
        *used |= 1u128.checked_shl(slot)?;
        usize::try_from(slot).ok()
    }

    /// Gives a slot back; true when the page is empty then.
    fn free_slot(&self, slot: usize) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used &= !(1u128 << slot);
        *used == 0
    }

    fn with_slot_mut(&self, slot: usize, change: impl FnOnce(&mut [u8; KEY_LEN])) {
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        let bytes: &mut [u8] = match &mut *memory {
            Memory::Mapped(map) => map,
            Memory::Heap(bytes) => bytes,
        };
        if let Some(key) = bytes.as_chunks_mut::<KEY_LEN>().0.get_mut(slot) {
            change(key);
        }
    }
}

/// One key in a locked page; wiped on drop. No `Debug`, no `Clone`.
pub(crate) struct LockedKey {
    page: Arc<Page>,
    slot: usize,
}

impl LockedKey {
    /// Copies the key in; the caller wipes its own copy.
    pub(crate) fn new(key: &[u8; KEY_LEN]) -> Self {
        let (page, slot) = take_slot();
        page.with_slot_mut(slot, |bytes| bytes.copy_from_slice(key));
        Self { page, slot }
    }

    /// Lends the key. `read` must not make or drop a `LockedKey`.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&[u8; KEY_LEN]) -> Result<T, CryptError>) -> Result<T, CryptError> {
        let memory = self.page.memory.read().unwrap_or_else(PoisonError::into_inner);
        let bytes: &[u8] = match &*memory {
            Memory::Mapped(map) => map,
            Memory::Heap(bytes) => bytes,
        };
        // A slot is always below KEYS_PER_PAGE; whatever happens, nothing is sealed under some other bytes.
        read(bytes.as_chunks::<KEY_LEN>().0.get(self.slot).ok_or(CryptError::Cipher("locked memory"))?)
    }
}

fn take_slot() -> (Arc<Page>, usize) {
    let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    for page in pages.iter() {
        if let Some(slot) = page.take_slot() {
            return (Arc::clone(page), slot);
        }
    }
    let page = Arc::new(Page::new());
    let slot = page.take_slot().unwrap_or(0);
    pages.push(Arc::clone(&page));
    (page, slot)
}

impl Drop for LockedKey {
    fn drop(&mut self) {
        self.page.with_slot_mut(self.slot, Zeroize::zeroize);
        let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
        if self.page.free_slot(self.slot) {
            pages.retain(|page| !Arc::ptr_eq(page, &self.page));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_share_a_page_and_come_back_intact() {
        let keys: Vec<LockedKey> = (0..=255u8).map(|n| LockedKey::new(&[n; 32])).collect();
        for (n, key) in (0..=255u8).zip(&keys) {
            assert_eq!(key.with(|bytes| Ok(*bytes == [n; 32])), Ok(true));
        }
        let held = locked_memory();
        assert!(held.keys >= 256);
        assert!(held.pages_locked + held.pages_not_locked <= held.keys / 2 + 8);
    }

    #[test]
    fn a_freed_slot_is_zero() {
        let keep = LockedKey::new(&[1; 32]);
        let (page, slot) = {
            let key = LockedKey::new(&[2; 32]);
            (Arc::clone(&key.page), key.slot)
        };
        let seen = LockedKey { page, slot };
        assert_eq!(seen.with(|bytes| Ok(*bytes != [2; 32])), Ok(true));
        std::mem::forget(seen);
        drop(keep);
    }
}
