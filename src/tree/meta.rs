//! What the manifest keeps of a table.

use super::{
    TreeError,
    codec::{Decoder, put_bytes, put_varint},
    entry::KEY_LEN_MAX,
};
use crate::crypt::{FileId, SealedFileKey, TAG_LEN_BYTES};

/// Deepest level that a manifest may name.
pub const LEVEL_MAX: u8 = 15;

/// One table as the manifest names it. It pins the exact file: the key, made for this file alone, opens no other
/// bytes, and the tag is that of the block from which all others are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// Number of the file, in its name.
    pub file_number: u64,
    /// Id of the file, in its header.
    pub file_id: FileId,
    /// Exact length in bytes.
    pub len: u64,
    /// Level in the tree: 0 newest, tables may overlap; from 1 on they do not.
    pub level: u8,
    /// The file's key, sealed.
    pub sealed_key: SealedFileKey,
    /// Smallest user key.
    pub smallest: Vec<u8>,
    /// Largest user key.
    pub largest: Vec<u8>,
    /// Number of entries, all versions and deletions counted.
    pub entry_count: u64,
    /// Greatest sequence number.
    pub max_seq: u64,
    /// Tag of the top block.
    pub tag: [u8; TAG_LEN_BYTES],
}

impl TableMeta {
    /// Appends the record to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.file_number);
        out.extend_from_slice(self.file_id.as_bytes());
        put_varint(out, self.len);
        out.push(self.level);
        out.extend_from_slice(&self.sealed_key.to_bytes());
        put_bytes(out, &self.smallest);
        put_bytes(out, &self.largest);
        put_varint(out, self.entry_count);
        put_varint(out, self.max_seq);
        out.extend_from_slice(&self.tag);
    }

    /// Takes one record from the front of `bytes`; returns it and the rest.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), TreeError> {
        let mut decoder = Decoder::new(bytes);
        let meta = Self {
            file_number: decoder.varint()?,
            file_id: FileId::from_bytes(decoder.array()?),
            len: decoder.varint()?,
            level: decoder.u8()?,
            sealed_key: sealed_key(&mut decoder)?,
            smallest: decoder.bytes(KEY_LEN_MAX)?.to_vec(),
            largest: decoder.bytes(KEY_LEN_MAX)?.to_vec(),
            entry_count: decoder.varint()?,
            max_seq: decoder.varint()?,
            tag: decoder.array()?,
        };
        if meta.level > LEVEL_MAX || meta.smallest > meta.largest || meta.entry_count == 0 {
            return Err(TreeError::Malformed("a table's record contradicts itself"));
        }
        let rest = bytes.len() - decoder.remaining();
        Ok((meta, bytes.get(rest..).unwrap_or_default()))
    }

    /// Whether a key of the table may lie in `start..end` (`None`: to the last key).
    pub(super) fn overlaps(&self, start: &[u8], end: Option<&[u8]>) -> bool {
        self.largest.as_slice() >= start && end.is_none_or(|end| self.smallest.as_slice() < end)
    }

    /// Whether a key of the table may lie in `first..=last`.
    pub(super) fn overlaps_inclusive(&self, first: &[u8], last: &[u8]) -> bool {
        self.largest.as_slice() >= first && self.smallest.as_slice() <= last
    }

    /// Whether `key` may be in the table.
    pub(super) fn covers(&self, key: &[u8]) -> bool {
        self.overlaps_inclusive(key, key)
    }
}

/// The sealed key of a file, of fixed length.
pub(super) fn sealed_key(decoder: &mut Decoder<'_>) -> Result<SealedFileKey, TreeError> {
    SealedFileKey::from_bytes(decoder.take(SealedFileKey::LEN)?)
        .map_err(|_| TreeError::Malformed("a sealed file key does not decode"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back(number: u64, len: u64, level in 0..=LEVEL_MAX, key: [u8; 16], mut a: Vec<u8>, mut b: Vec<u8>, count in 1u64.., seq: u64, rest: Vec<u8>) {
            if a > b { std::mem::swap(&mut a, &mut b); }
            let mut record = [9; SealedFileKey::LEN];
            record[0] = 1;
            let sealed_key = SealedFileKey::from_bytes(&record).unwrap();
            let meta = TableMeta { file_number: number, file_id: FileId::from_bytes(key), len, level, sealed_key, smallest: a, largest: b, entry_count: count, max_seq: seq, tag: key };
            let mut out = Vec::new();
            meta.encode(&mut out);
            let whole = out.len();
            out.extend_from_slice(&rest);
            let (back, left) = TableMeta::decode(&out).unwrap();
            prop_assert_eq!(back, meta);
            prop_assert_eq!(left, &rest[..]);
            prop_assert!(TableMeta::decode(&out[..whole - 1]).is_err());
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes: Vec<u8>) {
            let _ = TableMeta::decode(&bytes);
        }
    }
}
