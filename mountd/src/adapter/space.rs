//! What `statfs` tells.

use super::{Adapter, Answer, number::Place};
use fuser::INodeNo;
use nix::sys::statvfs::{Statvfs, statvfs};

const BLOCK_LEN_BYTES: u64 = 4096;
const NAME_LIMIT_BYTES: u32 = 255;
/// What a store in memory, which has no disk to ask, says it has.
const NO_DISK_BLOCKS: u64 = 1 << 20;

/// Space and inodes, in the fields of `statfs`.
#[derive(Debug)]
pub(super) struct Space {
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
    pub block_len_bytes: u32,
    pub name_limit_bytes: u32,
}

impl Adapter {
    /// The space of the disk below the store, which all buckets share, and the inodes of the bucket asked about.
    pub(super) fn space(&self, ino: INodeNo) -> Answer<Space> {
        let used = match Place::of(ino) {
            Place::Root => u64::try_from(self.catalog.buckets().len()).unwrap_or(u64::MAX),
            Place::In(slot, _) => self.namespace(slot)?.usage()?.inodes.saturating_add(1),
        };
        let disk = self.settings.store.as_deref().and_then(|store| statvfs(store).ok());
        let (blocks, free, available) = disk.as_ref().map_or((NO_DISK_BLOCKS, NO_DISK_BLOCKS, NO_DISK_BLOCKS), blocks);
        // Inodes are records: there is room for one wherever there is room for a block.
        Ok(Space {
            blocks,
            free,
            available,
            inodes: used.saturating_add(available),
            inodes_free: available,
            block_len_bytes: u32::try_from(BLOCK_LEN_BYTES).unwrap_or(u32::MAX),
            name_limit_bytes: NAME_LIMIT_BYTES,
        })
    }
}

fn blocks(disk: &Statvfs) -> (u64, u64, u64) {
    let ours = |count: u64| count.saturating_mul(disk.fragment_size()) / BLOCK_LEN_BYTES;
    (ours(disk.blocks()), ours(disk.blocks_free()), ours(disk.blocks_available()))
}
