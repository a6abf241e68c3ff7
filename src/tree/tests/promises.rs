//! What the bucket relies on, one promise a test.

use super::fixture::{DIR, House, contents, delete, install, put, small_shape};
use crate::{
    disk::{CallKind, Disk},
    tree::{TreeError, TreeShape},
};
use bytes::Bytes;
use nix::errno::Errno;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

fn house() -> House {
    House::new(9, small_shape())
}

fn table_files(house: &House) -> usize {
    house.disk.list(&format!("{DIR}/table")).unwrap().len()
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    put(&tree, 1, b"k", b"one");
    let first = tree.snapshot();
    put(&tree, 2, b"k", b"two");
    let second = tree.snapshot();
    delete(&tree, 3, b"k");
    for step in 0..3 {
        assert_eq!(first.get(b"k").unwrap().as_deref(), Some(&b"one"[..]), "step {step}");
        assert_eq!(second.get(b"k").unwrap().as_deref(), Some(&b"two"[..]), "step {step}");
        assert_eq!(tree.snapshot().get(b"k").unwrap(), None, "step {step}");
        assert_eq!(tree.oldest_snapshot(), 1);
        match step {
            0 => house.flush(&tree),
            _ => {
                let job = tree.pick_full_compaction().unwrap();
                install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
            }
        }
    }
    assert_eq!(tree.tables()[0].entry_count, 3);
    drop((first, second));
    assert_eq!(tree.oldest_snapshot(), 3);
    let job = tree.pick_full_compaction().unwrap();
    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
    assert_eq!(tree.tables(), Vec::new(), "a deletion at the bottom leaves nothing");
}

#[test]
fn a_hot_key_costs_one_entry() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    for seq in 1..=10_000 {
        put(&tree, seq, b"count", &[1; 100]);
    }
    assert!(tree.debt().active_bytes < 1000, "{:?}", tree.debt());
    house.flush(&tree);
    assert_eq!(tree.tables()[0].entry_count, 1);
    assert_eq!(tree.tables()[0].max_seq, 10_000);
}

#[test]
fn a_flushed_table_survives_a_power_cut_before_its_edit_is_given() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    for seq in 1..=500u64 {
        put(&tree, seq, &seq.to_be_bytes(), b"value");
    }
    tree.freeze();
    let edit = tree.write_frozen(house.files.as_ref()).unwrap().unwrap();
    assert_eq!(edit.flushed_through, Some(500));
    for seed in 0..20 {
        let found = house.disk.fork().power_cut(seed);
        let report = crate::tree::verify_table(&found, DIR, &edit.added[0], house.files.as_ref()).unwrap();
        assert_eq!((report.findings, report.entries), (Vec::new(), 500));
    }
    let found = house.disk.power_cut(1);
    let report = crate::tree::verify_table(&found, DIR, &edit.added[0], house.files.as_ref()).unwrap();
    assert_eq!((report.findings, report.entries), (Vec::new(), 500));
}

#[test]
fn a_flush_that_fails_leaves_everything_readable_and_no_file() {
    for kind in [CallKind::Create, CallKind::Write, CallKind::Sync] {
        for (errno, full) in [(Errno::EIO, false), (Errno::ENOSPC, true)] {
            let house = house();
            let tree = house.tree(Vec::new(), 0);
            put(&tree, 1, b"a", b"1");
            tree.freeze();
            put(&tree, 2, b"b", b"2");
            house.disk.fail_call(&[kind], 1, errno);
            let error = tree.write_frozen(house.files.as_ref()).unwrap_err();
            assert_eq!(matches!(error, TreeError::NoSpace), full, "{error}");
            assert_eq!(table_files(&house), 0);
            assert_eq!(contents(&tree).len(), 2);
            house.flush(&tree);
            assert_eq!(contents(&tree).len(), 2);
            assert_eq!(tree.debt().frozen_memtables, 0);
        }
    }
}

#[test]
fn a_compaction_that_fails_or_is_cancelled_changes_nothing() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    let mut seq = 0;
    for round in 0..4u64 {
        for n in 0..600u64 {
            seq += 1;
            put(&tree, seq, &(n * 4 + round).to_be_bytes(), &[7; 60]);
        }
        house.flush(&tree);
    }
    let before = contents(&tree);
    let files = table_files(&house);
    assert!(tree.debt().level0_tables == 4 && tree.debt().excess_bytes > 0);
    let cancel = AtomicBool::new(true);
    let job = tree.pick_compaction().unwrap();
    let error = tree.run_compaction(job, house.files.as_ref(), &cancel).unwrap_err();
    assert!(matches!(error, TreeError::Cancelled));
    cancel.store(false, Ordering::Relaxed);
    let mut failed = 0;
    for nth in 1.. {
        house.disk.fail_call(&[CallKind::Create, CallKind::Write, CallKind::Sync, CallKind::SyncDir], nth, Errno::EIO);
        let job = tree.pick_compaction().unwrap();
        assert!(!job.is_trivial_move() && job.input_bytes() > 0);
        let outcome = tree.run_compaction(job, house.files.as_ref(), &cancel);
        house.disk.heal();
        match outcome {
            Ok(edit) => {
                install(&tree, edit);
                break;
            }
            Err(_) => failed += 1,
        }
        assert_eq!(table_files(&house), files, "call {nth}");
        assert_eq!(contents(&tree), before, "call {nth}");
    }
    assert!(failed > 10, "{failed}");
    assert_eq!(contents(&tree), before);
    house.clean(&tree);
    assert_eq!(table_files(&house), tree.tables().len());
}

#[test]
fn tables_stay_as_long_as_a_snapshot_reads_them() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    for seq in 1..=200u64 {
        put(&tree, seq, &seq.to_be_bytes(), b"old");
    }
    house.flush(&tree);
    let snapshot = tree.snapshot();
    let job = tree.pick_full_compaction().unwrap();
    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
    assert_eq!(tree.take_obsolete(), Vec::new());
    let mut cursor = snapshot.range(&[], None);
    drop(snapshot);
    assert_eq!(tree.take_obsolete(), Vec::new(), "a cursor holds its snapshot");
    assert!(cursor.next().unwrap().is_some());
    drop(cursor);
    assert_eq!(tree.take_obsolete().len(), 1);
    assert_eq!(tree.take_obsolete(), Vec::new(), "each is given once");
}

#[test]
fn a_table_without_overlap_moves_without_being_written() {
    let house = House::new(5, TreeShape { level0_tables: 1, ..small_shape() });
    let tree = house.tree(Vec::new(), 0);
    put(&tree, 1, b"a", b"1");
    house.flush(&tree);
    let number = tree.tables()[0].file_number;
    let job = tree.pick_compaction().unwrap();
    assert!(job.is_trivial_move());
    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
    assert_eq!((tree.tables()[0].file_number, tree.tables()[0].level), (number, 1));
    assert_eq!(tree.snapshot().get(b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(tree.take_obsolete(), Vec::new(), "its file is in force");
    // A snapshot from before the move still reads the file after it left the newest version.
    put(&tree, 2, b"b", b"2");
    house.flush(&tree);
    let snapshot = tree.snapshot();
    let job = tree.pick_compaction().unwrap();
    assert!(job.is_trivial_move());
    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
    let job = tree.pick_full_compaction().unwrap();
    install(&tree, tree.run_compaction(job, house.files.as_ref(), &AtomicBool::new(false)).unwrap());
    assert_eq!(tree.take_obsolete(), Vec::new());
    assert_eq!(snapshot.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
    drop(snapshot);
    assert_eq!(tree.take_obsolete().len(), 2);
}

#[test]
fn a_locked_tree_reads_nothing_and_keeps_no_block() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    put(&tree, 1, b"a", b"1");
    house.flush(&tree);
    put(&tree, 2, b"b", b"2");
    let snapshot = tree.snapshot();
    let mut cursor = snapshot.range(&[], None);
    assert!(cursor.next().unwrap().is_some());
    assert!(house.cache.bytes() > 0);
    tree.lock();
    assert!(matches!(snapshot.get(b"a"), Err(TreeError::Locked)));
    assert!(matches!(snapshot.get(b"b"), Err(TreeError::Locked)));
    assert!(matches!(cursor.next(), Err(TreeError::Locked)));
    assert!(matches!(tree.snapshot().range(&[], None).next(), Err(TreeError::Locked)));
    assert_eq!(house.cache.bytes(), 0);
    house.files.keys.revoke();
    let again = house.tree(tree.tables(), 2);
    assert!(matches!(again.snapshot().get(b"a"), Err(TreeError::Locked)));
}

#[test]
fn the_cache_and_the_descriptors_stay_within_their_budgets() {
    let house = house();
    let tree = house.tree(Vec::new(), 0);
    for seq in 1..=20_000u64 {
        put(&tree, seq, &seq.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(), &[3; 50]);
        if seq % 4000 == 0 {
            house.flush(&tree);
            while house.compact(&tree) {}
            house.clean(&tree);
        }
    }
    assert!(tree.tables().len() > 20);
    assert_eq!(contents(&tree).len(), 20_000);
    assert!(house.cache.bytes() <= 256 * 1024);
    assert!(house.open.open_files() <= 4);
    house.cache.set_budget(0);
    assert_eq!(house.cache.bytes(), 0);
}

#[test]
fn a_warm_lookup_reads_nothing_and_a_cold_one_a_block_a_level() {
    let house = House::new(5, TreeShape { level0_tables: 2, ..small_shape() });
    house.cache.set_budget(64 << 20);
    let tree = house.tree(Vec::new(), 0);
    for seq in 1..=8_000u64 {
        put(&tree, seq, &seq.to_be_bytes(), &[3; 50]);
        if seq % 1000 == 0 {
            house.flush(&tree);
            while house.compact(&tree) {}
        }
    }
    let snapshot = tree.snapshot();
    let reads = || house.disk.counts().of(CallKind::Read);
    // Index partitions get hot.
    (1..=8_000u64).step_by(10).for_each(|n| assert!(snapshot.get(&n.to_be_bytes()).unwrap().is_some()));
    let before = reads();
    (1..=8_000u64).step_by(10).for_each(|n| assert!(snapshot.get(&n.to_be_bytes()).unwrap().is_some()));
    assert_eq!(reads(), before);
    (1..=8_000u64).for_each(|n| assert!(snapshot.get(&[&n.to_be_bytes()[..], b"x"].concat()).unwrap().is_none()));
    let absent = reads() - before;
    assert!(absent < 200, "the filter keeps most of 8000 look-ups from reading: {absent}");
}

#[test]
fn readers_and_a_writer_and_compaction_run_together() {
    let house = Arc::new(house());
    let tree = Arc::new(house.tree(Vec::new(), 0));
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (tree, done) = (Arc::clone(&tree), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut rounds = 0;
                while !done.load(Ordering::Relaxed) {
                    let snapshot = tree.snapshot();
                    // Each batch writes the same value to all eight keys.
                    let values: Vec<_> = (0..8u8).map(|n| snapshot.get(&[n]).unwrap()).collect();
                    assert!(values.windows(2).all(|pair| pair[0] == pair[1]), "{} {values:?}", snapshot.seq());
                    let mut cursor = snapshot.range(&[0], Some(&[8]));
                    while let Some((_, value)) = cursor.next().unwrap() {
                        assert_eq!(Some(value), values[0]);
                    }
                    rounds += 1;
                }
                rounds
            })
        })
        .collect();
    let background = {
        let (house, tree, done) = (Arc::clone(&house), Arc::clone(&tree), Arc::clone(&done));
        std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                while let Some(edit) = tree.write_frozen(house.files.as_ref()).unwrap() {
                    install(&tree, edit);
                }
                while house.compact(&tree) {}
                house.clean(&tree);
            }
        })
    };
    for seq in 1..=6_000u64 {
        let value = Bytes::copy_from_slice(&seq.to_be_bytes());
        let filler = [&[9], &seq.to_le_bytes()[..]].concat();
        let keys = (0..8u8).map(|n| [n]).collect::<Vec<_>>();
        let batch = keys.iter().map(|key| (&key[..], Some(value.clone())));
        tree.apply(seq, batch.chain([(&filler[..], Some(value.clone()))]));
        if seq % 300 == 0 {
            tree.freeze();
        }
    }
    done.store(true, Ordering::Relaxed);
    background.join().unwrap();
    assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
}
