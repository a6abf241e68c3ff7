//! Encryption in headers. Every object is SSE-KMS under its bucket's EK; that may be asked for, and is what replies say.

use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Result, dto::ServerSideEncryption};

const PREFIX: &str = "x-amz-server-side-encryption";
const ARN: &str = "arn:aws:kms:";

/// Refuses every encryption but the one that happens anyway.
pub(crate) fn judge(headers: &HeaderMap, key_name: &dyn Fn() -> Option<String>) -> S3Result<()> {
    for (name, value) in headers {
        let Some(rest) = name.as_str().strip_prefix(PREFIX) else {
            continue;
        };
        let value = value.to_str().unwrap_or("");
        let fine = match rest {
            "" if value == "aws:kms" => true,
            "" if matches!(value, "AES256" | "aws:kms:dsse" | "aws:fsx") => false,
            "" => {
                let message = "x-amz-server-side-encryption has an unknown value; aws:kms is what this version offers";
                return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message));
            }
            "-aws-kms-key-id" => key_name().is_some_and(|own| value.strip_prefix(ARN).unwrap_or(value) == own),
            "-bucket-key-enabled" => value.eq_ignore_ascii_case("true"),
            // Contexts, customers' keys, and whatever comes later.
            _ => false,
        };
        if !fine {
            let message = format!(
                "{name} with this value asks for an encryption that this version does not implement: \
                 objects are sealed as aws:kms under the key of their bucket"
            );
            return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
        }
    }
    Ok(())
}

/// What replies say of the encryption of an object in a bucket under the EK `key_name`.
pub(crate) fn told(key_name: &str) -> (Option<ServerSideEncryption>, Option<String>) {
    (Some(ServerSideEncryption::from_static(ServerSideEncryption::AWS_KMS)), Some(format!("{ARN}{key_name}")))
}
