//! Conditions of GET, HEAD, PUT and DELETE.

use super::{etags::Tags, time};
use crate::{error::precondition_failed, reply};
use http::{HeaderMap, HeaderValue, header};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    dto::{Timestamp, TimestampFormat},
};
use strongroom::fs::{Conditions, ObjectInfo};

/// The conditions of a read, in the order of RFC 9110, 13.2.2: a tag wins over a date.
pub(crate) fn check_read(headers: &HeaderMap, info: &ObjectInfo) -> S3Result<()> {
    let etag = info.etag.to_string();
    let modified = time::seconds(info.last_modified);
    if let Some(tags) = Tags::of(headers, &header::IF_MATCH) {
        if !tags.matches(&etag, false) {
            return Err(precondition_failed("If-Match"));
        }
    } else if let Some(limit) = date(headers, &header::IF_UNMODIFIED_SINCE)
        && modified > limit
    {
        return Err(precondition_failed("If-Unmodified-Since"));
    }
    if let Some(tags) = Tags::of(headers, &header::IF_NONE_MATCH) {
        if tags.matches(&etag, true) {
            return Err(not_modified(info));
        }
    } else if let Some(limit) = date(headers, &header::IF_MODIFIED_SINCE)
        && modified <= limit
    {
        return Err(not_modified(info));
    }
    Ok(())
}

/// The conditions of a write, for the core to check in its transaction.
pub(crate) fn of_write(headers: &HeaderMap) -> S3Result<Conditions> {
    let must_not_exist = match Tags::of(headers, &header::IF_NONE_MATCH) {
        None => false,
        Some(Tags::Any) => true,
        Some(Tags::These(_)) => {
            let message = "If-None-Match of a write takes only *";
            return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
        }
    };
    let must_match = Tags::of(headers, &header::IF_MATCH).map(Tags::strong);
    if must_not_exist && must_match.is_some() {
        let message = "If-Match and If-None-Match exclude each other";
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
    }
    Ok(Conditions { must_not_exist, must_match })
}

fn date(headers: &HeaderMap, name: &http::HeaderName) -> Option<i64> {
    let value = headers.get(name)?.to_str().ok()?;
    time::header_seconds(&Timestamp::parse(TimestampFormat::HttpDate, value).ok()?)
}

fn not_modified(info: &ObjectInfo) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(http::StatusCode::NOT_MODIFIED);
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", info.etag)) {
        reply::header_of(&mut error, header::ETAG, etag);
    }
    let mut date = Vec::new();
    if time::timestamp(info.last_modified).format(TimestampFormat::HttpDate, &mut date).is_ok()
        && let Ok(date) = HeaderValue::from_bytes(&date)
    {
        reply::header_of(&mut error, header::LAST_MODIFIED, date);
    }
    for (name, value) in
        [(header::CACHE_CONTROL, &info.attributes.cache_control), (header::EXPIRES, &info.attributes.expires)]
    {
        if let Some(value) = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok()) {
            reply::header_of(&mut error, name, value);
        }
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom::{
        clock::UnixNanos,
        fs::{ETag, Ino, ObjectAttributes},
    };

    fn info() -> ObjectInfo {
        ObjectInfo {
            size: 3,
            etag: ETag::Random([0xab; 16]),
            last_modified: UnixNanos(1_445_412_480_500_000_000), // Wed, 21 Oct 2015 07:28:00.5
            crc64: None,
            attributes: ObjectAttributes::default(),
            ino: Ino::ROOT,
        }
    }

    fn verdict(pairs: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        check_read(&headers, &info()).err().map_or(200, |error| error.status_code().unwrap().as_u16())
    }

    #[test]
    fn reads_are_conditional() {
        let tag = info().etag.to_string();
        let quoted = format!("\"{tag}\"");
        let (same, before, after) =
            ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:27:59 GMT", "Wed, 21 Oct 2015 07:28:01 GMT");
        assert_eq!(verdict(&[]), 200);
        assert_eq!(verdict(&[("if-match", &quoted)]), 200);
        assert_eq!(verdict(&[("if-match", &tag)]), 200);
        assert_eq!(verdict(&[("if-match", "*")]), 200);
        assert_eq!(verdict(&[("if-match", "\"x\"")]), 412);
        assert_eq!(verdict(&[("if-none-match", &format!("\"x\", {quoted}"))]), 304);
        assert_eq!(verdict(&[("if-none-match", "\"x\"")]), 200);
        assert_eq!(verdict(&[("if-modified-since", same)]), 304);
        assert_eq!(verdict(&[("if-modified-since", after)]), 304);
        assert_eq!(verdict(&[("if-modified-since", before)]), 200);
        assert_eq!(verdict(&[("if-unmodified-since", same)]), 200);
        assert_eq!(verdict(&[("if-unmodified-since", before)]), 412);
        assert_eq!(verdict(&[("if-match", &quoted), ("if-unmodified-since", before)]), 200);
        assert_eq!(verdict(&[("if-none-match", "\"x\""), ("if-modified-since", same)]), 200);
    }
}
