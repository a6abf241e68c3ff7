//! The 119-byte records of a sealed OEK and a sealed file key (docs/FORMAT.md 2.1).

use super::{
    BucketId, CryptError, FileId, Generation, OekId, Salt, Slot, Suite,
    derive::{Commitment, Info, Label},
    secret::SecretKey,
    wrap::{self, SEALED_KEY_LEN, Wrapped},
};
use crate::format::{Decoder, Encoder};

macro_rules! sealed_key {
    ($(#[$doc:meta])* $name:ident, $id:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            pub(crate) suite: Suite,
            pub(crate) slot: Slot,
            pub(crate) generation: Generation,
            pub(crate) id: $id,
            pub(crate) salt: Salt,
            pub(crate) wrapped: Wrapped,
        }

        impl $name {
            /// Length of the record in bytes.
            pub const LEN: usize = 119;

            /// The slot whose bucket key sealed it.
            #[must_use]
            pub const fn slot(&self) -> Slot {
                self.slot
            }

            /// The generation of the bucket key that sealed it.
            #[must_use]
            pub const fn generation(&self) -> Generation {
                self.generation
            }

            /// The id of the key inside.
            #[must_use]
            pub const fn id(&self) -> $id {
                self.id
            }

            /// Appends the record.
            pub fn encode(&self, out: &mut Encoder) {
                out.u8(self.suite.to_u8()).u16(self.slot.0).u32(self.generation.0).raw(self.id.as_bytes());
                out.raw(self.salt.as_bytes()).raw(&self.wrapped.commitment).raw(&self.wrapped.sealed);
            }

            /// The record alone.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut out = Encoder::with_capacity(Self::LEN);
                self.encode(&mut out);
                out.finish()
            }

            /// Reads one record.
            ///
            /// # Errors
            /// [`CryptError::Malformed`], [`CryptError::UnknownSuite`].
            pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CryptError> {
                Ok(Self {
                    suite: Suite::try_from(from.u8("suite")?)?,
                    slot: Slot(from.u16("slot")?),
                    generation: Generation(from.u32("generation")?),
                    id: $id::from_bytes(from.array($field)?),
                    salt: Salt::from_bytes(from.array("salt")?),
                    wrapped: Wrapped {
                        commitment: from.array::<{ size_of::<Commitment>() }>("commitment")?,
                        sealed: from.array::<SEALED_KEY_LEN>("sealed key")?,
                    },
                })
            }

            /// Reads a record that is all of `bytes`.
            ///
            /// # Errors
            /// As [`Self::decode`].
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptError> {
                let mut from = Decoder::new(bytes);
                let record = Self::decode(&mut from)?;
                from.finish("sealed key")?;
                Ok(record)
            }

            fn info(&self, label: Label, bucket: BucketId) -> Info {
                Info {
                    label,
                    suite: self.suite,
                    bucket,
                    slot: self.slot,
                    generation: self.generation,
                    subject: *self.id.as_bytes(),
                    salt: self.salt,
                }
            }

            /// Seals `key` under `parent`, with a fresh `salt`.
            pub(crate) fn seal(
                label: Label,
                place: Place,
                parent: &[u8; 32],
                id: $id,
                salt: Salt,
                key: &SecretKey,
            ) -> Result<Self, CryptError> {
                let mut record = Self {
                    suite: Suite::Aes256Gcm,
                    slot: place.slot,
                    generation: place.generation,
                    id,
                    salt,
                    wrapped: Wrapped { commitment: [0; 32], sealed: [0; SEALED_KEY_LEN] },
                };
                record.wrapped = wrap::wrap(parent, &record.info(label, place.bucket), key, stringify!($name))?;
                Ok(record)
            }

            /// Opens the record under `parent`.
            pub(crate) fn open(
                &self,
                label: Label,
                bucket: BucketId,
                parent: &[u8; 32],
            ) -> Result<SecretKey, CryptError> {
                wrap::unwrap(parent, &self.info(label, bucket), &self.wrapped, stringify!($name))
            }
        }
    };
}

/// Which bucket key seals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) bucket: BucketId,
    pub(crate) slot: Slot,
    pub(crate) generation: Generation,
}

sealed_key!(
    /// An OEK as it stands in an object's metadata.
    SealedOek,
    OekId,
    "OEK id"
);
sealed_key!(
    /// The key of a log or table file as it stands in the manifest and in the file's header.
    SealedFileKey,
    FileId,
    "file id"
);
