//! What fsync and close promise.

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
use std::{
    fs::{self, File},
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use strongroom::bucket::{MemoryStore, MetaStore, Tickets};

fn store(mount: &Mount) -> Arc<MemoryStore> {
    mount.host.store(mount.catalog.bucket("bbb").unwrap().id).unwrap()
}

#[test]
fn fsync_returns_when_the_commit_is_durable() {
    let Some(mount) = Mount::new() else { return };
    let store = store(&mount);
    store.set_tickets(Tickets::Held);
    let mut file = File::create(mount.at("file")).unwrap();
    file.write_all(b"content").unwrap();
    file.sync_all().unwrap();
    assert_eq!(store.durable(), store.committed());
    fs::create_dir(mount.at("dir")).unwrap();
    assert_ne!(store.durable(), store.committed());
    File::open(mount.at("")).unwrap().sync_all().unwrap();
    assert_eq!(store.durable(), store.committed());
}

#[test]
fn close_commits_and_does_not_wait_for_the_disk() {
    let Some(mount) = Mount::new() else { return };
    let store = store(&mount);
    store.set_tickets(Tickets::Held);
    fs::write(mount.at("file"), vec![7; 100_000]).unwrap();
    assert_ne!(store.durable(), store.committed());
    let namespace = mount.catalog.namespace("bbb").unwrap();
    let before = namespace.committed();
    assert_eq!(namespace.commit_writes(Duration::ZERO).unwrap(), before, "close left nothing uncommitted");
}

#[test]
fn many_fsyncs_at_once_leave_the_mount_answering() {
    let Some(mount) = Mount::new() else { return };
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for index in 0..12 {
            let (path, done) = (mount.at(&format!("file{index}")), &done);
            scope.spawn(move || {
                let mut file = File::create(path).unwrap();
                for _ in 0..20 {
                    file.write_all(&[index; 5000]).unwrap();
                    file.sync_data().unwrap();
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(done.load(Ordering::Relaxed), 12);
    for index in 0..12 {
        assert_eq!(fs::read(mount.at(&format!("file{index}"))).unwrap(), vec![index; 100_000]);
    }
}

#[test]
fn fsync_never_reports_success_after_a_failed_sync() {
    let Some(mount) = Mount::new() else { return };
    let mut file = File::create(mount.at("file")).unwrap();
    file.write_all(b"content").unwrap();
    store(&mount).fail_sync();
    for _ in 0..2 {
        let failed = errno(file.sync_all());
        assert!(matches!(failed, Errno::EIO | Errno::EROFS), "{failed}");
    }
    assert!(matches!(errno(fs::write(mount.at("other"), b"x")), Errno::EIO | Errno::EROFS));
}

#[test]
fn a_full_disk_is_told_and_healed_by_removing_files() {
    let Some(mount) = Mount::new() else { return };
    store(&mount).faults().capacity_bytes = Some(2 << 20);
    // At the latest `close` tells; a program that looks at neither has been told by nobody else either.
    let save = |index: u8| {
        let mut file = File::create(mount.at(&format!("file{index}")))?;
        file.write_all(&vec![index; 500_000])?;
        Ok(nix::unistd::close(file)?)
    };
    let failed = (0..10).map(save).find(std::io::Result::is_err).map(errno);
    assert_eq!(failed, Some(Errno::ENOSPC));
    for entry in fs::read_dir(mount.at("")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::write(mount.at("after"), vec![1; 500_000]).unwrap();
}
