//! Internal keys: user key ascending, then sequence number descending, so that the newest version comes first.

use super::TreeError;
use bytes::Bytes;
use std::cmp::Ordering;

/// Longest user key, in bytes.
pub const KEY_LEN_MAX: usize = 64 * 1024;
/// Longest value, in bytes.
pub const VALUE_LEN_MAX: usize = 16 * 1024 * 1024;

/// What an entry does to its key; the byte in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Sets a value.
    Put = 1,
    /// Removes the key.
    Delete = 2,
    /// Reserved: removes a range of keys. Not written, and refused when read.
    RangeDelete = 3,
}

impl Operation {
    /// The operation behind a byte of the format.
    pub(super) fn decode(byte: u8) -> Result<Self, TreeError> {
        match byte {
            1 => Ok(Self::Put),
            2 => Ok(Self::Delete),
            3 => Err(TreeError::Malformed("range deletes are reserved")),
            _ => Err(TreeError::Malformed("an operation is unknown")),
        }
    }
}

/// One version of one key, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyRef<'a> {
    pub(super) user: &'a [u8],
    pub(super) seq: u64,
}

impl Ord for KeyRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.user.cmp(other.user).then_with(|| other.seq.cmp(&self.seq))
    }
}

impl PartialOrd for KeyRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One version of one key, owned; `None` is a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Bytes,
    pub(super) seq: u64,
    pub(super) value: Option<Bytes>,
}

/// Sequence numbers at which somebody may read: those of live snapshots and the newest visible one, ascending.
#[derive(Clone, Debug, Default)]
pub(super) struct Boundaries(Vec<u64>);

impl Boundaries {
    /// From numbers in ascending order.
    pub(super) fn new(ascending: Vec<u64>) -> Self {
        Self(ascending)
    }

    /// Whether a version of `seq` that is followed by one of `newer` (`None`: by no other) is seen at any boundary,
    /// or may be later on because it is newer than all of them.
    pub(super) fn needs(&self, seq: u64, newer: Option<u64>) -> bool {
        let Some(newer) = newer else { return true };
        let next = self.0.partition_point(|boundary| *boundary < seq);
        match self.0.get(next) {
            Some(boundary) => *boundary < newer,
            None => true,
        }
    }

    /// Whether every reader sees at least `seq`.
    pub(super) fn all_see(&self, seq: u64) -> bool {
        self.0.first().is_none_or(|oldest| seq <= *oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_needed_while_a_boundary_sees_it() {
        let boundaries = Boundaries::new(vec![5, 9]);
        assert!(boundaries.needs(4, None));
        assert!(boundaries.needs(4, Some(6)));
        assert!(!boundaries.needs(4, Some(5)));
        assert!(!boundaries.needs(6, Some(8)));
        assert!(boundaries.needs(6, Some(10)));
        assert!(boundaries.needs(10, Some(11)));
        assert!(boundaries.all_see(5) && !boundaries.all_see(6));
    }
}
