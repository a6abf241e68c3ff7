//! Keys, addresses and answers that come from the environment, from files and from a KMS.

use super::Target;
use crate::kms::{ApiKey, Context, KeyName, KmsConfig, SealedDek, kes, parse_endpoints, parse_secret_key};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "kms-secret-key", run: secret_key, seeds: secret_key_seeds },
    Target { name: "kms-sealed-dek", run: sealed_dek, seeds: sealed_dek_seeds },
    Target { name: "kms-api-key", run: api_key, seeds: api_key_seeds },
    Target { name: "kms-endpoints", run: endpoints, seeds: endpoint_seeds },
    Target { name: "kms-key-name", run: key_name, seeds: key_name_seeds },
    Target { name: "kms-private-key", run: private_key, seeds: private_key_seeds },
    Target { name: "kms-kes-answers", run: answers, seeds: answer_seeds },
    Target { name: "kms-environment", run: environment, seeds: environment_seeds },
];

const SECRET: &str = "my-key:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn secret_key(input: &[u8]) {
    if let Ok(key) = parse_secret_key(input) {
        let text = key.to_text();
        let again = parse_secret_key(text.as_bytes());
        assert!(again.is_ok_and(|again| *again.to_text() == *text));
    }
}

fn secret_key_seeds() -> Vec<Vec<u8>> {
    [SECRET.to_owned(), format!("{SECRET}\r\n"), "k:AAAA".to_owned()].map(String::into_bytes).to_vec()
}

fn sealed_dek(input: &[u8]) {
    let Ok(sealed) = SealedDek::parse(input) else { return };
    assert!(SealedDek::parse(&sealed.to_bytes()).is_ok());
    if let Ok(key) = parse_secret_key(SECRET.as_bytes()) {
        let context = Context::bucket(&[7; 16]);
        assert!(sealed.open(&key, &context).is_err(), "a DEK that nobody sealed opened");
    }
}

fn sealed_dek_seeds() -> Vec<Vec<u8>> {
    let legacy = r#"{"aead":"AES-256-GCM-HMAC-SHA-256","iv":"AAAAAAAAAAAAAAAAAAAAAA==","nonce":"AAAAAAAAAAAAAAAA","bytes":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    vec![vec![5; 76], legacy.as_bytes().to_vec(), legacy.replace("AES-256-GCM-HMAC-SHA-256", "ChaCha20Poly1305").into()]
}

fn api_key(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(key) = ApiKey::parse(text) {
        assert_eq!(key.identity().len(), 64);
    }
}

fn api_key_seeds() -> Vec<Vec<u8>> {
    vec![b"kes:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_vec(), b"kes:v1:AQ==".to_vec()]
}

fn endpoints(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(endpoints) = parse_endpoints(text) {
        assert!(!endpoints.is_empty());
        for endpoint in endpoints {
            assert!(endpoint.as_str().starts_with("https://"), "KES is asked over TLS only");
            let again = parse_endpoints(endpoint.as_str());
            assert!(again.is_ok_and(|again| again.iter().map(kes::Endpoint::as_str).eq([endpoint.as_str()])));
        }
    }
}

fn endpoint_seeds() -> Vec<Vec<u8>> {
    [
        "https://127.0.0.1:7373",
        "https://kes1.example.com:7373,https://kes2.example.com",
        "https://[::1]:7373/",
        "https://kes{1...3}.example.com",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn key_name(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(name) = KeyName::new(text) {
        assert_eq!(name.as_str(), text);
    }
}

fn key_name_seeds() -> Vec<Vec<u8>> {
    vec![b"strongroom-key".to_vec(), b"a.b_c-0".to_vec()]
}

fn private_key(input: &[u8]) {
    let (choice, pem) = input.split_first().map_or((0, input), |(first, rest)| (*first, rest));
    kes::fuzz_private_key(pem, (choice & 1 == 1).then_some("password"));
}

fn private_key_seeds() -> Vec<Vec<u8>> {
    let plain = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n";
    let sealed = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,000102030405060708090A0B0C0D0E0F\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END EC PRIVATE KEY-----\n";
    vec![format!("\0{plain}").into_bytes(), format!("\x01{sealed}").into_bytes()]
}

/// The first byte chooses the call, the next two the status.
fn answers(input: &[u8]) {
    let Some(([call, low, high], body)) = input.split_first_chunk::<3>() else { return };
    match call % 5 {
        0 => drop(kes::parse_generate(body)),
        1 => drop(kes::parse_decrypt(body)),
        2 => drop(kes::parse_list(body)),
        3 => drop(kes::parse_status(body)),
        _ => drop(kes::classify_refusal(u16::from_le_bytes([*low, *high]), body)),
    }
}

fn answer_seeds() -> Vec<Vec<u8>> {
    let dek = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    [
        format!("\0\0\0{{\"plaintext\":\"{dek}\",\"ciphertext\":\"AAAA\"}}"),
        format!("\x01\0\0{{\"plaintext\":\"{dek}\"}}"),
        "\x02\0\0{\"names\":[\"a\",\"b\"],\"continue_at\":\"c\"}".to_owned(),
        "\x03\0\0{\"version\":\"v0.24.0\",\"keystore_unreachable\":true}".to_owned(),
        "\x04\x24\x01{\"message\":\"not authorized: insufficient permissions\"}".to_owned(),
        "\x04\x24\x01{\"error\":\"key does not exist\"}".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Lines `NAME=value` as the environment. No file is read for it.
fn environment(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lookup = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(str::to_owned)
    };
    drop(KmsConfig::from_env(lookup));
}

fn environment_seeds() -> Vec<Vec<u8>> {
    [
        format!("MINIO_KMS_SECRET_KEY={SECRET}\n"),
        "MINIO_KMS_KES_ENDPOINT=https://127.0.0.1:7373\nMINIO_KMS_KES_API_KEY=kes:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nMINIO_KMS_KES_KEY_NAME=my-key\n".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
