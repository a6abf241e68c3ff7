//! Blocks: sorted entries, prefix-compressed, with a restart point every 16 (docs/FORMAT.md 5.3).

mod builder;
mod cursor;
mod frame;

pub(super) use builder::BlockBuilder;
pub(super) use cursor::{BlockCursor, DataBlock, wiped};
pub(super) use frame::{BLOCK_ALIGN, BLOCK_HEADER_LEN, BlockFrame, BlockHandle, BlockKind, open_block, seal_block};

/// Entries from one restart point to the next.
const RESTART_INTERVAL: u32 = 16;
