//! A row of the segment table (docs/FORMAT.md 4.3).

use crate::format::{Decoder, Encoder, FormatError};

const PREFIX: [u8; 2] = [0x00, 0x53];
const VERSION: u8 = 1;

/// Where a segment lies and how much of it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRecord {
    /// Number of the log file.
    pub log: u64,
    /// Where the ciphertext begins in it.
    pub offset: u64,
    /// Length of the ciphertext in bytes.
    pub sealed_bytes: u32,
    /// Length of the plaintext in bytes.
    pub plain_bytes: u32,
    /// CRC32C of the ciphertext.
    pub crc: u32,
    /// Extents that refer to it.
    pub extents: u32,
    /// Plaintext bytes that they cover; a byte that two extents cover counts twice.
    pub live_bytes: u64,
}

/// The key of a segment's row.
#[must_use]
pub fn segment_key(segment: u64) -> Vec<u8> {
    PREFIX.into_iter().chain(segment.to_be_bytes()).collect()
}

/// The reverse of [`segment_key`].
#[must_use]
pub fn segment_of_key(key: &[u8]) -> Option<u64> {
    let (prefix, id) = key.split_first_chunk::<2>()?;
    (*prefix == PREFIX && id.len() == 8).then(|| id.first_chunk().map(|id| u64::from_be_bytes(*id)))?
}

/// Whether a key belongs to the store itself, and is not for `fs`.
#[must_use]
pub fn is_store_key(key: &[u8]) -> bool {
    key.first().is_none_or(|&byte| byte == 0)
}

impl SegmentRecord {
    /// The value of the row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(40);
        out.u8(VERSION).varint(self.log).varint(self.offset).varint(u64::from(self.sealed_bytes));
        out.varint(u64::from(self.plain_bytes)).u32(self.crc).varint(u64::from(self.extents)).varint(self.live_bytes);
        out.finish()
    }

    /// The reverse of `encode`.
    ///
    /// # Errors
    /// [`FormatError`] on anything that `encode` does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Decoder::new(bytes);
        if from.u8("segment version")? != VERSION {
            return Err(FormatError::Invalid("segment version"));
        }
        let narrow = |value: u64, field| u32::try_from(value).map_err(|_| FormatError::TooLarge(field));
        let record = Self {
            log: from.varint("segment log")?,
            offset: from.varint("segment offset")?,
            sealed_bytes: narrow(from.varint("segment length")?, "segment length")?,
            plain_bytes: narrow(from.varint("segment length")?, "segment length")?,
            crc: from.u32("segment check")?,
            extents: narrow(from.varint("segment extents")?, "segment extents")?,
            live_bytes: from.varint("segment live bytes")?,
        };
        from.finish("a segment")?;
        Ok(record)
    }

    /// Whether less than half of it is in use, so that its live bytes should be sealed anew.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.extents > 0 && self.live_bytes < u64::from(self.plain_bytes) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_and_no_prefix_of_it_does() {
        let row = SegmentRecord {
            log: 3,
            offset: 1 << 33,
            sealed_bytes: 70000,
            plain_bytes: 69968,
            crc: 7,
            extents: 2,
            live_bytes: 5,
        };
        let bytes = row.encode();
        assert_eq!(SegmentRecord::decode(&bytes), Ok(row));
        assert!((0..bytes.len()).all(|len| SegmentRecord::decode(&bytes[..len]).is_err()));
        assert_eq!(segment_of_key(&segment_key(77)), Some(77));
        assert_eq!(segment_of_key(b"\x00S1234567"), None);
        assert!(is_store_key(&segment_key(1)) && is_store_key(b"") && !is_store_key(b"\x01"));
    }
}
