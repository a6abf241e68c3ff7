//! The context of a DEK: what it is for, bound into it as associated data.

use std::{collections::BTreeMap, fmt::Write};

/// A map of texts that a DEK is bound to. Its canonical JSON form is what the KMS authenticates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<Box<[u8]>, Box<[u8]>>);

impl Context {
    /// The empty context, `{}`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `{"strongroom":"bucket/<id>"}`: a DEK that seals the bucket keys of one bucket.
    #[must_use]
    pub fn bucket(id: &[u8; 16]) -> Self {
        Self::new().with("strongroom", format!("bucket/{}", hex::encode(id)))
    }

    /// `{"strongroom":"store/<id>"}`: a DEK that seals the bucket keys of a store's catalog.
    #[must_use]
    pub fn store(id: &[u8; 16]) -> Self {
        Self::new().with("strongroom", format!("store/{}", hex::encode(id)))
    }

    /// The context with one more entry; an entry of the same key is replaced. Both may be any bytes; what is no UTF-8
    /// is authenticated as U+FFFD, one for each byte, as MinIO does.
    #[must_use]
    pub fn with(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.0.insert(key.as_ref().into(), value.as_ref().into());
        self
    }

    /// Whether there is an entry of that key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key.as_bytes())
    }

    /// Canonical JSON: keys sorted by raw bytes, no blanks, escaped as Go's encoder does with HTML escaping on.
    ///
    /// These bytes are the AAD of the static key and, in base64, the `context` of KES, so they must never change.
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let mut json = String::from("{");
        for (index, (key, value)) in self.0.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            push_text(&mut json, key);
            json.push(':');
            push_text(&mut json, value);
        }
        json.push('}');
        json
    }
}

fn push_text(json: &mut String, text: &[u8]) {
    json.push('"');
    for chunk in text.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_char(json, c));
        // Go's encoder replaces each byte that begins no character, not each maximal invalid sequence.
        chunk.invalid().iter().for_each(|_| json.push_str("\\ufffd"));
    }
    json.push('"');
}

fn push_char(json: &mut String, c: char) {
    match c {
        '"' => json.push_str("\\\""),
        '\\' => json.push_str("\\\\"),
        '\n' => json.push_str("\\n"),
        '\r' => json.push_str("\\r"),
        '\t' => json.push_str("\\t"),
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            // Writing to a String cannot fail.
            let _ = write!(json, "\\u{:04x}", u32::from(c));
        }
        _ => json.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_matches_the_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/kms_context.json")).unwrap();
        let cases = vectors["canonical"].as_array().unwrap();
        assert!(cases.len() >= 12);
        for case in cases {
            let context = case["context"]
                .as_object()
                .unwrap()
                .iter()
                .fold(Context::new(), |context, (key, value)| context.with(key, value.as_str().unwrap()));
            assert_eq!(hex::encode(context.canonical_json()), case["canonical_hex"].as_str().unwrap());
        }
        for case in vectors["invalid_utf8"].as_array().unwrap() {
            let value = hex::decode(case["value_hex"].as_str().unwrap()).unwrap();
            let expected = format!("{{\"k\":\"{}\"}}", case["canonical_value"].as_str().unwrap());
            assert_eq!(Context::new().with("k", value).canonical_json(), expected);
        }
    }

    #[test]
    fn our_two_contexts_name_the_id_in_hex() {
        assert_eq!(
            Context::bucket(&[0xab; 16]).canonical_json(),
            format!("{{\"strongroom\":\"bucket/{}\"}}", "ab".repeat(16))
        );
        assert_eq!(
            Context::store(&[1; 16]).canonical_json(),
            format!("{{\"strongroom\":\"store/{}\"}}", "01".repeat(16))
        );
    }

    #[test]
    fn backspace_and_form_feed_are_numeric_escapes() {
        assert_eq!(Context::new().with("k", "\u{8}\u{c}").canonical_json(), "{\"k\":\"\\u0008\\u000c\"}");
    }
}
