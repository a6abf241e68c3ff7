//! What can go wrong with a key or with something sealed.

use super::{BucketId, Generation, OekId, Slot};
use crate::format::FormatError;

/// An error of this room. It never holds key material or plaintext.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptError {
    /// The bucket's keys were wiped; they come back when its EK is granted again.
    #[error("the bucket is locked: its keys are not available")]
    Locked,
    /// The bucket is open, but not this slot: the EK that a request named is denied or was not asked for yet.
    #[error("bucket {bucket}: the EK of slot {} is locked", slot.0)]
    SlotLocked {
        /// The bucket.
        bucket: BucketId,
        /// The slot whose EK is missing.
        slot: Slot,
    },
    /// The keyring has no such slot.
    #[error("bucket {bucket}: its keyring has no slot {}", slot.0)]
    UnknownSlot {
        /// The bucket.
        bucket: BucketId,
        /// The slot that was asked for.
        slot: Slot,
    },
    /// The keyring has the slot, but not this generation: it was dropped, or is newer than this keyring.
    #[error("bucket {bucket}: slot {} has no bucket key of generation {} (dropped, or the keyring is older than what it should open)", slot.0, generation.0)]
    UnknownGeneration {
        /// The bucket.
        bucket: BucketId,
        /// The slot.
        slot: Slot,
        /// The generation that is not there.
        generation: Generation,
    },
    /// The commitment differs: sealed under another key, or for another place, than the one tried.
    #[error("{0} was sealed under another key than the recorded one")]
    WrongKey(&'static str),
    /// The key is right and the bytes are not what was sealed.
    #[error("{0} is damaged: its bytes are not what was sealed")]
    Damaged(&'static str),
    /// The MAC or header check does not match its bytes.
    #[error("the MAC of {0} does not match its bytes")]
    Mac(&'static str),
    /// A suite that this version does not have.
    #[error("cipher suite {0} is not supported by this version")]
    UnknownSuite(u8),
    /// The OEK handed in is not the one that the record names.
    #[error("OEK {found} was given where {expected} is named")]
    OekMismatch {
        /// The id that the caller names.
        expected: OekId,
        /// The id of the key.
        found: OekId,
    },
    /// The record has a shape that is never written.
    #[error("malformed key record: {0}")]
    Malformed(#[from] FormatError),
    /// A length or a count is over its limit, or a number is used up.
    #[error("{what}: {found} is over the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// What was given.
        found: u64,
        /// The most there may be.
        limit: u64,
    },
    /// A change of a keyring that would break one of its rules.
    #[error("keyring not changed: {0}")]
    Refused(&'static str),
    /// A key that was just sealed did not open to itself; nothing depends on it yet.
    #[error("{0} was sealed and did not open again; check this machine's memory and processor")]
    SelfCheck(&'static str),
    /// The source of randomness failed; nothing was sealed.
    #[error("no randomness: {0}")]
    Entropy(&'static str),
    /// An id that is not 32 lower-case hexadecimal digits.
    #[error("not an id: 32 lower-case hexadecimal digits are expected")]
    NotAnId,
    /// The process could not be protected against dumps.
    #[error("the process could not be made non-dumpable: {0}")]
    Harden(nix::errno::Errno),
    /// A fault of the cipher library that no input explains.
    #[error("the cipher library failed in {0}")]
    Cipher(&'static str),
}
