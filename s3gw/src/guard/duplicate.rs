//! User metadata that came in several headers of one name: joined by a comma, as its signature already reads.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) fn join_metadata(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-amz-meta-") && headers.get_all(*name).iter().nth(1).is_some())
        .cloned()
        .collect();
    for name in names {
        let values: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(joined) = HeaderValue::from_bytes(&values.join(&b","[..])) {
            headers.insert(name, joined);
        }
    }
}
