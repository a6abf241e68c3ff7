//! Lists of entity tags in conditions: quoted or not, weak or not, `*`.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What `If-Match` or `If-None-Match` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// `*`
    Any,
    /// Tags without quotes, and whether each was weak.
    These(Vec<(String, bool)>),
}

impl Tags {
    /// The condition in `name`, if it was sent.
    pub(crate) fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        (!values.is_empty()).then(|| parse(&values.join(&b","[..])))
    }

    /// Whether an object with the tag `etag` is meant; weak tags never match strongly.
    pub(crate) fn matches(&self, etag: &str, weakly: bool) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(tag, weak)| tag == etag && (weakly || !weak)),
        }
    }

    /// For the core: strong tags, or `*`.
    pub(crate) fn strong(self) -> Vec<String> {
        match self {
            Self::Any => vec!["*".to_owned()],
            Self::These(tags) => tags.into_iter().filter(|(_, weak)| !weak).map(|(tag, _)| tag).collect(),
        }
    }
}

/// Reads a list. A tag in quotes may hold commas; one without ends at the next.
pub(crate) fn parse(value: &[u8]) -> Tags {
    let text = String::from_utf8_lossy(value);
    let mut rest = text.trim();
    if rest == "*" {
        return Tags::Any;
    }
    let mut tags = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        if rest.is_empty() {
            return Tags::These(tags);
        }
        let (weak, body) = rest.strip_prefix("W/").map_or((false, rest), |body| (true, body));
        let (tag, behind) = match body.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => body.split_once(',').unwrap_or((body, "")),
        };
        tags.push((tag.trim().to_owned(), weak));
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn these(tags: &[(&str, bool)]) -> Tags {
        Tags::These(tags.iter().map(|(tag, weak)| ((*tag).to_owned(), *weak)).collect())
    }

    #[test]
    fn every_way_to_write_tags_is_read() {
        assert_eq!(parse(b"*"), Tags::Any);
        assert_eq!(parse(b"\"a\""), these(&[("a", false)]));
        assert_eq!(parse(b"a"), these(&[("a", false)]));
        assert_eq!(parse(b"\"a\", W/\"b\",c"), these(&[("a", false), ("b", true), ("c", false)]));
        assert_eq!(parse(b"\"a,b\""), these(&[("a,b", false)]));
        assert_eq!(parse(b""), these(&[]));
        assert_eq!(parse(b",,"), these(&[]));
        assert_eq!(parse(b"\"open"), these(&[("open", false)]));
    }

    #[test]
    fn weak_tags_match_only_weakly() {
        assert!(!parse(b"W/\"a\"").matches("a", false));
        assert!(parse(b"W/\"a\"").matches("a", true));
    }
}
