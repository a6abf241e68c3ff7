//! A small store of every released format, kept beside this file, is opened and read by each test run.
//!
//! Each `vN.tar.gz` holds a store, sealed under the static key in `vN.key`, which guards nothing else. They were
//! written once, by
//!
//! ```text
//! STRONGROOM_WRITE_FORMAT=1 cargo test --ignore-rust-version -p strongroom --test formats
//! ```
//!
//! which writes the store of the present format version when it is not there yet. A stored one is never written anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod sample;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use strongroom::{
    format::FORMAT_VERSION,
    kms::KmsConfig,
    store::{Store, StoreOptions},
};

/// Memory of the stores here: small, so that tables and logs are small.
const MEMORY_BYTES: u64 = 8 << 20;
/// Archives beyond this do not belong into a repository.
const ARCHIVE_LIMIT_BYTES: u64 = 300 << 10;
/// Not of the store's content: the space kept free is made anew, the lock is the process's.
const LEFT_OUT: [&str; 2] = ["reserve", "lock"];

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(name)
}

fn open(store: &Path, key: &Path, create: bool) -> Arc<Store> {
    let key = fs::read_to_string(key).unwrap();
    let kms = KmsConfig::from_env(|name| (name == "MINIO_KMS_SECRET_KEY").then(|| key.clone())).unwrap();
    let options = StoreOptions {
        path: store.to_owned(),
        kms,
        credentials: None,
        create,
        memory_bytes: MEMORY_BYTES,
        accept_loss: false,
        lookup: Box::new(|_| None),
    };
    Store::open(options).unwrap().0
}

/// Writes the sample into a new store, and closes it.
fn write_store(store: &Path, key: &Path) {
    let opened = open(store, key, true);
    sample::write(&opened);
    opened.close().unwrap();
}

/// Opens a store twice and finds the sample each time: the first opening writes an epoch of its own.
fn check_store(store: &Path, key: &Path) {
    let read = || {
        let opened = open(store, key, false);
        sample::check(&opened);
        let credentials = opened.credentials().access_key.clone();
        opened.close().unwrap();
        credentials
    };
    assert_eq!(read(), read(), "the credentials are kept");
}

fn tar(arguments: &[&str]) {
    let status = Command::new("tar").args(arguments).status().unwrap();
    assert!(status.success(), "tar {arguments:?}: {status}");
}

#[test]
fn a_store_of_the_present_format_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    write_store(&store, &beside("v1.key"));
    check_store(&store, &beside("v1.key"));
}

#[test]
fn stores_of_every_released_format_are_read() {
    if env::var_os("STRONGROOM_WRITE_FORMAT").is_some() {
        write_archive();
    }
    for version in 1..=FORMAT_VERSION {
        let (archive, key) = (beside(&format!("v{version}.tar.gz")), beside(&format!("v{version}.key")));
        let directory = tempfile::tempdir().unwrap();
        tar(&["-xzf", archive.to_str().unwrap(), "-C", directory.path().to_str().unwrap()]);
        check_store(&directory.path().join("store"), &key);
    }
}

fn write_archive() {
    let archive = beside(&format!("v{FORMAT_VERSION}.tar.gz"));
    assert!(!archive.exists(), "{} is there; a released format is never written anew", archive.display());
    let directory = tempfile::tempdir().unwrap();
    write_store(&directory.path().join("store"), &beside(&format!("v{FORMAT_VERSION}.key")));
    for name in LEFT_OUT {
        fs::remove_file(directory.path().join("store").join(name)).unwrap();
    }
    let directory = directory.path().to_str().unwrap();
    let common = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-C", directory, "store"];
    tar(&[&["-czf", archive.to_str().unwrap()], common.as_slice()].concat());
    assert!(fs::metadata(&archive).unwrap().len() < ARCHIVE_LIMIT_BYTES);
}
