//! Times of the core as S3 tells them.

use s3s::dto::Timestamp;
use std::time::{Duration, SystemTime};
use strongroom::clock::UnixNanos;

/// A time for headers (whole seconds, cut off) and documents (milliseconds, cut off), so that both agree.
pub(crate) fn timestamp(time: UnixNanos) -> Timestamp {
    let distance = Duration::from_nanos(time.0.unsigned_abs());
    let system = if time.0 < 0 { SystemTime::UNIX_EPOCH - distance } else { SystemTime::UNIX_EPOCH + distance };
    Timestamp::from(system)
}

/// Whole seconds, for comparisons with what headers can say.
pub(crate) fn seconds(time: UnixNanos) -> i64 {
    time.0.div_euclid(1_000_000_000)
}

/// Seconds of a time that a header told, which has no fraction.
pub(crate) fn header_seconds(time: &Timestamp) -> Option<i64> {
    let mut text = Vec::new();
    time.format(s3s::dto::TimestampFormat::EpochSeconds, &mut text).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3s::dto::TimestampFormat;

    #[test]
    fn times_are_cut_off_and_agree() {
        let time = UnixNanos(1_767_323_045_999_999_999);
        let format = |format| {
            let mut out = Vec::new();
            timestamp(time).format(format, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(format(TimestampFormat::HttpDate), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(format(TimestampFormat::DateTime), "2026-01-02T03:04:05.999Z");
        assert_eq!(seconds(time), 1_767_323_045);
        let header = Timestamp::parse(TimestampFormat::HttpDate, "Fri, 02 Jan 2026 03:04:05 GMT").unwrap();
        assert_eq!(header_seconds(&header), Some(1_767_323_045));
    }

    #[test]
    fn no_time_is_out_of_range() {
        for nanos in [i64::MIN, -1, 0, i64::MAX] {
            let mut out = Vec::new();
            timestamp(UnixNanos(nanos)).format(TimestampFormat::HttpDate, &mut out).unwrap();
            assert!(out.len() <= 32);
        }
    }
}
