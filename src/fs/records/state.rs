//! Counters of a namespace, and the place of an inode.

use super::{VERSION, version};
use crate::{
    format::{Decoder, Encoder},
    fs::{Component, FsError, FsResult, Ino, Place},
};

/// What a namespace counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct NamespaceState {
    /// Next inode or content number.
    pub next: u64,
    /// Inodes, the root not counted.
    pub inodes: u64,
    /// Sum of the lengths of contents.
    pub bytes: u64,
}

/// Encodes the counters.
pub fn encode_state(state: &NamespaceState) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).varint(state.next).varint(state.inodes).varint(state.bytes);
    out.finish()
}

/// Decodes the counters.
pub fn decode_state(bytes: &[u8]) -> FsResult<NamespaceState> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let state =
        NamespaceState { next: from.varint("next")?, inodes: from.varint("inodes")?, bytes: from.varint("bytes")? };
    from.finish("state")?;
    Ok(state)
}

/// Encodes a back-pointer.
pub fn encode_place(place: &Place) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).varint(place.parent.0).raw(place.component.as_bytes());
    out.finish()
}

/// Decodes a back-pointer.
pub fn decode_place(bytes: &[u8]) -> FsResult<Place> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let parent = Ino(from.varint("parent")?);
    let component = Component::parse(from.raw(from.remaining(), "component")?)
        .ok_or_else(|| FsError::damaged("a back-pointer's component"))?;
    Ok(Place { parent, component })
}
