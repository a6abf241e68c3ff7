//! The `Range` header: what is one usable range, and what is ignored, as RFC 9110 asks.

use http::HeaderValue;

/// Whether the header is there and is no single range of bytes: malformed, of several ranges, or backwards.
pub(super) fn is_unusable(value: Option<&HeaderValue>) -> bool {
    value.is_some_and(|value| !is_single_range(value.as_bytes()))
}

/// Whether `value` is `bytes=first-`, `bytes=first-last` with first <= last, or `bytes=-length`.
pub(crate) fn is_single_range(value: &[u8]) -> bool {
    let Some(spec) = value.strip_prefix(b"bytes=") else {
        return false;
    };
    let Some(dash) = spec.iter().position(|byte| *byte == b'-') else {
        return false;
    };
    let (first, rest) = spec.split_at(dash);
    let last = rest.get(1..).unwrap_or_default();
    match (first.is_empty(), last.is_empty()) {
        (true, true) => false,
        (true, false) => number(last).is_some(),
        (false, true) => number(first).is_some(),
        (false, false) => matches!((number(first), number(last)), (Some(first), Some(last)) if first <= last),
    }
}

/// A decimal number up to 2^63 - 1, the most that `s3s` takes.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}
