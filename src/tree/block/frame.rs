//! How a block lies in the file: a clear header that describes it, then ciphertext and tag, then zeros up to a
//! multiple of 64 (docs/FORMAT.md 5.2). The header serves only to find blocks when an index is lost; what a block
//! holds is believed only because it opens under the file's key at its index.

use crate::crypt::{FileId, TAG_LEN_BYTES};
use crate::tree::{
    TreeError,
    codec::{Decoder, narrow},
    sealing::TableKey,
    table::FORMAT_VERSION,
};

/// Blocks begin at multiples of this.
pub(in crate::tree) const BLOCK_ALIGN: u64 = 64;
/// Length of the clear header.
pub(in crate::tree) const BLOCK_HEADER_LEN: usize = 32;
/// Length of the AAD of a block.
const AAD_LEN: usize = 23;
/// What the magic of a block is made of, beside the file's id.
const MAGIC: u64 = u64::from_le_bytes(*b"SRtblock");

/// What a block holds; the byte in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::tree) enum BlockKind {
    /// Sorted entries.
    Data = 1,
    /// Separators and places of data blocks, and the filter of their keys.
    Partition = 2,
    /// Separators and places of partitions.
    Top = 3,
}

/// Where a block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tree) struct BlockHandle {
    /// Offset of the block's header in the file.
    pub(in crate::tree) offset: u64,
    /// Length of ciphertext and tag.
    pub(in crate::tree) sealed_len: u32,
    /// Index of the block in the file: its nonce.
    pub(in crate::tree) index: u32,
}

impl BlockHandle {
    /// Stands for a block that a rebuilt index did not find. No block is at offset 0.
    pub(in crate::tree) const LOST: Self = Self { offset: 0, sealed_len: 0, index: u32::MAX };

    /// Where the bytes behind the block's padding begin.
    pub(in crate::tree) fn end(&self) -> u64 {
        self.offset.saturating_add(stored_len(self.sealed_len))
    }

    pub(in crate::tree) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.sealed_len.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
    }

    pub(in crate::tree) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, TreeError> {
        Ok(Self { offset: decoder.u64()?, sealed_len: decoder.u32()?, index: decoder.u32()? })
    }
}

/// Length in the file of a block with `sealed_len` bytes of ciphertext and tag: header and padding included.
pub(in crate::tree) fn stored_len(sealed_len: u32) -> u64 {
    (u64::from(sealed_len) + BLOCK_HEADER_LEN as u64).next_multiple_of(BLOCK_ALIGN)
}

/// What a block's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tree) struct BlockFrame {
    pub(in crate::tree) kind: BlockKind,
    pub(in crate::tree) index: u32,
    pub(in crate::tree) sealed_len: u32,
    /// CRC-32C of ciphertext and tag, against accidents.
    pub(in crate::tree) crc: u32,
}

/// The magic of the blocks of a file; a block copied from another file is not taken for one of this.
fn magic(file: FileId) -> u64 {
    let (halves, _) = file.as_bytes().as_chunks::<8>();
    halves.iter().fold(MAGIC, |magic, half| magic.rotate_left(17) ^ u64::from_le_bytes(*half))
}

impl BlockFrame {
    pub(in crate::tree) fn encode(&self, file: FileId) -> Vec<u8> {
        let mut out = Vec::with_capacity(BLOCK_HEADER_LEN);
        out.extend_from_slice(&magic(file).to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, 0, 0, 0]);
        out.extend_from_slice(&self.index.to_le_bytes());
        out.extend_from_slice(&self.sealed_len.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    pub(in crate::tree) fn decode(file: FileId, bytes: &[u8]) -> Result<Self, TreeError> {
        let bad = TreeError::Malformed("no block header");
        let (body, crc) = bytes.split_last_chunk::<4>().ok_or(bad.clone())?;
        let mut decoder = Decoder::new(body);
        if decoder.u64()? != magic(file) || u32::from_le_bytes(*crc) != crc32c::crc32c(body) {
            return Err(bad);
        }
        let kind = match decoder.array()? {
            [1, 0, 0, 0] => BlockKind::Data,
            [2, 0, 0, 0] => BlockKind::Partition,
            [3, 0, 0, 0] => BlockKind::Top,
            _ => return Err(bad),
        };
        let frame = Self { kind, index: decoder.u32()?, sealed_len: decoder.u32()?, crc: decoder.u32()? };
        if decoder.u32()? != 0 {
            return Err(bad);
        }
        decoder.end()?;
        Ok(frame)
    }
}

/// What a block is bound to: format version, table, place and purpose.
fn aad(file: FileId, kind: BlockKind, index: u32) -> [u8; AAD_LEN] {
    let mut aad = [0u8; AAD_LEN];
    let fields =
        FORMAT_VERSION.to_le_bytes().into_iter().chain(*file.as_bytes()).chain([kind as u8]).chain(index.to_le_bytes());
    for (to, from) in aad.iter_mut().zip(fields) {
        *to = from;
    }
    aad
}

/// Seals `plain` as block `index` and appends header, ciphertext, tag and padding to `out`. Returns the length of
/// ciphertext and tag, and the tag.
pub(in crate::tree) fn seal_block(
    key: &TableKey,
    file: FileId,
    kind: BlockKind,
    index: u32,
    mut plain: Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(u32, [u8; TAG_LEN_BYTES]), TreeError> {
    let plain_len = plain.len();
    let tag = key.seal(index, &aad(file, kind, index), &mut plain)?;
    let sealed = plain;
    debug_assert_eq!(sealed.len(), plain_len + TAG_LEN_BYTES);
    let sealed_len = narrow(sealed.len())?;
    let frame = BlockFrame { kind, index, sealed_len, crc: crc32c::crc32c(&sealed) };
    let padding = usize::try_from(stored_len(sealed_len)).unwrap_or_default() - BLOCK_HEADER_LEN - sealed.len();
    out.extend_from_slice(&frame.encode(file));
    out.extend_from_slice(&sealed);
    out.resize(out.len() + padding, 0);
    Ok((sealed_len, tag))
}

/// Opens ciphertext and tag of block `index`.
pub(in crate::tree) fn open_block(
    key: &TableKey,
    file: FileId,
    kind: BlockKind,
    index: u32,
    sealed: &[u8],
) -> Result<Vec<u8>, TreeError> {
    key.open(index, &aad(file, kind, index), sealed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_with_any_flipped_bit_is_refused(index: u32, sealed_len: u32, crc: u32, at in 0..BLOCK_HEADER_LEN * 8) {
            let file = FileId::from_bytes([7; 16]);
            let frame = BlockFrame { kind: BlockKind::Partition, index, sealed_len, crc };
            let mut bytes = frame.encode(file);
            prop_assert_eq!(bytes.len(), BLOCK_HEADER_LEN);
            prop_assert_eq!(BlockFrame::decode(file, &bytes).unwrap(), frame);
            prop_assert!(BlockFrame::decode(FileId::from_bytes([8; 16]), &bytes).is_err());
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert!(BlockFrame::decode(file, &bytes).is_err());
        }
    }
}
