//! Keys and values of file records (docs/FORMAT.md 7). Decoders return an error on any bad input.

mod bucket;
mod content;
mod inode;
mod key;
mod state;

pub(super) use bucket::{decode_bucket, encode_bucket};
pub(super) use content::{
    SharedContent, decode_extent, decode_job, decode_shared, encode_extent, encode_job, encode_shared,
};
pub(super) use inode::{Entry, decode_entry, decode_inode, encode_inode, encode_inode_entry, encode_link_entry};
pub(super) use key::*;
pub(super) use state::{NamespaceState, decode_place, decode_state, encode_place, encode_state};

/// Version of every record; a reader refuses others (feature flags say beforehand which there may be).
const VERSION: u8 = 1;

fn version(from: &mut crate::format::Decoder<'_>) -> super::FsResult<()> {
    let found = from.u8("record version")?;
    if found == VERSION { Ok(()) } else { Err(super::FsError::damaged(format!("a file record of version {found}"))) }
}
