//! The real disk on the file system that the tests run on.

use std::{
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use tempfile::TempDir;

use crate::disk::{DirEntry, Disk, LockError, RealDisk};

fn disk() -> (TempDir, RealDisk) {
    let dir = tempfile::tempdir().unwrap();
    let disk = RealDisk::new(dir.path()).unwrap();
    (dir, disk)
}

#[test]
fn files_are_made_written_and_read_back() {
    let (dir, disk) = disk();
    disk.create_dir("a").unwrap();
    let file = disk.create("a/f").unwrap();
    file.write_at(10, &[b"one", b"", b"two"]).unwrap();
    file.sync().unwrap();
    disk.sync_dir("a").unwrap();
    disk.sync_dir("").unwrap();
    file.forget_cache().unwrap();
    let mut back = [1; 16];
    disk.open_read("a/f").unwrap().read_at(0, &mut back).unwrap();
    assert_eq!(&back, b"\0\0\0\0\0\0\0\0\0\0onetwo");
    assert_eq!(disk.create("a/f").err().unwrap().kind(), ErrorKind::AlreadyExists);
    assert_eq!(disk.open("a/g").err().unwrap().kind(), ErrorKind::NotFound);
    assert_eq!(disk.create("b/f").err().unwrap().kind(), ErrorKind::NotFound);
    let mode = |path| std::fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("a"), mode("a/f")), (0o700, 0o600));
}

#[test]
fn allocated_space_reads_as_zero_and_keeps_what_is_there() {
    let (_dir, disk) = disk();
    let file = disk.create("f").unwrap();
    file.write_at(0, &[b"abc"]).unwrap();
    file.allocate(0, 10_000).unwrap();
    assert_eq!(file.len().unwrap(), 10_000);
    let mut back = vec![1; 10_000];
    file.read_at(0, &mut back).unwrap();
    assert_eq!(&back[..3], b"abc");
    assert!(back[3..].iter().all(|byte| *byte == 0));
    file.set_len(2).unwrap();
    file.set_len(5).unwrap();
    file.read_at(0, &mut back[..5]).unwrap();
    assert_eq!(&back[..5], b"ab\0\0\0");
    file.allocate(3, 0).unwrap();
    assert_eq!(file.len().unwrap(), 5);
}

#[test]
fn a_file_opened_to_read_refuses_writes() {
    let (_dir, disk) = disk();
    disk.create("f").unwrap();
    assert!(disk.open_read("f").unwrap().write_at(0, &[b"x"]).is_err());
}

#[test]
fn a_removed_file_stays_usable_through_its_handle() {
    let (_dir, disk) = disk();
    let file = disk.create("f").unwrap();
    disk.remove_file("f").unwrap();
    file.write_at(0, &[b"abc"]).unwrap();
    file.read_at(0, &mut [0; 3]).unwrap();
    assert!(disk.list("").unwrap().is_empty());
}

#[test]
fn names_are_listed_with_their_kind() {
    let (_dir, disk) = disk();
    disk.create_dir("d").unwrap();
    disk.create("d/x").unwrap();
    disk.create("f").unwrap();
    let mut entries = disk.list("").unwrap();
    entries.sort();
    assert_eq!(entries, [DirEntry { name: "d".into(), is_dir: true }, DirEntry { name: "f".into(), is_dir: false }]);
    disk.rename("d/x", "f").unwrap();
    disk.remove_dir("d").unwrap();
    assert_eq!(disk.list("").unwrap(), [DirEntry { name: "f".into(), is_dir: false }]);
    assert_eq!(disk.list("d").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn nothing_outside_the_root_is_reached() {
    let (dir, disk) = disk();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f"), b"x").unwrap();
    symlink(outside.path(), dir.path().join("out")).unwrap();
    symlink(outside.path().join("f"), dir.path().join("link")).unwrap();
    for path in ["out/f", "link", "../f", "/etc/passwd", "a/../link"] {
        assert!(disk.open_read(path).is_err(), "{path}");
        assert!(disk.open(path).is_err(), "{path}");
        assert!(disk.create(path).is_err(), "{path}");
    }
    assert!(disk.list("out").is_err());
    assert!(disk.create_dir("out/d").is_err());
    assert!(disk.rename("link", "out/g").is_err());
    assert!(disk.remove_file("out/f").is_err());
    assert!(disk.sync_dir("out").is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn what_is_not_a_regular_file_is_not_opened() {
    let (dir, disk) = disk();
    disk.create_dir("d").unwrap();
    assert_eq!(disk.open_read("d").err().unwrap().kind(), ErrorKind::IsADirectory);
    assert_eq!(disk.open("d").err().unwrap().kind(), ErrorKind::IsADirectory);
    mkfifo(&dir.path().join("fifo"), Mode::S_IRWXU).unwrap();
    assert_eq!(disk.open_read("fifo").err().unwrap().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_store_is_locked_once() {
    let (dir, disk) = disk();
    std::fs::write(dir.path().join("lock"), b"4294967295\nrest of an older and longer content").unwrap();
    let lock = disk.lock().unwrap();
    let other = RealDisk::new(dir.path()).unwrap();
    let error = other.lock().unwrap_err();
    assert!(matches!(error, LockError::Held { pid: Some(pid) } if pid == std::process::id()), "{error:?}");
    assert!(error.to_string().contains(&std::process::id().to_string()));
    drop(lock);
    other.lock().unwrap();
}

#[test]
fn space_and_kind_are_told() {
    let (_dir, disk) = disk();
    let space = disk.space().unwrap();
    assert!(space.total_bytes >= space.available_bytes && space.total_bytes > 0);
    assert!(!disk.fs_kind().unwrap().to_string().is_empty());
}
