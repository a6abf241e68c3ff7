//! What every reply carries, whoever made it: request id, host id, server name, and whole error documents.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use s3s::{Body, HttpResponse, S3Error};
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

/// Carries elements of an error document from where the error is made to where the document is completed; never sent.
static DETAIL: HeaderName = HeaderName::from_static("x-strongroom-error-detail");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
static HOST_ID: HeaderName = HeaderName::from_static("x-amz-id-2");
const SERVER: HeaderValue = HeaderValue::from_static("Strongroom");
/// An error document is shorter by far; anything longer is not one.
const DOCUMENT_LIMIT_BYTES: u64 = 64 * 1024;
const DOCUMENT_END: &[u8] = b"</Error>";

/// Adds an element to the document of `error`.
pub(crate) fn detail(error: &mut S3Error, name: &str, value: &str) {
    let mut headers = error.headers().cloned().unwrap_or_default();
    if let Ok(pair) = HeaderValue::from_str(&format!("{name}={value}")) {
        headers.append(DETAIL.clone(), pair);
    }
    error.set_headers(headers);
}

/// Adds a header to the reply of `error`.
pub(crate) fn header_of(error: &mut S3Error, name: HeaderName, value: HeaderValue) {
    let mut headers = error.headers().cloned().unwrap_or_default();
    headers.insert(name, value);
    error.set_headers(headers);
}

/// Makes request ids: unique within a process, and very likely beyond.
pub(crate) struct RequestIds {
    host: HeaderValue,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        let mut seed = [0; 24];
        // Without randomness the ids begin at zero; they name requests, and guard nothing.
        let _ = getrandom::fill(&mut seed);
        let (start, host) =
            seed.split_first_chunk::<8>().map_or((0, &[][..]), |(start, host)| (u64::from_le_bytes(*start), host));
        Self { host: HeaderValue::from_str(&hex::encode(host)).unwrap_or(SERVER), next: AtomicU64::new(start) }
    }

    pub(crate) fn next(&self) -> String {
        format!("{:016X}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What of a request its reply repeats.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) range: Option<HeaderValue>,
    pub(crate) request_id: String,
}

/// Completes a reply.
pub(crate) async fn finish(mut response: HttpResponse, asked: &Asked, ids: &RequestIds) -> HttpResponse {
    let details = take_details(response.headers_mut());
    let status = response.status();
    if asked.method == Method::HEAD || is_bodyless(status) {
        *response.body_mut() = Body::empty();
    } else if status.is_client_error() || status.is_server_error() {
        response = complete_document(response, asked, ids, &details).await;
    }
    if asked.method == Method::HEAD
        && status == StatusCode::OK
        && response.headers().contains_key(header::CONTENT_RANGE)
    {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    if is_bodyless(status) {
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_LENGTH);
    }
    if let Ok(id) = HeaderValue::from_str(&asked.request_id) {
        headers.insert(REQUEST_ID.clone(), id);
    }
    headers.insert(HOST_ID.clone(), ids.host.clone());
    headers.insert(header::SERVER, SERVER);
    response
}

fn is_bodyless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn take_details(headers: &mut HeaderMap) -> Vec<(String, String)> {
    let Some(http::header::Entry::Occupied(entry)) = Some(headers.entry(DETAIL.clone())) else {
        return Vec::new();
    };
    let pairs = entry.iter().filter_map(|value| value.to_str().ok()?.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    entry.remove();
    pairs
}

async fn complete_document(
    response: HttpResponse,
    asked: &Asked,
    ids: &RequestIds,
    details: &[(String, String)],
) -> HttpResponse {
    let short = http_body::Body::size_hint(response.body()).upper().is_some_and(|most| most <= DOCUMENT_LIMIT_BYTES);
    if !short {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let document = match bytes.strip_suffix(DOCUMENT_END) {
        Some(head) => Bytes::from(document_of(head, &parts.headers, asked, ids, details)),
        None => bytes,
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    HttpResponse::from_parts(parts, Body::from(document))
}

fn document_of(
    head: &[u8],
    headers: &HeaderMap,
    asked: &Asked,
    ids: &RequestIds,
    details: &[(String, String)],
) -> Vec<u8> {
    let mut more = String::new();
    let mut element = |name: &str, value: &str| {
        let _ = write!(more, "<{name}>{}</{name}>", escape(value));
    };
    for (name, value) in details {
        element(name, value);
    }
    if let Some(size) =
        headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()?.strip_prefix("bytes */"))
    {
        element("ActualObjectSize", size);
        if let Some(range) = asked.range.as_ref().and_then(|value| value.to_str().ok()) {
            element("RangeRequested", range);
        }
    }
    element("Resource", &asked.path);
    let (bucket, key) =
        asked.path.trim_start_matches('/').split_once('/').unwrap_or((asked.path.trim_matches('/'), ""));
    if !bucket.is_empty() {
        element("BucketName", bucket);
    }
    if !key.is_empty() {
        element("Key", &percent_decoded(key));
    }
    element("RequestId", &asked.request_id);
    element("HostId", ids.host.to_str().unwrap_or_default());
    let mut document = head.to_vec();
    document.extend_from_slice(more.as_bytes());
    document.extend_from_slice(DOCUMENT_END);
    document
}

/// Escapes text for XML; what XML 1.0 cannot carry becomes U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            char if crate::s3::key::is_xml_char(char) => out.push(char),
            _ => out.push('\u{FFFD}'),
        }
    }
    out
}

/// The text that percent escapes stand for; what is no escape, or no UTF-8, stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let mut byte = [*first];
        if *first == b'%'
            && let Some((digits, behind)) = tail.split_first_chunk::<2>()
            && hex::decode_to_slice(digits, &mut byte).is_ok()
        {
            rest = behind;
        }
        bytes.extend_from_slice(&byte);
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_for_xml() {
        assert_eq!(escape("a<b>&\"\r\u{1}\u{ffff}é"), "a&lt;b&gt;&amp;&quot;&#xD;\u{fffd}\u{fffd}é");
    }

    #[test]
    fn percent_escapes_are_decoded_once() {
        assert_eq!(percent_decoded("a%20b%2Fc%2520"), "a b/c%20");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%ff"), "%ff");
    }

    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::new();
        assert_ne!(ids.next(), ids.next());
        assert_eq!(ids.next().len(), 16);
    }
}
