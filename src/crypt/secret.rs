//! 32 secret bytes that do not live long: OEKs, file keys, KEKs, segment keys.

use super::{CryptError, Entropy};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Length of every key in bytes.
pub const KEY_LEN_BYTES: usize = 32;

/// A key on the heap, wiped on drop; on the heap, so that a move leaves no copy behind. No `Debug`, no `Clone`.
pub(crate) struct SecretKey(Box<Zeroizing<[u8; KEY_LEN_BYTES]>>);

impl SecretKey {
    /// Filled by `fill`, in place.
    pub(crate) fn from_fn<E>(fill: impl FnOnce(&mut [u8; KEY_LEN_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Box::new(Zeroizing::new([0; KEY_LEN_BYTES]));
        fill(&mut key)?;
        Ok(Self(key))
    }

    /// A copy of `bytes`; the caller wipes its own.
    pub(crate) fn copy_of(bytes: &[u8; KEY_LEN_BYTES]) -> Self {
        Self(Box::new(Zeroizing::new(*bytes)))
    }

    /// Uniformly random.
    pub(crate) fn random(entropy: &dyn Entropy) -> Result<Self, CryptError> {
        Self::from_fn(|key| entropy.fill(key))
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_LEN_BYTES] {
        &self.0
    }

    /// In constant time.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        bool::from(self.expose().ct_eq(other.expose()))
    }
}
