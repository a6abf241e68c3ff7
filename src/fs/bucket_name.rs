//! Which names a bucket may have: S3's rules for general purpose buckets.

use super::{FsError, FsResult};

/// Names that the endpoint answers itself.
const RESERVED: [&str; 1] = ["minio"];
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 4] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3"];

/// Checks a name.
pub(super) fn check(name: &str) -> FsResult<()> {
    let fail = |rule| Err(FsError::InvalidName(rule));
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !(3..=63).contains(&name.len()) {
        return fail("a bucket's name has 3 to 63 characters");
    }
    if !name.bytes().all(allowed) {
        return fail("a bucket's name has lower-case letters, digits, hyphens and dots only");
    }
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !edge(name.bytes().next()) || !edge(name.bytes().next_back()) {
        return fail("a bucket's name begins and ends with a letter or a digit");
    }
    if name.contains("..") || name.contains(".-") || name.contains("-.") {
        return fail("a bucket's name has no empty label");
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return fail("a bucket's name does not look like an address");
    }
    let reserved = RESERVED.contains(&name)
        || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if reserved { fail("this bucket name is reserved") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_s3() {
        for good in ["abc", "my-bucket", "a.b.c", "0ab", "a--b", &"x".repeat(63)] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "x".repeat(64);
        let bad =
            ["", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "a.-b", "192.168.1.1", "xn--abc", "minio", &long];
        for bad in bad {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
