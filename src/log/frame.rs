//! Frame headers (docs/FORMAT.md 4.2).

use crate::crypt::FileId;
use sha2::{Digest, Sha256};

/// Bytes of a frame header.
pub const FRAME_HEADER_BYTES: usize = 32;
/// Frames begin at multiples of this.
pub const FRAME_ALIGN: u64 = 64;

/// The first eight bytes of every frame of one file, drawn from the file's id, so that a frame left over from another
/// file in recycled space is never taken for one of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMagic([u8; 8]);

impl FrameMagic {
    /// The magic of a file.
    #[must_use]
    pub fn of(file: FileId) -> Self {
        let digest: [u8; 32] =
            Sha256::new().chain_update(b"strongroom frame").chain_update(file.as_bytes()).finalize().into();
        let mut magic = [0; 8];
        magic.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(magic)
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Sealed metadata changes; the header's number is the batch number.
    Batch,
    /// Sealed content; the header's number is the segment id.
    Content,
}

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: FrameKind,
    /// Bytes of the payload, without the padding.
    pub payload_bytes: u32,
    /// Batch number or segment id.
    pub number: u64,
    /// CRC32C of the payload.
    pub payload_crc: u32,
}

impl FrameHeader {
    /// The header's bytes in the file with this magic.
    #[must_use]
    pub fn encode(&self, magic: FrameMagic) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let kind = match self.kind {
            FrameKind::Batch => 1u8,
            FrameKind::Content => 2,
        };
        let head = magic
            .0
            .into_iter()
            .chain([kind, 0, 0, 0])
            .chain(self.payload_bytes.to_le_bytes())
            .chain(self.number.to_le_bytes())
            .chain(self.payload_crc.to_le_bytes());
        bytes.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        let (head, check) = bytes.split_at_mut(FRAME_HEADER_BYTES - 4);
        check.copy_from_slice(&crc32c::crc32c(head).to_le_bytes());
        bytes
    }

    /// The reverse of `encode`; `None` for anything that is not an intact header of this file.
    #[must_use]
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES], magic: FrameMagic) -> Option<Self> {
        let mut from = crate::format::Decoder::new(bytes);
        if from.array::<8>("magic").ok()? != magic.0 {
            return None;
        }
        let kind = match from.array::<4>("kind").ok()? {
            [1, 0, 0, 0] => FrameKind::Batch,
            [2, 0, 0, 0] => FrameKind::Content,
            _ => return None,
        };
        let payload_bytes = from.u32("length").ok()?;
        let number = from.u64("number").ok()?;
        let payload_crc = from.u32("payload check").ok()?;
        let (head, _) = bytes.split_at(FRAME_HEADER_BYTES - 4);
        (from.u32("check").ok()? == crc32c::crc32c(head)).then_some(Self { kind, payload_bytes, number, payload_crc })
    }
}

/// Bytes that a frame with this payload takes in the file, padding included.
#[must_use]
pub fn frame_span(payload_bytes: u32) -> u64 {
    (FRAME_HEADER_BYTES as u64 + u64::from(payload_bytes)).next_multiple_of(FRAME_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_every_flipped_bit_is_seen() {
        let magic = FrameMagic::of(FileId::from_bytes([7; 16]));
        let header = FrameHeader { kind: FrameKind::Batch, payload_bytes: 1234, number: 99, payload_crc: 5 };
        let bytes = header.encode(magic);
        assert_eq!(FrameHeader::decode(&bytes, magic), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&damaged, magic), None, "bit {bit}");
        }
        assert_eq!(FrameHeader::decode(&bytes, FrameMagic::of(FileId::from_bytes([8; 16]))), None);
    }

    #[test]
    fn spans_are_aligned() {
        assert_eq!((frame_span(0), frame_span(32), frame_span(33)), (64, 64, 128));
    }
}
