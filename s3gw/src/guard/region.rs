//! Regions that `s3s` cannot take: clients sign again with the one they are told.

use super::{query_value, text};
use crate::reply;
use http::{HeaderMap, Uri};
use s3s::{S3Error, S3ErrorCode};

/// The region that this endpoint tells.
pub(crate) const REGION: &str = "us-east-1";

pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), S3Error> {
    let from_header = text(headers.get(http::header::AUTHORIZATION))
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or(""))
        .and_then(|scope| region_of_scope(scope, '/'));
    let credential = query_value(uri, "X-Amz-Credential").map(|scope| scope.replace("%2F", "/").replace("%2f", "/"));
    let from_query = credential.as_deref().and_then(|scope| region_of_scope(scope, '/'));
    for region in [from_header, from_query].into_iter().flatten() {
        if !is_usable(region) {
            return Err(wrong_region());
        }
    }
    Ok(())
}

fn wrong_region() -> S3Error {
    let message = format!("The authorization header is malformed; the region is wrong; expecting '{REGION}'");
    let mut error = S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, message);
    reply::detail(&mut error, "Region", REGION);
    error
}

/// The region of `key/date/region/service/aws4_request`; the access key may itself contain slashes.
fn region_of_scope(scope: &str, separator: char) -> Option<&str> {
    scope.rsplit(separator).nth(2)
}

/// Any region that a client made up is taken, as long as `s3s` can hold it.
pub(super) fn is_usable(region: &str) -> bool {
    region.len() <= 64
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-')
}
