//! Reading directories.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, shell};
use std::{collections::BTreeSet, fs, fs::File};

fn names(mount: &Mount, folder: &str) -> BTreeSet<String> {
    let entries: Vec<_> = fs::read_dir(mount.at(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let set: BTreeSet<String> = entries.iter().cloned().collect();
    assert_eq!(set.len(), entries.len(), "an entry came twice");
    set
}

#[test]
fn ten_thousand_entries_come_once_each() {
    let Some(mount) = Mount::new() else { return };
    let expected: BTreeSet<String> = (0..10_000).map(|index| format!("entry-{index}")).collect();
    fs::create_dir(mount.at("many")).unwrap();
    for name in &expected {
        File::create_new(mount.at("many").join(name)).unwrap();
    }
    assert_eq!(names(&mount, "many"), expected);
    // With attributes too.
    assert_eq!(shell(&mount.at("many"), "ls -l | wc -l").trim(), "10001");
    shell(&mount.at(""), "rm -r many");
    assert!(names(&mount, "").is_empty());
}

#[test]
fn what_stays_is_listed_whatever_comes_and_goes_meanwhile() {
    let Some(mount) = Mount::new() else { return };
    for index in 0..3000 {
        File::create_new(mount.at(&format!("f{index:04}"))).unwrap();
    }
    let mut seen = Vec::new();
    for (count, entry) in fs::read_dir(mount.at("")).unwrap().enumerate() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let index: usize = name[1..].parse().unwrap();
        seen.push(index);
        // Behind the reader entries go, and new ones come.
        if index % 2 == 1 {
            fs::remove_file(mount.at(&name)).unwrap();
        }
        if count % 10 == 0 {
            let _ = File::create(mount.at(&format!("f{}", 5000 + count)));
        }
    }
    let old: Vec<usize> = seen.iter().copied().filter(|index| *index < 3000).collect();
    let unique: BTreeSet<usize> = old.iter().copied().collect();
    assert_eq!(unique.len(), old.len());
    assert_eq!(unique, (0..3000).collect());
}

#[test]
fn removing_while_reading_empties_a_directory() {
    let Some(mount) = Mount::new() else { return };
    for index in 0..2000 {
        File::create_new(mount.at(&format!("file{index}"))).unwrap();
    }
    for entry in fs::read_dir(mount.at("")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(names(&mount, "").is_empty());
}

#[test]
fn kinds_are_told_with_the_names() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.at("dir")).unwrap();
    fs::write(mount.at("file"), b"").unwrap();
    std::os::unix::fs::symlink("file", mount.at("link")).unwrap();
    for entry in fs::read_dir(mount.at("")).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        match entry.file_name().to_str().unwrap() {
            "dir" => assert!(kind.is_dir()),
            "file" => assert!(kind.is_file()),
            _ => assert!(kind.is_symlink()),
        }
    }
}
