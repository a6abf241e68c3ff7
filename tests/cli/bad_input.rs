//! Stores and configurations that are refused: the message names the thing and the next step, and nothing changes.

use super::room::Room;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use strongroom::{
    format::{FORMAT_VERSION, Features},
    kms::{KeyName, create_key_file},
    store::StoreFile,
};

/// Every command that opens a store refuses this one with these words, and changes nothing.
fn refused(room: &Room, variables: &[(&str, &str)], words: &[&str]) {
    let before = room.digest();
    let commands: [&[&str]; 5] = [
        &["status", "store"],
        &["bucket", "list", "store"],
        &["--json", "bucket", "create", "store", "photos"],
        &["bucket", "remove", "store", "photos"],
        &["fsck", "store"],
    ];
    for command in commands {
        room.run_with(variables, command).refused(words);
        assert_eq!(room.digest(), before, "{command:?} changed something");
    }
}

fn other_key(room: &Room) -> PathBuf {
    let path = room.path("other.key");
    create_key_file(&path, &KeyName::new("strongroom-default").unwrap()).unwrap();
    path
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn store_file(room: &Room) -> StoreFile {
    StoreFile::decode(&fs::read(room.store().join("store.a")).unwrap()).unwrap()
}

fn put_store_file(room: &Room, file: StoreFile) {
    for copy in ["store.a", "store.b"] {
        fs::write(room.store().join(copy), file.encode()).unwrap();
    }
}

#[test]
fn a_missing_key_file_is_named() {
    let room = Room::with_store();
    let key = room.key_file();
    fs::rename(&key, room.path("elsewhere")).unwrap();
    refused(&room, &[], &[key.to_str().unwrap(), "is missing", "MINIO_KMS_SECRET_KEY_FILE", "backup"]);
}

#[test]
fn the_key_file_of_another_store_is_refused() {
    let room = Room::with_store();
    fs::copy(other_key(&room), room.key_file()).unwrap();
    refused(&room, &[], &["sealed under key strongroom-default", "does not open"]);
}

#[test]
fn a_key_file_that_is_none_is_refused() {
    let room = Room::with_store();
    for content in [&b""[..], b"nonsense", &[0xff; 100_000]] {
        fs::write(room.key_file(), content).unwrap();
        refused(&room, &[], &[room.key_file().to_str().unwrap(), "cannot be used"]);
    }
}

#[test]
fn a_key_file_with_loose_permissions_is_refused() {
    let room = Room::with_store();
    for loose in [0o640, 0o604, 0o666] {
        mode(&room.key_file(), loose);
        refused(&room, &[], &[room.key_file().to_str().unwrap(), "600"]);
    }
}

#[test]
fn a_key_file_inside_the_store_is_refused() {
    let room = Room::with_store();
    let inside = room.store().join("catalog/my.key");
    fs::copy(room.key_file(), &inside).unwrap();
    mode(&inside, 0o600);
    let inside = inside.to_str().unwrap();
    refused(&room, &[("MINIO_KMS_SECRET_KEY_FILE", inside)], &[inside, "inside the store", "move it out"]);
    let config = room.store().join("catalog");
    refused(&room, &[("XDG_CONFIG_HOME", config.to_str().unwrap())], &["inside the store", "move it out"]);
    std::os::unix::fs::symlink(room.store().join("catalog"), room.path("link")).unwrap();
    let linked = room.path("link/my.key");
    refused(&room, &[("MINIO_KMS_SECRET_KEY_FILE", linked.to_str().unwrap())], &["inside the store"]);
}

#[test]
fn two_kms_are_refused_and_both_named() {
    let room = Room::with_store();
    let key = room.key_file();
    let variables =
        [("MINIO_KMS_SECRET_KEY_FILE", key.to_str().unwrap()), ("MINIO_KMS_KES_ENDPOINT", "https://127.0.0.1:7373")];
    refused(&room, &variables, &["MINIO_KMS_SECRET_KEY_FILE", "MINIO_KMS_KES_ENDPOINT", "unset"]);
}

#[test]
fn root_credentials_that_s3_does_not_take_are_refused() {
    let room = Room::with_store();
    refused(&room, &[("MINIO_ROOT_USER", "admin")], &["MINIO_ROOT_PASSWORD"]);
    refused(&room, &[("MINIO_ROOT_USER", "admin"), ("MINIO_ROOT_PASSWORD", "short")], &["8 characters"]);
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    let room = Room::with_store();
    put_store_file(&room, StoreFile { version: FORMAT_VERSION + 1, ..store_file(&room) });
    refused(&room, &[], &["format version 2", "newer Strongroom"]);
}

#[test]
fn one_newer_copy_of_the_store_file_is_enough() {
    let room = Room::with_store();
    let newer = StoreFile { version: FORMAT_VERSION + 1, ..store_file(&room) };
    fs::write(room.store().join("store.b"), newer.encode()).unwrap();
    refused(&room, &[], &["format version 2", "newer Strongroom"]);
}

#[test]
fn foreign_feature_flags_are_refused() {
    let room = Room::with_store();
    let file = store_file(&room);
    put_store_file(&room, StoreFile { features: Features { incompatible: 1 << 40, ..file.features }, ..file });
    refused(&room, &[], &["features 0x10000000000", "newer Strongroom"]);
    put_store_file(&room, StoreFile { features: Features { read_only: 4, ..file.features }, ..file });
    refused(&room, &[], &["may not write", "newer Strongroom"]);
    put_store_file(&room, StoreFile { features: Features { compatible: 4, ..file.features }, ..file });
    room.run(&["status", "store"]).done();
}

#[test]
fn a_directory_that_is_no_store_is_refused() {
    let room = Room::new();
    refused(&room, &[], &["store does not exist", "strongroom-mountd"]);
    fs::create_dir(room.store()).unwrap();
    refused(&room, &[], &["store is not a store", "no store file"]);
    fs::write(room.store().join("letter.txt"), "dear").unwrap();
    refused(&room, &[], &["store is not a store", "letter.txt"]);
    fs::remove_dir_all(room.store()).unwrap();
    fs::write(room.store(), "dear").unwrap();
    refused(&room, &[], &["store is not a store", "not a directory"]);
}

#[test]
fn a_store_file_damaged_in_both_copies_is_refused() {
    for damage in [&b""[..], b"STRONGRM", &[0; 76], &[7; 4096]] {
        let room = Room::with_store();
        for copy in ["store.a", "store.b"] {
            fs::write(room.store().join(copy), damage).unwrap();
        }
        refused(&room, &[], &["store file"]);
    }
}

#[test]
fn a_catalog_damaged_in_both_copies_is_refused() {
    for (begin, word) in [("catalog/keyring.", "keyring"), ("catalog/manifest/", "manifest")] {
        let room = Room::with_files();
        for file in room.files().iter().filter(|file| file.starts_with(begin)) {
            let path = room.store().join(file);
            let half = fs::metadata(&path).unwrap().len() / 2;
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(half).unwrap();
        }
        refused(&room, &[], &["catalog", word]);
    }
}

#[test]
fn a_store_that_another_process_holds_is_refused() {
    let room = Room::with_store();
    let store = room.open(false);
    let pid = std::process::id().to_string();
    room.run(&["status", "store"]).refused(&["held by process", &pid, "XDG_RUNTIME_DIR"]);
    room.run(&["fsck", "store"]).refused(&["held by process", &pid]);
    store.close().unwrap();
    room.run(&["status", "store"]).done();
}
