//! The root of the mount: buckets, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, errno};
use nix::errno::Errno;
use std::{fs, os::unix::fs::MetadataExt};

fn names(mount: &Mount) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(mount.root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn mkdir_makes_a_bucket_and_rmdir_removes_it_when_it_is_empty() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.root().join("photos")).unwrap();
    assert_eq!(names(&mount), ["bbb", "photos"]);
    assert_eq!(mount.catalog.bucket("photos").unwrap().key_name, "memory");
    fs::write(mount.root().join("photos/x"), b"x").unwrap();
    assert_eq!(errno(fs::remove_dir(mount.root().join("photos"))), Errno::ENOTEMPTY);
    fs::remove_file(mount.root().join("photos/x")).unwrap();
    fs::remove_dir(mount.root().join("photos")).unwrap();
    assert_eq!(names(&mount), ["bbb"]);
    assert!(mount.catalog.bucket("photos").is_err());
    assert_eq!(errno(fs::metadata(mount.root().join("photos"))), Errno::ENOENT);
}

#[test]
fn a_bucket_belongs_to_whoever_makes_it() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.root().join("mine")).unwrap();
    let found = fs::metadata(mount.root().join("mine")).unwrap();
    assert_eq!(found.uid(), nix::unistd::geteuid().as_raw());
    assert_eq!(found.mode() & 0o7777, 0o755);
}

#[test]
fn rename_at_the_root_renames_the_bucket() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"content").unwrap();
    fs::rename(mount.root().join("bbb"), mount.root().join("ccc")).unwrap();
    assert_eq!(names(&mount), ["ccc"]);
    assert_eq!(fs::read(mount.root().join("ccc/file")).unwrap(), b"content");
    assert_eq!(errno(fs::metadata(mount.root().join("bbb"))), Errno::ENOENT);
}

#[test]
fn only_buckets_with_valid_names_can_be_at_the_root() {
    let Some(mount) = Mount::new() else { return };
    for name in ["A", "ab", "under_score", "-lead", "a..b"] {
        assert_eq!(errno(fs::create_dir(mount.root().join(name))), Errno::EINVAL, "{name}");
    }
    assert_eq!(errno(fs::create_dir(mount.root().join("bbb"))), Errno::EEXIST);
    assert_eq!(errno(fs::write(mount.root().join("file"), b"x")), Errno::EPERM);
    assert_eq!(errno(std::os::unix::fs::symlink("x", mount.root().join("link"))), Errno::EPERM);
    fs::write(mount.at("file"), b"x").unwrap();
    assert_eq!(errno(fs::rename(mount.at("file"), mount.root().join("file"))), Errno::EXDEV);
    assert_eq!(errno(fs::hard_link(mount.at("file"), mount.root().join("file"))), Errno::EPERM);
}

#[test]
fn nothing_is_renamed_or_linked_from_one_bucket_into_another() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.root().join("other")).unwrap();
    fs::write(mount.at("file"), b"x").unwrap();
    assert_eq!(errno(fs::rename(mount.at("file"), mount.root().join("other/file"))), Errno::EXDEV);
    assert_eq!(errno(fs::hard_link(mount.at("file"), mount.root().join("other/file"))), Errno::EXDEV);
    assert_eq!(fs::read(mount.at("file")).unwrap(), b"x");
}

#[test]
fn inode_numbers_carry_the_bucket_and_are_not_used_twice() {
    let Some(mount) = Mount::new() else { return };
    assert_eq!(fs::metadata(mount.root()).unwrap().ino(), 1);
    let slot = u64::from(mount.catalog.bucket("bbb").unwrap().slot);
    assert_eq!(fs::metadata(mount.root().join("bbb")).unwrap().ino(), slot << 44 | 1);
    fs::write(mount.at("a"), b"x").unwrap();
    let first = fs::metadata(mount.at("a")).unwrap().ino();
    assert_eq!(first >> 44, slot);
    fs::remove_file(mount.at("a")).unwrap();
    fs::write(mount.at("a"), b"x").unwrap();
    assert_ne!(fs::metadata(mount.at("a")).unwrap().ino(), first);
}

#[test]
fn a_bucket_that_takes_the_slot_of_a_removed_one_is_a_bucket_of_its_own() {
    let Some(mount) = Mount::new() else { return };
    for round in 0..3 {
        let path = mount.root().join(format!("round{round}"));
        fs::create_dir(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        fs::write(path.join("file"), [round]).unwrap();
        assert_eq!(fs::read(path.join("file")).unwrap(), [round]);
        fs::remove_file(path.join("file")).unwrap();
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn the_root_itself_cannot_be_changed() {
    let Some(mount) = Mount::new() else { return };
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    assert_eq!(errno(fs::set_permissions(mount.root(), permissions)), Errno::EPERM);
    assert_eq!(fs::metadata(mount.root()).unwrap().mode() & 0o7777, 0o755);
}
