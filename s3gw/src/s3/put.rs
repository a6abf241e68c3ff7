//! PUT of an object: the body goes to the core in batches, on the blocking pool, while the next is being received.

use super::{
    Objects, attributes,
    checksum::{self, Expected},
    conditions, encryption, get, key, mtime,
};
use crate::{
    body::Silence,
    call::{blocking, durable},
    error::{call_lost, custom, precondition_failed, s3_error_of},
};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, StatusCode};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result, StdError,
    checksum::ChecksumHasher,
    dto::{ETag, PutObjectInput, PutObjectOutput, StreamingBlob},
    stream::{aws_chunked_stream::AwsChunkedStreamError, upload_stream::UploadStreamError},
};
use std::{collections::BTreeMap, sync::Arc};
use strongroom::fs::{Conditions, Done, FsError, Namespace, ObjectInfo, PutOptions, PutWriter};
use tokio::task::JoinHandle;

/// Bytes gathered before they go to the core; at most twice as many are held for one upload.
const BATCH_BYTES: usize = 1024 * 1024;

/// What receives the content, on the blocking pool.
struct Sink {
    writer: PutWriter,
    hasher: ChecksumHasher,
}

impl Sink {
    fn write(&mut self, batch: &[Bytes]) -> Result<(), FsError> {
        for bytes in batch {
            self.hasher.update(bytes);
            self.writer.write(bytes)?;
        }
        Ok(())
    }
}

/// What a PUT begins with.
struct Start {
    namespace: Arc<Namespace>,
    key: String,
    options: PutOptions,
    hasher: ChecksumHasher,
}

impl Start {
    fn sink(self) -> Result<Sink, FsError> {
        let writer = self.namespace.begin_put(self.key.as_bytes(), self.options)?;
        Ok(Sink { writer, hasher: self.hasher })
    }
}

/// Where the sink is.
enum Place {
    /// Not made: the first batch makes it, so that a small upload costs one hop.
    Not(Box<Start>),
    /// At work on a batch.
    Busy(JoinHandle<Result<Sink, FsError>>),
    /// A batch failed, and its error is told.
    Gone,
}

impl Place {
    async fn take(&mut self) -> S3Result<Source> {
        match std::mem::replace(self, Self::Gone) {
            Self::Not(start) => Ok(Source::Start(start)),
            Self::Busy(job) => {
                let sink = job.await.map_err(|_| call_lost())?.map_err(|error| s3_error_of(&error))?;
                Ok(Source::Sink(Box::new(sink)))
            }
            Self::Gone => Err(call_lost()),
        }
    }
}

enum Source {
    Start(Box<Start>),
    Sink(Box<Sink>),
}

impl Source {
    fn write(self, batch: &[Bytes]) -> Result<Sink, FsError> {
        let mut sink = match self {
            Self::Start(start) => start.sink()?,
            Self::Sink(sink) => *sink,
        };
        sink.write(batch)?;
        Ok(sink)
    }
}

/// What a PUT ended with.
struct Stored {
    done: Done<ObjectInfo>,
    checksums: BTreeMap<String, Vec<u8>>,
    crc64: u64,
}

impl Objects {
    pub(super) async fn do_put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<PutObjectOutput> {
        let S3Request { mut input, headers, trailing_headers, .. } = req;
        let length = declared_length(&headers)?;
        key::check_new(&input.key)?;
        let expected = Expected::of(&headers)?;
        let conditions = conditions::of_write(&headers)?;
        let key_name = self.key_name(&input.bucket)?;
        let namespace = self.buckets.namespace(&input.bucket).await?;
        check_early(&namespace, &input.key, &conditions)?;

        let attributes = attributes::of_put(&input);
        let mtime = mtime::of_metadata(&attributes.user);
        let start = Start {
            namespace: Arc::clone(&namespace),
            key: std::mem::take(&mut input.key),
            options: PutOptions { attributes, md5: None, mtime },
            hasher: expected.hasher(),
        };
        let body = input.body.take();
        let (source, last) = receive(Place::Not(Box::new(start)), body, length).await?;
        let trailer = trailing_headers.and_then(|trailer| trailer.take());
        let stored = blocking(move || store(source, &last, expected, trailer.as_ref(), &conditions)).await??;
        durable(&namespace, stored.done.number).await?;

        let mut output = PutObjectOutput {
            e_tag: Some(ETag::Strong(stored.done.value.etag.to_string())),
            ..PutObjectOutput::default()
        };
        (output.server_side_encryption, output.ssekms_key_id) = encryption::told(&key_name);
        checksum::set_checksums!(output, get::echo(&stored.checksums, Some(stored.crc64)));
        Ok(output)
    }
}

/// The length that the client says the content has.
fn declared_length(headers: &HeaderMap) -> S3Result<u64> {
    let number = |name: &str| headers.get(name).map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    match number("x-amz-decoded-content-length").or_else(|| number("content-length")) {
        Some(Some(length)) => Ok(length),
        Some(None) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "the content length is no number")),
        None => {
            let mut error = S3Error::new(S3ErrorCode::MissingContentLength);
            error.set_status_code(StatusCode::LENGTH_REQUIRED);
            Err(error)
        }
    }
}

/// Refuses before the body is asked for what would be refused after it; what counts is checked again by the core.
fn check_early(namespace: &Namespace, key: &str, conditions: &Conditions) -> S3Result<()> {
    if !conditions.must_not_exist && conditions.must_match.is_none() {
        return Ok(());
    }
    match (namespace.head_object(key.as_bytes()), &conditions.must_match) {
        (Ok(_), _) if conditions.must_not_exist => Err(precondition_failed("If-None-Match")),
        (Ok(info), Some(tags)) => {
            let etag = info.etag.to_string();
            let met = tags.iter().any(|tag| *tag == etag || tag == "*");
            if met { Ok(()) } else { Err(precondition_failed("If-Match")) }
        }
        (Err(error @ FsError::NotFound), Some(_)) => Err(s3_error_of(&error)),
        (Ok(_) | Err(FsError::NotFound), None) => Ok(()),
        (Err(error), _) => Err(s3_error_of(&error)),
    }
}

/// Takes the whole body; returns what has received all but the last batch, and that batch.
async fn receive(mut place: Place, body: Option<StreamingBlob>, length: u64) -> S3Result<(Source, Vec<Bytes>)> {
    let (mut batch, mut gathered, mut total) = (Vec::new(), 0_usize, 0_u64);
    if let Some(mut body) = body {
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|error| body_error(&error))?;
            total = total.saturating_add(bytes.len() as u64);
            gathered = gathered.saturating_add(bytes.len());
            batch.push(bytes);
            if gathered >= BATCH_BYTES {
                let (full, source) = (std::mem::take(&mut batch), place.take().await?);
                place = Place::Busy(tokio::task::spawn_blocking(move || source.write(&full)));
                gathered = 0;
            }
        }
    }
    if total != length {
        let message = format!("the request announced {length} bytes of content, and {total} arrived");
        return Err(S3Error::with_message(S3ErrorCode::IncompleteBody, message));
    }
    Ok((place.take().await?, batch))
}

fn store(
    source: Source,
    last: &[Bytes],
    expected: Expected,
    trailer: Option<&HeaderMap>,
    conditions: &Conditions,
) -> S3Result<Stored> {
    let Sink { mut writer, hasher } = source.write(last).map_err(|error| s3_error_of(&error))?;
    let crc64 = writer.crc64();
    let verified = expected.verify(hasher, crc64, trailer)?;
    writer.attributes_mut().checksums = verified.checksums.clone();
    writer.set_md5(verified.md5);
    let done = writer.finish(conditions).map_err(|error| s3_error_of(&error))?;
    Ok(Stored { done, checksums: verified.checksums, crc64 })
}

/// Why a body could not be read, as S3 says it.
fn body_error(error: &StdError) -> S3Error {
    if let Some(error) = error.downcast_ref::<UploadStreamError>() {
        return match error {
            UploadStreamError::Sha256Mismatch => custom(
                "XAmzContentSHA256Mismatch",
                StatusCode::BAD_REQUEST,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            UploadStreamError::Underlying(source) => transport_error(source),
            UploadStreamError::LengthMismatch | UploadStreamError::Incomplete => S3Error::new(error.to_s3_error_code()),
        };
    }
    if let Some(error) = error.downcast_ref::<AwsChunkedStreamError>() {
        return match error {
            AwsChunkedStreamError::Underlying(source) => transport_error(source),
            AwsChunkedStreamError::TrailersTooLarge(..) | AwsChunkedStreamError::TooManyTrailerHeaders(..) => {
                custom("MalformedTrailerError", StatusCode::BAD_REQUEST, "the trailer is over its limit")
            }
            AwsChunkedStreamError::SignatureMismatch
            | AwsChunkedStreamError::FormatError
            | AwsChunkedStreamError::Incomplete
            | AwsChunkedStreamError::LengthMismatch
            | AwsChunkedStreamError::ChunkMetaTooLarge(..)
            | AwsChunkedStreamError::ChunkDataTooLarge(..) => S3Error::new(error.to_s3_error_code()),
        };
    }
    if error.is::<s3s::BodySizeLimitExceeded>() {
        return S3Error::new(S3ErrorCode::EntityTooLarge);
    }
    transport_error(error)
}

fn transport_error(error: &StdError) -> S3Error {
    if error.is::<Silence>() {
        return S3Error::new(S3ErrorCode::RequestTimeout);
    }
    S3Error::new(S3ErrorCode::IncompleteBody)
}
