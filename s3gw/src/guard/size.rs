//! Bounds on what stands before the body.

use http::{HeaderMap, StatusCode, Uri};
use s3s::{S3Error, S3ErrorCode};

/// Most bytes of request line and headers: 8 KiB of headers, 2 KiB of metadata, and a long presigned URL.
pub(crate) const HEAD_LIMIT_BYTES: usize = 16 * 1024;
/// Most bytes of names and values of user metadata, as at AWS.
pub(crate) const METADATA_LIMIT_BYTES: usize = 2 * 1024;

pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), S3Error> {
    let mut total = uri.path().len().saturating_add(uri.query().map_or(0, str::len));
    let mut metadata = 0_usize;
    for (name, value) in headers {
        let bytes = name.as_str().len().saturating_add(value.len());
        total = total.saturating_add(bytes).saturating_add(4);
        if let Some(key) = name.as_str().strip_prefix("x-amz-meta-") {
            metadata = metadata.saturating_add(key.len()).saturating_add(value.len());
        }
    }
    if total > HEAD_LIMIT_BYTES {
        let mut error = S3Error::new(S3ErrorCode::RequestHeaderSectionTooLarge);
        error.set_status_code(StatusCode::BAD_REQUEST);
        return Err(error);
    }
    if metadata > METADATA_LIMIT_BYTES {
        return Err(S3Error::new(S3ErrorCode::MetadataTooLarge));
    }
    Ok(())
}
