//! Endpoints: `https` URLs, separated by commas, with `{1...4}` for a range.

use std::fmt;

use reqwest::Url;

use crate::kms::key_name::printable;

/// Most endpoints that one configuration may name.
pub(super) const ENDPOINTS_MAX: usize = 64;
/// Longest text that is parsed.
const TEXT_MAX_LEN_BYTES: usize = 16 * 1024;

/// One KES server: an `https` URL with a host, without user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Box<str>);

/// Why a text names no endpoints.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Nothing, or nothing between two commas.
    #[error("an endpoint is empty; give `https://host:7373`, several separated by commas")]
    Empty,
    /// Not a URL of the right form.
    #[error("`{0}` is no endpoint; give `https://host:7373`, without user, query or fragment")]
    Url(String),
    /// A scheme other than https.
    #[error("`{0}` is not https; KES is reached over TLS only: give `https://host:7373`")]
    Scheme(String),
    /// A range that cannot be expanded.
    #[error("`{0}` holds a range that cannot be read; write `{{1...4}}`, the smaller number first")]
    Range(String),
    /// More than can be used.
    #[error("more than {ENDPOINTS_MAX} endpoints; name fewer")]
    TooMany,
}

impl Endpoint {
    /// Checks one URL.
    ///
    /// # Errors
    /// [`InvalidEndpoint::Url`] or [`InvalidEndpoint::Scheme`].
    pub fn parse(text: &str) -> Result<Self, InvalidEndpoint> {
        let (scheme, _) = text.split_once("://").ok_or_else(|| InvalidEndpoint::Url(printable(text)))?;
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(InvalidEndpoint::Scheme(printable(text)));
        }
        let url = Url::parse(text).map_err(|_| InvalidEndpoint::Url(printable(text)))?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.host_str().is_some_and(|host| !host.is_empty());
        if !plain {
            // A user or password is not repeated in the message.
            return Err(InvalidEndpoint::Url(url.host_str().unwrap_or_default().to_owned()));
        }
        Ok(Self(url.as_str().trim_end_matches('/').into()))
    }

    /// The URL of a path below the endpoint; `path` begins with `/`.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The URL, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses endpoints separated by commas, ranges expanded, in the order given.
///
/// # Errors
/// [`InvalidEndpoint`].
pub fn parse_endpoints(text: &str) -> Result<Vec<Endpoint>, InvalidEndpoint> {
    if text.len() > TEXT_MAX_LEN_BYTES {
        return Err(InvalidEndpoint::TooMany);
    }
    let mut endpoints = Vec::new();
    for part in text.split(',') {
        if part.is_empty() {
            return Err(InvalidEndpoint::Empty);
        }
        for url in expand_ranges(part)? {
            endpoints.push(Endpoint::parse(&url)?);
            if endpoints.len() > ENDPOINTS_MAX {
                return Err(InvalidEndpoint::TooMany);
            }
        }
    }
    Ok(endpoints)
}

/// Expands every `{from...to}`, the last one fastest; never more than [`ENDPOINTS_MAX`] texts.
fn expand_ranges(text: &str) -> Result<Vec<String>, InvalidEndpoint> {
    let mut expanded = vec![String::new()];
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('{') {
        let (range, after) = tail.split_once('}').ok_or_else(|| InvalidEndpoint::Range(printable(text)))?;
        let numbers = numbers_of(range).ok_or_else(|| InvalidEndpoint::Range(printable(text)))?;
        if expanded.len().saturating_mul(numbers.len()) > ENDPOINTS_MAX {
            return Err(InvalidEndpoint::TooMany);
        }
        let one_longer =
            |head: &String| -> Vec<String> { numbers.iter().map(|number| format!("{head}{before}{number}")).collect() };
        expanded = expanded.iter().flat_map(one_longer).collect();
        rest = after;
    }
    expanded.iter_mut().for_each(|head| head.push_str(rest));
    Ok(expanded)
}

/// The numbers of `from...to`, as wide as `from` is written, so that `01...03` keeps its zero.
fn numbers_of(range: &str) -> Option<Vec<String>> {
    let (from, to) = range.split_once("...")?;
    let digits = |text: &str| !text.is_empty() && text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(from) || !digits(to) {
        return None;
    }
    let (first, last) = (from.parse::<u32>().ok()?, to.parse::<u32>().ok()?);
    if first > last {
        return None;
    }
    let width = from.len();
    // One more than may be used, so that the caller sees that there are too many.
    Some((first..=last).take(ENDPOINTS_MAX + 1).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<String> {
        parse_endpoints(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn commas_separate_and_ranges_expand() {
        assert_eq!(urls("https://a:7373"), ["https://a:7373"]);
        assert_eq!(urls("https://a:7373/,https://b"), ["https://a:7373", "https://b"]);
        assert_eq!(
            urls("https://kes-{1...3}:7373"),
            ["https://kes-1:7373", "https://kes-2:7373", "https://kes-3:7373"]
        );
        assert_eq!(urls("https://k{09...10}"), ["https://k09", "https://k10"]);
        assert_eq!(urls("https://k{1...2}{1...2}"), ["https://k11", "https://k12", "https://k21", "https://k22"]);
        assert_eq!(urls("https://[::1]:7373"), ["https://[::1]:7373"]);
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        assert_eq!(parse_endpoints(""), Err(InvalidEndpoint::Empty));
        assert_eq!(parse_endpoints("https://a,"), Err(InvalidEndpoint::Empty));
        assert!(matches!(parse_endpoints("http://a:7373"), Err(InvalidEndpoint::Scheme(_))));
        for bad in ["host:7373", "https://", "https://a?x=1", "https://a#x", "https://u:p@a"] {
            assert!(matches!(parse_endpoints(bad), Err(InvalidEndpoint::Url(_))), "{bad}");
        }
        for bad in ["https://k{2...1}", "https://k{1..2}", "https://k{1...2", "https://k{...}"] {
            assert!(matches!(parse_endpoints(bad), Err(InvalidEndpoint::Range(_))), "{bad}");
        }
        assert_eq!(parse_endpoints("https://k{1...65}"), Err(InvalidEndpoint::TooMany));
        assert_eq!(parse_endpoints("https://k{1...9}{1...9}"), Err(InvalidEndpoint::TooMany));
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let message = parse_endpoints("https://user:secret@host").unwrap_err().to_string();
        assert!(!message.contains("secret"), "{message}");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(https://)?[a-z0-9{}.,:/]*") {
            let _ = parse_endpoints(&text);
        }
    }
}
