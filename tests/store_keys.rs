//! The store and its KMS: calls count buckets, not files; a store whose KMS is away does not open and says why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod support;

use std::sync::Arc;
use strongroom::{
    disk::SimDisk,
    fs::{PutOptions, RootAttributes},
    kms::{CallKind, FaultyKms, KeyName, KmsError, MemoryKms},
    store::Store,
};
use support::store::{Ground, open};

const BUCKETS: usize = 4;
const FILES: usize = 50;

fn put(store: &Store, bucket: &str, key: &str, content: &[u8]) {
    let namespace = store.catalog().namespace(bucket).unwrap();
    let mut writer = namespace.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
    writer.write(content).unwrap();
    writer.finish(&Default::default()).unwrap();
}

fn get(store: &Store, bucket: &str, key: &str) -> Vec<u8> {
    let reader = store.catalog().namespace(bucket).unwrap().get_object(key.as_bytes()).unwrap();
    let mut content = vec![0; reader.info().size as usize];
    let read = reader.read_at(0, &mut content).unwrap();
    assert_eq!(read, content.len());
    content
}

fn fill(store: &Store) {
    for bucket in 0..BUCKETS {
        let name = format!("bucket-{bucket}");
        store.catalog().create_bucket(&name, RootAttributes::default(), store.default_key()).unwrap();
        for file in 0..FILES {
            put(store, &name, &format!("dir/{file}"), &vec![file as u8; file * 99]);
        }
    }
}

#[test]
fn calls_of_the_kms_count_buckets_not_files() {
    let kms = Arc::new(FaultyKms::new(Arc::new(MemoryKms::new(KeyName::new("key").unwrap()).unwrap())));
    let ground = Ground { disk: SimDisk::new(1), kms: Arc::clone(&kms) as _ };
    let store = open(&ground).unwrap();
    fill(&store);
    assert_eq!(kms.calls(CallKind::Generate), BUCKETS as u64 + 1, "one DEK for each bucket and one for the catalog");
    let before = kms.calls(CallKind::Unwrap);
    store.close_storage().unwrap();
    drop(store);
    let store = open(&ground).unwrap();
    for bucket in 0..BUCKETS {
        for file in 0..FILES {
            assert_eq!(get(&store, &format!("bucket-{bucket}"), &format!("dir/{file}")), vec![file as u8; file * 99]);
        }
    }
    assert_eq!(kms.calls(CallKind::Unwrap) - before, BUCKETS as u64 + 1);
    assert_eq!(kms.calls(CallKind::Generate), BUCKETS as u64 + 1);
}

#[test]
fn a_store_whose_kms_says_no_does_not_open_and_names_the_key() {
    let kms = Arc::new(FaultyKms::new(Arc::new(MemoryKms::new(KeyName::new("key").unwrap()).unwrap())));
    let ground = Ground { disk: SimDisk::new(1), kms: Arc::clone(&kms) as _ };
    let store = open(&ground).unwrap();
    fill(&store);
    store.close_storage().unwrap();
    drop(store);
    let files = ground.disk.files();
    kms.fail_always(
        CallKind::Unwrap,
        KmsError::Unreachable {
            endpoint: "https://kms.invalid".into(),
            key: "key".into(),
            detail: "connection refused".into(),
        },
    );
    let message = open(&ground).err().unwrap().to_string();
    assert!(message.contains("key") && message.contains("connection refused"), "{message}");
    assert_eq!(ground.disk.files(), files, "nothing was changed");
    kms.heal();
    assert_eq!(get(&open(&ground).unwrap(), "bucket-1", "dir/7"), vec![7; 7 * 99]);
}
