//! The source of keys, ids and salts, as a parameter, so that a test can repeat or fail it.

use super::CryptError;
use sha2::{Digest, Sha256};
use std::sync::{Mutex, PoisonError};

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `buf` with uniform bytes.
    ///
    /// # Errors
    /// [`CryptError::Entropy`]; `buf` must then not be used.
    fn fill(&self, buf: &mut [u8]) -> Result<(), CryptError>;
}

/// The kernel, asked at each call and never pooled.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelEntropy;

impl Entropy for KernelEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<(), CryptError> {
        getrandom::fill(buf).map_err(|_| CryptError::Entropy("the kernel gave none"))
    }
}

/// A test instrument: the same bytes for the same seed, and a failure at a chosen call. Never for a real store.
///
/// The stream is SHA-256(seed u64 ‖ call u64 ‖ block u64), so that vectors can be made again in another language.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    fail_at: Option<u64>,
    calls: Mutex<u64>,
}

impl SeededEntropy {
    /// One that never fails.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, fail_at: None, calls: Mutex::new(0) }
    }

    /// One whose `call`-th call, counted from 0, fails; all others succeed.
    #[must_use]
    pub fn failing_at(seed: u64, call: u64) -> Self {
        Self { seed, fail_at: Some(call), calls: Mutex::new(0) }
    }

    /// Calls so far, failed ones included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<(), CryptError> {
        let call = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            let call = *calls;
            *calls = calls.wrapping_add(1);
            call
        };
        if self.fail_at == Some(call) {
            return Err(CryptError::Entropy("the test asked for a failure"));
        }
        for (block, part) in (0u64..).zip(buf.chunks_mut(32)) {
            let mut hash = Sha256::new();
            hash.update(self.seed.to_le_bytes());
            hash.update(call.to_le_bytes());
            hash.update(block.to_le_bytes());
            for (to, from) in part.iter_mut().zip(hash.finalize()) {
                *to = from;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(entropy: &dyn Entropy) -> Result<[u8; 40], CryptError> {
        let mut bytes = [0; 40];
        entropy.fill(&mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_seed_repeats_and_calls_differ() {
        let (one, two) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let first = draw(&one).unwrap();
        assert_eq!(Ok(first), draw(&two));
        assert_ne!(Ok(first), draw(&one));
        assert_ne!(Ok(first), draw(&SeededEntropy::new(8)));
        assert_ne!(draw(&KernelEntropy), draw(&KernelEntropy));
    }

    #[test]
    fn only_the_chosen_call_fails() {
        let entropy = SeededEntropy::failing_at(7, 1);
        assert!(draw(&entropy).is_ok());
        assert!(draw(&entropy).is_err());
        assert!(draw(&entropy).is_ok());
        assert_eq!(entropy.calls(), 3);
    }
}
