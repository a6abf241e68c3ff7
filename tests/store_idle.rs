//! Idle buckets cost no open file, no memory but their record, and little disk (DESIGN 4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod support;

use std::{sync::Arc, time::Duration};
use strongroom::{
    disk::SimDisk,
    fs::{Conditions, PutOptions, RootAttributes},
    kms::{KeyName, MemoryKms},
};
use support::store::{Ground, open};

#[test]
fn idle_buckets_are_closed_and_opened_again_when_asked_for() {
    let buckets = support::count("STRONGROOM_BUCKETS", 100, 300, 1_000) as usize;
    let kms = Arc::new(MemoryKms::new(KeyName::new("key").unwrap()).unwrap());
    let ground = Ground { disk: SimDisk::new(1), kms };
    let store = open(&ground).unwrap();
    let put = |name: &str, content: &[u8]| {
        let namespace = store.catalog().namespace(name).unwrap();
        let mut writer = namespace.begin_put(b"file", PutOptions::default()).unwrap();
        writer.write(content).unwrap();
        writer.finish(&Conditions::default()).unwrap();
    };
    let before: u64 = ground.disk.files().iter().map(|(_, len)| len).sum();
    for index in 0..buckets {
        let name = format!("bucket-{index}");
        store.catalog().create_bucket(&name, RootAttributes::default(), store.default_key()).unwrap();
        if index % 2 == 0 {
            put(&name, name.as_bytes());
        }
        // What the worker does in its rounds.
        store.catalog().close_idle(Duration::from_secs(300), 16).unwrap();
        assert!(store.storage().1.len() <= 17, "only so many stay open");
    }
    let held = store.catalog().namespace("bucket-0").unwrap();
    while store.storage().1.len() > 1 {
        store.catalog().close_idle(Duration::ZERO, 0).unwrap();
    }
    assert_eq!(held.head_object(b"file").unwrap().size, 8, "a bucket in use stays open");
    drop(held);
    store.catalog().close_idle(Duration::ZERO, 0).unwrap();
    assert_eq!(store.storage().1.len(), 0);
    let each = (ground.disk.files().iter().map(|(_, len)| len).sum::<u64>() - before) / buckets as u64;
    println!("{each} bytes of disk for each of {buckets} idle buckets, half of them with a file");
    assert!(each < 96 << 10, "{each} bytes for an idle bucket");
    for index in (0..buckets).step_by(2) {
        let name = format!("bucket-{index}");
        let info = store.catalog().namespace(&name).unwrap().head_object(b"file").unwrap();
        assert_eq!(info.size, name.len() as u64);
    }
}
