//! The two upper layers of a table: partitions, each over some 200 data blocks with the filter of their keys, and the
//! top, over the partitions.
//!
//! A block is found by its *separator*: the greatest separator at or below an internal key names the only block that
//! may hold it, or the one before the only block. Between different user keys a separator carries the greatest
//! sequence number, so that all versions of its user key lie behind it.

use crate::tree::{
    TreeError,
    block::BlockHandle,
    bloom,
    codec::{Decoder, narrow, put_bytes, put_varint},
    entry::{KEY_LEN_MAX, KeyRef},
};
use bytes::Bytes;

/// Length of a handle in the format.
const HANDLE_LEN: usize = 16;
/// Shortest entry of a partition: an empty separator and its handle.
const ENTRY_LEN_MIN: usize = 2 + HANDLE_LEN;

/// A separator and what lies behind it.
#[derive(Clone, Debug)]
struct Slot {
    start: u32,
    end: u32,
    seq: u64,
    handle: BlockHandle,
}

/// Separators and places of data blocks, and the filter of their keys.
#[derive(Debug)]
pub(in crate::tree) struct Partition {
    keys: Bytes,
    slots: Vec<Slot>,
    /// Where the filter lies in `keys`; a rebuilt partition has none.
    filter: Option<(usize, usize)>,
}

/// Collects a partition.
#[derive(Default)]
pub(super) struct PartitionBuilder {
    slots: Vec<u8>,
    count: u32,
    hashes: Vec<u64>,
}

impl PartitionBuilder {
    pub(super) fn add_key(&mut self, user: &[u8]) {
        let hash = bloom::hash(user);
        // Versions of one key come in a row.
        if self.hashes.last() != Some(&hash) {
            self.hashes.push(hash);
        }
    }

    pub(super) fn add_block(&mut self, separator: KeyRef<'_>, handle: BlockHandle) {
        put_bytes(&mut self.slots, separator.user);
        put_varint(&mut self.slots, separator.seq);
        handle.encode(&mut self.slots);
        self.count += 1;
    }

    pub(super) fn blocks(&self) -> u32 {
        self.count
    }

    /// The partition; the builder begins the next one.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut out = self.count.to_le_bytes().to_vec();
        out.append(&mut self.slots);
        put_bytes(&mut out, &bloom::build(&self.hashes));
        self.hashes.clear();
        self.count = 0;
        out
    }
}

impl Partition {
    /// Takes the plaintext of a partition.
    pub(in crate::tree) fn parse(plain: Vec<u8>) -> Result<Self, TreeError> {
        let keys = crate::tree::block::wiped(plain);
        let mut decoder = Decoder::new(&keys);
        let count = usize::try_from(decoder.u32()?).unwrap_or(usize::MAX);
        if count == 0 || count > decoder.remaining() / ENTRY_LEN_MIN {
            return Err(TreeError::Malformed("a partition is shorter than its entries"));
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(count);
        for _ in 0..count {
            let len = decoder.bytes(KEY_LEN_MAX)?.len();
            let end = keys.len() - decoder.remaining();
            let seq = decoder.varint()?;
            let handle = BlockHandle::decode(&mut decoder)?;
            slots.push(Slot { start: narrow(end - len)?, end: narrow(end)?, seq, handle });
        }
        let len = decoder.len()?;
        bloom::check(decoder.take(len)?)?;
        decoder.end()?;
        let filter = Some((keys.len() - len, keys.len()));
        let partition = Self { keys, slots, filter };
        partition.check_order()?;
        Ok(partition)
    }

    /// A partition without a filter, from separators in order.
    pub(super) fn rebuilt(entries: &[(Vec<u8>, u64, BlockHandle)]) -> Result<Self, TreeError> {
        let mut keys = Vec::new();
        let mut slots = Vec::with_capacity(entries.len());
        for (user, seq, handle) in entries {
            let start = narrow(keys.len())?;
            keys.extend_from_slice(user);
            slots.push(Slot { start, end: narrow(keys.len())?, seq: *seq, handle: *handle });
        }
        let partition = Self { keys: crate::tree::block::wiped(keys), slots, filter: None };
        partition.check_order()?;
        Ok(partition)
    }

    fn check_order(&self) -> Result<(), TreeError> {
        let ordered = self.slots.is_sorted_by(|a, b| self.separator_of(a) < self.separator_of(b));
        if ordered { Ok(()) } else { Err(TreeError::Malformed("separators are out of order")) }
    }

    fn separator_of(&self, slot: &Slot) -> KeyRef<'_> {
        let user = usize::try_from(slot.start).ok().zip(usize::try_from(slot.end).ok());
        KeyRef { user: user.and_then(|(start, end)| self.keys.get(start..end)).unwrap_or_default(), seq: slot.seq }
    }

    pub(super) fn separator(&self, block: usize) -> Option<KeyRef<'_>> {
        self.slots.get(block).map(|slot| self.separator_of(slot))
    }

    /// The data block with this place in the partition.
    pub(super) fn handle(&self, block: usize) -> Option<BlockHandle> {
        self.slots.get(block).map(|slot| slot.handle)
    }

    /// Where to look for the first entry at or after `key`: the last block whose separator is not greater, else the
    /// first one.
    pub(super) fn find(&self, key: KeyRef<'_>) -> usize {
        self.slots.partition_point(|slot| self.separator_of(slot) <= key).saturating_sub(1)
    }

    /// Whether a user key with this hash may be in one of the blocks.
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let Some((start, end)) = self.filter else { return true };
        self.keys.get(start..end).is_none_or(|filter| bloom::may_contain(filter, hash))
    }

    /// Memory that the partition takes.
    pub(in crate::tree) fn weight(&self) -> usize {
        self.keys.len() + self.slots.len() * size_of::<Slot>()
    }
}

/// A partition as the top names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopEntry {
    /// Separator of its first block.
    pub(super) user: Vec<u8>,
    /// Sequence number of that separator.
    pub(super) seq: u64,
    /// Where the partition itself lies.
    pub(super) handle: BlockHandle,
    /// Where its first data block lies; they end where the partition begins.
    pub(super) data_offset: u64,
    /// Index of its first data block; they end at the partition's own index.
    pub(super) first_index: u32,
    /// Entries in its data blocks.
    pub(super) entry_count: u64,
}

impl TopEntry {
    pub(super) fn separator(&self) -> KeyRef<'_> {
        KeyRef { user: &self.user, seq: self.seq }
    }
}

/// Encodes the top.
pub(super) fn encode_top(entries: &[TopEntry]) -> Result<Vec<u8>, TreeError> {
    let mut out = narrow(entries.len())?.to_le_bytes().to_vec();
    for entry in entries {
        put_bytes(&mut out, &entry.user);
        put_varint(&mut out, entry.seq);
        entry.handle.encode(&mut out);
        put_varint(&mut out, entry.data_offset);
        put_varint(&mut out, u64::from(entry.first_index));
        put_varint(&mut out, entry.entry_count);
    }
    Ok(out)
}

/// Decodes the top.
pub(super) fn decode_top(plain: &[u8]) -> Result<Vec<TopEntry>, TreeError> {
    let mut decoder = Decoder::new(plain);
    let count = usize::try_from(decoder.u32()?).unwrap_or(usize::MAX);
    if count == 0 || count > decoder.remaining() / (ENTRY_LEN_MIN + 3) {
        return Err(TreeError::Malformed("a top block is shorter than its entries"));
    }
    let mut entries: Vec<TopEntry> = Vec::with_capacity(count);
    for _ in 0..count {
        let entry = TopEntry {
            user: decoder.bytes(KEY_LEN_MAX)?.to_vec(),
            seq: decoder.varint()?,
            handle: BlockHandle::decode(&mut decoder)?,
            data_offset: decoder.varint()?,
            first_index: u32::try_from(decoder.varint()?)
                .map_err(|_| TreeError::Malformed("an index is out of range"))?,
            entry_count: decoder.varint()?,
        };
        if entries
            .last()
            .is_some_and(|last| last.separator() >= entry.separator() || last.handle.end() != entry.data_offset)
        {
            return Err(TreeError::Malformed("partitions are out of order"));
        }
        if entry.data_offset > entry.handle.offset || entry.first_index >= entry.handle.index {
            return Err(TreeError::Malformed("a partition lies before its blocks"));
        }
        entries.push(entry);
    }
    decoder.end()?;
    Ok(entries)
}

/// The separator of a block that begins with `first`, when the block before it ends with `last`: the shortest prefix
/// that still tells them apart.
pub(super) fn separator_between<'a>(last: Option<&[u8]>, first: KeyRef<'a>) -> KeyRef<'a> {
    let Some(last) = last else { return KeyRef { user: first.user, seq: u64::MAX } };
    if last == first.user {
        return first;
    }
    let shared = last.iter().zip(first.user).take_while(|(a, b)| a == b).count();
    KeyRef { user: first.user.get(..=shared).unwrap_or(first.user), seq: u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_separator_lies_between(mut a: Vec<u8>, mut b: Vec<u8>, low in 1u64..9, high in 9u64..20) {
            if a > b { std::mem::swap(&mut a, &mut b); }
            let last = KeyRef { user: &a, seq: high };
            let first = KeyRef { user: &b, seq: low };
            let separator = separator_between(Some(&a), first);
            prop_assert!(last < separator && separator <= first);
            let newest = KeyRef { user: &b, seq: u64::MAX };
            prop_assert!(a == b || separator <= newest);
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes: Vec<u8>, count in 0u8..4) {
            let mut counted = vec![count, 0, 0, 0];
            counted.extend(&bytes);
            let _ = decode_top(&bytes);
            let _ = decode_top(&counted);
            let _ = Partition::parse(bytes);
            let _ = Partition::parse(counted);
        }
    }
}
