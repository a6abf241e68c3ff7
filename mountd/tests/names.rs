//! Names: links, renames, special files, odd names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, errno, shell};
use nix::{
    errno::Errno,
    fcntl::{AT_FDCWD, RenameFlags, renameat2},
    sys::stat::{Mode, SFlag, mknod},
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt, symlink},
    },
    path::Path,
};

fn rename_with(from: &Path, to: &Path, flags: RenameFlags) -> Errno {
    renameat2(AT_FDCWD, from, AT_FDCWD, to, flags).err().unwrap_or(Errno::from_raw(0))
}

#[test]
fn directories_nest_and_count() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir_all(mount.at("a/b/c")).unwrap();
    fs::create_dir(mount.at("a/d")).unwrap();
    assert_eq!(fs::metadata(mount.at("a")).unwrap().nlink(), 4);
    assert_eq!(errno(fs::remove_dir(mount.at("a"))), Errno::ENOTEMPTY);
    assert_eq!(errno(fs::remove_file(mount.at("a"))), Errno::EISDIR);
    fs::remove_dir(mount.at("a/d")).unwrap();
    assert_eq!(fs::metadata(mount.at("a")).unwrap().nlink(), 3);
    fs::remove_dir_all(mount.at("a")).unwrap();
    assert_eq!(errno(fs::metadata(mount.at("a"))), Errno::ENOENT);
}

#[test]
fn hard_links_are_one_file() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("one"), b"content").unwrap();
    fs::hard_link(mount.at("one"), mount.at("two")).unwrap();
    let (one, two) = (fs::metadata(mount.at("one")).unwrap(), fs::metadata(mount.at("two")).unwrap());
    assert_eq!((one.ino(), one.nlink()), (two.ino(), 2));
    fs::write(mount.at("two"), b"changed").unwrap();
    assert_eq!(fs::read(mount.at("one")).unwrap(), b"changed");
    fs::remove_file(mount.at("one")).unwrap();
    assert_eq!(fs::metadata(mount.at("two")).unwrap().nlink(), 1);
    assert_eq!(fs::read(mount.at("two")).unwrap(), b"changed");
    fs::create_dir(mount.at("dir")).unwrap();
    assert_eq!(errno(fs::hard_link(mount.at("dir"), mount.at("dir2"))), Errno::EPERM);
}

#[test]
fn symbolic_links_keep_their_target() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("target"), b"x").unwrap();
    symlink("target", mount.at("link")).unwrap();
    assert_eq!(fs::read_link(mount.at("link")).unwrap(), Path::new("target"));
    assert_eq!(fs::read(mount.at("link")).unwrap(), b"x");
    assert_eq!(fs::symlink_metadata(mount.at("link")).unwrap().len(), 6);
    let far = "x/".repeat(2000);
    symlink(&far, mount.at("far")).unwrap();
    assert_eq!(fs::read_link(mount.at("far")).unwrap().as_os_str(), far.as_str());
}

#[test]
fn special_files_keep_kind_and_number() {
    let Some(mount) = Mount::new() else { return };
    mknod(&mount.at("fifo"), SFlag::S_IFIFO, Mode::from_bits_truncate(0o640), 0).unwrap();
    assert!(fs::metadata(mount.at("fifo")).unwrap().file_type().is_fifo());
    drop(std::os::unix::net::UnixListener::bind(mount.at("socket")).unwrap());
    assert!(fs::metadata(mount.at("socket")).unwrap().file_type().is_socket());
    if nix::unistd::geteuid().is_root() {
        mknod(&mount.at("null"), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), nix::sys::stat::makedev(1, 3))
            .unwrap();
        let found = fs::metadata(mount.at("null")).unwrap();
        assert!(found.file_type().is_char_device());
        assert_eq!(found.rdev(), nix::sys::stat::makedev(1, 3));
    }
}

#[test]
fn rename_replaces_moves_and_refuses_as_posix_says() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("a"), b"a").unwrap();
    fs::write(mount.at("b"), b"b").unwrap();
    fs::rename(mount.at("a"), mount.at("b")).unwrap();
    assert_eq!(fs::read(mount.at("b")).unwrap(), b"a");
    fs::create_dir_all(mount.at("dir/inner")).unwrap();
    fs::create_dir(mount.at("empty")).unwrap();
    assert_eq!(errno(fs::rename(mount.at("b"), mount.at("dir"))), Errno::EISDIR);
    assert_eq!(errno(fs::rename(mount.at("dir"), mount.at("b"))), Errno::ENOTDIR);
    assert_eq!(errno(fs::rename(mount.at("empty"), mount.at("dir"))), Errno::ENOTEMPTY);
    assert_eq!(errno(fs::rename(mount.at("dir"), mount.at("dir/inner/x"))), Errno::EINVAL);
    fs::rename(mount.at("dir"), mount.at("empty")).unwrap();
    assert!(fs::metadata(mount.at("empty/inner")).unwrap().is_dir());
    fs::rename(mount.at("b"), mount.at("empty/inner/b")).unwrap();
    assert_eq!(fs::read(mount.at("empty/inner/b")).unwrap(), b"a");
}

#[test]
fn rename_flags_are_kept_or_refused() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("a"), b"a").unwrap();
    fs::write(mount.at("b"), b"b").unwrap();
    let (a, b, c) = (mount.at("a"), mount.at("b"), mount.at("c"));
    assert_eq!(rename_with(&a, &b, RenameFlags::RENAME_NOREPLACE), Errno::EEXIST);
    assert_eq!(fs::read(&b).unwrap(), b"b");
    assert_eq!(rename_with(&a, &c, RenameFlags::RENAME_NOREPLACE), Errno::from_raw(0));
    // Swapping is not offered yet; it must say so and change nothing.
    assert_eq!(rename_with(&b, &c, RenameFlags::RENAME_EXCHANGE), Errno::EINVAL);
    assert_eq!((fs::read(&b).unwrap(), fs::read(&c).unwrap()), (b"b".to_vec(), b"a".to_vec()));
}

#[test]
fn odd_names_come_back_as_they_were_given() {
    let Some(mount) = Mount::new() else { return };
    let long = "n".repeat(255);
    let mut names: Vec<&OsStr> =
        [&b"caf\xe9"[..], b"a b", b"tab\there", b"new\nline", b"\x01", b"...", b".posix~x", b"%41"]
            .iter()
            .map(|name| OsStr::from_bytes(name))
            .collect();
    names.push(OsStr::new(&long));
    for name in &names {
        fs::write(mount.at("").join(name), name.as_bytes()).unwrap();
    }
    let mut found: Vec<_> = fs::read_dir(mount.at("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    found.sort();
    names.sort();
    assert_eq!(found, names);
    for name in &names {
        assert_eq!(fs::read(mount.at("").join(name)).unwrap(), name.as_bytes());
    }
    assert_eq!(errno(fs::write(mount.at(&"n".repeat(256)), b"")), Errno::ENAMETOOLONG);
}

#[test]
fn dot_dot_of_a_bucket_is_the_root_of_the_mount() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.at("dir")).unwrap();
    assert_eq!(shell(&mount.at("dir"), "cd ../..; /bin/pwd -P").trim(), mount.root().to_str().unwrap());
    let listing = shell(&mount.at(""), "ls -ai1");
    assert!(listing.lines().any(|line| line.trim() == "1 .."), "{listing}");
}
