//! The JSON of KES and what its answers mean. Pure functions over bytes; any input gives a value or an error.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::kms::{Context, DataKey, DekBytes, SEALED_DEK_MAX_LEN_BYTES, key_name::printable};

/// Most names that one page of a listing may hold; KES sends up to 1024, other key stores choose for themselves.
const PAGE_NAMES_MAX: usize = 20_000;

/// An answer with status 200 that is not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not the JSON expected.
    #[error("the answer to `{0}` is not the JSON expected")]
    Json(&'static str),
    /// A field is no base64.
    #[error("`{0}` in the answer is not base64")]
    Base64(&'static str),
    /// A data key of another length than 32 bytes.
    #[error("the data key has not 32 bytes")]
    DekLength,
    /// A sealed data key that is empty or longer than can be kept.
    #[error("the sealed data key has {0} bytes, not 1 to {SEALED_DEK_MAX_LEN_BYTES}")]
    SealedLength(usize),
    /// More names than one page can hold.
    #[error("a page of {0} names")]
    PageLength(usize),
}

/// What an answer with another status than 200 means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such key.
    NotFound,
    /// The policy does not allow it.
    Denied,
    /// A key of that name is there.
    AlreadyExists,
    /// The sealed DEK is not authentic.
    InvalidCiphertext,
    /// The server cannot do that.
    NotSupported(String),
    /// The server, or its key store, is not well: try another, or later.
    Temporary(String),
    /// The server wants another client certificate.
    ClientCertificate(String),
    /// Anything else.
    Unexpected(String),
}

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Names, as sent.
    pub names: Vec<String>,
    /// The first name that is not on this page.
    pub continue_at: Option<String>,
}

/// What `/v1/status` says.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// The server's version.
    pub version: Option<String>,
    /// Whether the server cannot reach its key store.
    pub key_store_unreachable: bool,
}

/// Request body of *generate*.
#[must_use]
pub fn generate_request(context: &Context) -> Vec<u8> {
    let context = STANDARD.encode(context.canonical_json());
    serde_json::json!({ "context": context }).to_string().into_bytes()
}

/// Request body of *decrypt*.
#[must_use]
pub fn decrypt_request(sealed: &[u8], context: &Context) -> Vec<u8> {
    let (ciphertext, context) = (STANDARD.encode(sealed), STANDARD.encode(context.canonical_json()));
    serde_json::json!({ "ciphertext": ciphertext, "context": context }).to_string().into_bytes()
}

/// Answer to *generate*.
///
/// # Errors
/// [`WireError`].
pub fn parse_generate(body: &[u8]) -> Result<DataKey, WireError> {
    #[derive(Deserialize)]
    struct Answer {
        plaintext: String,
        ciphertext: String,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WireError::Json("generate"))?;
    let plain = dek_of(Zeroizing::new(answer.plaintext))?;
    let sealed = STANDARD.decode(answer.ciphertext).map_err(|_| WireError::Base64("ciphertext"))?;
    if sealed.is_empty() || sealed.len() > SEALED_DEK_MAX_LEN_BYTES {
        return Err(WireError::SealedLength(sealed.len()));
    }
    Ok(DataKey { plain, sealed })
}

/// Answer to *decrypt*.
///
/// # Errors
/// [`WireError`].
pub fn parse_decrypt(body: &[u8]) -> Result<DekBytes, WireError> {
    #[derive(Deserialize)]
    struct Answer {
        plaintext: String,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WireError::Json("decrypt"))?;
    dek_of(Zeroizing::new(answer.plaintext))
}

/// Answer to *list*.
///
/// # Errors
/// [`WireError`].
pub fn parse_list(body: &[u8]) -> Result<ListPage, WireError> {
    #[derive(Deserialize)]
    struct Answer {
        names: Option<Vec<String>>,
        continue_at: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WireError::Json("list"))?;
    let names = answer.names.unwrap_or_default();
    if names.len() > PAGE_NAMES_MAX {
        return Err(WireError::PageLength(names.len()));
    }
    Ok(ListPage { names, continue_at: answer.continue_at.filter(|name| !name.is_empty()) })
}

/// Answer to *status*.
///
/// # Errors
/// [`WireError`].
pub fn parse_status(body: &[u8]) -> Result<ServerStatus, WireError> {
    #[derive(Deserialize)]
    struct Answer {
        version: Option<String>,
        keystore_unreachable: Option<bool>,
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| WireError::Json("status"))?;
    Ok(ServerStatus {
        version: answer.version.map(|version| printable(&version)),
        key_store_unreachable: answer.keystore_unreachable.unwrap_or(false),
    })
}

/// What a status other than 200 means. KES tells its errors apart by status *and* exact message.
///
/// A 404 or 403 without KES's own message comes from something in between, and is neither a deleted key nor a denial:
/// a proxy must not be able to lock a store by accident. Every 5xx is temporary.
#[must_use]
pub fn classify_refusal(status: u16, body: &[u8]) -> Refusal {
    let message = error_message(body);
    match (status, message.as_str()) {
        (403, text) if text.starts_with("not authorized") || text == "prohibited by policy" => Refusal::Denied,
        (404, "key does not exist") => Refusal::NotFound,
        (400, "key already exists" | "key does already exist") => Refusal::AlreadyExists,
        (400, "decryption failed: ciphertext is not authentic") => Refusal::InvalidCiphertext,
        (400, _) if message.starts_with("tls: ") || message.starts_with("insecure connection") => {
            Refusal::ClientCertificate(message)
        }
        (501, _) => Refusal::NotSupported(message),
        (500..=599, _) => Refusal::Temporary(format!("it answered {status}: {message}")),
        _ => Refusal::Unexpected(format!("it answered {status}: {message}")),
    }
}

/// The message of an error: `message` or `error` of a JSON object, else the text itself, shortened.
fn error_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: Option<String>,
        error: Option<String>,
    }
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { message: Some(text), .. } | Answer { error: Some(text), .. }) => printable(text.trim()),
        _ => printable(String::from_utf8_lossy(body.get(..512).unwrap_or(body)).trim()),
    }
}

fn dek_of(text: Zeroizing<String>) -> Result<DekBytes, WireError> {
    let mut plain = Zeroizing::new(STANDARD.decode(text.as_bytes()).map_err(|_| WireError::Base64("plaintext"))?);
    DekBytes::take(&mut plain).ok_or(WireError::DekLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(name: &str) -> serde_json::Value {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/kes_wire.json")).unwrap();
        vectors["exchanges"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone()
    }

    fn json(body: &[u8]) -> serde_json::Value {
        serde_json::from_slice(body).unwrap()
    }

    fn refusal(case: &serde_json::Value) -> Refusal {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        classify_refusal(status, case["response"].to_string().as_bytes())
    }

    #[test]
    fn requests_and_answers_match_the_vectors() {
        let context = Context::new().with("bucket", "bucket/object");
        let (generate, decrypt) = (exchange("generate"), exchange("decrypt"));
        assert_eq!(json(&generate_request(&context)), generate["request"]);
        let made = parse_generate(generate["response"].to_string().as_bytes()).ok().unwrap();
        assert_eq!(json(&decrypt_request(&made.sealed, &context)), decrypt["request"]);
        let opened = parse_decrypt(decrypt["response"].to_string().as_bytes()).ok().unwrap();
        assert_eq!(opened.expose(), made.plain.expose());

        let page = parse_list(exchange("list")["response"].to_string().as_bytes()).unwrap();
        assert_eq!(page, ListPage { names: vec!["my-key".into()], continue_at: None });
    }

    #[test]
    fn refusals_match_the_vectors() {
        assert_eq!(refusal(&exchange("create existing")), Refusal::AlreadyExists);
        assert_eq!(refusal(&exchange("decrypt with other context")), Refusal::InvalidCiphertext);
        assert_eq!(refusal(&exchange("unknown key")), Refusal::NotFound);
        assert_eq!(refusal(&exchange("policy denies")), Refusal::Denied);
    }

    #[test]
    fn only_the_servers_own_word_makes_a_key_not_found_or_denied() {
        assert!(matches!(classify_refusal(404, b"404 page not found"), Refusal::Unexpected(_)));
        assert!(matches!(classify_refusal(404, b""), Refusal::Unexpected(_)));
        assert!(matches!(classify_refusal(403, b"<html>forbidden</html>"), Refusal::Unexpected(_)));
        assert_eq!(classify_refusal(403, br#"{"message":"prohibited by policy"}"#), Refusal::Denied);
        for status in [500, 502, 503, 504] {
            assert!(matches!(classify_refusal(status, br#"{"message":"failed to read key"}"#), Refusal::Temporary(_)));
        }
        assert!(matches!(classify_refusal(501, b"no"), Refusal::NotSupported(_)));
        assert!(matches!(
            classify_refusal(400, br#"{"message":"tls: client certificate is required"}"#),
            Refusal::ClientCertificate(_)
        ));
        // KES leaves a newline between the message and the closing brace.
        assert_eq!(classify_refusal(404, b"{\"message\":\"key does not exist\"\n}"), Refusal::NotFound);
        assert_eq!(classify_refusal(404, br#"{"error":"key does not exist"}"#), Refusal::NotFound);
    }

    #[test]
    fn a_data_key_of_a_wrong_length_is_refused() {
        let body = br#"{"plaintext":"AAAA","ciphertext":"AAAA"}"#;
        assert_eq!(parse_generate(body).err(), Some(WireError::DekLength));
        assert_eq!(parse_decrypt(br#"{"plaintext":"!"}"#).err(), Some(WireError::Base64("plaintext")));
        let plain = STANDARD.encode([1; 32]);
        let body = format!(r#"{{"plaintext":"{plain}","ciphertext":""}}"#);
        assert_eq!(parse_generate(body.as_bytes()).err(), Some(WireError::SealedLength(0)));
    }

    #[test]
    fn missing_and_null_names_are_an_empty_page() {
        assert_eq!(parse_list(br#"{"names":null}"#), Ok(ListPage::default()));
        assert_eq!(parse_list(br#"{"continue_at":""}"#), Ok(ListPage::default()));
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_parsed_without_a_panic(status: u16, body: Vec<u8>) {
            let _ = (parse_generate(&body), parse_decrypt(&body), parse_list(&body), parse_status(&body));
            let _ = classify_refusal(status, &body);
        }
    }
}
