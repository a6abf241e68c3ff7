//! Ids, numbers and the suite (docs/FORMAT.md 1.1 and 1.2).

use super::{CryptError, Entropy};
use std::{fmt, str::FromStr};

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = 16;

            /// A new one.
            ///
            /// # Errors
            /// [`CryptError::Entropy`].
            pub fn random(entropy: &dyn Entropy) -> Result<Self, CryptError> {
                let mut bytes = [0; 16];
                entropy.fill(&mut bytes)?;
                Ok(Self(bytes))
            }

            /// The bytes as they stand on the disk.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// From the bytes on the disk.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = CryptError;

            fn from_str(text: &str) -> Result<Self, CryptError> {
                let canonical = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
                let mut bytes = [0; 16];
                match hex::decode_to_slice(text, &mut bytes) {
                    Ok(()) if canonical => Ok(Self(bytes)),
                    _ => Err(CryptError::NotAnId),
                }
            }
        }
    };
}

random_id!(
    /// Names a store.
    StoreId
);
random_id!(
    /// Names a bucket, or the catalog, whatever its name in the namespace is.
    BucketId
);
random_id!(
    /// Names an OEK; extents refer to content by it.
    OekId
);
random_id!(
    /// Names a log or table file and its key.
    FileId
);
random_id!(
    /// Names an object.
    ObjectId
);
random_id!(
    /// Names an epoch: one opening of a bucket for writing.
    EpochId
);
random_id!(
    /// Names one copy of a store, so that each has an anchor of its own.
    InstanceId
);
random_id!(
    /// A salt or IV: makes a key derived from an OEK or a bucket key unique. Drawn at the moment of use, used once.
    Salt
);

impl Salt {
    pub(crate) const ZERO: Self = Self([0; 16]);
}

/// Counts the bucket keys of a slot, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    /// The first one of a slot.
    pub const FIRST: Self = Self(1);

    /// The one after this; `None` when the numbers are used up.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

/// Which EK of a bucket: its own, or one that requests named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// The bucket's own EK; its bucket keys also head names, metadata, files and manifests.
    pub const OWN: Self = Self(0);
    /// The largest slot that a keyring may hold.
    pub const LAST_EXPLICIT: Self = Self(0xfffd);
    /// An OEK sealed under a DEK of its object alone; the DEK stands in the object's record.
    pub const OBJECT: Self = Self(0xfffe);
    /// An OEK sealed under a customer's key (SSE-C), of which nothing is kept.
    pub const CUSTOMER: Self = Self(0xffff);
}

/// Which AEAD seals; bound into every key through `info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM with HKDF-SHA-256.
    Aes256Gcm = 1,
}

impl Suite {
    /// The byte on the disk.
    #[must_use]
    pub const fn to_u8(self) -> u8 {
        match self {
            Self::Aes256Gcm => 1,
        }
    }
}

impl TryFrom<u8> for Suite {
    type Error = CryptError;

    fn try_from(byte: u8) -> Result<Self, CryptError> {
        match byte {
            1 => Ok(Self::Aes256Gcm),
            other => Err(CryptError::UnknownSuite(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_id_is_canonical() {
        let id = BucketId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string(), "ab".repeat(16));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert_eq!(bad.parse::<BucketId>(), Err(CryptError::NotAnId));
        }
    }

    #[test]
    fn the_reserved_suite_is_refused() {
        assert_eq!(Suite::try_from(1), Ok(Suite::Aes256Gcm));
        for byte in [0, 2, 3, 255] {
            assert_eq!(Suite::try_from(byte), Err(CryptError::UnknownSuite(byte)));
        }
    }
}
