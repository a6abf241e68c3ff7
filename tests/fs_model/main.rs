//! Random operations of both views against a reference model.
//!
//! `STRONGROOM_LONG=1` runs more than a million operations; `STRONGROOM_SEED=n` repeats one seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod driver;
mod model;

use driver::Driver;
use strongroom::fs::FsError;

/// Seeds that failed once, and must not again: 30 copied a symbolic link onto itself.
const REGRESSIONS: [(u64, usize); 1] = [(30, 2_000)];

/// The name of an error.
fn kind(error: &FsError) -> &'static str {
    match error {
        FsError::NotFound => "NotFound",
        FsError::Exists => "Exists",
        FsError::NotDir => "NotDir",
        FsError::IsDir => "IsDir",
        FsError::NotEmpty => "NotEmpty",
        FsError::NameTooLong => "NameTooLong",
        FsError::InvalidName(_) => "InvalidName",
        FsError::InvalidArgument(_) => "InvalidArgument",
        FsError::NoSpace => "NoSpace",
        FsError::ReadOnly(_) => "ReadOnly",
        FsError::NotPermitted(_) => "NotPermitted",
        FsError::NoAttr => "NoAttr",
        FsError::AttrExists => "AttrExists",
        FsError::PreconditionFailed(_) => "PreconditionFailed",
        other => panic!("an error that no operation of the model expects: {other}"),
    }
}

fn run(seed: u64, operations: usize) {
    println!("seed {seed}, {operations} operations");
    let mut driver = Driver::new(seed);
    for step in 0..operations {
        driver.step(step);
    }
    driver.finish();
}

#[test]
fn both_views_agree_with_the_model() {
    if let Ok(seed) = std::env::var("STRONGROOM_SEED") {
        return run(seed.parse().unwrap(), 20_000);
    }
    let long = std::env::var_os("STRONGROOM_LONG").is_some();
    let (seeds, operations) = if long { (40, 30_000) } else { (6, 10_000) };
    for seed in 1..=seeds {
        run(seed, operations);
    }
}

#[test]
fn seeds_that_failed_once_pass() {
    for (seed, operations) in REGRESSIONS {
        run(seed, operations);
    }
}
