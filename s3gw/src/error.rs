//! Errors of the core as S3 codes: the one place where the two meet.

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};
use strongroom::fs::FsError;

/// An error with a code that S3 itself does not know, and its status.
pub(crate) fn custom(code: &'static str, status: StatusCode, message: impl Into<String>) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.into());
    error.set_status_code(status);
    error
}

fn with(code: S3ErrorCode, error: &FsError) -> S3Error {
    S3Error::with_message(code, error.to_string())
}

/// The S3 error for an error of the core.
pub(crate) fn s3_error_of(error: &FsError) -> S3Error {
    match error {
        FsError::NotFound => S3Error::new(S3ErrorCode::NoSuchKey),
        FsError::NoSuchBucket => S3Error::new(S3ErrorCode::NoSuchBucket),
        FsError::NameTooLong => S3Error::new(S3ErrorCode::KeyTooLongError),
        FsError::InvalidName(_) | FsError::InvalidArgument(_) => with(S3ErrorCode::InvalidArgument, error),
        FsError::TooLarge(_) => with(S3ErrorCode::EntityTooLarge, error),
        FsError::NoSpace => custom("XMinioStorageFull", StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
        FsError::ReadOnly(_) => with(S3ErrorCode::ServiceUnavailable, error),
        FsError::Locked => custom("KMS.DisabledException", StatusCode::BAD_REQUEST, error.to_string()),
        FsError::Range => S3Error::new(S3ErrorCode::InvalidRange),
        FsError::NotPermitted(_) => with(S3ErrorCode::AccessDenied, error),
        FsError::Unsupported(_) => with(S3ErrorCode::NotImplemented, error),
        FsError::PreconditionFailed(condition) => precondition_failed(condition),
        FsError::BucketExists => S3Error::new(S3ErrorCode::BucketAlreadyOwnedByYou),
        FsError::BucketNotEmpty => S3Error::new(S3ErrorCode::BucketNotEmpty),
        FsError::Busy(_) => with(S3ErrorCode::OperationAborted, error),
        // What only POSIX calls can meet, and what the operator must see to: nothing that the client did wrong.
        FsError::Exists
        | FsError::NotDir
        | FsError::IsDir
        | FsError::NotEmpty
        | FsError::CrossBucket
        | FsError::TooManyLinks
        | FsError::NoAttr
        | FsError::AttrExists
        | FsError::Damaged(_)
        | FsError::Io { .. } => with(S3ErrorCode::InternalError, error),
    }
}

/// 412 that names the condition.
pub(crate) fn precondition_failed(condition: &str) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::PreconditionFailed);
    crate::reply::detail(&mut error, "Condition", condition);
    error
}

/// The blocking pool lost a call: it panicked, or the runtime is being shut down.
pub(crate) fn call_lost() -> S3Error {
    S3Error::with_message(S3ErrorCode::InternalError, "the call was given up inside the gateway")
}
