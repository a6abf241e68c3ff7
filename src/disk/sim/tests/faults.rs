//! Planned failures, cuts within a call, and a full disk.

use std::{collections::BTreeSet, io::ErrorKind};

use nix::errno::Errno;

use super::{disk_with_file, read};
use crate::disk::{CallKind, Disk, SimDisk, is_power_off};

#[test]
fn the_nth_call_of_a_kind_fails_once() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    disk.fail_call(&[CallKind::Read], 2, Errno::EIO);
    read(&file, 0, 1).unwrap();
    assert_eq!(read(&file, 0, 1).unwrap_err().raw_os_error(), Some(Errno::EIO as i32));
    read(&file, 0, 1).unwrap();
    disk.fail_calls_from(&[CallKind::Create, CallKind::List], 1, Errno::ENOSPC);
    assert_eq!(disk.create("g").err().unwrap().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.list("").unwrap_err().kind(), ErrorKind::StorageFull);
    disk.heal();
    disk.create("g").unwrap();
    disk.fail_call(&[CallKind::Write], 1, Errno::EDQUOT);
    assert_eq!(file.write_at(0, &[b"x"]).unwrap_err().kind(), ErrorKind::StorageFull);
}

#[test]
fn calls_are_counted_by_kind() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    read(&file, 0, 1).unwrap();
    let _ = disk.create("f").err().unwrap();
    let counts = disk.counts();
    let expected = [
        (CallKind::Create, 2),
        (CallKind::Write, 1),
        (CallKind::Sync, 1),
        (CallKind::SyncDir, 1),
        (CallKind::Read, 1),
        (CallKind::Rename, 0),
    ];
    for (kind, count) in expected {
        assert_eq!(counts.of(kind), count, "{kind:?}");
    }
    assert_eq!(counts.mutating(), 5);
}

#[test]
fn a_cut_falls_into_the_nth_change_and_everything_later_fails() {
    for nth in 1..=6 {
        let mut outcomes = BTreeSet::new();
        for seed in 0..40 {
            let (disk, file) = disk_with_file(seed, 1, b'o');
            disk.cut_after(nth);
            let results = [
                file.write_at(0, &[&[b'n'; 4096]]),
                file.sync(),
                disk.create("g").map(drop),
                disk.rename("g", "h"),
                disk.create_dir("d"),
                disk.sync_dir(""),
            ];
            let failed = results.iter().position(Result::is_err).unwrap();
            assert_eq!(failed as u64 + 1, nth);
            assert!(results[failed..].iter().all(|result| is_power_off(result.as_ref().unwrap_err())));
            assert!(disk.is_off() && is_power_off(&read(&file, 0, 1).unwrap_err()));
            let found = disk.power_cut(seed);
            let names: Vec<_> = found.list("").unwrap().into_iter().map(|entry| entry.name).collect();
            outcomes.insert((found.read_all("f").unwrap(), names));
        }
        assert!(outcomes.len() > 1, "a cut in call {nth} has one outcome only");
    }
}

#[test]
fn a_write_that_fails_is_done_in_part() {
    let lens: BTreeSet<_> = (0..50)
        .map(|seed| {
            let (disk, file) = disk_with_file(seed, 0, 0);
            disk.fail_call(&[CallKind::Write], 1, Errno::EIO);
            file.write_at(0, &[&[b'n'; 100], &[b'm'; 100]]).unwrap_err();
            file.len().unwrap()
        })
        .collect();
    assert!(lens.len() > 10 && *lens.last().unwrap() <= 200);
}

#[test]
fn a_full_disk_says_so_and_heals() {
    let (disk, file) = disk_with_file(1, 4, b'o');
    disk.set_capacity(Some(8 * 4096));
    assert_eq!(disk.space().unwrap().available_bytes, 4 * 4096);
    file.allocate(4 * 4096, 3 * 4096).unwrap();
    assert_eq!(file.allocate(4 * 4096, 5 * 4096).unwrap_err().kind(), ErrorKind::StorageFull);
    file.write_at(0, &[&[b'n'; 7 * 4096]]).unwrap();
    let error = file.write_at(6 * 4096, &[&[b'n'; 3 * 4096]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 8 * 4096, "what fits is written");
    assert_eq!(disk.space().unwrap().available_bytes, 0);

    let other = disk.create("g").unwrap();
    assert_eq!(other.write_at(0, &[b"x"]).unwrap_err().kind(), ErrorKind::StorageFull);
    disk.remove_file("f").unwrap();
    assert_eq!(disk.space().unwrap().available_bytes, 0, "an open file keeps its space");
    drop(file);
    assert_eq!(disk.space().unwrap().available_bytes, 8 * 4096);
    other.write_at(0, &[b"x"]).unwrap();
    other.set_len(0).unwrap();
    assert_eq!(disk.space().unwrap().available_bytes, 8 * 4096);
}

#[test]
fn allocated_space_that_was_not_synced_may_be_lost() {
    let mut free = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed, 1, b'o');
        disk.set_capacity(Some(16 * 4096));
        file.allocate(0, 4 * 4096).unwrap();
        file.sync().unwrap();
        file.allocate(0, 8 * 4096).unwrap();
        free.insert(16 - disk.power_cut(seed).space().unwrap().available_bytes / 4096);
    }
    assert!(free.first() == Some(&4) && free.last() == Some(&8), "{free:?}");
}

#[test]
fn a_disk_may_be_used_by_many_threads() {
    let disk = SimDisk::new(1);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let disk = disk.clone();
            scope.spawn(move || {
                let file = disk.create(&format!("f{thread}")).unwrap();
                for at in 0..100 {
                    file.write_at(at * 100, &[&[thread; 100]]).unwrap();
                    file.sync().unwrap();
                }
                disk.sync_dir("").unwrap();
            });
        }
    });
    let found = disk.power_cut(1);
    for thread in 0..4_u8 {
        assert_eq!(found.read_all(&format!("f{thread}")).unwrap(), [thread; 10_000]);
    }
}
