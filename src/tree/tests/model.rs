//! The tree against a `BTreeMap`, with snapshots, flushes, compactions and reopening in between.

use super::fixture::{House, Numbers, contents, install, small_shape};
use crate::tree::{Tree, TreeSnapshot};
use bytes::Bytes;
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn key(numbers: &mut Numbers, space: u64) -> Vec<u8> {
    // Few long shared prefixes, some keys that are prefixes of others, some with zeros and 0xff.
    let n = numbers.below(space);
    match n % 7 {
        0 => format!("directory/{:04}/", n / 50).into_bytes(),
        1 => [&b"a\x00\xff"[..], &n.to_be_bytes()[5..]].concat(),
        2 => vec![b'p'; usize::try_from(n % 40).unwrap()],
        _ => format!("directory/{:04}/name-{n:05}", n / 50).into_bytes(),
    }
}

fn value(numbers: &mut Numbers) -> Vec<u8> {
    let len = match numbers.below(40) {
        0 => 0,
        1 => 2000,
        n => 4 * n,
    };
    let byte = u8::try_from(numbers.below(256)).unwrap();
    vec![byte; usize::try_from(len).unwrap()]
}

fn check(snapshot: &TreeSnapshot, model: &Model, numbers: &mut Numbers, space: u64) {
    for _ in 0..20 {
        let key = key(numbers, space);
        assert_eq!(snapshot.get(&key).unwrap().as_deref(), model.get(&key).map(Vec::as_slice), "{key:?}");
    }
    let (mut start, mut end) = (key(numbers, space), key(numbers, space));
    if start > end {
        std::mem::swap(&mut start, &mut end);
    }
    let mut cursor = snapshot.range(&start, Some(&end));
    let mut expected = model.range(start..end.clone()).peekable();
    while let Some((key, value)) = cursor.next().unwrap() {
        assert_eq!(expected.next(), Some((&key.to_vec(), &value.to_vec())));
        if numbers.below(16) == 0 {
            let target = self::key(numbers, space);
            cursor.seek(&target);
            while expected.peek().is_some_and(|(key, _)| **key < target) {
                expected.next();
            }
        }
    }
    assert_eq!(expected.next(), None);
    assert!(cursor.next().unwrap().is_none());
}

/// Runs `steps` batches; returns the number of single changes and reads.
fn run(seed: u64, steps: u64) -> u64 {
    println!("seed {seed}");
    let house = House::new(seed, small_shape());
    let mut tree: Tree = house.tree(Vec::new(), 0);
    let mut numbers = Numbers::new(seed);
    let mut model = Model::new();
    let mut snapshots: Vec<(TreeSnapshot, Model)> = Vec::new();
    let space = 3000;
    let mut seq = 0;
    let mut operations = 0;
    for _ in 0..steps {
        match numbers.below(400) {
            0..=1 => house.flush(&tree),
            2 => drop(house.compact(&tree)),
            3 => while house.compact(&tree) {},
            4 => {
                snapshots.push((tree.snapshot(), model.clone()));
                assert_eq!(tree.snapshot().seq(), seq);
            }
            5 if !snapshots.is_empty() => {
                let at = usize::try_from(numbers.below(snapshots.len() as u64)).unwrap();
                snapshots.swap_remove(at);
            }
            6 => {
                house.flush(&tree);
                snapshots.clear();
                house.clean(&tree);
                let tables = tree.tables();
                drop(tree);
                tree = house.tree(tables, seq);
            }
            7 => house.clean(&tree),
            8 => {
                // A freeze, with the flush later on.
                tree.freeze();
            }
            9 if numbers.below(8) == 0 => {
                house.flush(&tree);
                if let Some(job) = tree.pick_full_compaction() {
                    assert!(tree.pick_compaction().is_none(), "one at a time");
                    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
                }
            }
            10..=14 => {
                check(&tree.snapshot(), &model, &mut numbers, space);
                let at = usize::try_from(numbers.below(snapshots.len().max(1) as u64)).unwrap();
                if let Some((snapshot, then)) = snapshots.get(at) {
                    check(snapshot, then, &mut numbers, space);
                }
                operations += 100;
            }
            _ => {
                seq += 1 + numbers.below(2);
                let mut changes = BTreeMap::new();
                for _ in 0..=numbers.below(12) {
                    let key = key(&mut numbers, space);
                    let change = (numbers.below(3) != 0).then(|| value(&mut numbers));
                    changes.insert(key, change);
                }
                operations += changes.len() as u64;
                tree.apply(seq, changes.iter().map(|(key, value)| (key.as_slice(), value.clone().map(Bytes::from))));
                for (key, value) in changes {
                    match value {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
            }
        }
        let oldest = snapshots.iter().map(|(snapshot, _)| snapshot.seq()).min().unwrap_or(seq);
        assert_eq!(tree.oldest_snapshot(), oldest);
    }
    for (snapshot, then) in &snapshots {
        (0..20).for_each(|_| check(snapshot, then, &mut numbers, space));
    }
    let all: Vec<_> = model.into_iter().collect();
    assert_eq!(contents(&tree), all);
    house.flush(&tree);
    while house.compact(&tree) {}
    assert_eq!(contents(&tree), all);
    for meta in tree.tables() {
        let disk = &house.disk;
        let report = crate::tree::verify_table(disk, super::fixture::DIR, &meta, house.files.as_ref()).unwrap();
        assert_eq!((report.findings, report.entries), (Vec::new(), meta.entry_count));
    }
    operations
}

#[test]
fn the_tree_holds_what_a_map_holds() {
    let long = std::env::var_os("STRONGROOM_LONG").is_some();
    let (seeds, steps) = if long { (40, 40_000) } else { (4, 8_000) };
    let operations: u64 = (1..=seeds).map(|seed| run(seed, steps)).sum();
    assert!(operations >= 200_000, "{operations}");
}
