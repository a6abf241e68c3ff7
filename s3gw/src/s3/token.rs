//! Continuation tokens: where a page of a listing begins, opaque to clients.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use strongroom::fs::ListFrom;

const VERSION: u8 = 1;
const AFTER_KEY: u8 = b'k';
const AFTER_PREFIX: u8 = b'p';
/// A key as fs lists it may be longer than one that S3 may make, but not without bound.
const LIMIT_BYTES: usize = 128 * 1024;

/// The token that goes on at `from`; `None` for the start.
pub(crate) fn encode(from: &ListFrom) -> Option<String> {
    let (kind, place) = match from {
        ListFrom::Start => return None,
        ListFrom::AfterKey(key) => (AFTER_KEY, key),
        ListFrom::AfterPrefix(prefix) => (AFTER_PREFIX, prefix),
    };
    let mut bytes = vec![VERSION, kind];
    bytes.extend_from_slice(place);
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

/// What a token says; `None` for what is none of ours.
pub(crate) fn decode(token: &str) -> Option<ListFrom> {
    if token.len() > LIMIT_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    match bytes.split_first_chunk::<2>()? {
        ([VERSION, AFTER_KEY], place) => Some(ListFrom::AfterKey(place.to_vec())),
        ([VERSION, AFTER_PREFIX], place) => Some(ListFrom::AfterPrefix(place.to_vec())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back() {
        for from in [ListFrom::AfterKey(b"a/\xc3\xa9".to_vec()), ListFrom::AfterPrefix(b"a/".to_vec())] {
            assert_eq!(decode(&encode(&from).unwrap()), Some(from));
        }
        assert_eq!(encode(&ListFrom::Start), None);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        for token in ["", "x", "AQ", "!!!!", "Amth", "AXhh"] {
            assert_eq!(decode(token), None, "{token}");
        }
    }
}
