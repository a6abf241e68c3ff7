//! The daemon over a real KES, under the documented policy: create, generate and decrypt, nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;
#[path = "../../tests/support/mod.rs"]
mod support;

use common::daemon::{Place, refusal};
use std::{fs, path::Path, process::Command};
use support::kes::{DOCUMENTED_PATHS, KesServer};

const KEY: &str = "app-default";
const BUCKETS: usize = 3;
const FILES: usize = 60;

fn over_kes(place: &Place, kes: &KesServer) -> Command {
    let mut command = place.command(&["--no-s3"]);
    command.envs(kes.environment(KEY));
    command
}

fn content(bucket: usize, file: usize) -> Vec<u8> {
    (0..file * 997).map(|i| ((i * (bucket + 3)) >> 3) as u8).collect()
}

fn assert_whole(mnt: &Path) {
    for bucket in 0..BUCKETS {
        for file in 0..FILES {
            let found = fs::read(mnt.join(format!("bucket-{bucket}/dir/{file}"))).unwrap();
            assert!(found == content(bucket, file), "bucket {bucket}, file {file}");
        }
    }
}

/// The paths in the audit log.
fn audited(kes: &KesServer) -> Vec<String> {
    let path = |line: &str| line.split("req.path=").nth(1)?.split(' ').next().map(str::to_owned);
    kes.log().lines().filter_map(path).collect()
}

#[test]
fn a_tree_is_read_back_after_both_were_restarted() {
    let Some(mut kes) = KesServer::start(&DOCUMENTED_PATHS) else {
        return;
    };
    let place = Place::new();
    let daemon = place.start_command(over_kes(&place, &kes));
    for bucket in 0..BUCKETS {
        let dir = place.mnt().join(format!("bucket-{bucket}/dir"));
        fs::create_dir_all(&dir).unwrap();
        for file in 0..FILES {
            fs::write(dir.join(file.to_string()), content(bucket, file)).unwrap();
        }
    }
    assert_whole(&place.mnt());
    // KES 0.24 writes only changes of keys to its audit log: files and buckets make none. That generate and decrypt are
    // called by the bucket is counted in tests/store_keys.rs.
    assert_eq!(audited(&kes), [format!("/v1/key/create/{KEY}")]);
    daemon.stop();

    kes.stop();
    let message = refusal(over_kes(&place, &kes));
    assert!(
        message.contains(KEY) && message.contains(&kes.endpoint()),
        "it says which key it wants, and of whom: {message}"
    );

    kes.restart();
    let daemon = place.start_command(over_kes(&place, &kes));
    assert_whole(&place.mnt());
    assert_eq!(audited(&kes).len(), 1, "nothing was made anew");
    daemon.stop();
}
