//! Reads the plaintext of a data block.

use crate::tree::{
    TreeError,
    codec::Decoder,
    entry::{KEY_LEN_MAX, KeyRef, Operation, VALUE_LEN_MAX},
};
use bytes::Bytes;
use zeroize::Zeroize;

/// Plaintext that is wiped when the last reference to it goes.
struct Wiped(Vec<u8>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Shared plaintext, wiped when dropped.
pub(in crate::tree) fn wiped(plain: Vec<u8>) -> Bytes {
    Bytes::from_owner(Wiped(plain))
}

/// The plaintext of a data block. Clones share it; values handed out keep it alive.
#[derive(Clone)]
pub(in crate::tree) struct DataBlock {
    plain: Bytes,
    entries_end: usize,
    restarts: usize,
}

impl DataBlock {
    /// Takes plaintext; what is malformed inside shows when it is walked.
    pub(in crate::tree) fn parse(plain: Vec<u8>) -> Result<Self, TreeError> {
        let plain = wiped(plain);
        let count = plain.last_chunk::<4>().ok_or(TreeError::Malformed("a block is shorter than its count"))?;
        let restarts = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        let tail = restarts.checked_mul(4).and_then(|len| len.checked_add(4)).filter(|len| *len <= plain.len());
        let tail = tail.ok_or(TreeError::Malformed("a block is shorter than its restart points"))?;
        let entries_end = plain.len() - tail;
        if restarts == 0 || entries_end == 0 {
            return Err(TreeError::Malformed("a block is empty"));
        }
        Ok(Self { plain, entries_end, restarts })
    }

    /// Memory that the block takes.
    pub(in crate::tree) fn weight(&self) -> usize {
        self.plain.len()
    }

    fn restart(&self, index: usize) -> Result<usize, TreeError> {
        let at = self.entries_end + 4 * index;
        let word = self.plain.get(at..at + 4).and_then(|word| word.first_chunk::<4>());
        let offset = word.and_then(|word| usize::try_from(u32::from_le_bytes(*word)).ok());
        offset
            .filter(|offset| *offset < self.entries_end)
            .ok_or(TreeError::Malformed("a restart point is out of range"))
    }

    /// The key at a restart point, which stands there in full.
    fn restart_key(&self, index: usize) -> Result<KeyRef<'_>, TreeError> {
        let bytes = self.plain.get(self.restart(index)?..self.entries_end).unwrap_or_default();
        let mut decoder = Decoder::new(bytes);
        if decoder.varint()? != 0 {
            return Err(TreeError::Malformed("a restart point shares a key"));
        }
        let user = decoder.bytes(KEY_LEN_MAX)?;
        Ok(KeyRef { user, seq: decoder.varint()? })
    }
}

/// Walks a block. Stands on an entry, or at the end.
pub(in crate::tree) struct BlockCursor {
    block: DataBlock,
    key: Vec<u8>,
    seq: u64,
    /// Where the value lies; `None` for a deletion.
    value: Option<(usize, usize)>,
    next: usize,
    valid: bool,
}

impl BlockCursor {
    /// A cursor at the first entry.
    pub(in crate::tree) fn first(block: DataBlock) -> Result<Self, TreeError> {
        let mut cursor = Self { block, key: Vec::with_capacity(64), seq: 0, value: None, next: 0, valid: true };
        cursor.advance()?;
        Ok(cursor)
    }

    /// A cursor at the first entry at or after `target`.
    pub(in crate::tree) fn at(block: DataBlock, target: KeyRef<'_>) -> Result<Self, TreeError> {
        let mut cursor = Self { block, key: Vec::with_capacity(64), seq: 0, value: None, next: 0, valid: true };
        cursor.seek(target)?;
        Ok(cursor)
    }

    /// Moves to the first entry of the block at or after `target`, also back.
    pub(in crate::tree) fn seek(&mut self, target: KeyRef<'_>) -> Result<(), TreeError> {
        // The last restart point before the target.
        let (mut low, mut high) = (0, self.block.restarts);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.block.restart_key(middle)? < target { low = middle } else { high = middle }
        }
        self.next = self.block.restart(low)?;
        self.key.clear();
        self.valid = true;
        self.advance()?;
        while self.key().is_some_and(|key| key < target) {
            self.advance()?;
        }
        Ok(())
    }

    /// The entry's key, `None` at the end.
    pub(in crate::tree) fn key(&self) -> Option<KeyRef<'_>> {
        self.valid.then_some(KeyRef { user: &self.key, seq: self.seq })
    }

    /// The entry's value, `None` for a deletion.
    pub(in crate::tree) fn value(&self) -> Option<Bytes> {
        let (start, end) = self.value?;
        Some(self.block.plain.slice(start..end))
    }

    /// The value, borrowed.
    pub(in crate::tree) fn value_ref(&self) -> Option<&[u8]> {
        let (start, end) = self.value?;
        self.block.plain.get(start..end)
    }

    /// Moves to the next entry.
    pub(in crate::tree) fn advance(&mut self) -> Result<(), TreeError> {
        self.valid = false;
        let rest = self.block.plain.get(self.next..self.block.entries_end).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let mut decoder = Decoder::new(rest);
        let shared = decoder.len()?;
        let suffix = decoder.bytes(KEY_LEN_MAX)?;
        if shared > self.key.len() || shared + suffix.len() > KEY_LEN_MAX {
            return Err(TreeError::Malformed("a key shares more than there is"));
        }
        self.seq = decoder.varint()?;
        let operation = Operation::decode(decoder.u8()?)?;
        self.key.truncate(shared);
        self.key.extend_from_slice(suffix);
        self.value = match operation {
            Operation::Put => {
                let len = decoder.bytes(VALUE_LEN_MAX)?.len();
                let end = self.block.entries_end - decoder.remaining();
                Some((end - len, end))
            }
            Operation::Delete | Operation::RangeDelete => None,
        };
        self.next = self.block.entries_end - decoder.remaining();
        self.valid = true;
        Ok(())
    }
}

impl Drop for BlockCursor {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::BlockBuilder, *};
    use proptest::prelude::*;
    use std::{cmp::Reverse, collections::BTreeMap};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn entries_come_back_and_seek_finds_the_first_not_less(
            entries in prop::collection::btree_map((prop::collection::vec(0u8..4, 0..6), any::<u8>().prop_map(|seq| Reverse(u64::from(seq)))), prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 1..90),
            probe in (prop::collection::vec(0u8..4, 0..6), any::<u8>()),
        ) {
            let mut builder = BlockBuilder::default();
            for ((user, Reverse(seq)), value) in &entries {
                builder.add(KeyRef { user, seq: *seq }, value.as_deref()).unwrap();
            }
            let len = builder.len();
            let plain = builder.finish().unwrap();
            prop_assert_eq!(plain.len(), len);
            let block = DataBlock::parse(plain).unwrap();
            let walk = |mut cursor: BlockCursor| {
                let mut seen = BTreeMap::new();
                while let Some(key) = cursor.key() {
                    seen.insert((key.user.to_vec(), Reverse(key.seq)), cursor.value().map(|v| v.to_vec()));
                    cursor.advance().unwrap();
                }
                seen
            };
            prop_assert_eq!(&walk(BlockCursor::first(block.clone()).unwrap()), &entries);
            let target = (probe.0, Reverse(u64::from(probe.1)));
            let from: BTreeMap<_, _> = entries.range(target.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect();
            let cursor = BlockCursor::at(block, KeyRef { user: &target.0, seq: target.1.0 }).unwrap();
            prop_assert_eq!(walk(cursor), from);
        }

        #[test]
        fn any_bytes_are_walked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), target: Vec<u8>) {
            if let Ok(block) = DataBlock::parse(bytes) {
                let _ = BlockCursor::at(block.clone(), KeyRef { user: &target, seq: 7 });
                if let Ok(mut cursor) = BlockCursor::first(block) {
                    while cursor.key().is_some() && cursor.advance().is_ok() {}
                }
            }
        }
    }
}
