//! What integration tests share: processes that are started, watched and ended, and the KES server.
//!
//! Use it from a test file with `mod support;`.

#![allow(dead_code)] // Each test file uses a part of it.

pub mod bucket;
pub mod kes;
pub mod process;
pub mod random;
pub mod store;

/// A count for a random test: from the variable, else the one of the tier (a user's run, CI, the long tier).
pub fn count(variable: &str, user: u64, ci: u64, long: u64) -> u64 {
    let set = |name: &str| std::env::var_os(name).is_some();
    let tier = if set("STRONGROOM_LONG") {
        long
    } else if set("CI") {
        ci
    } else {
        user
    };
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(tier)
}

/// The first seed of a random test: `STRONGROOM_SEED`, else `default`.
pub fn seed(default: u64) -> u64 {
    std::env::var("STRONGROOM_SEED").ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
