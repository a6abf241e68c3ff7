//! Dates of conditional requests: an unusable one is ignored (RFC 9110, 13.1.3), where the signature allows.

use super::SignedNames;
use http::{HeaderMap, HeaderName, header};
use s3s::dto::{Timestamp, TimestampFormat};

pub(super) fn drop_unusable_dates(headers: &mut HeaderMap, signed: &SignedNames) {
    let names: [HeaderName; 2] = [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];
    for name in names {
        let unusable = headers.get(&name).is_some_and(|value| {
            value.to_str().map_or(true, |text| Timestamp::parse(TimestampFormat::HttpDate, text).is_err())
        });
        if unusable && !signed.contains(name.as_str()) {
            headers.remove(&name);
        }
    }
}
