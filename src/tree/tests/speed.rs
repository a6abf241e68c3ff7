//! Figures, on demand: `cargo test --release -p strongroom --lib tree::tests::speed -- --ignored --nocapture`.

use super::fixture::{House, Numbers};
use crate::tree::TreeShape;
use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use std::{sync::Arc, time::Duration};

/// CPU time of this thread: what else the machine does counts less.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

fn rate(what: &str, count: u64, since: Duration) {
    let secs = (now() - since).as_secs_f64();
    println!("{what}: {:.0} k/s", f64::from(u32::try_from(count).unwrap()) / secs / 1000.0);
}

fn key(n: u64) -> Vec<u8> {
    format!("e/{:08x}/name-{n:08}", n / 1000).into_bytes()
}

#[test]
#[ignore = "prints figures"]
fn speed() {
    let mut house = House::new(1, TreeShape::default());
    house.cache = Arc::new(crate::tree::BlockCache::new(512 << 20));
    let tree = house.tree(Vec::new(), 0);
    let count = 1_000_000;
    let mut numbers = Numbers::new(1);
    let keys: Vec<Vec<u8>> = (0..count).map(|_| key(numbers.below(count))).collect();
    let value = Bytes::from(vec![5; 150]);
    let start = now();
    for (seq, batch) in keys.chunks(10).enumerate() {
        tree.apply(seq as u64 + 1, batch.iter().map(|key| (key.as_slice(), Some(value.clone()))));
        if seq % 20_000 == 19_999 {
            tree.freeze();
        }
    }
    rate("inserts", count, start);
    println!("{:?}", tree.debt());
    let scan = |what: &str| {
        let start = now();
        let mut cursor = tree.snapshot().range(b"", None);
        let mut seen = 0;
        while cursor.next().unwrap().is_some() {
            seen += 1;
        }
        rate(what, seen, start);
    };
    let gets = |what: &str| {
        let snapshot = tree.snapshot();
        let start = now();
        for key in keys.iter().take(400_000) {
            assert!(snapshot.get(key).unwrap().is_some());
        }
        rate(what, 400_000, start);
    };
    gets("gets from memory");
    scan("scan of memory");
    let start = now();
    house.flush(&tree);
    rate("flush, entries", count, start);
    gets("gets, 5 tables of level 0, cold to warm");
    gets("gets, 5 tables of level 0");
    scan("scan, 5 tables of level 0");
    let start = now();
    while house.compact(&tree) {}
    rate("compaction, entries", count, start);
    println!("{} tables", tree.tables().len());
    gets("gets, one level, cold to warm");
    gets("gets, one level");
    scan("scan, one level");
    let snapshot = tree.snapshot();
    let start = now();
    for key in keys.iter().take(200_000) {
        let mut cursor = snapshot.range(key, None);
        for _ in 0..5 {
            std::hint::black_box(cursor.next().unwrap());
        }
    }
    rate("seeks with 5 entries", 200_000, start);
    let start = now();
    (0..1_000_000).for_each(|_| drop(std::hint::black_box(tree.snapshot())));
    rate("snapshots", 1_000_000, start);
}
