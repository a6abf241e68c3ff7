//! Private keys in PEM, plain or encrypted as RFC 1423 does.
//!
//! The encryption is what `kes identity new --encrypt` and old OpenSSL write: AES-256-CBC under a key from MD5 of the
//! password, once. It is read for compatibility, never written.

use aws_lc_rs::{
    cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey},
    iv::FixedLength,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use zeroize::Zeroizing;

const IV_LEN_BYTES: usize = 16;
const SALT_LEN_BYTES: usize = 8;

/// Why a PEM text gives no private key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPrivateKey {
    #[error("there is no private key in PEM form in it")]
    None,
    #[error("it holds {0} PEM blocks where one private key is wanted")]
    Surplus(usize),
    #[error("the private key cannot be read: {0}")]
    Malformed(String),
    #[error("it is encrypted; set MINIO_KMS_KES_KEY_PASSWORD")]
    PasswordMissing,
    #[error("it is not encrypted; unset MINIO_KMS_KES_KEY_PASSWORD")]
    PasswordSurplus,
    #[error("MINIO_KMS_KES_KEY_PASSWORD is not its password")]
    PasswordWrong,
    #[error(
        "it is encrypted in a way that is not supported (PKCS#8, or not AES-256-CBC): decrypt it into a file of mode \
         0600 (`openssl pkey`), or encrypt it as `kes identity new --encrypt` does"
    )]
    Encryption,
}

/// The private key of a PEM text that holds exactly one block; `password` if and only if it is encrypted.
pub(super) fn parse_private_key(
    pem: &[u8],
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, InvalidPrivateKey> {
    let text = std::str::from_utf8(pem).map_err(|_| InvalidPrivateKey::None)?;
    match text.matches("-----BEGIN ").count() {
        0 => return Err(InvalidPrivateKey::None),
        1 => {}
        count => return Err(InvalidPrivateKey::Surplus(count)),
    }
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(InvalidPrivateKey::Encryption);
    }
    match (text.contains("Proc-Type: 4,ENCRYPTED"), password) {
        (true, Some(password)) => decrypt(text, password),
        (true, None) => Err(InvalidPrivateKey::PasswordMissing),
        (false, Some(_)) => Err(InvalidPrivateKey::PasswordSurplus),
        (false, None) => {
            PrivateKeyDer::from_pem_slice(pem).map_err(|error| InvalidPrivateKey::Malformed(error.to_string()))
        }
    }
}

fn decrypt(text: &str, password: &str) -> Result<PrivateKeyDer<'static>, InvalidPrivateKey> {
    let malformed = |what: &str| InvalidPrivateKey::Malformed(what.to_owned());
    let (_, begun) = text.split_once("-----BEGIN ").ok_or(InvalidPrivateKey::None)?;
    let (label, begun) = begun.split_once("-----").ok_or_else(|| malformed("its first line is cut"))?;
    let (block, _) = begun.split_once("-----END ").ok_or_else(|| malformed("its last line is missing"))?;
    let (headers, encoded): (Vec<&str>, Vec<&str>) =
        block.lines().map(str::trim).filter(|line| !line.is_empty()).partition(|line| line.contains(':'));
    let (cipher, iv) = headers
        .iter()
        .find_map(|line| line.strip_prefix("DEK-Info:"))
        .and_then(|info| info.trim().split_once(','))
        .ok_or_else(|| malformed("the header DEK-Info is missing"))?;
    if cipher != "AES-256-CBC" {
        return Err(InvalidPrivateKey::Encryption);
    }
    let iv = hex::decode(iv).ok().and_then(|iv| <[u8; IV_LEN_BYTES]>::try_from(iv).ok());
    let iv = iv.ok_or_else(|| malformed("the IV in DEK-Info is not 16 bytes in hex"))?;
    let sealed = STANDARD.decode(encoded.concat()).map_err(|_| malformed("its body is not base64"))?;

    let mut buffer = Zeroizing::new(sealed);
    let der = decrypt_cbc(password, &iv, &mut buffer).ok_or(InvalidPrivateKey::PasswordWrong)?;
    // The padding is right by accident for one wrong password in 256: the caller sees that the key does not parse.
    let key = match label {
        "PRIVATE KEY" => PrivateKeyDer::Pkcs8(der.to_vec().into()),
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(der.to_vec().into()),
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(der.to_vec().into()),
        _ => return Err(InvalidPrivateKey::None),
    };
    // All three forms are one DER sequence.
    if der.first() == Some(&0x30) { Ok(key) } else { Err(InvalidPrivateKey::PasswordWrong) }
}

fn decrypt_cbc<'a>(password: &str, iv: &[u8; IV_LEN_BYTES], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let key = Zeroizing::new(key_of(password, iv.get(..SALT_LEN_BYTES)?));
    let key = UnboundCipherKey::new(&AES_256, key.as_slice()).ok()?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    let plain = key.decrypt(buffer, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(plain)
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round: each half is MD5(half before ‖ password ‖ salt).
fn key_of(password: &str, salt: &[u8]) -> [u8; 32] {
    let first = Md5::new().chain_update(password).chain_update(salt).finalize();
    let second = Md5::new().chain_update(first).chain_update(password).chain_update(salt).finalize();
    let mut key = [0; 32];
    let (low, high) = key.split_at_mut(16);
    low.copy_from_slice(&first);
    high.copy_from_slice(&second);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Vec<serde_json::Value> {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/pem_rfc1423.json")).unwrap();
        vectors["vectors"].as_array().unwrap().clone()
    }

    #[test]
    fn encrypted_keys_match_the_vectors() {
        for case in vectors() {
            let pem = case["pem"].as_str().unwrap().as_bytes();
            let key = parse_private_key(pem, case["password"].as_str()).unwrap();
            assert_eq!(hex::encode(key.secret_der()), case["der_hex"].as_str().unwrap());
        }
    }

    #[test]
    fn a_wrong_missing_or_surplus_password_is_named() {
        for case in vectors() {
            let pem = case["pem"].as_str().unwrap().as_bytes();
            assert_eq!(parse_private_key(pem, None).unwrap_err(), InvalidPrivateKey::PasswordMissing);
            for wrong in 0..300 {
                let refused = parse_private_key(pem, Some(&format!("wrong {wrong}")));
                assert_eq!(refused.unwrap_err(), InvalidPrivateKey::PasswordWrong);
            }
        }
        let plain = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(parse_private_key(plain.as_bytes(), None).is_ok());
        assert_eq!(parse_private_key(plain.as_bytes(), Some("p")).unwrap_err(), InvalidPrivateKey::PasswordSurplus);
        let two = format!("{plain}{plain}");
        assert_eq!(parse_private_key(two.as_bytes(), None).unwrap_err(), InvalidPrivateKey::Surplus(2));
    }

    #[test]
    fn other_encryptions_are_refused() {
        let pkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(parse_private_key(pkcs8.as_bytes(), Some("p")).unwrap_err(), InvalidPrivateKey::Encryption);
        let case = vectors()[0]["pem"].as_str().unwrap().replace("AES-256-CBC", "DES-EDE3-CBC");
        assert_eq!(parse_private_key(case.as_bytes(), Some("s3cret")).unwrap_err(), InvalidPrivateKey::Encryption);
    }

    proptest::proptest! {
        #[test]
        fn any_block_is_parsed_without_a_panic(inner in "(Proc-Type: 4,ENCRYPTED\n)?(DEK-Info: AES-256-CBC,[0-9a-f]{0,34}\n)?[A-Za-z0-9+/=\n]{0,90}") {
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{inner}\n-----END PRIVATE KEY-----\n");
            let _ = parse_private_key(pem.as_bytes(), Some("p"));
            let _ = parse_private_key(pem.as_bytes(), None);
        }
    }
}
