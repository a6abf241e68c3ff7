//! What comes from clients before and beside `s3s`, for the package `strongroom-fuzz`.

use crate::{
    guard,
    host::Domains,
    s3::{Expected, encryption, etags, key, mtime, of_write, token, without_aws_chunked},
};
use http::{HeaderName, HeaderValue, Request, header};
use std::collections::BTreeMap;
use strongroom::{
    admin::control::{FsckRequest, NewBucket},
    fuzzing::Target,
};

/// The targets of the gateway.
#[must_use]
pub fn targets() -> Vec<Target> {
    vec![
        Target { name: "s3gw-head", run: head, seeds: head_seeds },
        Target { name: "s3gw-values", run: values, seeds: value_seeds },
        Target { name: "s3gw-control", run: control, seeds: control_seeds },
    ]
}

/// A request's head as text, `METHOD URI` and headers a line each.
fn request(input: &[u8]) -> Option<http::request::Parts> {
    let mut lines = input.split(|byte| *byte == b'\n');
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, uri) = first.split_once(' ')?;
    let mut builder = Request::builder().method(method).uri(uri);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name).ok()?;
        builder = builder.header(name, HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?);
    }
    Some(builder.body(()).ok()?.into_parts().0)
}

fn head(input: &[u8]) {
    let Some(mut parts) = request(input) else { return };
    if guard::admit(&mut parts).is_err() {
        return;
    }
    let signed = guard::SignedHeaders::of(&parts.headers);
    if let Some(range) = parts.headers.get(header::RANGE) {
        let usable = guard::is_single_range(range.as_bytes());
        assert!(usable || signed.contains("range"), "a range that is no single range went through");
    }
    drop(Expected::of(&parts.headers));
    drop(of_write(&parts.headers));
    drop(encryption::judge(&parts.headers, &|| Some("my-key".to_owned())));
    if let Some(host) = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()) {
        let bucket = Domains::new(&["s3.example.com".to_owned(), "localhost".to_owned()]).bucket_of(host);
        assert!(bucket.is_none_or(|bucket| !bucket.is_empty()));
    }
}

fn head_seeds() -> Vec<Vec<u8>> {
    let credential = "AKIA/20260101/us-east-1/s3/aws4_request";
    [
        format!(
            "GET /photos/cat%20pic.jpg?x-id=GetObject\nhost: photos.s3.example.com:9000\nrange: bytes=0-99\n\
             authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;range, Signature=00\n\
             if-none-match: W/\"abc\", \"def\"\nif-modified-since: Sun, 06 Nov 1994 08:49:37 GMT"
        ),
        "PUT /photos/a\nhost: localhost\ncontent-md5: JfnnlDI7RTiF9RgfG2JNCw==\nx-amz-checksum-crc32: AAAAAA==\n\
         x-amz-trailer: x-amz-checksum-crc64nvme\nx-amz-meta-a: 1\nx-amz-meta-a: 2\nif-none-match: *\n\
         x-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:my-key"
            .to_owned(),
        format!("GET /b?list-type=2&X-Amz-Credential={}", credential.replace('/', "%2F")),
        "POST /b?delete\ncontent-type: multipart/form-data; boundary=x".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// Any text as each of the values that the gateway reads by itself.
fn values(input: &[u8]) {
    drop(etags::parse(input));
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(from) = token::decode(text) {
        assert_eq!(token::decode(&token::encode(&from).unwrap_or_default()), Some(from));
    }
    let _ = mtime::of_metadata(&BTreeMap::from([("mtime".to_owned(), text.to_owned())]));
    drop(without_aws_chunked(text));
    let listed = key::url_encoded(text);
    assert!(listed.is_ascii() && listed.len() >= text.len());
    drop(key::check_new(text));
}

fn value_seeds() -> Vec<Vec<u8>> {
    [
        "AWthL2I",
        "AXBhLw",
        "*",
        "\"abc\", W/\"d,e\", f",
        "1595002920.123456789",
        "1595002920000000000ns",
        "aws-chunked,gzip",
        "a b/\u{e9}\u{1}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Bodies of the calls of the control socket.
fn control(input: &[u8]) {
    if let Ok(call) = serde_json::from_slice::<NewBucket>(input) {
        let again = serde_json::to_vec(&call).unwrap_or_default();
        assert!(serde_json::from_slice::<NewBucket>(&again).is_ok_and(|again| again == call));
    }
    if let Ok(call) = serde_json::from_slice::<FsckRequest>(input) {
        let again = serde_json::to_vec(&call).unwrap_or_default();
        assert!(serde_json::from_slice::<FsckRequest>(&again).is_ok_and(|again| again == call));
    }
}

fn control_seeds() -> Vec<Vec<u8>> {
    vec![br#"{"name":"photos"}"#.to_vec(), br#"{"accept_loss":["photos","catalog"]}"#.to_vec()]
}
