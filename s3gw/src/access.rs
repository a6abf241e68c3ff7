//! What may be asked at all: signed requests, and only features that are built.
//!
//! A header that asks for something this version does not do gets 501, so that nobody believes an object tagged,
//! locked or encrypted otherwise when it is not.

use crate::s3::{OWNER_ID, encryption};
use http::{HeaderMap, HeaderValue};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    path::S3Path,
};
use std::sync::Arc;
use strongroom::fs::Catalog;

/// See the module.
pub(crate) struct Access {
    pub(crate) catalog: Arc<Catalog>,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        if cx.credentials().is_none() {
            return Err(S3Error::new(S3ErrorCode::AccessDenied));
        }
        let token_in_query = cx.uri().query().is_some_and(|query| {
            query.split('&').any(|pair| {
                pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("x-amz-security-token"))
            })
        });
        if token_in_query {
            return Err(S3Error::new(S3ErrorCode::InvalidToken));
        }
        let bucket = match cx.s3_path() {
            S3Path::Root => None,
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Some(bucket.as_ref()),
        };
        let key_name = || bucket.and_then(|name| self.catalog.bucket(name).ok()).map(|info| info.key_name);
        judge(cx.headers(), &key_name)
    }
}

/// Refuses what the headers ask for and this version does not do. `key_name` tells the EK of the bucket asked for.
pub(crate) fn judge(headers: &HeaderMap, key_name: &dyn Fn() -> Option<String>) -> S3Result<()> {
    encryption::judge(headers, key_name)?;
    for (name, value) in headers {
        let name = name.as_str();
        let Some(short) = name.strip_prefix("x-amz-") else {
            continue;
        };
        match verdict(short, value) {
            Verdict::Fine => {}
            Verdict::NotBuilt => return Err(not_built(name)),
            Verdict::Refused(code) => return Err(S3Error::new(code)),
        }
    }
    Ok(())
}

enum Verdict {
    Fine,
    NotBuilt,
    Refused(S3ErrorCode),
}

fn verdict(short: &str, value: &HeaderValue) -> Verdict {
    let is_one_of = |values: &[&str]| {
        let found = values.iter().any(|wanted| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()));
        if found { Verdict::Fine } else { Verdict::NotBuilt }
    };
    match short {
        "security-token" => Verdict::Refused(S3ErrorCode::InvalidToken),
        "expected-bucket-owner" if value.as_bytes() == OWNER_ID.as_bytes() => Verdict::Fine,
        "expected-bucket-owner" | "source-expected-bucket-owner" => Verdict::Refused(S3ErrorCode::AccessDenied),
        "acl" => is_one_of(&["private", "bucket-owner-full-control"]),
        "storage-class" => is_one_of(&["STANDARD"]),
        "object-ownership" => is_one_of(&["BucketOwnerEnforced"]),
        "bucket-object-lock-enabled" => is_one_of(&["false"]),
        "tagging" => is_one_of(&[""]),
        // How the request is signed and sent, and what is answered or does nothing by its meaning.
        "date"
        | "content-sha256"
        | "decoded-content-length"
        | "trailer"
        | "te"
        | "user-agent"
        | "sdk-checksum-algorithm"
        | "checksum-algorithm"
        | "checksum-mode"
        | "checksum-type"
        | "request-payer"
        | "bypass-governance-retention"
        | "optional-object-attributes"
        | "object-attributes"
        | "max-parts"
        | "part-number-marker"
        | "invocation-id"
        | "copy-source" => Verdict::Fine,
        // Judged by the encryption of the request.
        short if short.starts_with("server-side-encryption") => Verdict::Fine,
        short if short.starts_with("meta-") => Verdict::Fine,
        // Verified, or refused by name, where the body is read.
        short if short.starts_with("checksum-") => Verdict::Fine,
        _ => Verdict::NotBuilt,
    }
}

fn not_built(name: &str) -> S3Error {
    let message = format!("the header {name} with this value asks for a feature that this version does not implement");
    S3Error::with_message(S3ErrorCode::NotImplemented, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &'static str, value: &'static str) -> Option<S3ErrorCode> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        judge(&headers, &|| Some("my-key".to_owned())).err().map(|error| error.code().clone())
    }

    #[test]
    fn features_that_are_not_built_are_never_passed_over() {
        for (name, value) in [
            ("x-amz-acl", "public-read"),
            ("x-amz-grant-read", "id=1"),
            ("x-amz-tagging", "a=b"),
            ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-object-lock-legal-hold", "ON"),
            ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
            ("x-amz-bucket-object-lock-enabled", "true"),
            ("x-amz-website-redirect-location", "/x"),
            ("x-amz-storage-class", "GLACIER"),
            ("x-amz-mfa", "1 2"),
            ("x-amz-write-offset-bytes", "0"),
            ("x-amz-something-new", "1"),
            ("x-amz-server-side-encryption", "AES256"),
            ("x-amz-server-side-encryption-context", "e30="),
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "other"),
            ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"),
        ] {
            assert_eq!(judged(name, value), Some(S3ErrorCode::NotImplemented), "{name}: {value}");
        }
    }

    #[test]
    fn what_happens_anyway_may_be_asked_for() {
        for (name, value) in [
            ("x-amz-acl", "private"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-meta-anything", "x"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "my-key"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:my-key"),
            ("range", "bytes=0-1"),
        ] {
            assert_eq!(judged(name, value), None, "{name}: {value}");
        }
    }

    #[test]
    fn tokens_and_foreign_owners_are_refused() {
        assert_eq!(judged("x-amz-security-token", "x"), Some(S3ErrorCode::InvalidToken));
        assert_eq!(judged("x-amz-expected-bucket-owner", "111122223333"), Some(S3ErrorCode::AccessDenied));
    }
}
