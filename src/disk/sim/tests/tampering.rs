//! Flipped, swapped, put-back and unreadable bytes.

use std::io::ErrorKind;

use nix::errno::Errno;

use super::{disk_with_file, read};
use crate::disk::{CutMood, Disk};

#[test]
fn a_flipped_byte_is_seen_and_stays() {
    let (disk, file) = disk_with_file(1, 2, 0x0f);
    file.write_at(0, &[b"dirty"]).unwrap();
    disk.flip_byte("f", 0).unwrap();
    disk.flip_byte("f", 8191).unwrap();
    assert_eq!(disk.flip_byte("f", 8192).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(read(&file, 0, 2).unwrap(), [!b'd', b'i']);
    let found = disk.power_cut_with(1, CutMood::AllLost).read_all("f").unwrap();
    assert_eq!((found[0], found[1], found[8190], found[8191]), (!b'd', 0x0f, 0x0f, 0xf0));
}

#[test]
fn an_unreadable_page_fails_until_it_is_written() {
    let (disk, file) = disk_with_file(1, 3, b'o');
    disk.make_unreadable("f", 1).unwrap();
    read(&file, 0, 4096).unwrap();
    assert_eq!(read(&file, 4095, 2).unwrap_err().raw_os_error(), Some(Errno::EIO as i32));
    let disk = disk.power_cut(1);
    let file = disk.open("f").unwrap();
    assert!(read(&file, 8000, 1).is_err(), "it stays so over a cut");
    file.write_at(4096, &[&[b'n'; 4096]]).unwrap();
    file.sync().unwrap();
    assert_eq!(read(&file, 4095, 2).unwrap(), b"on");
    assert_eq!(disk.make_unreadable("f", 3).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn an_old_file_is_put_back_under_an_open_handle() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    let old = disk.snapshot("f").unwrap();
    file.write_at(0, &[&[b'n'; 9000]]).unwrap();
    file.sync().unwrap();
    disk.restore("f", &old).unwrap();
    assert_eq!(file.len().unwrap(), 4096);
    disk.restore("elsewhere", &old).unwrap();
    let found = disk.power_cut_with(1, CutMood::AllLost);
    assert_eq!(found.read_all("f").unwrap(), [b'o'; 4096]);
    assert_eq!(found.read_all("elsewhere").unwrap(), [b'o'; 4096]);
}

#[test]
fn an_old_directory_is_put_back_whole() {
    let (disk, _file) = disk_with_file(1, 1, b'o');
    disk.create_dir("d").unwrap();
    disk.create("d/stays").unwrap().write_at(0, &[b"1"]).unwrap();
    disk.create("d/goes").unwrap();
    let old = disk.snapshot("d").unwrap();
    disk.open("d/stays").unwrap().write_at(0, &[b"2"]).unwrap();
    disk.remove_file("d/goes").unwrap();
    disk.create_dir("d/new").unwrap();
    disk.create("d/new/x").unwrap();
    disk.sync_dir("").unwrap();
    disk.restore("d", &old).unwrap();
    let found = disk.power_cut_with(1, CutMood::AllLost);
    let files = [("d/goes".to_owned(), 0), ("d/stays".to_owned(), 1), ("f".to_owned(), 4096)];
    assert_eq!(found.files(), files);
    assert_eq!(found.read_all("d/stays").unwrap(), b"1");
    assert_eq!(found.list("d").unwrap().len(), 2);
}

#[test]
fn two_files_are_swapped() {
    let (disk, file) = disk_with_file(1, 1, b'o');
    disk.create("g").unwrap().write_at(0, &[b"other"]).unwrap();
    disk.swap("f", "g").unwrap();
    assert_eq!(disk.read_all("f").unwrap(), b"other");
    assert_eq!(disk.read_all("g").unwrap(), [b'o'; 4096]);
    assert_eq!(file.len().unwrap(), 5, "a handle follows its file");
}

#[test]
fn a_file_is_cut_short_or_made_longer() {
    let (disk, file) = disk_with_file(1, 2, b'o');
    disk.truncate("f", 5000).unwrap();
    disk.truncate("f", 6000).unwrap();
    assert_eq!(read(&file, 4999, 1001).unwrap()[..2], [b'o', 0]);
    let found = disk.power_cut_with(1, CutMood::AllLost).read_all("f").unwrap();
    assert_eq!((found.len(), found[4999], found[5000]), (6000, b'o', 0));
}
