//! `name:base64`, the text form of a static key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{InvalidKeyName, KeyName};

/// Length of a static key, in bytes.
pub(crate) const SECRET_KEY_LEN_BYTES: usize = 32;

/// Longest text that is looked at; a key is less than 130 bytes.
pub(crate) const SECRET_KEY_TEXT_MAX_LEN_BYTES: usize = 4096;

/// A static key: the external key itself, held by this process. Wiped on drop, never printed.
#[derive(ZeroizeOnDrop)]
pub struct SecretKey {
    #[zeroize(skip)]
    name: KeyName,
    bytes: Box<[u8; SECRET_KEY_LEN_BYTES]>,
}

impl SecretKey {
    /// A new random key of that name, from the kernel.
    pub(crate) fn random(name: KeyName) -> Result<Self, getrandom::Error> {
        let mut key = Self { name, bytes: Box::new([0; SECRET_KEY_LEN_BYTES]) };
        getrandom::fill(key.bytes.as_mut_slice())?;
        Ok(key)
    }

    /// Name of the key.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's bytes.
    pub(crate) fn expose(&self) -> &[u8; SECRET_KEY_LEN_BYTES] {
        &self.bytes
    }

    /// The text form, `name:base64`, without a line end.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.bytes.as_slice()));
        Zeroizing::new(format!("{}:{}", self.name, *encoded))
    }
}

/// Why a text is not a [`SecretKey`]. Messages never repeat the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecretKey {
    /// Nothing, or only line ends.
    #[error("it is empty; give `name:base64`, 32 random bytes in base64 (`head -c 32 /dev/urandom | base64`)")]
    Empty,
    /// Longer than any key.
    #[error("it is longer than {SECRET_KEY_TEXT_MAX_LEN_BYTES} bytes, and so no key; give `name:base64`")]
    TooLong,
    /// No `:`.
    #[error("it has no `:`; give `name:base64`")]
    NoColon,
    /// The part before the first `:` is empty.
    #[error("the name before the `:` is empty; give `name:base64`")]
    EmptyName,
    /// The part before the first `:` is no key name.
    #[error("{0}")]
    Name(#[from] InvalidKeyName),
    /// The part after the first `:` is not base64.
    #[error("what follows the first `:` is not base64 (standard alphabet, with padding, without blanks)")]
    Base64,
    /// Not 32 bytes.
    #[error("the key has {0} bytes where 32 are needed")]
    Length(usize),
}

/// Parses `name:base64`: split at the first `:`, nothing trimmed; CR and LF within the base64 are skipped, as MinIO's
/// decoder does, so that a key file may end with a newline.
///
/// # Errors
/// [`InvalidSecretKey`]; an empty name is refused (MinIO takes it).
pub fn parse_secret_key(text: &[u8]) -> Result<SecretKey, InvalidSecretKey> {
    if text.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(InvalidSecretKey::Empty);
    }
    if text.len() > SECRET_KEY_TEXT_MAX_LEN_BYTES {
        return Err(InvalidSecretKey::TooLong);
    }
    let colon = text.iter().position(|&byte| byte == b':').ok_or(InvalidSecretKey::NoColon)?;
    let (name, encoded) = text.split_at_checked(colon).ok_or(InvalidSecretKey::NoColon)?;
    if name.is_empty() {
        return Err(InvalidSecretKey::EmptyName);
    }
    let name = KeyName::new(&String::from_utf8_lossy(name))?;

    let mut base64_text = Zeroizing::new(Vec::with_capacity(encoded.len()));
    base64_text.extend(encoded.iter().skip(1).filter(|byte| !matches!(byte, b'\r' | b'\n')));
    let decoded = Zeroizing::new(STANDARD.decode(base64_text.as_slice()).map_err(|_| InvalidSecretKey::Base64)?);
    if decoded.len() != SECRET_KEY_LEN_BYTES {
        return Err(InvalidSecretKey::Length(decoded.len()));
    }
    let mut key = SecretKey { name, bytes: Box::new([0; SECRET_KEY_LEN_BYTES]) };
    key.bytes.copy_from_slice(&decoded);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_matches_the_vectors_but_refuses_an_empty_name() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/static_kms.json")).unwrap();
        for case in vectors["env_parse"].as_array().unwrap() {
            let value = case["value"].as_str().unwrap();
            let parsed = parse_secret_key(value.as_bytes());
            let name = case["name"].as_str().unwrap_or_default();
            let ours_ok = case["ok"].as_bool().unwrap() && !name.is_empty();
            assert_eq!(parsed.is_ok(), ours_ok, "{value:?}");
            if let Ok(key) = parsed {
                assert_eq!(key.name().as_str(), name);
                assert_eq!(key.to_text().as_str(), value.trim_end());
            }
        }
    }

    #[test]
    fn each_mistake_has_its_own_error() {
        let error = |text: &str| parse_secret_key(text.as_bytes()).err().unwrap();
        assert_eq!(error(""), InvalidSecretKey::Empty);
        assert_eq!(error("\r\n"), InvalidSecretKey::Empty);
        assert_eq!(error("my-key"), InvalidSecretKey::NoColon);
        assert_eq!(error(":AAAA"), InvalidSecretKey::EmptyName);
        assert_eq!(error("my-key:AAAA"), InvalidSecretKey::Length(3));
        assert_eq!(error("my-key: AAAA"), InvalidSecretKey::Base64);
        assert!(matches!(error("my key:AAAA"), InvalidSecretKey::Name(_)));
        assert_eq!(error(&"k".repeat(5000)), InvalidSecretKey::TooLong);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_parsed_without_a_panic(text: Vec<u8>) {
            let _ = parse_secret_key(&text);
        }
    }
}
