//! KES API keys: an Ed25519 seed as text.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::{ZeroizeOnDrop, Zeroizing};

const PREFIX: &str = "kes:v1:";
const SEED_LEN_BYTES: usize = 32;
/// The one type there is: Ed25519.
const TYPE_ED25519: u8 = 0;
/// Longest text that is decoded; a key has 51 characters.
const TEXT_MAX_LEN_BYTES: usize = 256;
/// DER of the SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER of an Ed25519 private key in PKCS#8, before its 32 bytes (RFC 8410, 7).
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// An API key. Wiped on drop, never printed.
#[derive(ZeroizeOnDrop)]
pub struct ApiKey {
    seed: Box<[u8; SEED_LEN_BYTES]>,
    #[zeroize(skip)]
    public_key: [u8; 32],
}

/// Why a text is not an [`ApiKey`]. Messages never repeat the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiKey {
    /// Nothing.
    #[error("the API key is empty; give one as `kes identity new` prints it, or unset the variable")]
    Empty,
    /// It does not begin with `kes:v1:`.
    #[error("an API key begins with `kes:v1:`; give one as `kes identity new` prints it (not the identity)")]
    Prefix,
    /// The rest is not base64.
    #[error("what follows `kes:v1:` is not base64 (standard alphabet, with padding)")]
    Base64,
    /// The rest has not 33 bytes.
    #[error("an API key holds 33 bytes, this one {0}; was it cut?")]
    Length(usize),
    /// It is of another type than Ed25519.
    #[error("the API key is of type {0}; only type 0 (Ed25519) is known")]
    Type(u8),
}

impl ApiKey {
    /// Parses `kes:v1:` and base64 of the type byte and the seed.
    ///
    /// # Errors
    /// [`InvalidApiKey`].
    pub fn parse(text: &str) -> Result<Self, InvalidApiKey> {
        if text.is_empty() {
            return Err(InvalidApiKey::Empty);
        }
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidApiKey::Prefix)?;
        if encoded.len() > TEXT_MAX_LEN_BYTES {
            return Err(InvalidApiKey::Length(encoded.len() / 4 * 3));
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| InvalidApiKey::Base64)?);
        let (kind, seed) = decoded.split_first().ok_or(InvalidApiKey::Length(0))?;
        if seed.len() != SEED_LEN_BYTES {
            return Err(InvalidApiKey::Length(decoded.len()));
        }
        if *kind != TYPE_ED25519 {
            return Err(InvalidApiKey::Type(*kind));
        }
        let mut key = Self { seed: Box::new([0; SEED_LEN_BYTES]), public_key: [0; 32] };
        key.seed.copy_from_slice(seed);
        // Any 32 bytes are an Ed25519 seed: the length was the only thing that could be wrong.
        let pair =
            Ed25519KeyPair::from_seed_unchecked(key.seed.as_slice()).map_err(|_| InvalidApiKey::Length(seed.len()))?;
        key.public_key = pair.public_key().as_ref().try_into().map_err(|_| InvalidApiKey::Length(seed.len()))?;
        Ok(key)
    }

    /// The identity that KES policies name: lowercase hex of SHA-256 over the public key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn identity(&self) -> String {
        hex::encode(Sha256::new().chain_update(SPKI_PREFIX).chain_update(self.public_key).finalize())
    }

    /// The private key in PKCS#8.
    pub(super) fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + SEED_LEN_BYTES));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(self.seed.as_slice());
        der
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../../tests/vectors/api_keys.json")).unwrap()
    }

    #[test]
    fn keys_and_identities_match_the_vectors() {
        let vectors = vectors();
        let cases = vectors["kes"].as_array().unwrap();
        assert!(cases.len() >= 6);
        for case in cases {
            let key = ApiKey::parse(case["api_key"].as_str().unwrap()).ok().unwrap();
            assert_eq!(hex::encode(*key.seed), case["seed_hex"].as_str().unwrap());
            assert_eq!(hex::encode(key.public_key), case["public_key_hex"].as_str().unwrap());
            assert_eq!(key.identity(), case["identity"].as_str().unwrap());
        }
    }

    #[test]
    fn what_is_no_api_key_is_refused() {
        for case in vectors()["kes_invalid"].as_array().unwrap() {
            assert!(ApiKey::parse(case["s"].as_str().unwrap()).is_err(), "{case}");
        }
        assert_eq!(ApiKey::parse("").err(), Some(InvalidApiKey::Empty));
        assert_eq!(ApiKey::parse("kes:v1:").err(), Some(InvalidApiKey::Length(0)));
        assert_eq!(ApiKey::parse("kes:v1:!").err(), Some(InvalidApiKey::Base64));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(kes:v1:)?.*") {
            let _ = ApiKey::parse(&text);
        }
    }
}
