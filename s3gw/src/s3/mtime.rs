//! `x-amz-meta-mtime` and its kin: the POSIX time that sync tools send along (R11).

use std::collections::BTreeMap;
use strongroom::clock::UnixNanos;

/// The time that user metadata asks for, in the forms of rclone and s3fs (`mtime`, seconds with a fraction) and of AWS
/// (`file-mtime`, the same, or nanoseconds with the unit `ns`). What cannot be read asks for nothing.
pub(crate) fn of_metadata(user: &BTreeMap<String, String>) -> Option<UnixNanos> {
    ["mtime", "file-mtime"].iter().find_map(|name| parse(user.get(*name)?))
}

fn parse(text: &str) -> Option<UnixNanos> {
    let text = text.trim();
    if let Some(nanos) = text.strip_suffix("ns") {
        return nanos.parse().ok().map(UnixNanos);
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if seconds.is_empty() || !seconds.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = seconds.parse().ok()?;
    let nanos: i64 = format!("{:0<9}", fraction).get(..9)?.parse().ok()?;
    let total = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    Some(UnixNanos(if negative { -total } else { total }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        for (text, nanos) in [
            ("1595002920", Some(1_595_002_920_000_000_000)),
            ("1595002920.123456789", Some(1_595_002_920_123_456_789)),
            ("1595002920.1234567891", Some(1_595_002_920_123_456_789)),
            ("1.5", Some(1_500_000_000)),
            ("-1.5", Some(-1_500_000_000)),
            ("1595002920000000000ns", Some(1_595_002_920_000_000_000)),
            ("", None),
            ("yesterday", None),
            ("1e9", None),
            ("99999999999999999999", None),
            ("9999999999999", None),
        ] {
            assert_eq!(parse(text), nanos.map(UnixNanos), "{text}");
        }
    }
}
