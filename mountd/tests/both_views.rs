//! Changes through S3, as the mount sees them: at once, whatever the kernel keeps.

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
use nix::errno::Errno;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
};
use strongroom::fs::{Conditions, PutOptions, RootAttributes};

fn put(mount: &Mount, key: &str, data: &[u8]) {
    let namespace = mount.catalog.namespace("bbb").unwrap();
    let mut put = namespace.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
    put.write(data).unwrap();
    put.finish(&Conditions::default()).unwrap();
}

fn delete(mount: &Mount, key: &str) {
    let namespace = mount.catalog.namespace("bbb").unwrap();
    namespace.delete_object(key.as_bytes(), &Conditions::default()).unwrap();
}

fn names(mount: &Mount, folder: &str) -> BTreeSet<String> {
    fs::read_dir(mount.at(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn objects_come_change_and_go_in_the_mount() {
    let Some(mount) = Mount::new() else { return };
    for round in 0..50_usize {
        assert_eq!(names(&mount, ""), set(&[]));
        assert_eq!(errno(fs::read(mount.at("object"))), Errno::ENOENT);
        put(&mount, "object", b"first");
        assert_eq!(fs::read(mount.at("object")).unwrap(), b"first", "round {round}");
        assert_eq!(names(&mount, ""), set(&["object"]));
        put(&mount, "object", b"the second, longer");
        assert_eq!(fs::read(mount.at("object")).unwrap(), b"the second, longer");
        assert_eq!(fs::metadata(mount.at("object")).unwrap().len(), 18);
        delete(&mount, "object");
        assert_eq!(errno(fs::metadata(mount.at("object"))), Errno::ENOENT, "round {round}");
    }
}

#[test]
fn directories_that_a_key_implies_come_and_go_with_it() {
    let Some(mount) = Mount::new() else { return };
    assert_eq!(names(&mount, ""), set(&[]));
    put(&mount, "a/b/c", b"x");
    assert_eq!(names(&mount, ""), set(&["a"]));
    assert_eq!(fs::read(mount.at("a/b/c")).unwrap(), b"x");
    put(&mount, "a/b/d", b"y");
    assert_eq!(names(&mount, "a/b"), set(&["c", "d"]));
    delete(&mount, "a/b/c");
    delete(&mount, "a/b/d");
    assert_eq!(errno(fs::metadata(mount.at("a"))), Errno::ENOENT);
    assert_eq!(names(&mount, ""), set(&[]));
}

#[test]
fn a_reader_keeps_the_content_it_opened() {
    let Some(mount) = Mount::new() else { return };
    put(&mount, "object", &vec![1; 500_000]);
    let file = File::open(mount.at("object")).unwrap();
    put(&mount, "object", &vec![2; 500_000]);
    let mut buffer = vec![0; 500_000];
    file.read_exact_at(&mut buffer, 0).unwrap();
    assert!(buffer.iter().all(|byte| *byte == 1));
    assert!(fs::read(mount.at("object")).unwrap().iter().all(|byte| *byte == 2));
}

#[test]
fn buckets_come_and_go_in_the_mount() {
    let Some(mount) = Mount::new() else { return };
    for _ in 0..20 {
        assert_eq!(errno(fs::metadata(mount.root().join("new"))), Errno::ENOENT);
        let root = RootAttributes { mode: 0o750, uid: 3, ..RootAttributes::default() };
        mount.catalog.create_bucket("new", root, "memory").unwrap();
        assert!(fs::metadata(mount.root().join("new")).unwrap().is_dir());
        assert_eq!(fs::read_dir(mount.root()).unwrap().count(), 2);
        mount.catalog.rename_bucket("new", "newer").unwrap();
        assert_eq!(errno(fs::metadata(mount.root().join("new"))), Errno::ENOENT);
        assert!(fs::metadata(mount.root().join("newer")).unwrap().is_dir());
        mount.catalog.remove_bucket("newer").unwrap();
        assert_eq!(errno(fs::metadata(mount.root().join("newer"))), Errno::ENOENT);
        assert_eq!(fs::read_dir(mount.root()).unwrap().count(), 1);
    }
}

#[test]
fn a_shell_keeps_its_place_in_a_bucket_it_made() {
    let Some(mount) = Mount::new() else { return };
    for round in 0..20 {
        let script =
            format!("mkdir made{round}; cd made{round}; sleep 0.01; /bin/pwd; echo x > file; cat file; rm file");
        let said = shell(&mount.root(), &script);
        assert!(said.contains(&format!("mnt/made{round}\n")), "{said}");
    }
}

#[test]
fn puts_and_programs_in_one_directory_do_not_wait_for_each_other() {
    let Some(mount) = Mount::new() else { return };
    std::thread::scope(|scope| {
        let mount = &mount.catalog;
        for worker in 0..2 {
            scope.spawn(move || {
                let namespace = mount.namespace("bbb").unwrap();
                for index in 0..200 {
                    let key = format!("shared/put-{worker}-{index}");
                    let mut put = namespace.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
                    put.write(b"x").unwrap();
                    put.finish(&Conditions::default()).unwrap();
                }
            });
        }
    });
    let folder = mount.at("shared");
    std::thread::scope(|scope| {
        let catalog = &mount.catalog;
        scope.spawn(move || {
            let namespace = catalog.namespace("bbb").unwrap();
            for index in 0..300 {
                let key = format!("shared/more-{index}");
                let mut put = namespace.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
                put.write(b"x").unwrap();
                put.finish(&Conditions::default()).unwrap();
            }
        });
        for worker in 0..3 {
            let folder = &folder;
            scope.spawn(move || {
                for index in 0..200 {
                    fs::write(folder.join(format!("file-{worker}-{index}")), b"y").unwrap();
                    fs::rename(
                        folder.join(format!("file-{worker}-{index}")),
                        folder.join(format!("moved-{worker}-{index}")),
                    )
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 400 + 300 + 600);
}

#[test]
fn what_a_program_saves_is_an_object() {
    let Some(mount) = Mount::new() else { return };
    fs::create_dir(mount.at("dir")).unwrap();
    fs::write(mount.at("dir/file"), b"saved").unwrap();
    let namespace = mount.catalog.namespace("bbb").unwrap();
    let info = namespace.head_object(b"dir/file").unwrap();
    assert_eq!(info.size, 5);
    fs::remove_file(mount.at("dir/file")).unwrap();
    assert!(namespace.head_object(b"dir/file").is_err());
}
