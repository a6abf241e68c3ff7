//! Inode numbers of the mount: 20 bits of bucket slot above the 44 of the inode's number within its bucket.

use super::Refusal;
use fuser::{Errno, INodeNo};
use strongroom::fs::Ino;

const INO_BITS: u32 = 44;

/// What an inode number of the mount stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The root of the mount, which lists the buckets. Slots begin at 1, so its number 1 is no bucket's.
    Root,
    /// Something in the bucket with this slot.
    In(u32, Ino),
}

impl Place {
    /// Reads a number that came from the kernel.
    #[must_use]
    pub fn of(number: INodeNo) -> Self {
        if number == INodeNo::ROOT {
            return Self::Root;
        }
        let slot = u32::try_from(number.0 >> INO_BITS).unwrap_or(u32::MAX);
        Self::In(slot, Ino(number.0 & (Ino::LIMIT - 1)))
    }

    /// The place within a bucket, for operations that the root does not have.
    ///
    /// # Errors
    /// `refusal` for the root.
    pub fn within(self, refusal: Errno) -> Result<(u32, Ino), Refusal> {
        match self {
            Self::Root => Err(refusal.into()),
            Self::In(slot, ino) => Ok((slot, ino)),
        }
    }
}

/// The mount's number of an inode.
#[must_use]
pub fn number(slot: u32, ino: Ino) -> INodeNo {
    INodeNo((u64::from(slot) << INO_BITS) | ino.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_and_number_come_back() {
        for (slot, ino) in [(1, 1), (1, 2), (7, Ino::LIMIT - 1), ((1 << 20) - 1, 5)] {
            assert_eq!(Place::of(number(slot, Ino(ino))), Place::In(slot, Ino(ino)));
        }
    }

    #[test]
    fn number_one_is_the_root() {
        assert_eq!(Place::of(INodeNo::ROOT), Place::Root);
    }
}
