//! What cuts do to names.

use std::collections::BTreeSet;

use super::super::{dice::Dice, tree::ROOT};
use crate::disk::{CutMood, Disk, SimDisk};

fn put(disk: &SimDisk, path: &str, bytes: &[u8]) {
    let file = disk.create(path).unwrap();
    file.write_at(0, &[bytes]).unwrap();
    file.sync().unwrap();
}

fn paths(disk: &SimDisk) -> Vec<String> {
    disk.files().into_iter().map(|(path, _)| path).collect()
}

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let found: BTreeSet<_> = (0..100)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            put(&disk, "f", b"x");
            disk.power_cut(seed).read_all("f").ok()
        })
        .collect();
    assert_eq!(found, BTreeSet::from([None, Some(b"x".to_vec())]));
}

#[test]
fn a_rename_is_found_done_or_not_done() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        put(&disk, "f", b"old");
        put(&disk, "new", b"new");
        disk.sync_dir("").unwrap();
        disk.rename("new", "f").unwrap();
        let found = disk.power_cut(seed);
        outcomes.insert((found.read_all("f").unwrap(), paths(&found).len()));
    }
    assert_eq!(outcomes, BTreeSet::from([(b"old".to_vec(), 2), (b"new".to_vec(), 1)]));
}

#[test]
fn a_synced_rename_stays() {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        put(&disk, "f", b"old");
        disk.sync_dir("").unwrap();
        put(&disk, "new", b"new");
        disk.rename("new", "f").unwrap();
        disk.sync_dir("").unwrap();
        assert_eq!(disk.power_cut(seed).read_all("f").unwrap(), b"new");
    }
}

#[test]
fn a_rename_without_a_sync_of_its_file_may_show_an_empty_one() {
    let found: BTreeSet<_> = (0..100)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            put(&disk, "f", b"old");
            disk.sync_dir("").unwrap();
            disk.create("new").unwrap().write_at(0, &[b"new"]).unwrap();
            disk.rename("new", "f").unwrap();
            disk.power_cut(seed).read_all("f").unwrap()
        })
        .collect();
    assert!(found.contains(b"old".as_slice()) && found.contains(b"new".as_slice()) && found.contains(b"".as_slice()));
}

#[test]
fn a_removed_file_may_come_back_until_its_directory_is_synced() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        put(&disk, "f", b"x");
        disk.sync_dir("").unwrap();
        disk.remove_file("f").unwrap();
        outcomes.insert(disk.fork().power_cut(seed).read_all("f").ok());
        disk.sync_dir("").unwrap();
        assert!(paths(&disk.power_cut(seed)).is_empty());
    }
    assert_eq!(outcomes, BTreeSet::from([None, Some(b"x".to_vec())]));
}

#[test]
fn names_in_a_directory_go_with_its_own_name() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        disk.create_dir("d").unwrap();
        put(&disk, "d/f", b"x");
        disk.sync_dir("d").unwrap();
        outcomes.insert(disk.fork().power_cut(seed).list("").unwrap().len());
        disk.sync_dir("").unwrap();
        assert_eq!(disk.power_cut(seed).read_all("d/f").unwrap(), b"x");
    }
    assert_eq!(outcomes, BTreeSet::from([0, 1]));
}

#[test]
fn a_removed_directory_comes_back_with_what_it_held_or_not_at_all() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        disk.create_dir("d").unwrap();
        disk.create_dir("e").unwrap();
        put(&disk, "d/a", b"a");
        put(&disk, "d/b", b"b");
        for dir in ["d", "e", ""] {
            disk.sync_dir(dir).unwrap();
        }
        disk.rename("d/a", "e/a").unwrap();
        disk.remove_file("d/b").unwrap();
        disk.remove_dir("d").unwrap();
        let found = paths(&disk.fork().power_cut(seed));
        assert_eq!(found.iter().filter(|path| path.ends_with("/a")).count(), 1, "seed {seed}: {found:?}");
        disk.sync_dir("").unwrap();
        assert_eq!(paths(&disk.power_cut(seed)), ["e/a"], "seed {seed}");
    }
}

#[test]
fn a_synced_rename_into_a_moved_directory_stays() {
    let disk = SimDisk::new(1);
    for dir in ["x", "x/y"] {
        disk.create_dir(dir).unwrap();
    }
    disk.sync_dir("x").unwrap();
    disk.sync_dir("").unwrap();
    disk.rename("x/y", "z").unwrap();
    disk.rename("x", "z/x").unwrap();
    disk.sync_dir("z").unwrap();
    assert_eq!(disk.power_cut_with(1, CutMood::AllLost).list("z").unwrap().len(), 1);
}

/// Random changes and syncs: a synced directory is durable as it is seen, and what a cut finds is a tree whose every
/// file stands once and is one that was there.
#[test]
fn random_changes_leave_a_consistent_tree() {
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let disk = SimDisk::new(seed);
        let mut dirs = vec![String::new()];
        for _ in 0..60 {
            let dir = |dice: &mut Dice| {
                let at = usize::try_from(dice.below(dirs.len() as u64)).unwrap();
                dirs[at].clone()
            };
            let path = |dice: &mut Dice| {
                let (dir, name) = (dir(dice), ["a", "b", "c"][usize::try_from(dice.below(3)).unwrap()]);
                if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
            };
            let (one, other, some_dir) = (path(&mut dice), path(&mut dice), dir(&mut dice));
            match dice.below(9) {
                0 | 1 => drop(disk.create(&one)),
                2 | 3 => {
                    if disk.create_dir(&one).is_ok() {
                        dirs.push(one);
                    }
                }
                4 | 5 => drop(disk.rename(&one, &other)),
                6 => drop(disk.remove_file(&one)),
                7 => drop(disk.remove_dir(&one)),
                _ => {
                    if disk.sync_dir(&some_dir).is_ok() {
                        let state = disk.state();
                        let ino = state.names.resolve_dir(&some_dir).unwrap();
                        let (cached, durable) = (state.names.cached(), state.names.durable());
                        assert_eq!(durable.entries(ino), cached.entries(ino), "seed {seed}");
                    }
                }
            }
        }
        let found = disk.fork().power_cut(seed);
        let walk = found.state().names.cached().walk();
        let inos: BTreeSet<_> = walk.iter().map(|(_, ino)| *ino).collect();
        assert_eq!(inos.len(), walk.len(), "seed {seed}: an inode has two names");
        for (path, ino) in &walk {
            let state = found.state();
            assert!(state.nodes.contains_key(ino) != state.names.cached().is_dir(*ino), "seed {seed}: {path}");
            assert!(state.names.cached().lies_within(*ino, ROOT), "seed {seed}: {path}");
        }
        let kept = disk.fork().power_cut_with(seed, CutMood::AllKept);
        let of = |disk: &SimDisk| disk.state().names.cached().walk();
        assert_eq!(of(&kept), of(&disk), "seed {seed}");
        for dir in &dirs {
            drop(disk.sync_dir(dir));
        }
        let all: Vec<_> = of(&disk);
        for (path, ino) in &all {
            if disk.state().names.cached().is_dir(*ino) {
                disk.sync_dir(path).unwrap();
            }
        }
        assert_eq!(of(&disk.power_cut_with(seed, CutMood::AllLost)), all, "seed {seed}");
    }
}
