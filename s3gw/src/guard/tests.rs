use super::*;
use http::Request;

fn parts(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
    build(Request::builder().uri("/bucket/key")).body(()).unwrap().into_parts().0
}

fn signed_by(region: &str, headers: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=KEY/20260101/{region}/s3/aws4_request, SignedHeaders={headers}, Signature=00")
}

#[test]
fn a_region_that_s3s_cannot_hold_is_answered_with_ours() {
    for (region, usable) in [("us-east-1", true), ("", true), ("auto", true), ("US", false), ("a.b", false)] {
        let mut parts = parts(|b| b.header("authorization", signed_by(region, "host")));
        let result = admit(&mut parts);
        assert_eq!(result.is_ok(), usable, "{region}");
        if let Err(error) = result {
            assert_eq!(error.code(), &S3ErrorCode::AuthorizationHeaderMalformed);
        }
    }
    let uri = "/b/k?X-Amz-Credential=KEY%2F20260101%2FUS%2Fs3%2Faws4_request";
    assert!(admit(&mut parts(|b| b.uri(uri))).is_err());
}

#[test]
fn only_a_single_range_that_runs_forward_is_usable() {
    for good in ["bytes=0-", "bytes=0-0", "bytes=5-9", "bytes=-0", "bytes=-5"] {
        assert!(range::is_single_range(good.as_bytes()), "{good}");
    }
    for bad in
        ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes=9223372036854775808-"]
    {
        assert!(!range::is_single_range(bad.as_bytes()), "{bad}");
    }
}

#[test]
fn an_unusable_range_is_dropped_unless_it_is_signed() {
    let mut request = parts(|b| b.header("range", "bytes=0-1,3-4"));
    admit(&mut request).unwrap();
    assert!(!request.headers.contains_key("range"));
    let mut request =
        parts(|b| b.header("range", "bytes=0-1,3-4").header("authorization", signed_by("us-east-1", "host;range")));
    admit(&mut request).unwrap();
    assert!(request.headers.contains_key("range"));
}

#[test]
fn an_unusable_date_is_dropped() {
    let mut request = parts(|b| b.header("if-modified-since", "yesterday"));
    admit(&mut request).unwrap();
    assert!(!request.headers.contains_key("if-modified-since"));
    let mut request = parts(|b| b.header("if-modified-since", "Wed, 21 Oct 2015 07:28:00 GMT"));
    admit(&mut request).unwrap();
    assert!(request.headers.contains_key("if-modified-since"));
}

#[test]
fn metadata_in_several_headers_is_joined() {
    let mut request = parts(|b| b.header("x-amz-meta-a", "1").header("x-amz-meta-a", "2"));
    admit(&mut request).unwrap();
    assert_eq!(request.headers.get("x-amz-meta-a").unwrap(), "1,2");
}

#[test]
fn what_stands_before_the_body_is_bounded() {
    let refused = admit(&mut parts(|b| b.header("x-long", "x".repeat(17 * 1024)))).unwrap_err();
    assert_eq!(refused.code(), &S3ErrorCode::RequestHeaderSectionTooLarge);
    let refused = admit(&mut parts(|b| b.header("x-amz-meta-a", "x".repeat(2048)))).unwrap_err();
    assert_eq!(refused.code(), &S3ErrorCode::MetadataTooLarge);
}

#[test]
fn methods_authorizations_and_forms_that_are_not_served_are_refused() {
    assert!(admit(&mut parts(|b| b.method("PATCH"))).is_err());
    assert!(admit(&mut parts(|b| b.header("authorization", "AWS KEY:signature"))).is_err());
    assert!(admit(&mut parts(|b| b.header("authorization", "Bearer x"))).is_err());
    assert!(admit(&mut parts(|b| b.method("POST").header("content-type", "multipart/form-data; boundary=x"))).is_err());
}
