//! Keys that may be made.

use s3s::{S3Error, S3ErrorCode, S3Result};

/// Refuses keys that no XML document could list: one such key would make every listing of its bucket unreadable.
pub(crate) fn check_new(key: &str) -> S3Result<()> {
    if key.chars().all(is_xml_char) {
        return Ok(());
    }
    let message = "the key has a control character, or U+FFFE or U+FFFF, which XML 1.0 cannot carry in listings";
    let mut error = S3Error::with_message(S3ErrorCode::InvalidArgument, message);
    crate::reply::detail(&mut error, "ArgumentName", "key");
    Err(error)
}

/// Whether XML 1.0 can carry the character.
pub(crate) fn is_xml_char(char: char) -> bool {
    matches!(char, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The key as `encoding-type=url` gives it. A space is `%20`, which clients decode alike whether they take `+` for a
/// space or not.
pub(crate) fn url_encoded(text: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/' | b'*') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(digit(byte >> 4));
            out.push(digit(byte & 15));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_xml_cannot_carry_are_refused() {
        for bad in ["a\u{1}", "\0", "\u{1f}x", "\u{ffff}"] {
            assert_eq!(check_new(bad).unwrap_err().code(), &S3ErrorCode::InvalidArgument, "{bad:?}");
        }
        for good in ["a b", "tab\t\r\n", "é\u{7f}", "😀", "a//b/../c"] {
            check_new(good).unwrap();
        }
    }

    #[test]
    fn keys_are_encoded_for_urls() {
        assert_eq!(url_encoded("a b+c/é%"), "a%20b%2Bc/%C3%A9%25");
    }
}
