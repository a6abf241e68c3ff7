//! Checksums that clients send and ask for: which are expected, whether they agree, and how they are told.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256, Sha512, XxHash3, XxHash64, XxHash128},
    dto::{Checksum, ChecksumType},
};
use std::collections::BTreeMap;

const PREFIX: &str = "x-amz-checksum-";
const CRC64: &str = "crc64nvme";
/// The algorithms by header name, and the length of their values.
const ALGORITHMS: [(&str, usize); 10] = [
    ("crc32", 4),
    ("crc32c", 4),
    (CRC64, 8),
    ("md5", 16),
    ("sha1", 20),
    ("sha256", 32),
    ("sha512", 64),
    ("xxhash128", 16),
    ("xxhash3", 8),
    ("xxhash64", 8),
];

fn algorithm(name: &str) -> Option<(&'static str, usize)> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).copied()
}

fn invalid(message: String) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidRequest, message)
}

/// What a request says of its body's checksums.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    md5: Option<[u8; 16]>,
    given: Option<(&'static str, Vec<u8>)>,
    /// Names that the trailer must bring.
    trailer: Vec<&'static str>,
}

/// What a body turned out to have.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// For the entity tag.
    pub(crate) md5: Option<[u8; 16]>,
    /// To be stored and echoed: name and raw value. Without CRC64NVME, which the core keeps by itself.
    pub(crate) checksums: BTreeMap<String, Vec<u8>>,
}

impl Expected {
    /// Reads the headers.
    pub(crate) fn of(headers: &HeaderMap) -> S3Result<Self> {
        let mut expected = Self { md5: content_md5(headers)?, ..Self::default() };
        for (name, value) in headers {
            let Some(short) = name.as_str().strip_prefix(PREFIX) else {
                continue;
            };
            if matches!(short, "algorithm" | "mode" | "type") {
                continue;
            }
            let Some((known, _)) = algorithm(short) else {
                return Err(S3Error::with_message(
                    S3ErrorCode::NotImplemented,
                    format!("the checksum {name} is not known"),
                ));
            };
            if expected.given.is_some() {
                return Err(invalid(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.".to_owned(),
                ));
            }
            expected.given = Some((known, raw(known, value.as_bytes())?));
        }
        for name in
            headers.get_all("x-amz-trailer").iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        {
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            let Some((known, _)) = name.strip_prefix(PREFIX).and_then(algorithm) else {
                return Err(invalid(format!("the value {name:?} of x-amz-trailer is not supported")));
            };
            if !expected.trailer.contains(&known) {
                expected.trailer.push(known);
            }
        }
        let declared = headers.contains_key("x-amz-sdk-checksum-algorithm");
        if declared && expected.given.is_none() && expected.trailer.is_empty() && expected.md5.is_none() {
            let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
            return Err(invalid(message.to_owned()));
        }
        Ok(expected)
    }

    /// What must be computed while the body goes by.
    pub(crate) fn hasher(&self) -> ChecksumHasher {
        let wanted =
            |name| self.given.as_ref().is_some_and(|(given, _)| *given == name) || self.trailer.contains(&name);
        ChecksumHasher {
            crc32: wanted("crc32").then(Crc32::new),
            crc32c: wanted("crc32c").then(Crc32c::new),
            sha1: wanted("sha1").then(Sha1::new),
            sha256: wanted("sha256").then(Sha256::new),
            sha512: wanted("sha512").then(Sha512::new),
            crc64nvme: None,
            md5: (self.md5.is_some() || wanted("md5")).then(Md5::new),
            xxhash64: wanted("xxhash64").then(XxHash64::new),
            xxhash3: wanted("xxhash3").then(XxHash3::new),
            xxhash128: wanted("xxhash128").then(XxHash128::new),
        }
    }

    /// Compares everything that was promised with what came.
    pub(crate) fn verify(self, hasher: ChecksumHasher, crc64: u64, trailer: Option<&HeaderMap>) -> S3Result<Verified> {
        let mut computed = hasher.finalize();
        computed.checksum_crc64nvme = Some(STANDARD.encode(crc64.to_be_bytes()));
        let mut verified = Verified::default();
        if let Some(md5) = self.md5 {
            if computed.checksum_md5.as_deref() != Some(STANDARD.encode(md5).as_str()) {
                let message = "The Content-MD5 you specified did not match what we received.";
                return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
            }
            verified.md5 = Some(md5);
        }
        let mut promised = Vec::new();
        promised.extend(self.given);
        for name in self.trailer {
            promised.push((name, from_trailer(name, trailer)?));
        }
        for (name, value) in promised {
            if field(&mut computed, name).as_deref() != Some(STANDARD.encode(&value).as_str()) {
                let message =
                    format!("The {} you specified did not match the calculated checksum.", name.to_uppercase());
                return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
            }
            if name != CRC64 {
                verified.checksums.insert(name.to_owned(), value);
            }
        }
        Ok(verified)
    }
}

/// Verifies the checksums of a document that was sent as it is (one in `aws-chunked` carries them in a trailer, over
/// what only `s3s` has seen).
pub(crate) fn verify_document(headers: &HeaderMap, pieces: &[bytes::Bytes]) -> S3Result<()> {
    if headers.contains_key("x-amz-trailer") || headers.contains_key("x-amz-decoded-content-length") {
        return Ok(());
    }
    let expected = Expected::of(headers)?;
    let (mut hasher, mut crc64) = (expected.hasher(), Crc64Nvme::new());
    for piece in pieces {
        hasher.update(piece);
        crc64.update(piece);
    }
    expected.verify(hasher, u64::from_be_bytes(crc64.finalize()), None).map(drop)
}

fn content_md5(headers: &HeaderMap) -> S3Result<Option<[u8; 16]>> {
    let Some(value) = headers.get("content-md5") else {
        return Ok(None);
    };
    let digest = STANDARD.decode(value.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    digest.map(Some).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidDigest))
}

fn raw(name: &'static str, value: &[u8]) -> S3Result<Vec<u8>> {
    let bytes = STANDARD.decode(value).ok();
    bytes
        .filter(|bytes| algorithm(name).is_some_and(|(_, length)| bytes.len() == length))
        .ok_or_else(|| invalid(format!("Value for {PREFIX}{name} header is invalid.")))
}

fn from_trailer(name: &'static str, trailer: Option<&HeaderMap>) -> S3Result<Vec<u8>> {
    let header = HeaderName::try_from(format!("{PREFIX}{name}")).ok();
    let value = header.and_then(|header| trailer?.get(header)).ok_or_else(|| {
        let message = "the trailer that x-amz-trailer declares did not arrive";
        crate::error::custom("MalformedTrailerError", http::StatusCode::BAD_REQUEST, message)
    })?;
    raw(name, value.as_bytes())
}

fn field(sums: &mut Checksum, name: &str) -> Option<String> {
    match name {
        "crc32" => sums.checksum_crc32.take(),
        "crc32c" => sums.checksum_crc32c.take(),
        CRC64 => sums.checksum_crc64nvme.take(),
        "md5" => sums.checksum_md5.take(),
        "sha1" => sums.checksum_sha1.take(),
        "sha256" => sums.checksum_sha256.take(),
        "sha512" => sums.checksum_sha512.take(),
        "xxhash128" => sums.checksum_xxhash128.take(),
        "xxhash3" => sums.checksum_xxhash3.take(),
        "xxhash64" => sums.checksum_xxhash64.take(),
        _ => None,
    }
}

/// What replies tell: the stored checksums, and CRC64NVME when it is known.
pub(crate) fn told(checksums: &BTreeMap<String, Vec<u8>>, crc64: Option<u64>) -> Checksum {
    let value = |name: &str| checksums.get(name).map(|raw| STANDARD.encode(raw));
    let checksum_crc64nvme = crc64.map(|crc| STANDARD.encode(crc.to_be_bytes()));
    let any = !checksums.is_empty() || checksum_crc64nvme.is_some();
    Checksum {
        checksum_crc32: value("crc32"),
        checksum_crc32c: value("crc32c"),
        checksum_crc64nvme,
        checksum_md5: value("md5"),
        checksum_sha1: value("sha1"),
        checksum_sha256: value("sha256"),
        checksum_sha512: value("sha512"),
        checksum_type: any.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        checksum_xxhash128: value("xxhash128"),
        checksum_xxhash3: value("xxhash3"),
        checksum_xxhash64: value("xxhash64"),
    }
}

/// Copies the fields of a `Checksum` into a reply that has the same ones.
macro_rules! set_checksums {
    ($output:expr, $sums:expr) => {{
        let sums: s3s::dto::Checksum = $sums;
        $output.checksum_crc32 = sums.checksum_crc32;
        $output.checksum_crc32c = sums.checksum_crc32c;
        $output.checksum_crc64nvme = sums.checksum_crc64nvme;
        $output.checksum_md5 = sums.checksum_md5;
        $output.checksum_sha1 = sums.checksum_sha1;
        $output.checksum_sha256 = sums.checksum_sha256;
        $output.checksum_sha512 = sums.checksum_sha512;
        $output.checksum_type = sums.checksum_type;
        $output.checksum_xxhash128 = sums.checksum_xxhash128;
        $output.checksum_xxhash3 = sums.checksum_xxhash3;
        $output.checksum_xxhash64 = sums.checksum_xxhash64;
    }};
}
pub(crate) use set_checksums;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn verify(pairs: &[(&'static str, &'static str)], trailer: &[(&'static str, &'static str)]) -> S3Result<Verified> {
        let expected = Expected::of(&headers(pairs))?;
        let mut hasher = expected.hasher();
        hasher.update(b"123456789");
        expected.verify(hasher, 0xae8b_1486_0a79_9888, Some(&headers(trailer)))
    }

    fn code(result: S3Result<Verified>) -> String {
        result.map_or_else(|error| error.code().as_str().to_owned(), |_| "ok".to_owned())
    }

    #[test]
    fn checksums_in_headers_are_verified() {
        assert_eq!(code(verify(&[], &[])), "ok");
        let stored = verify(&[("x-amz-checksum-crc32", "y/Q5Jg==")], &[]).unwrap();
        assert_eq!(stored.checksums.get("crc32").unwrap(), &[0xcb, 0xf4, 0x39, 0x26]);
        assert_eq!(code(verify(&[("x-amz-checksum-crc32c", "4waSgw==")], &[])), "ok");
        assert_eq!(code(verify(&[("x-amz-checksum-crc64nvme", "rosUhgp5mIg=")], &[])), "ok");
        assert_eq!(code(verify(&[("x-amz-checksum-crc32", "y/Q5Jw==")], &[])), "BadDigest");
        assert_eq!(code(verify(&[("x-amz-checksum-crc32", "short")], &[])), "InvalidRequest");
        assert_eq!(code(verify(&[("x-amz-checksum-other", "x")], &[])), "NotImplemented");
        let two = [("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")];
        assert_eq!(code(verify(&two, &[])), "InvalidRequest");
    }

    #[test]
    fn content_md5_is_verified_and_becomes_the_tag() {
        let verified = verify(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==")], &[]).unwrap();
        assert_eq!(hex::encode(verified.md5.unwrap()), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(code(verify(&[("content-md5", "JfnnlDI7RTiF9RgfG2JNCg==")], &[])), "BadDigest");
        assert_eq!(code(verify(&[("content-md5", "nonsense")], &[])), "InvalidDigest");
    }

    #[test]
    fn a_declared_trailer_must_arrive_and_agree() {
        let declared = [("x-amz-trailer", "x-amz-checksum-crc32")];
        assert_eq!(code(verify(&declared, &[("x-amz-checksum-crc32", "y/Q5Jg==")])), "ok");
        assert_eq!(code(verify(&declared, &[("x-amz-checksum-crc32", "y/Q5Jw==")])), "BadDigest");
        assert_eq!(code(verify(&declared, &[])), "MalformedTrailerError");
        assert_eq!(code(verify(&[("x-amz-trailer", "x-other")], &[])), "InvalidRequest");
    }

    #[test]
    fn an_announced_algorithm_needs_a_value() {
        assert_eq!(code(verify(&[("x-amz-sdk-checksum-algorithm", "CRC32")], &[])), "InvalidRequest");
    }
}
