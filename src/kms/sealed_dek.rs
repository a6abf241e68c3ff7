//! The sealed form of a DEK under a static key, byte-compatible with MinIO's.
//!
//! Current form, 76 bytes: AES-256-GCM(sub-key, nonce, AAD = canonical context, DEK) ‖ iv(16) ‖ nonce(12), where
//! sub-key = HMAC-SHA-256(static key, iv). Legacy form, read only: a JSON object that names its AEAD; ChaCha20-Poly1305
//! takes its sub-key from HChaCha20(static key, iv).

use aes_gcm::{
    Aes256Gcm,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::ChaCha20Poly1305;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Context, DEK_LEN_BYTES, DekBytes, SEALED_DEK_MAX_LEN_BYTES, SecretKey};

const IV_LEN_BYTES: usize = 16;
const NONCE_LEN_BYTES: usize = 12;
const TAG_LEN_BYTES: usize = 16;
const BODY_LEN_BYTES: usize = DEK_LEN_BYTES + TAG_LEN_BYTES;
const SEALED_LEN_BYTES: usize = BODY_LEN_BYTES + IV_LEN_BYTES + NONCE_LEN_BYTES;

/// Why a sealed DEK does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StaticDekError {
    /// It has neither the length nor the form of a sealed DEK.
    #[error("{0} bytes that are no sealed data key")]
    Malformed(usize),
    /// It does not authenticate: another key, another context, or altered.
    #[error("the sealed data key is not authentic under this key and context")]
    NotAuthentic,
}

/// The AEAD that a legacy sealed DEK names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LegacyCipher {
    /// AES-256-GCM under an HMAC-SHA-256 sub-key; also the current form.
    #[serde(rename = "AES-256-GCM-HMAC-SHA-256")]
    Aes256Gcm,
    /// ChaCha20-Poly1305 under an HChaCha20 sub-key.
    #[serde(rename = "ChaCha20Poly1305")]
    ChaCha20Poly1305,
}

/// A sealed DEK taken apart; not yet authenticated.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedDek {
    cipher: LegacyCipher,
    iv: [u8; IV_LEN_BYTES],
    nonce: [u8; NONCE_LEN_BYTES],
    body: [u8; BODY_LEN_BYTES],
}

#[derive(Deserialize)]
struct LegacyJson {
    aead: LegacyCipher,
    iv: String,
    nonce: String,
    bytes: String,
}

impl SealedDek {
    /// Takes either form apart. The legacy form is tried when the text begins with `{`, ends with `}` and is JSON;
    /// a current one may begin and end so by accident.
    ///
    /// # Errors
    /// [`StaticDekError::Malformed`].
    pub fn parse(sealed: &[u8]) -> Result<Self, StaticDekError> {
        let malformed = || StaticDekError::Malformed(sealed.len());
        if sealed.len() > SEALED_DEK_MAX_LEN_BYTES {
            return Err(malformed());
        }
        if sealed.first() == Some(&b'{')
            && sealed.last() == Some(&b'}')
            && let Ok(json) = serde_json::from_slice(sealed)
        {
            return Self::from_legacy(&json).ok_or_else(malformed);
        }
        let (body, rest) = sealed.split_first_chunk().ok_or_else(malformed)?;
        let (iv, rest) = rest.split_first_chunk().ok_or_else(malformed)?;
        let nonce = rest.try_into().map_err(|_| malformed())?;
        Ok(Self { cipher: LegacyCipher::Aes256Gcm, iv: *iv, nonce, body: *body })
    }

    fn from_legacy(json: &LegacyJson) -> Option<Self> {
        let iv = STANDARD.decode(&json.iv).ok()?.try_into().ok()?;
        let nonce = STANDARD.decode(&json.nonce).ok()?.try_into().ok()?;
        let body = STANDARD.decode(&json.bytes).ok()?.try_into().ok()?;
        Some(Self { cipher: json.aead, iv, nonce, body })
    }

    /// The current form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(SEALED_LEN_BYTES);
        sealed.extend_from_slice(&self.body);
        sealed.extend_from_slice(&self.iv);
        sealed.extend_from_slice(&self.nonce);
        sealed
    }

    /// Opens the DEK.
    ///
    /// # Errors
    /// [`StaticDekError::NotAuthentic`].
    pub fn open(&self, key: &SecretKey, context: &Context) -> Result<DekBytes, StaticDekError> {
        let aad = context.canonical_json();
        let payload = Payload { msg: &self.body, aad: aad.as_bytes() };
        let plain = match self.cipher {
            LegacyCipher::Aes256Gcm => {
                let sub_key = hmac_sub_key(key, &self.iv).ok_or(StaticDekError::NotAuthentic)?;
                Aes256Gcm::new((&*sub_key).into()).decrypt((&self.nonce).into(), payload)
            }
            LegacyCipher::ChaCha20Poly1305 => {
                let sub_key = hchacha_sub_key(key, &self.iv);
                ChaCha20Poly1305::new((&*sub_key).into()).decrypt((&self.nonce).into(), payload)
            }
        };
        let mut plain = Zeroizing::new(plain.map_err(|_| StaticDekError::NotAuthentic)?);
        DekBytes::take(&mut plain).ok_or(StaticDekError::NotAuthentic)
    }

    /// Seals `dek`. `iv` and `nonce` must be random and never used before under this key.
    pub(crate) fn seal(
        key: &SecretKey,
        iv: [u8; IV_LEN_BYTES],
        nonce: [u8; NONCE_LEN_BYTES],
        dek: &DekBytes,
        context: &Context,
    ) -> Result<Self, StaticDekError> {
        let aad = context.canonical_json();
        let sub_key = hmac_sub_key(key, &iv).ok_or(StaticDekError::NotAuthentic)?;
        let payload = Payload { msg: dek.expose(), aad: aad.as_bytes() };
        let body = Aes256Gcm::new((&*sub_key).into())
            .encrypt((&nonce).into(), payload)
            .map_err(|_| StaticDekError::NotAuthentic)?;
        let body = body.try_into().map_err(|body: Vec<u8>| StaticDekError::Malformed(body.len()))?;
        Ok(Self { cipher: LegacyCipher::Aes256Gcm, iv, nonce, body })
    }

    /// Seals `dek` under a fresh iv and nonce from the kernel.
    pub(crate) fn seal_random(key: &SecretKey, dek: &DekBytes, context: &Context) -> Result<Self, String> {
        let (mut iv, mut nonce) = ([0; IV_LEN_BYTES], [0; NONCE_LEN_BYTES]);
        getrandom::fill(&mut iv).map_err(|error| error.to_string())?;
        getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
        Self::seal(key, iv, nonce, dek, context).map_err(|error| error.to_string())
    }
}

/// HMAC-SHA-256(key, iv). `None` never happens: HMAC takes keys of any length.
fn hmac_sub_key(key: &SecretKey, iv: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).ok()?;
    mac.update(iv);
    Some(Zeroizing::new(mac.finalize().into_bytes().into()))
}

fn hchacha_sub_key(key: &SecretKey, iv: &[u8; IV_LEN_BYTES]) -> Zeroizing<[u8; 32]> {
    let sub_key = chacha20::hchacha::<chacha20::R20>(key.expose().into(), iv.into());
    Zeroizing::new(sub_key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::parse_secret_key;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/vectors/static_kms.json")).unwrap()
    }

    fn key_of(case: &serde_json::Value) -> SecretKey {
        parse_secret_key(format!("my-key:{}", case["master_b64"].as_str().unwrap()).as_bytes()).unwrap()
    }

    fn context_of(case: &serde_json::Value) -> Context {
        let entries = case["context"].as_object().unwrap();
        entries.iter().fold(Context::new(), |context, (key, value)| context.with(key, value.as_str().unwrap()))
    }

    fn base64_of(case: &serde_json::Value, field: &str) -> Vec<u8> {
        STANDARD.decode(case[field].as_str().unwrap()).unwrap()
    }

    #[test]
    fn sealing_with_the_vectors_iv_and_nonce_gives_the_vectors_bytes() {
        for case in vectors()["generated"].as_array().unwrap() {
            let (key, context) = (key_of(case), context_of(case));
            assert_eq!(context.canonical_json(), case["aad"].as_str().unwrap());
            let iv: [u8; 16] = hex::decode(case["iv_hex"].as_str().unwrap()).unwrap().try_into().unwrap();
            let nonce: [u8; 12] = hex::decode(case["nonce_hex"].as_str().unwrap()).unwrap().try_into().unwrap();
            let derived = hmac_sub_key(&key, &iv).unwrap();
            assert_eq!(hex::encode(*derived), case["derived_key_hex"].as_str().unwrap());

            let plain = base64_of(case, "plaintext_b64");
            let dek = DekBytes::take(&mut plain.clone()).unwrap();
            let sealed = SealedDek::seal(&key, iv, nonce, &dek, &context).unwrap();
            assert_eq!(sealed.to_bytes(), base64_of(case, "ciphertext_b64"));
            let opened = SealedDek::parse(&sealed.to_bytes()).unwrap().open(&key, &context);
            assert_eq!(opened.ok().unwrap().expose().as_slice(), plain);
        }
    }

    #[test]
    fn legacy_json_opens() {
        for case in vectors()["legacy_json"].as_array().unwrap() {
            let sealed = SealedDek::parse(case["ciphertext"].as_str().unwrap().as_bytes()).unwrap();
            let dek = sealed.open(&key_of(case), &context_of(case)).ok().unwrap();
            assert_eq!(dek.expose().as_slice(), base64_of(case, "plaintext_b64"));
        }
    }

    #[test]
    fn legacy_json_with_aes_opens() {
        let key = parse_secret_key(b"k:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        let dek = DekBytes::take(&mut [7; 32]).unwrap();
        let sealed = SealedDek::seal(&key, [1; 16], [2; 12], &dek, &Context::new()).unwrap();
        let json = format!(
            "{{\"aead\":\"AES-256-GCM-HMAC-SHA-256\",\"id\":\"x\",\"iv\":\"{}\",\"nonce\":\"{}\",\"bytes\":\"{}\"}}",
            STANDARD.encode(sealed.iv),
            STANDARD.encode(sealed.nonce),
            STANDARD.encode(sealed.body)
        );
        assert_eq!(SealedDek::parse(json.as_bytes()).unwrap(), sealed);
    }

    #[test]
    fn altered_truncated_or_moved_deks_do_not_open() {
        let vectors = vectors();
        let case = &vectors["generated"][1];
        let (key, context) = (key_of(case), context_of(case));
        let good = base64_of(case, "ciphertext_b64");
        for index in 0..good.len() {
            let mut altered = good.clone();
            altered[index] ^= 1;
            let opened = SealedDek::parse(&altered).unwrap().open(&key, &context);
            assert_eq!(opened.err(), Some(StaticDekError::NotAuthentic), "byte {index}");
        }
        assert!(SealedDek::parse(&good).unwrap().open(&key, &Context::new()).is_err());
        for len in 0..good.len() {
            assert_eq!(SealedDek::parse(&good[..len]), Err(StaticDekError::Malformed(len)));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken_apart_without_a_panic(sealed: Vec<u8>) {
            let _ = SealedDek::parse(&sealed);
        }

        #[test]
        fn any_text_within_braces_is_taken_apart_without_a_panic(text in "\\{.{0,120}\\}") {
            let _ = SealedDek::parse(text.as_bytes());
        }
    }
}
