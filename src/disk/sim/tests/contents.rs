//! What cuts, kills and failed syncs do to the bytes of files.

use std::{collections::BTreeSet, sync::Arc};

use nix::errno::Errno;

use super::{disk_with_file, read};
use crate::disk::{CallKind, CutMood, Disk, SimDisk, is_power_off};

#[test]
fn what_was_synced_survives_every_cut() {
    for seed in 0..300 {
        let (disk, file) = disk_with_file(seed, 3, 7);
        file.write_at(5000, &[b"after", b"wards"]).unwrap();
        file.sync().unwrap();
        let expected = disk.read_all("f").unwrap();
        let found = disk.power_cut(seed);
        assert_eq!(found.read_all("f").unwrap(), expected, "seed {seed}");
        assert_eq!(found.files(), [("f".to_owned(), 3 * 4096)]);
    }
}

#[test]
fn unsynced_pages_are_lost_kept_or_torn_each_on_its_own() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..400 {
        let (disk, file) = disk_with_file(1, 2, b'o');
        file.write_at(0, &[&[b'n'; 8192]]).unwrap();
        let bytes = disk.power_cut_with(seed, CutMood::Thirds).read_all("f").unwrap();
        assert_eq!(bytes.len(), 8192);
        let kinds: Vec<char> = bytes
            .chunks(4096)
            .map(|page| {
                for sector in page.chunks(512) {
                    assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector was torn");
                }
                match (page.contains(&b'o'), page.contains(&b'n')) {
                    (true, false) => 'o',
                    (false, true) => 'n',
                    _ => 't',
                }
            })
            .collect();
        outcomes.insert((kinds[0], kinds[1]));
    }
    assert_eq!(outcomes.len(), 9, "{outcomes:?}");
}

#[test]
fn lost_pages_of_a_new_file_are_zeros_or_absent() {
    let mut lens = BTreeSet::new();
    for seed in 0..300 {
        let disk = SimDisk::new(seed);
        let file = disk.create("f").unwrap();
        disk.sync_dir("").unwrap();
        file.write_at(0, &[&[b'n'; 10_000]]).unwrap();
        let bytes = disk.power_cut(seed).read_all("f").unwrap();
        assert!(bytes.iter().all(|byte| matches!(byte, 0 | b'n')));
        lens.insert(bytes.len());
    }
    assert_eq!(lens, BTreeSet::from([0, 4096, 8192, 10_000]));
}

#[test]
fn a_page_behind_a_lost_length_does_not_come_back() {
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed, 1, b'o');
        file.write_at(100, &[&[b'n'; 8000]]).unwrap();
        let found = disk.power_cut(seed);
        let len = found.files()[0].1;
        let file = found.open("f").unwrap();
        file.set_len(20_000).unwrap();
        let rest = read(&file, len, 20_000 - usize::try_from(len).unwrap()).unwrap();
        assert!(rest.iter().all(|byte| *byte == 0), "seed {seed}");
    }
}

#[test]
fn a_truncation_is_lost_or_kept_and_its_pages_read_as_zero_meanwhile() {
    let mut lens = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed, 3, b'o');
        file.set_len(5000).unwrap();
        file.set_len(12_288).unwrap();
        assert_eq!(read(&file, 4999, 7289).unwrap()[..2], [b'o', 0]);
        assert!(read(&file, 5000, 7288).unwrap().iter().all(|byte| *byte == 0));
        file.set_len(5000).unwrap();
        let found = disk.power_cut(seed).read_all("f").unwrap();
        assert!(found[..5000].iter().all(|byte| *byte == b'o'));
        lens.insert(found.len());
    }
    assert_eq!(lens, BTreeSet::from([5000, 12_288]));
}

#[test]
fn the_moods_of_nothing_and_everything_are_exact() {
    let (disk, file) = disk_with_file(1, 4, b'o');
    file.write_at(4096, &[&[b'n'; 16_384]]).unwrap();
    disk.create("g").unwrap();
    let lost = disk.fork().power_cut_with(3, CutMood::AllLost);
    assert_eq!(lost.read_all("f").unwrap(), vec![b'o'; 16_384]);
    assert!(lost.read_all("g").is_err());
    let kept = disk.power_cut_with(3, CutMood::AllKept);
    assert_eq!(kept.read_all("f").unwrap()[4096..], [b'n'; 16_384]);
    assert_eq!(kept.files().len(), 2);
}

#[test]
fn a_version_between_two_writes_may_be_what_is_found() {
    let mut found = BTreeSet::new();
    for seed in 0..100 {
        let (disk, file) = disk_with_file(seed, 1, b'0');
        for version in [b"1", b"2"] {
            file.write_at(0, &[version]).unwrap();
        }
        found.insert(disk.power_cut_with(seed, CutMood::AllLost).read_all("f").unwrap()[0]);
    }
    assert_eq!(found, BTreeSet::from([b'0', b'1']));
    let (disk, file) = disk_with_file(1, 1, b'0');
    disk.set_early_writeback(false);
    for _ in 0..100 {
        file.write_at(0, &[b"1"]).unwrap();
    }
    assert_eq!(disk.power_cut_with(1, CutMood::AllLost).read_all("f").unwrap()[0], b'0');
}

#[test]
fn a_kill_loses_nothing_but_syncs_nothing() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    file.write_at(0, &[b"new"]).unwrap();
    disk.create("g").unwrap();
    let next = disk.kill();
    for error in [file.read_at(0, &mut [0]).unwrap_err(), disk.list("").unwrap_err(), file.sync().unwrap_err()] {
        assert!(is_power_off(&error), "{error}");
    }
    assert!(next.read_all("f").unwrap().starts_with(b"newo"));
    assert_eq!(next.files().len(), 2);
    let lost = next.power_cut_with(1, CutMood::AllLost);
    assert!(lost.read_all("f").unwrap().starts_with(b"ooo"));
    assert_eq!(lost.files().len(), 1);
}

#[test]
fn after_a_failed_sync_the_cache_lies_until_it_is_forgotten() {
    let mut truths = BTreeSet::new();
    for seed in 0..60 {
        let (disk, file) = disk_with_file(seed, 1, b'o');
        file.write_at(0, &[&[b'n'; 4096]]).unwrap();
        disk.fail_call(&[CallKind::Sync], 1, Errno::EIO);
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(Errno::EIO as i32));
        file.sync().unwrap();
        assert_eq!(read(&file, 0, 4096).unwrap(), [b'n'; 4096], "the cache still has it");
        let cut = disk.fork().power_cut_with(seed, CutMood::AllKept).read_all("f").unwrap();
        file.forget_cache().unwrap();
        let truth = read(&file, 0, 4096).unwrap();
        assert_eq!(truth, cut, "what the cache hid is what a cut finds");
        truths.insert((truth.contains(&b'o'), truth.contains(&b'n')));
    }
    assert_eq!(truths.len(), 3, "lost, kept and torn");
}

#[test]
fn a_page_written_again_after_a_failed_sync_is_synced_whole() {
    for seed in 0..20 {
        let (disk, file) = disk_with_file(seed, 1, b'o');
        file.write_at(0, &[&[b'n'; 4096]]).unwrap();
        disk.fail_call(&[CallKind::Sync], 1, Errno::EIO);
        file.sync().unwrap_err();
        file.write_at(9, &[b"m"]).unwrap();
        file.sync().unwrap();
        file.forget_cache().unwrap();
        assert_eq!(read(&file, 0, 8).unwrap(), b"nnnnnnnn");
    }
}

#[test]
fn forgetting_the_cache_loses_no_dirty_page() {
    let (_disk, file) = disk_with_file(1, 1, b'o');
    file.write_at(0, &[b"new"]).unwrap();
    file.forget_cache().unwrap();
    assert_eq!(read(&file, 0, 3).unwrap(), b"new");
}

#[test]
fn a_fork_goes_its_own_way() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    file.write_at(0, &[b"new"]).unwrap();
    let fork = disk.fork();
    file.write_at(0, &[b"NEW"]).unwrap();
    let forked = fork.open("f").unwrap();
    assert_eq!(read(&forked, 0, 3).unwrap(), b"new");
    forked.write_at(0, &[b"own"]).unwrap();
    assert_eq!(read(&file, 0, 3).unwrap(), b"NEW");
    assert!(fork.power_cut_with(1, CutMood::AllLost).read_all("f").unwrap().starts_with(b"ooo"));
    assert!(!disk.is_off());
}

#[test]
fn equal_seeds_give_equal_disks() {
    let run = |seed| {
        let (disk, file) = disk_with_file(seed, 4, b'o');
        for at in 0..40 {
            file.write_at(at * 400, &[&[b'n'; 700]]).unwrap();
        }
        disk.power_cut(seed + 1).read_all("f").unwrap()
    };
    let first: Vec<_> = (0..20).map(run).collect();
    assert_eq!(first, (0..20).map(run).collect::<Vec<_>>());
    assert!(first.iter().collect::<BTreeSet<_>>().len() > 10);
}

#[test]
fn a_fork_shares_contents_until_they_are_written() {
    let (disk, file) = disk_with_file(1, 256, b'o');
    let content = |disk: &SimDisk| {
        let state = disk.state();
        Arc::clone(&state.nodes[&state.names.resolve("f").unwrap()].content)
    };
    let fork = disk.fork();
    assert!(Arc::ptr_eq(&content(&disk), &content(&fork)));
    file.write_at(0, &[b"x"]).unwrap();
    assert!(!Arc::ptr_eq(&content(&disk), &content(&fork)));
}
