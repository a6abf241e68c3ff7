//! GET and HEAD of objects.

use super::{Objects, attributes::Told, check_version, checksum, conditions, encryption, stream, time::timestamp};
use crate::{error::s3_error_of, reply};
use http::{HeaderValue, header};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    dto::{ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range, StreamingBlob},
};
use std::collections::BTreeMap;
use strongroom::fs::ObjectInfo;

/// Fills the fields that both replies have.
macro_rules! describe {
    ($output:expr, $info:expr, $key:expr, $slice:expr, $key_name:expr, $with_checksums:expr) => {{
        let told = Told::of(&$info.attributes, $key);
        let (algorithm, key_id) = encryption::told($key_name);
        $output.accept_ranges = Some("bytes".to_owned());
        $output.cache_control = told.cache_control;
        $output.content_disposition = told.content_disposition;
        $output.content_encoding = told.content_encoding;
        $output.content_language = told.content_language;
        $output.content_length = i64::try_from($slice.length()).ok();
        $output.content_range = $slice.header($info.size);
        $output.content_type = told.content_type;
        $output.e_tag = Some(ETag::Strong($info.etag.to_string()));
        $output.expires = told.expires;
        $output.last_modified = Some(timestamp($info.last_modified));
        $output.metadata = told.metadata;
        $output.missing_meta = told.missing_meta;
        $output.server_side_encryption = algorithm;
        $output.ssekms_key_id = key_id;
        // A checksum of the whole says nothing of a part.
        if $with_checksums && !$slice.is_part {
            checksum::set_checksums!($output, checksum::told(&$info.attributes.checksums, $info.crc64));
        }
    }};
}

/// What of an object is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Slice {
    range: std::ops::Range<u64>,
    /// Whether only a part was asked for, so that 206 and `Content-Range` answer.
    is_part: bool,
}

impl Slice {
    fn of(range: Option<&Range>, part_number: Option<i32>, size: u64) -> S3Result<Self> {
        let whole = 0..size;
        match (range, part_number) {
            (Some(_), Some(_)) => {
                let message = "Cannot specify both Range header and partNumber query parameter";
                Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
            }
            (None, None) => Ok(Self { range: whole, is_part: false }),
            // An object that was put in one piece is its only part.
            (None, Some(1)) => Ok(Self { range: whole, is_part: size > 0 }),
            (None, Some(1..=10_000)) => Err(crate::error::custom(
                "InvalidPartNumber",
                http::StatusCode::RANGE_NOT_SATISFIABLE,
                "The requested partnumber is not satisfiable",
            )),
            (None, Some(_)) => {
                let message = "Part number must be an integer between 1 and 10000, inclusive";
                Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
            }
            (Some(range), None) => match range.check(size) {
                Ok(range) if !range.is_empty() => Ok(Self { range, is_part: true }),
                Ok(_) | Err(_) => Err(unsatisfiable(size)),
            },
        }
    }

    fn length(&self) -> u64 {
        self.range.end.saturating_sub(self.range.start)
    }

    fn header(&self, size: u64) -> Option<String> {
        self.is_part.then(|| format!("bytes {}-{}/{size}", self.range.start, self.range.end.saturating_sub(1)))
    }
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::InvalidRange);
    error.set_status_code(http::StatusCode::RANGE_NOT_SATISFIABLE);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
        reply::header_of(&mut error, header::CONTENT_RANGE, value);
    }
    error
}

impl Objects {
    pub(super) async fn do_get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<GetObjectOutput> {
        let input = req.input;
        check_version(input.version_id.as_deref())?;
        let key_name = self.key_name(&input.bucket)?;
        let namespace = self.buckets.namespace(&input.bucket).await?;
        let reader = namespace.get_object(input.key.as_bytes()).map_err(|error| s3_error_of(&error))?;
        let info = reader.info().clone();
        conditions::check_read(&req.headers, &info)?;
        let slice = Slice::of(input.range.as_ref(), input.part_number, info.size)?;
        let with_checksums = input.checksum_mode.is_some();
        let body: StreamingBlob = stream::open(reader, slice.range.clone()).await?;
        let mut output = GetObjectOutput::default();
        describe!(output, info, &input.key, slice, &key_name, with_checksums);
        output.body = Some(body);
        Ok(output)
    }

    pub(super) async fn do_head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let input = req.input;
        check_version(input.version_id.as_deref())?;
        let key_name = self.key_name(&input.bucket)?;
        let namespace = self.buckets.namespace(&input.bucket).await?;
        let info: ObjectInfo = namespace.head_object(input.key.as_bytes()).map_err(|error| s3_error_of(&error))?;
        conditions::check_read(&req.headers, &info)?;
        let slice = Slice::of(input.range.as_ref(), input.part_number, info.size)?;
        let with_checksums = input.checksum_mode.is_some();
        let mut output = HeadObjectOutput::default();
        describe!(output, info, &input.key, slice, &key_name, with_checksums);
        output.cache_control = input.response_cache_control.or(output.cache_control);
        output.content_disposition = input.response_content_disposition.or(output.content_disposition);
        output.content_encoding = input.response_content_encoding.or(output.content_encoding);
        output.content_language = input.response_content_language.or(output.content_language);
        output.content_type = input.response_content_type.or(output.content_type);
        Ok(output)
    }
}

/// Checksums as a PUT echoes them.
pub(super) fn echo(checksums: &BTreeMap<String, Vec<u8>>, crc64: Option<u64>) -> s3s::dto::Checksum {
    // The one that was sent; else the one that is kept anyway.
    checksum::told(checksums, crc64.filter(|_| checksums.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(range: Option<&str>, part: Option<i32>, size: u64) -> Result<(u64, u64, bool), String> {
        let range = range.map(|range| Range::parse(range).unwrap());
        Slice::of(range.as_ref(), part, size)
            .map(|slice| (slice.range.start, slice.range.end, slice.is_part))
            .map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn ranges_select_what_they_say() {
        assert_eq!(slice(None, None, 10), Ok((0, 10, false)));
        assert_eq!(slice(Some("bytes=2-4"), None, 10), Ok((2, 5, true)));
        assert_eq!(slice(Some("bytes=8-99"), None, 10), Ok((8, 10, true)));
        assert_eq!(slice(Some("bytes=-3"), None, 10), Ok((7, 10, true)));
        assert_eq!(slice(Some("bytes=-99"), None, 10), Ok((0, 10, true)));
        assert_eq!(slice(None, Some(1), 10), Ok((0, 10, true)));
    }

    #[test]
    fn what_cannot_be_selected_is_an_error() {
        let invalid = || Err("InvalidRange".to_owned());
        assert_eq!(slice(Some("bytes=10-"), None, 10), invalid());
        assert_eq!(slice(Some("bytes=-0"), None, 10), invalid());
        assert_eq!(slice(Some("bytes=0-"), None, 0), invalid());
        assert_eq!(slice(Some("bytes=-5"), None, 0), invalid());
        assert_eq!(slice(None, Some(2), 10), Err("InvalidPartNumber".to_owned()));
        assert_eq!(slice(None, Some(0), 10), Err("InvalidArgument".to_owned()));
        assert_eq!(slice(Some("bytes=0-1"), Some(1), 10), Err("InvalidRequest".to_owned()));
    }
}
