//! What is looked at before a request reaches `s3s`: traps of the library and of clients (docs/SEMANTICS.md, S3).
//!
//! All of it is pure: a header map and a URI in, a verdict out.

mod conditional;
mod duplicate;
mod range;
mod region;
mod size;

pub(crate) use range::is_single_range;
pub(crate) use region::REGION;
pub(crate) use size::METADATA_LIMIT_BYTES;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, request::Parts};
use s3s::{S3Error, S3ErrorCode};

/// Changes the request where a header must be dropped or joined, or refuses it.
pub(crate) fn admit(parts: &mut Parts) -> Result<(), S3Error> {
    size::check(&parts.uri, &parts.headers)?;
    check_method(&parts.method)?;
    check_authorization(parts)?;
    check_form(parts)?;
    region::check(&parts.uri, &parts.headers)?;
    let signed = SignedHeaders::of(&parts.headers);
    if range::is_unusable(parts.headers.get(http::header::RANGE)) && !signed.contains("range") {
        parts.headers.remove(http::header::RANGE);
    }
    conditional::drop_unusable_dates(&mut parts.headers, &signed);
    duplicate::join_metadata(&mut parts.headers);
    Ok(())
}

fn check_method(method: &Method) -> Result<(), S3Error> {
    match *method {
        Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE | Method::OPTIONS => Ok(()),
        _ => {
            let mut error = S3Error::new(S3ErrorCode::MethodNotAllowed);
            error.set_status_code(StatusCode::METHOD_NOT_ALLOWED);
            Err(error)
        }
    }
}

/// Signature V2 is served in presigned URLs only, which old SDKs make by default; not in the header.
fn check_authorization(parts: &Parts) -> Result<(), S3Error> {
    let Some(value) = parts.headers.get(http::header::AUTHORIZATION) else {
        return Ok(());
    };
    if value.as_bytes().starts_with(b"AWS4-HMAC-SHA256") {
        return Ok(());
    }
    let message = "Unsupported Authorization Type: sign the request with AWS4-HMAC-SHA256";
    Err(S3Error::with_message(S3ErrorCode::InvalidArgument, message))
}

/// Browser forms are not built yet; refused here, before `s3s` would parse one.
fn check_form(parts: &Parts) -> Result<(), S3Error> {
    let is_form = parts.headers.get(http::header::CONTENT_TYPE).is_some_and(|value| {
        value.as_bytes().get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"))
    });
    if parts.method == Method::POST && is_form {
        let message = "POST of a form is not implemented; use PUT, presigned if need be";
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, message));
    }
    Ok(())
}

/// The names that a request with an `Authorization` header declares as signed.
pub(crate) struct SignedHeaders<'a>(&'a str);

impl<'a> SignedHeaders<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> SignedNames {
        let value = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        let list = value.split_once("SignedHeaders=").map_or("", |(_, rest)| rest);
        let list = list.split([',', ' ']).next().unwrap_or("");
        Self(list).names()
    }

    fn names(&self) -> SignedNames {
        SignedNames(self.0.split(';').map(str::to_ascii_lowercase).collect())
    }
}

/// See [`SignedHeaders`]; owned, so that the headers can be changed meanwhile.
pub(crate) struct SignedNames(Vec<String>);

impl SignedNames {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|signed| signed == name)
    }
}

/// A query parameter's raw value.
pub(crate) fn query_value<'a>(uri: &'a Uri, name: &str) -> Option<&'a str> {
    uri.query()?
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// Whether a query parameter is there, with or without a value.
pub(crate) fn query_has(uri: &Uri, name: &str) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some(name)))
}

/// A header's value as text.
pub(crate) fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
