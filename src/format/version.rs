//! The format version and the feature flags (docs/FORMAT.md 3).

use super::{Decoder, Encoder, FormatError};

/// The version that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u16 = 1;

/// Feature flags of a store: what a version that does not know a bit may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Features {
    /// Unknown bits change nothing for older versions.
    pub compatible: u64,
    /// A version that does not know a bit may read, and must not write.
    pub read_only: u64,
    /// A version that does not know a bit must not open the store.
    pub incompatible: u64,
}

impl Features {
    /// The read-only bits that this version knows.
    pub const KNOWN_READ_ONLY: u64 = 0;
    /// The incompatible bits that this version knows.
    pub const KNOWN_INCOMPATIBLE: u64 = 0;

    /// 24 bytes.
    pub fn encode(&self, out: &mut Encoder) {
        out.u64(self.compatible).u64(self.read_only).u64(self.incompatible);
    }

    /// The reverse of `encode`.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            compatible: from.u64("compatible features")?,
            read_only: from.u64("read-only features")?,
            incompatible: from.u64("incompatible features")?,
        })
    }

    /// Whether this version may open a store with these flags at all.
    ///
    /// # Errors
    /// [`FormatError::Newer`] when an incompatible bit is not known.
    pub fn check_readable(&self, what: &'static str, version: u16) -> Result<(), FormatError> {
        let foreign = self.incompatible & !Self::KNOWN_INCOMPATIBLE;
        if version > FORMAT_VERSION || foreign != 0 {
            return Err(FormatError::Newer { what, version, features: foreign });
        }
        Ok(())
    }

    /// Whether this version may also write it.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.read_only & !Self::KNOWN_READ_ONLY == 0
    }
}
