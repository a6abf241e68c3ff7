//! What shells, cp, tar, git and editors do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, noise, shell};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Command,
};

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// A small tree with files of many sizes, links and odd modes.
fn plant(folder: &Path) {
    fs::create_dir_all(folder.join("tree/deep/er")).unwrap();
    for index in 0..200_usize {
        let place = ["tree", "tree/deep", "tree/deep/er"][index % 3];
        fs::write(folder.join(place).join(format!("file {index}")), noise(index as u64, index * index * 7)).unwrap();
    }
    shell(
        folder,
        "cd tree; ln -s deep/er link; ln 'file 0' hard; mkfifo fifo; chmod 600 'file 3'; chmod 1777 deep; \
         touch -d '2001-02-03 04:05:06.789' 'file 6'; truncate -s 3000000 sparse",
    );
}

#[test]
fn cp_brings_a_tree_in_and_out_unchanged() {
    let Some(mount) = Mount::new() else { return };
    plant(mount.outside());
    shell(mount.outside(), "cp -a tree mnt/bbb/; rm tree/fifo mnt/bbb/tree/fifo; diff -r tree mnt/bbb/tree");
    shell(mount.outside(), "cp -a mnt/bbb/tree back; diff -r tree back");
    let list = "find . -printf '%P %y %m %s %T@ %n\\n' | grep -v '^ \\|d 4096' | sort";
    let strip = |folder: &str| {
        let text = shell(&mount.outside().join(folder), list);
        text.lines().filter(|line| !line.contains(" d ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(strip("tree"), strip("mnt/bbb/tree"));
}

#[test]
fn tar_packs_and_unpacks() {
    let Some(mount) = Mount::new() else { return };
    plant(mount.outside());
    shell(
        mount.outside(),
        "rm tree/fifo; tar -cf tree.tar tree; tar -C mnt/bbb -xf tree.tar; diff -r tree mnt/bbb/tree; \
         tar -C mnt/bbb -cf again.tar tree; mkdir again; tar -C again -xf again.tar; diff -r tree again/tree",
    );
}

#[test]
fn git_commits_and_checks_a_repository() {
    let Some(mount) = Mount::new() else { return };
    if !has("git") {
        return;
    }
    plant(mount.outside());
    shell(
        mount.outside(),
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=$PWD; rm tree/fifo; cp -r tree mnt/bbb/repo; cd mnt/bbb/repo; git init -q .; \
         git config user.email a@b.c; git config user.name a; git config gc.auto 0; git add -A; git commit -qm first; \
         echo change >> 'file 3'; git commit -qam second; git gc -q; git fsck --strict; \
         test -z \"$(git status --porcelain)\"; cd ..; git clone -q repo copy; cd copy; git fsck --strict; \
         test $(git rev-list --count HEAD) = 2",
    );
}

#[test]
fn editors_save_by_rename() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("letter"), b"first").unwrap();
    for round in 0..20_usize {
        let text = noise(round as u64, 1000 + round);
        let mut temporary = File::create_new(mount.at("letter.tmp")).unwrap();
        temporary.write_all(&text).unwrap();
        temporary.sync_all().unwrap();
        drop(temporary);
        let _ = fs::remove_file(mount.at("letter~"));
        fs::hard_link(mount.at("letter"), mount.at("letter~")).unwrap();
        fs::rename(mount.at("letter.tmp"), mount.at("letter")).unwrap();
        File::open(mount.at("")).unwrap().sync_all().unwrap();
        assert_eq!(fs::read(mount.at("letter")).unwrap(), text);
    }
    assert_eq!(fs::read_dir(mount.at("")).unwrap().count(), 2);
}

#[test]
fn programs_run_from_the_mount() {
    let Some(mount) = Mount::new() else { return };
    shell(mount.outside(), "cp \"$(command -v cat)\" mnt/bbb/cat; echo hello > mnt/bbb/text");
    assert_eq!(shell(&mount.at(""), "./cat text"), "hello\n");
}

#[test]
fn locks_work_between_processes() {
    let Some(mount) = Mount::new() else { return };
    if !has("flock") {
        return;
    }
    shell(&mount.at(""), "flock lock sh -c 'flock -n lock true && exit 1 || exit 0'; flock -n lock true");
}
