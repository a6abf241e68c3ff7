//! The clock, as a parameter: whoever needs the time is handed one, so that a test can set it.

use std::time::Duration;

/// Wall-clock time in nanoseconds since the Unix epoch, negative before it (POSIX `timespec`, as one number).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixNanos(pub i64);

/// Where the core takes the time from.
pub trait Clock: Send + Sync {
    /// Wall-clock time, as `CLOCK_REALTIME` tells it.
    fn now(&self) -> UnixNanos;
    /// Time since boot that runs on through a suspend (`CLOCK_BOOTTIME`); for intervals and leases.
    fn uptime(&self) -> Duration;
}

/// The clocks of the running kernel.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixNanos {
        let now = std::time::SystemTime::now();
        let nanos = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        UnixNanos(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
    }

    fn uptime(&self) -> Duration {
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
    }
}
