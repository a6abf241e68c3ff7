//! What goes over the wire, where SDKs do not look or do not misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Ask, KEY_NAME, Server};
use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::atomic::Ordering,
    time::Duration,
};

const CRC32_OF_DIGITS: &str = "y/Q5Jg==";

/// `body` as an unsigned `aws-chunked` upload, with what follows the last data chunk.
fn chunked(path: &str, body: &[u8], decoded: usize, tail: &str, trailer: &str) -> Ask {
    let mut wire = format!("{:x}\r\n", body.len()).into_bytes();
    wire.extend_from_slice(body);
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(tail.as_bytes());
    let mut ask = Ask::put(path, &wire)
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &decoded.to_string())
        .header("x-amz-trailer", trailer);
    ask.payload = Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER".to_owned());
    ask
}

#[test]
fn an_error_is_a_whole_document_with_ids() {
    let server = Server::with_bucket();
    let reply = server.get("/bucket/a%20%3Cb%3E");
    assert_eq!((reply.status, reply.code().as_str()), (404, "NoSuchKey"));
    assert_eq!(reply.header("content-type"), "application/xml");
    assert_eq!(reply.element("Resource"), "/bucket/a%20%3Cb%3E");
    assert_eq!(reply.element("BucketName"), "bucket");
    assert_eq!(reply.element("Key"), "a &lt;b&gt;");
    assert_eq!(reply.element("RequestId"), reply.header("x-amz-request-id"));
    assert_eq!(reply.element("HostId"), reply.header("x-amz-id-2"));
    assert!(!reply.header("x-amz-request-id").is_empty());
    assert_eq!(reply.header("server"), "Strongroom");
    assert!(!reply.header("date").is_empty());
}

#[test]
fn replies_without_a_body_have_none() {
    let server = Server::with_bucket();
    let tag = server.put("/bucket/k", b"123").header("etag").to_owned();
    let head = server.send(Ask::new("HEAD", "/bucket/k"));
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "3", 0));
    let missing = server.send(Ask::new("HEAD", "/bucket/missing"));
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    let same = server.send(Ask::new("GET", "/bucket/k").header("if-none-match", &tag));
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, tag.as_str()));
    assert!(!same.headers.contains_key("content-type") && !same.header("last-modified").is_empty());
    let gone = server.send(Ask::new("DELETE", "/bucket/k"));
    assert_eq!((gone.status, gone.body.len()), (204, 0));
    for reply in [&head, &missing, &same, &gone] {
        assert!(!reply.header("x-amz-request-id").is_empty());
        assert!(!reply.headers.contains_key("x-strongroom-error-detail"));
    }
}

#[test]
fn an_empty_object_has_a_length() {
    let server = Server::with_bucket();
    server.put("/bucket/empty", b"");
    for method in ["GET", "HEAD"] {
        let reply = server.send(Ask::new(method, "/bucket/empty"));
        assert_eq!((reply.status, reply.header("content-length")), (200, "0"));
        assert_eq!(reply.header("accept-ranges"), "bytes");
    }
    let ranged = server.send(Ask::new("GET", "/bucket/empty").header("range", "bytes=0-0"));
    assert_eq!((ranged.status, ranged.header("content-range")), (416, "bytes */0"));
    assert_eq!(ranged.element("ActualObjectSize"), "0");
    assert_eq!(ranged.element("RangeRequested"), "bytes=0-0");
}

#[test]
fn the_encryption_is_told() {
    let server = Server::with_bucket();
    let put = server.put("/bucket/k", b"x");
    let key_id = format!("arn:aws:kms:{KEY_NAME}");
    for reply in [put, server.get("/bucket/k"), server.send(Ask::new("HEAD", "/bucket/k"))] {
        assert_eq!(reply.header("x-amz-server-side-encryption"), "aws:kms");
        assert_eq!(reply.header("x-amz-server-side-encryption-aws-kms-key-id"), key_id);
    }
    let own = Ask::put("/bucket/k", b"x")
        .header("x-amz-server-side-encryption", "aws:kms")
        .header("x-amz-server-side-encryption-aws-kms-key-id", KEY_NAME);
    assert_eq!(server.send(own).status, 200);
    let customer = Ask::new("GET", "/bucket/k").header("x-amz-server-side-encryption-customer-algorithm", "AES256");
    assert_eq!(server.send(customer).status, 501);
}

#[test]
fn a_trailer_is_verified_and_must_arrive() {
    let server = Server::with_bucket();
    let name = "x-amz-checksum-crc32";
    let good = format!("0\r\n{name}:{CRC32_OF_DIGITS}\r\n\r\n");
    let reply = server.send(chunked("/bucket/k", b"123456789", 9, &good, name));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header(name), CRC32_OF_DIGITS);
    let got = server.send(Ask::new("GET", "/bucket/k").header("x-amz-checksum-mode", "ENABLED"));
    assert_eq!((got.text().as_str(), got.header(name)), ("123456789", CRC32_OF_DIGITS));
    assert!(!got.headers.contains_key("content-encoding"), "aws-chunked is how it was sent");

    let wrong = format!("0\r\n{name}:AAAAAA==\r\n\r\n");
    assert_eq!(server.send(chunked("/bucket/w", b"123456789", 9, &wrong, name)).code(), "BadDigest");
    let none = "0\r\n\r\n";
    assert_eq!(server.send(chunked("/bucket/w", b"123456789", 9, none, name)).code(), "MalformedTrailerError");
    let other = "0\r\nx-amz-checksum-sha1:x\r\n\r\n";
    assert_eq!(server.send(chunked("/bucket/w", b"123456789", 9, other, name)).code(), "MalformedTrailerError");
    assert_eq!(server.get("/bucket/w").status, 404);
}

#[test]
fn a_body_that_is_cut_off_stores_nothing() {
    let server = Server::with_bucket();
    let name = "x-amz-checksum-crc32";
    // Fewer bytes than announced, in whole chunks.
    let tail = format!("0\r\n{name}:{CRC32_OF_DIGITS}\r\n\r\n");
    let reply = server.send(chunked("/bucket/k", b"123456789", 12, &tail, name));
    assert_eq!((reply.status, reply.code().as_str()), (400, "IncompleteBody"));
    // No terminating chunk.
    assert_eq!(server.send(chunked("/bucket/k", b"123456789", 12, "", name)).code(), "IncompleteBody");
    assert_ne!(server.send(chunked("/bucket/k", b"123456789", 9, "", name)).status, 200);
    // A client that hangs up in the midst of a plain body.
    let mut ask = Ask::put("/bucket/k", b"123").header("content-length", "10");
    ask.payload = Some("UNSIGNED-PAYLOAD".to_owned());
    ask.hang_up = true;
    let signed = ask.signed(server.address);
    let mut stream = TcpStream::connect(server.address).unwrap();
    let mut head = String::from("PUT /bucket/k HTTP/1.1\r\n");
    for (name, value) in &signed.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n123").as_bytes()).unwrap();
    drop(stream);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(server.get("/bucket/k").status, 404);
}

#[test]
fn a_payload_that_is_not_the_signed_one_is_refused() {
    let server = Server::with_bucket();
    let mut ask = Ask::put("/bucket/k", b"something else");
    ask.payload = Some("0".repeat(64));
    assert_eq!(server.send(ask).code(), "XAmzContentSHA256Mismatch");
    assert_eq!(server.get("/bucket/k").status, 404);
}

#[test]
fn a_put_without_a_length_is_refused() {
    let server = Server::with_bucket();
    let mut ask = Ask::put("/bucket/k", b"");
    ask.no_length = true;
    let reply = server.send(ask);
    assert_eq!((reply.status, reply.code().as_str()), (411, "MissingContentLength"));
}

#[test]
fn only_the_root_credentials_sign() {
    let server = Server::with_bucket();
    let code = |ask: Ask| {
        let reply = server.send(ask);
        (reply.status, reply.code())
    };
    let unknown = Ask { access_key: "nobody".to_owned(), ..Ask::new("GET", "/") };
    assert_eq!(code(unknown), (403, "InvalidAccessKeyId".to_owned()));
    let skewed = Ask { skew: -1000, ..Ask::new("GET", "/") };
    assert_eq!(code(skewed), (403, "RequestTimeTooSkewed".to_owned()));
    let mut unsigned = Ask::put("/bucket/k", b"").header("x-amz-acl", "private");
    unsigned.unsigned = vec!["x-amz-acl".to_owned()];
    assert_eq!(code(unsigned).0, 403);
    let anonymous = server.exchange(Ask::new("GET", "/bucket/k"));
    assert_eq!((anonymous.status, anonymous.code().as_str()), (403, "AccessDenied"));
    let mut forged = Ask::new("GET", "/bucket/k").signed(server.address);
    forged.path = "/bucket/j".to_owned();
    let forged = server.exchange(forged);
    assert_eq!((forged.status, forged.code().as_str()), (403, "SignatureDoesNotMatch"));
    let token = Ask::new("GET", "/").header("x-amz-security-token", "x");
    assert_eq!(code(token).1, "InvalidToken");
    for scheme in ["Bearer abc", "AWS key:signature"] {
        let reply = server.exchange(Ask::new("GET", "/").header("authorization", scheme));
        assert_eq!(reply.status, 400);
    }
}

#[test]
fn a_wrong_region_is_answered_with_the_right_one() {
    let server = Server::with_bucket();
    let reply = server.send(Ask { region: "US".to_owned(), ..Ask::new("GET", "/") });
    assert_eq!((reply.status, reply.code().as_str()), (400, "AuthorizationHeaderMalformed"));
    assert_eq!(reply.element("Region"), "us-east-1");
    assert_eq!(server.send(Ask { region: "garage".to_owned(), ..Ask::new("GET", "/") }).status, 200);
}

#[test]
fn presigned_urls_work_until_they_expire() {
    let server = Server::with_bucket();
    let put = Ask::put("/bucket/p%20q", b"content").presigned(server.address, 60);
    assert_eq!(server.exchange(put).status, 200);
    assert_eq!(server.exchange(Ask::new("GET", "/bucket/p%20q").presigned(server.address, 60)).text(), "content");
    let overridden = Ask::new("GET", "/bucket/p%20q?response-content-type=a%2Fb").presigned(server.address, 60);
    assert_eq!(server.exchange(overridden).header("content-type"), "a/b");
    let late = Ask { skew: -100, ..Ask::new("GET", "/bucket/p%20q") }.presigned(server.address, 60);
    assert_eq!(server.exchange(late).code(), "AccessDenied");
    let long = Ask::new("GET", "/bucket/p%20q").presigned(server.address, 700_000);
    assert_eq!(server.exchange(long).code(), "AuthorizationQueryParametersError");
    let unsigned = Ask::new("GET", "/bucket/p%20q").presigned(server.address, 60).header("x-amz-acl", "private");
    assert_eq!(server.exchange(unsigned).status, 403);
}

#[test]
fn health_is_told_without_a_signature() {
    let server = Server::start();
    let status = |path: &str| server.exchange(Ask::new("GET", path)).status;
    assert_eq!(status("/minio/health/live"), 200);
    assert_eq!(status("/minio/health/ready"), 200);
    assert_eq!(server.exchange(Ask::new("HEAD", "/minio/health/ready")).status, 200);
    server.ready.store(false, Ordering::Relaxed);
    assert_eq!(status("/minio/health/live"), 200);
    assert_eq!(status("/minio/health/ready"), 503);
    assert_eq!(status("/minio/health/cluster"), 503);
}

#[test]
fn keys_are_what_the_path_says() {
    let server = Server::with_bucket();
    let paths = [
        "/bucket/a",
        "/bucket/a/",
        "/bucket/a/b",
        "/bucket/a//b",
        "/bucket/a/./b",
        "/bucket/a/../b",
        "/bucket/a+b",
        "/bucket/a%2Bb%20c",
        "/bucket//lead",
    ];
    for path in paths {
        server.put(path, path.as_bytes());
    }
    for path in paths {
        assert_eq!(server.get(path).text(), path);
    }
    let listed = server.get("/bucket?list-type=2");
    assert_eq!(
        listed.elements("Key"),
        ["/lead", "a", "a+b", "a+b c", "a/", "a/../b", "a/./b", "a//b", "a/b"]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

#[test]
fn hosts_name_buckets_below_the_domain_only() {
    let server = Server::with_bucket();
    server.put("/bucket/k", b"content");
    assert_eq!(server.send(Ask::new("GET", "/k").header("host", "BUCKET.s3.test:9000")).text(), "content");
    for host in ["LOCALHOST", "storage.example.com", "s3.test", "[::1]:9000"] {
        assert_eq!(server.send(Ask::new("GET", "/bucket/k").header("host", host)).text(), "content", "{host}");
    }
}

#[test]
fn metadata_that_is_not_ascii_comes_back() {
    let server = Server::with_bucket();
    let encoded = "=?UTF-8?B?w6R6?=";
    let ask = Ask::put("/bucket/k", b"").header("x-amz-meta-word", encoded).header("x-amz-meta-other", "plain");
    assert_eq!(server.send(ask).status, 200);
    let head = server.send(Ask::new("HEAD", "/bucket/k"));
    assert_eq!(head.header("x-amz-meta-other"), "plain");
    assert!(
        head.header("x-amz-meta-word").to_ascii_uppercase().starts_with("=?UTF-8?"),
        "{}",
        head.header("x-amz-meta-word")
    );
    let long = Ask::put("/bucket/k", b"").header("x-amz-meta-a", &"x".repeat(2048));
    assert_eq!(server.send(long).code(), "MetadataTooLarge");
}

#[test]
fn a_connection_is_used_again_or_says_that_it_is_not() {
    let server = Server::with_bucket();
    let signed = Ask::new("GET", "/").signed(server.address);
    let mut head = String::from("GET / HTTP/1.1\r\n");
    for (name, value) in &signed.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for _ in 0..3 {
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(buffer[..count].starts_with(b"HTTP/1.1 200"));
    }
    // A refused upload that waits for permission to send: the body is never asked for, and the connection ends.
    let refused = "PUT /bucket/k HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(refused.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[test]
fn many_objects_are_deleted_at_once() {
    let server = Server::with_bucket();
    server.put("/bucket/a", b"");
    server.put("/bucket/b%20", b"");
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b </Key></Object><Object><Key>missing</Key></Object></Delete>";
    let ask = |body: &str| Ask { method: "POST", ..Ask::put("/bucket?delete", body.as_bytes()) };
    let wrong = ask(body).header("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==");
    assert_eq!(server.send(wrong).code(), "BadDigest");
    let reply = server.send(ask(body));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.elements("Key"), ["a", "b ", "missing"]);
    assert_eq!(server.get("/bucket?list-type=2").element("KeyCount"), "0");
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><Delete><Object><Key>&a;</Key></Object></Delete>";
    assert_eq!(server.send(ask(bomb)).status, 400);
}

#[test]
fn what_makes_no_sense_is_an_error_and_no_more() {
    let server = Server::with_bucket();
    for path in [
        "/bucket?list-type=2&continuation-token=nonsense",
        "/bucket?list-type=2&max-keys=-1",
        "/bucket?list-type=2&encoding-type=x",
    ] {
        assert_eq!(server.get(path).status, 400, "{path}");
    }
    assert_eq!(server.get("/bucket/k?versionId=abc").code(), "NoSuchVersion");
    assert_eq!(server.send(Ask::new("PATCH", "/bucket/k")).status, 405);
    assert_eq!(server.exchange(Ask::new("GET", "/bucket/%ff%fe")).status, 400);
    assert_eq!(server.send(Ask::put("/bucket/a%01", b"")).code(), "InvalidArgument");
    assert_eq!(server.send(Ask::put("/minio", b"")).code(), "InvalidBucketName");
    let form =
        Ask { method: "POST", ..Ask::put("/bucket", b"") }.header("content-type", "multipart/form-data; boundary=x");
    assert_eq!(server.send(form).status, 501);
}
