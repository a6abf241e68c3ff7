//! Open files: reading, writing, cutting, holes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{Mount, errno, noise};
use nix::{
    errno::Errno,
    unistd::{Whence, lseek64},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, MetadataExt},
};

#[test]
fn what_is_written_is_read_at_every_size() {
    let Some(mount) = Mount::new() else { return };
    for len in [0, 1, 255, 256, 257, 4095, 4096, 65_535, 65_536, 65_537, 1 << 20, (3 << 20) + 17] {
        let content = noise(len as u64, len);
        let path = mount.at(&format!("file-{len}"));
        fs::write(&path, &content).unwrap();
        assert!(fs::read(&path).unwrap() == content, "{len}");
        assert_eq!(fs::metadata(&path).unwrap().len(), len as u64);
    }
}

#[test]
fn what_is_written_is_there_after_the_kernel_forgot_it() {
    let Some(mount) = Mount::new() else { return };
    let content = noise(9, 700_000);
    fs::write(mount.at("file"), &content).unwrap();
    let file = File::open(mount.at("file")).unwrap();
    nix::fcntl::posix_fadvise(&file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    assert!(fs::read(mount.at("file")).unwrap() == content);
}

#[test]
fn random_writes_and_cuts_agree_with_a_vector() {
    let Some(mount) = Mount::new() else { return };
    let seed = 0x5eed_u64;
    println!("seed {seed}");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(mount.at("model")).unwrap();
    let mut model: Vec<u8> = Vec::new();
    let dice = noise(seed, 400 * 16);
    for (step, roll) in dice.chunks_exact(16).enumerate() {
        let offset = usize::from(u16::from_le_bytes([roll[0], roll[1]])) * 5;
        let len = usize::from(u16::from_le_bytes([roll[2], roll[3]]));
        match roll[4] % 8 {
            0 => {
                file.set_len(offset as u64).unwrap();
                model.resize(offset, 0);
            }
            1 => file.sync_data().unwrap(),
            _ => {
                let data = noise(step as u64, len);
                file.write_all_at(&data, offset as u64).unwrap();
                model.resize(model.len().max(offset + len), 0);
                model[offset..offset + len].copy_from_slice(&data);
            }
        }
        if step % 20 == 0 {
            let mut found = vec![0; model.len() + 10];
            let len = file.read_at(&mut found, 0).unwrap();
            assert!(found[..len.min(model.len())] == model[..len.min(model.len())], "step {step}");
        }
    }
    drop(file);
    assert!(fs::read(mount.at("model")).unwrap() == model);
}

#[test]
fn cutting_and_growing_leaves_zeros() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), noise(1, 10_000)).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(mount.at("file")).unwrap();
    file.set_len(100).unwrap();
    file.set_len(20_000).unwrap();
    let content = fs::read(mount.at("file")).unwrap();
    assert_eq!(content.len(), 20_000);
    assert_eq!(content[..100], noise(1, 10_000)[..100]);
    assert!(content[100..].iter().all(|byte| *byte == 0));
    nix::unistd::truncate(&mount.at("file"), 50).unwrap();
    assert_eq!(fs::metadata(mount.at("file")).unwrap().len(), 50);
    drop(OpenOptions::new().write(true).truncate(true).open(mount.at("file")).unwrap());
    assert_eq!(fs::metadata(mount.at("file")).unwrap().len(), 0);
}

#[test]
fn holes_read_as_zeros_and_are_found_by_seek() {
    let Some(mount) = Mount::new() else { return };
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(mount.at("sparse")).unwrap();
    let start = 4 << 20;
    file.write_all_at(&[7; 100_000], start).unwrap();
    file.set_len(16 << 20).unwrap();
    file.sync_all().unwrap();
    let mut buffer = [1; 4096];
    file.read_exact_at(&mut buffer, 1 << 20).unwrap();
    assert!(buffer.iter().all(|byte| *byte == 0));
    let data = lseek64(&file, 0, Whence::SeekData).unwrap();
    assert!(data > 0 && data <= i64::try_from(start).unwrap(), "{data}");
    let hole = lseek64(&file, data, Whence::SeekHole).unwrap();
    assert!(hole >= i64::try_from(start).unwrap() + 100_000 && hole < 16 << 20, "{hole}");
    assert_eq!(lseek64(&file, hole, Whence::SeekData), Err(Errno::ENXIO));
    assert_eq!(lseek64(&file, 16 << 20, Whence::SeekData), Err(Errno::ENXIO));
}

#[test]
fn appending_handles_add_behind_each_other() {
    let Some(mount) = Mount::new() else { return };
    let open = || OpenOptions::new().append(true).create(true).open(mount.at("log")).unwrap();
    let (mut first, mut second) = (open(), open());
    for round in 0..50 {
        writeln!(first, "first {round}").unwrap();
        writeln!(second, "second {round}").unwrap();
    }
    let text = fs::read_to_string(mount.at("log")).unwrap();
    let expected: String = (0..50).map(|round| format!("first {round}\nsecond {round}\n")).collect();
    assert_eq!(text, expected);
}

#[test]
fn a_file_without_a_name_lives_while_it_is_open() {
    let Some(mount) = Mount::new() else { return };
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(mount.at("gone")).unwrap();
    file.write_all(b"before").unwrap();
    fs::remove_file(mount.at("gone")).unwrap();
    assert_eq!(errno(fs::metadata(mount.at("gone"))), Errno::ENOENT);
    file.write_all(b" and after").unwrap();
    file.sync_all().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "before and after");
    assert_eq!(file.metadata().unwrap().nlink(), 0);
}

#[test]
fn a_file_that_was_renamed_over_stays_what_it_was_for_its_readers() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"old").unwrap();
    let old = File::open(mount.at("file")).unwrap();
    fs::write(mount.at("new"), b"new content").unwrap();
    fs::rename(mount.at("new"), mount.at("file")).unwrap();
    let mut buffer = [0; 16];
    assert_eq!(old.read_at(&mut buffer, 0).unwrap(), 3);
    assert_eq!(&buffer[..3], b"old");
    assert_eq!(fs::read(mount.at("file")).unwrap(), b"new content");
}

#[test]
fn create_new_refuses_a_name_that_is_taken() {
    let Some(mount) = Mount::new() else { return };
    fs::write(mount.at("file"), b"x").unwrap();
    assert_eq!(errno(File::create_new(mount.at("file"))), Errno::EEXIST);
    assert_eq!(errno(File::open(mount.at("none"))), Errno::ENOENT);
    fs::create_dir(mount.at("dir")).unwrap();
    assert_eq!(errno(OpenOptions::new().write(true).open(mount.at("dir"))), Errno::EISDIR);
}

#[test]
fn several_writers_of_one_file_do_not_disturb_each_other() {
    let Some(mount) = Mount::new() else { return };
    File::create(mount.at("shared")).unwrap();
    std::thread::scope(|scope| {
        for part in 0..4_u64 {
            let path = mount.at("shared");
            scope.spawn(move || {
                let file = OpenOptions::new().write(true).open(path).unwrap();
                let data = noise(part, 300_000);
                for (index, chunk) in data.chunks(7777).enumerate() {
                    file.write_all_at(chunk, part * 300_000 + index as u64 * 7777).unwrap();
                }
            });
        }
    });
    let content = fs::read(mount.at("shared")).unwrap();
    let expected: Vec<u8> = (0..4).flat_map(|part| noise(part, 300_000)).collect();
    assert!(content == expected);
}

#[test]
fn a_mount_that_is_read_only_refuses_changes() {
    let mut options = strongroom_mountd::mount::MountOptions::default();
    options.parse("ro").unwrap();
    let Some(mount) = Mount::with(options) else { return };
    assert_eq!(errno(fs::write(mount.at("file"), b"x")), Errno::EROFS);
    assert_eq!(errno(fs::create_dir(mount.root().join("new-bucket"))), Errno::EROFS);
}
