//! Small secrets that stand in the catalog, such as the root credentials (docs/FORMAT.md 2.4).

use super::{
    BucketKeys, CryptError, Entropy, Generation, Salt, Slot, Suite,
    cipher::Cipher,
    derive::{Info, Label},
};
use crate::format::{Decoder, Encoder, FORMAT_VERSION};
use zeroize::Zeroizing;

/// Longest secret in bytes.
pub const SECRET_MAX_BYTES: usize = 65_536;

const WHAT: &str = "a secret of the catalog";

impl BucketKeys {
    fn secret_info(&self, generation: Generation, salt: Salt) -> Info {
        Info { bucket: self.bucket(), generation, salt, ..Info::of(Label::CatalogSecret) }
    }

    /// Called on the catalog's keys: seals a secret that only `context` may open.
    ///
    /// # Errors
    /// [`CryptError::TooLarge`], [`CryptError::Locked`], [`CryptError::Entropy`].
    pub fn seal_secret(&self, context: &str, plain: &[u8], entropy: &dyn Entropy) -> Result<Vec<u8>, CryptError> {
        if plain.len() > SECRET_MAX_BYTES {
            let (found, limit) = (plain.len() as u64, SECRET_MAX_BYTES as u64);
            return Err(CryptError::TooLarge { what: WHAT, found, limit });
        }
        let salt = Salt::random(entropy)?;
        self.with_key(Slot::OWN, None, |place, parent| {
            let (key, commitment) = self.secret_info(place.generation, salt).committed_key(parent)?;
            let mut body = Zeroizing::new(plain.to_vec());
            let tag = Cipher::new(&key)?.seal(0, &aad(context), &mut body)?;
            let mut out = Encoder::with_capacity(plain.len() + 69);
            out.u8(Suite::Aes256Gcm.to_u8()).u32(place.generation.0).raw(salt.as_bytes()).raw(&commitment);
            out.raw(&body).raw(&tag);
            Ok(out.finish())
        })
    }

    /// The reverse of [`Self::seal_secret`].
    ///
    /// # Errors
    /// [`CryptError::Malformed`], [`CryptError::UnknownSuite`], [`CryptError::Locked`],
    /// [`CryptError::UnknownGeneration`], [`CryptError::WrongKey`], [`CryptError::Damaged`].
    pub fn open_secret(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptError> {
        let mut from = Decoder::new(sealed);
        Suite::try_from(from.u8("suite")?)?;
        let generation = Generation(from.u32("generation")?);
        let salt = Salt::from_bytes(from.array("salt")?);
        let commitment = from.array::<32>("commitment")?;
        let body = from.raw(from.remaining(), "sealed secret")?;
        self.with_key(Slot::OWN, Some(generation), |_, parent| {
            let key = self.secret_info(generation, salt).key_committed_to(parent, &commitment, WHAT)?;
            Cipher::new(&key)?.open_to_vec(0, &aad(context), body, WHAT).map(Zeroizing::new)
        })
    }
}

fn aad(context: &str) -> Vec<u8> {
    [FORMAT_VERSION.to_le_bytes().as_slice(), context.as_bytes()].concat()
}
