//! A bucket with a bucket key, and short ways to ask for an error.

use super::super::*;
use zeroize::Zeroizing;

pub(super) const STORE: StoreId = StoreId::from_bytes([0x51; 16]);
pub(super) const BUCKET: BucketId = BucketId::from_bytes([0xb0; 16]);

pub(super) struct Fixture {
    pub(super) entropy: SeededEntropy,
    pub(super) dek: Dek,
    pub(super) keyring: Keyring,
    pub(super) keys: BucketKeys,
}

pub(super) fn dek(byte: u8) -> Dek {
    Dek::new(Zeroizing::new([byte; 32]))
}

impl Fixture {
    pub(super) fn new(seed: u64) -> Self {
        Self::of(BUCKET, seed)
    }

    pub(super) fn of(bucket: BucketId, seed: u64) -> Self {
        let entropy = SeededEntropy::new(seed);
        let dek = dek(1);
        let keyring = Keyring::create(STORE, bucket, "ek", b"sealed dek", &dek, &entropy).unwrap();
        let keys = keyring.unlock(|_| Some(&dek)).unwrap();
        Self { entropy, dek, keyring, keys }
    }

    /// Adds a generation to `slot`, whose DEK is the fixture's.
    pub(super) fn add_generation(&mut self, slot: Slot) {
        self.keyring = self.keyring.add_generation(slot, &self.dek, &self.entropy).unwrap();
        self.keyring.apply(&self.keys, |_| Some(&self.dek)).unwrap();
    }

    /// Adds slot 1 under the fixture's DEK.
    pub(super) fn add_slot(&mut self) -> Slot {
        let slot = self.keyring.free_slot().unwrap();
        self.keyring = self.keyring.add_slot(slot, "named", b"other dek", &self.dek, &self.entropy).unwrap();
        self.keyring.apply(&self.keys, |_| Some(&self.dek)).unwrap();
        slot
    }
}

/// The error of a result whose value has no `Debug`.
pub(super) fn error<T>(result: Result<T, CryptError>) -> CryptError {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error,
    }
}

/// Every way to flip one bit of `bytes`.
pub(super) fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// Bytes that are not all alike.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at * 7 + at / 256) % 251).unwrap()).collect()
}
