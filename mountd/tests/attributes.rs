//! Attributes, permissions and extended attributes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, errno, noise, shell};
use nix::{
    errno::Errno,
    sys::{
        stat::{UtimensatFlags, utimensat},
        statvfs::statvfs,
        time::TimeSpec,
    },
    unistd::{Gid, Uid, chown, geteuid},
};
use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};
use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::unix::{
        fs::{FileExt, MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn xattr(path: &Path, name: &str) -> Result<Vec<u8>, rustix::io::Errno> {
    let mut buffer = vec![0; 70_000];
    let len = getxattr(path, name, &mut buffer[..])?;
    buffer.truncate(len);
    Ok(buffer)
}

fn xattr_names(path: &Path) -> Vec<String> {
    let mut buffer = vec![0; 70_000];
    let len = listxattr(path, &mut buffer[..]).unwrap();
    let text = String::from_utf8(buffer[..len].to_vec()).unwrap();
    let mut names: Vec<String> = text.split_terminator('\0').map(str::to_owned).collect();
    names.sort();
    names
}

/// Runs a script as a user who is not root.
fn as_nobody(folder: &Path, script: &str) -> bool {
    let status = Command::new("sh").args(["-c", script]).current_dir(folder).uid(65_534).gid(65_534).status();
    status.unwrap().success()
}

#[test]
fn modes_and_times_are_kept() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    set_mode(&mount.at("file"), 0o4751);
    assert_eq!(fs::metadata(mount.at("file")).unwrap().mode() & 0o7777, 0o4751);
    let (access, change) = (TimeSpec::new(1_000_000_000, 123_456_789), TimeSpec::new(-5, 0));
    utimensat(nix::fcntl::AT_FDCWD, &mount.at("file"), &access, &change, UtimensatFlags::FollowSymlink).unwrap();
    let found = fs::metadata(mount.at("file")).unwrap();
    assert_eq!((found.atime(), found.atime_nsec()), (1_000_000_000, 123_456_789));
    assert_eq!((found.mtime(), found.mtime_nsec()), (-5, 0));
}

#[test]
fn writing_moves_mtime_and_reading_moves_nothing() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    let before = fs::metadata(mount.at("file")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::read(mount.at("file")).unwrap();
    let read = fs::metadata(mount.at("file")).unwrap();
    assert_eq!((before.atime_nsec(), before.mtime_nsec()), (read.atime_nsec(), read.mtime_nsec()));
    OpenOptions::new().write(true).open(mount.at("file")).unwrap().write_all_at(b"yy", 0).unwrap();
    let written = fs::metadata(mount.at("file")).unwrap();
    assert!(written.modified().unwrap() > before.modified().unwrap());
    assert_eq!(written.len(), 2);
    let folder = fs::metadata(mount.at("")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(mount.at("another"), b"").unwrap();
    assert!(fs::metadata(mount.at("")).unwrap().modified().unwrap() > folder.modified().unwrap());
}

#[test]
fn permissions_are_checked_for_other_users() {
    let Some(mount) = Mount::new() else { return };
    if !geteuid().is_root() {
        println!("skipped: only root can try as another user");
        return;
    }
    set_mode(mount.outside(), 0o755);
    fs::write(mount.at("secret"), b"x").unwrap();
    set_mode(&mount.at("secret"), 0o600);
    fs::write(mount.at("public"), b"x").unwrap();
    set_mode(&mount.at("public"), 0o644);
    assert!(as_nobody(&mount.at(""), "cat public > /dev/null"));
    assert!(!as_nobody(&mount.at(""), "cat secret 2>/dev/null"));
    assert!(!as_nobody(&mount.at(""), "touch new 2>/dev/null"));
    assert!(!as_nobody(&mount.at(""), "mkdir ../nobodys 2>/dev/null"));
    set_mode(&mount.at(""), 0o1777);
    assert!(as_nobody(&mount.at(""), "umask 027; mkdir theirs; echo x > theirs/file; chmod 600 theirs/file"));
    assert_eq!(fs::metadata(mount.at("theirs")).unwrap().uid(), 65_534);
    assert_eq!(fs::metadata(mount.at("theirs")).unwrap().mode() & 0o7777, 0o750);
    assert!(!as_nobody(&mount.at(""), "rm -f public 2>/dev/null"), "the sticky bit protects others' files");
    assert!(!as_nobody(&mount.at(""), "chown 0 theirs 2>/dev/null"));
}

#[test]
fn setuid_goes_when_another_user_writes_or_the_owner_changes() {
    let Some(mount) = Mount::new() else { return };
    if !geteuid().is_root() {
        println!("skipped: only root can try as another user");
        return;
    }
    set_mode(mount.outside(), 0o755);
    fs::write(mount.at("tool"), b"x").unwrap();
    set_mode(&mount.at("tool"), 0o6777);
    assert!(as_nobody(&mount.at(""), "echo y >> tool"));
    assert_eq!(fs::metadata(mount.at("tool")).unwrap().mode() & 0o7777, 0o777);
    set_mode(&mount.at("tool"), 0o6777);
    assert!(as_nobody(&mount.at(""), "truncate -s 1 tool"));
    assert_eq!(fs::metadata(mount.at("tool")).unwrap().mode() & 0o7777, 0o777);
    set_mode(&mount.at("tool"), 0o4755);
    chown(&mount.at("tool"), Some(Uid::from_raw(1)), Some(Gid::from_raw(2))).unwrap();
    let found = fs::metadata(mount.at("tool")).unwrap();
    assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (1, 2, 0o755));
}

#[test]
fn a_setgid_directory_gives_its_group() {
    let Some(mount) = Mount::new() else { return };
    if !geteuid().is_root() {
        println!("skipped: only root can give groups away");
        return;
    }
    fs::create_dir(mount.at("team")).unwrap();
    chown(&mount.at("team"), None, Some(Gid::from_raw(42))).unwrap();
    set_mode(&mount.at("team"), 0o2775);
    fs::write(mount.at("team/file"), b"").unwrap();
    fs::create_dir(mount.at("team/sub")).unwrap();
    assert_eq!(fs::metadata(mount.at("team/file")).unwrap().gid(), 42);
    let sub = fs::metadata(mount.at("team/sub")).unwrap();
    assert_eq!((sub.gid(), sub.mode() & 0o2000), (42, 0o2000));
}

#[test]
fn the_root_of_a_bucket_keeps_mode_owner_and_times() {
    let Some(mount) = Mount::new() else { return };
    set_mode(&mount.at(""), 0o700);
    assert_eq!(fs::metadata(mount.at("")).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(mount.catalog.bucket("bbb").unwrap().root.mode, 0o700);
}

#[test]
fn extended_attributes_are_set_listed_replaced_and_removed() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    fs::create_dir(mount.at("dir")).unwrap();
    for path in [mount.at("file"), mount.at("dir"), mount.at("")] {
        setxattr(&path, "user.colour", b"red", XattrFlags::empty()).unwrap();
        setxattr(&path, "user.empty", b"", XattrFlags::CREATE).unwrap();
        assert_eq!(xattr(&path, "user.colour").unwrap(), b"red");
        assert_eq!(xattr(&path, "user.empty").unwrap(), b"");
        assert_eq!(setxattr(&path, "user.colour", b"", XattrFlags::CREATE), Err(rustix::io::Errno::EXIST));
        assert_eq!(setxattr(&path, "user.none", b"", XattrFlags::REPLACE), Err(rustix::io::Errno::NODATA));
        setxattr(&path, "user.colour", b"blue", XattrFlags::REPLACE).unwrap();
        assert_eq!(xattr(&path, "user.colour").unwrap(), b"blue");
        let names = xattr_names(&path);
        assert!(names.contains(&"user.colour".to_owned()) && names.contains(&"user.empty".to_owned()), "{names:?}");
        removexattr(&path, "user.colour").unwrap();
        assert_eq!(xattr(&path, "user.colour"), Err(rustix::io::Errno::NODATA));
        assert_eq!(removexattr(&path, "user.colour"), Err(rustix::io::Errno::NODATA));
    }
    let long = noise(3, 60_000);
    setxattr(mount.at("file"), "user.long", &long, XattrFlags::empty()).unwrap();
    assert_eq!(xattr(&mount.at("file"), "user.long").unwrap(), long);
    let mut short = [0; 10];
    assert_eq!(getxattr(mount.at("file"), "user.long", &mut short[..]), Err(rustix::io::Errno::RANGE));
}

#[test]
fn encryption_is_told_when_asked_for_and_left_out_of_lists() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    for path in [mount.at("file"), mount.at("")] {
        assert_eq!(xattr(&path, "user.sse.algorithm").unwrap(), b"aws:kms");
        assert_eq!(xattr(&path, "user.sse.key-id").unwrap(), b"memory");
        assert_eq!(xattr(&path, "user.sse.status").unwrap(), b"unlocked");
        assert_eq!(xattr(&path, "user.sse.generation").unwrap(), b"1");
        assert!(xattr_names(&path).iter().all(|name| !name.starts_with("user.sse.")));
        let refused = setxattr(&path, "user.sse.key-id", b"other", XattrFlags::empty());
        assert!(refused.is_err());
        assert_eq!(xattr(&path, "user.sse.key-id").unwrap(), b"memory");
    }
}

#[test]
fn access_control_lists_are_refused_rather_than_kept_and_ignored() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    // A list with one named user: version 2; owner rw, user 1 rwx, group r, mask rwx, others none.
    let mut list = vec![2, 0, 0, 0];
    for (tag, bits, id) in [(1_u16, 6_u16, u32::MAX), (2, 7, 1), (4, 4, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let refused = setxattr(mount.at("file"), "system.posix_acl_access", &list, XattrFlags::empty());
    assert_eq!(refused, Err(rustix::io::Errno::OPNOTSUPP));
}

#[test]
fn statfs_answers_everywhere() {
    let Some(mount) = Mount::new() else { return };
    for path in [mount.root(), mount.at("")] {
        let space = statvfs(&path).unwrap();
        assert_eq!(space.block_size(), 4096);
        assert_eq!(space.name_max(), 255);
        assert!(space.blocks_available() > 0 && space.blocks_available() <= space.blocks());
    }
    assert!(shell(mount.outside(), "df mnt").contains("strongroom"));
}

#[test]
fn preallocation_is_refused_and_programs_fall_back() {
    let Some(mount) = Mount::new() else { return };
    let file = File::create_new(mount.at("file")).unwrap();
    let plain = nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, 100);
    assert_eq!(plain, Err(Errno::EOPNOTSUPP));
    assert_eq!(errno(File::open(mount.at("none"))), Errno::ENOENT);
}
