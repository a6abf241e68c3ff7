//! The plaintext of a batch (docs/FORMAT.md 4.3).

use crate::format::{Decoder, Encoder, FormatError};
use bytes::Bytes;

/// Longest key of a change, in bytes: a component of 1024 bytes and what stands before it, with room to spare.
pub const KEY_LIMIT_BYTES: usize = 8 << 10;
/// Longest value of a change, in bytes: an xattr of 64 KiB and what stands around it.
pub const VALUE_LIMIT_BYTES: usize = 1 << 20;

/// One change of a key: its new value, or `None` for a deletion.
pub type Operation = (Bytes, Option<Bytes>);

/// Content that a batch commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentNote {
    /// Number of the log file that holds it.
    pub log: u64,
    /// The segment.
    pub segment: u64,
    /// Where the ciphertext begins in the file.
    pub offset: u64,
    /// Length of the ciphertext in bytes.
    pub sealed_bytes: u32,
    /// CRC32C of the ciphertext.
    pub crc: u32,
}

/// By how much a batch changes the live bytes of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceNote {
    /// Number of the log file.
    pub log: u64,
    /// Sealed bytes that became live, less those that died.
    pub live_bytes: i64,
}

/// A batch, as it stands in the log before it is sealed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct BatchRecord {
    /// Newest number known durable when the batch was written.
    pub witness: u64,
    /// The changes, each key once.
    pub changes: Vec<Operation>,
    /// The content that it commits.
    pub contents: Vec<ContentNote>,
    /// The accounting of log files.
    pub space: Vec<SpaceNote>,
}

impl BatchRecord {
    /// The bytes to seal.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let size: usize = self.changes.iter().map(|(k, v)| k.len() + v.as_ref().map_or(0, Bytes::len) + 8).sum();
        let mut out = Encoder::with_capacity(size + 32 * (1 + self.contents.len() + self.space.len()));
        out.varint(self.witness);
        out.varint(self.changes.len() as u64);
        for (key, value) in &self.changes {
            match value {
                Some(value) => out.u8(1).bytes(key).bytes(value),
                None => out.u8(2).bytes(key),
            };
        }
        out.varint(self.contents.len() as u64);
        for note in &self.contents {
            out.varint(note.log).varint(note.segment).varint(note.offset);
            out.varint(u64::from(note.sealed_bytes)).u32(note.crc);
        }
        out.varint(self.space.len() as u64);
        for note in &self.space {
            out.varint(note.log).signed(note.live_bytes);
        }
        out.finish()
    }

    /// The reverse of `encode`; keys and values share `bytes`.
    ///
    /// # Errors
    /// [`FormatError`] on anything that `encode` does not write.
    pub fn decode(bytes: &Bytes) -> Result<Self, FormatError> {
        let mut from = Decoder::new(bytes);
        let mut record = Self { witness: from.varint("witness")?, ..Self::default() };
        for _ in 0..from.count(2, "changes")? {
            let operation = from.u8("operation")?;
            let key = bytes.slice_ref(from.bytes(KEY_LIMIT_BYTES, "key")?);
            let value = match operation {
                1 => Some(bytes.slice_ref(from.bytes(VALUE_LIMIT_BYTES, "value")?)),
                2 => None,
                _ => return Err(FormatError::Invalid("operation")),
            };
            record.changes.push((key, value));
        }
        for _ in 0..from.count(8, "contents")? {
            record.contents.push(ContentNote {
                log: from.varint("log number")?,
                segment: from.varint("segment")?,
                offset: from.varint("offset")?,
                sealed_bytes: u32::try_from(from.varint("length")?).map_err(|_| FormatError::TooLarge("length"))?,
                crc: from.u32("content check")?,
            });
        }
        for _ in 0..from.count(2, "space")? {
            record.space.push(SpaceNote { log: from.varint("log number")?, live_bytes: from.signed("live bytes")? });
        }
        from.finish("a batch")?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = Bytes::from(bytes);
            if let Ok(record) = BatchRecord::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes.to_vec());
            }
        }

        #[test]
        fn a_record_comes_back(
            witness in any::<u64>(),
            changes in proptest::collection::vec((any::<Vec<u8>>(), any::<Option<Vec<u8>>>()), 0..8),
            live in any::<i64>(),
        ) {
            let record = BatchRecord {
                witness,
                changes: changes.into_iter().map(|(k, v)| (Bytes::from(k), v.map(Bytes::from))).collect(),
                contents: vec![ContentNote { log: 1, segment: witness, offset: 3, sealed_bytes: 4, crc: 5 }],
                space: vec![SpaceNote { log: 9, live_bytes: live }],
            };
            prop_assert_eq!(BatchRecord::decode(&Bytes::from(record.encode())), Ok(record));
        }
    }
}
