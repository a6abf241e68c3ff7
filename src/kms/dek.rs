//! Data encryption keys, as a KMS hands them out.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of a DEK, in bytes.
pub const DEK_LEN_BYTES: usize = 32;

/// Longest sealed DEK that is taken from a KMS, in bytes; those of KES and of the static key have 76.
pub const SEALED_DEK_MAX_LEN_BYTES: usize = 4096;

/// An unsealed DEK. Wiped on drop; not printed, not cloned. On the heap, so that a move leaves no copy behind.
#[derive(ZeroizeOnDrop)]
pub struct DekBytes(Box<[u8; DEK_LEN_BYTES]>);

impl DekBytes {
    /// Takes the key from `bytes` and wipes them there. `None` if the length is wrong (wiped all the same).
    #[must_use]
    pub fn take(bytes: &mut [u8]) -> Option<Self> {
        let mut dek = Self(Box::new([0; DEK_LEN_BYTES]));
        let fits = bytes.len() == DEK_LEN_BYTES;
        if fits {
            dek.0.copy_from_slice(bytes);
        }
        bytes.zeroize();
        fits.then_some(dek)
    }

    /// A random DEK, from the kernel.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut dek = Self(Box::new([0; DEK_LEN_BYTES]));
        getrandom::fill(dek.0.as_mut_slice())?;
        Ok(dek)
    }

    /// The key. Copies of it are the caller's to wipe.
    #[must_use]
    pub fn expose(&self) -> &[u8; DEK_LEN_BYTES] {
        &self.0
    }
}

/// A new DEK, plain and sealed.
pub struct DataKey {
    /// The key itself.
    pub plain: DekBytes,
    /// The key sealed under the EK; opaque, to be stored and given back to [`super::Kms::unwrap`].
    pub sealed: Vec<u8>,
}
