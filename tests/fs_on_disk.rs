//! Files and objects over the store on a disk: what the in-memory stores promise holds there too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use strongroom::{
    fs::*,
    kms::KmsConfig,
    store::{DEFAULT_MEMORY_BYTES, Store, StoreOptions},
};

fn open(path: &Path) -> Arc<Store> {
    let home = path.join("home").to_str().unwrap().to_owned();
    let options = StoreOptions {
        path: path.join("store"),
        kms: KmsConfig::from_env(|_| None).unwrap(),
        credentials: None,
        create: true,
        memory_bytes: DEFAULT_MEMORY_BYTES,
        accept_loss: false,
        lookup: Box::new(move |name| (name == "XDG_CONFIG_HOME").then(|| home.clone())),
    };
    Store::open(options).unwrap().0
}

fn body(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 13 + at / 255 + seed) as u8).collect()
}

#[test]
fn a_mixed_load_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("home")).unwrap();
    let mut wanted: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    {
        let store = open(dir.path());
        let key = store.default_key().to_owned();
        store
            .catalog()
            .create_bucket("mixed", RootAttributes { mode: 0o755, ..RootAttributes::default() }, &key)
            .unwrap();
        let fs = store.catalog().namespace("mixed").unwrap();
        let node = NewNode { kind: FileKind::File, mode: 0o644, owner: Owner { uid: 1, gid: 1 }, rdev: 0 };
        for index in 0..400 {
            let key = format!("d{}/o{}", index % 7, index % 90);
            let data = body(index, index * 37 % 9_000);
            let mut put = fs.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
            put.write(&data).unwrap();
            put.finish(&Conditions::default()).unwrap();
            wanted.insert(key, data);
            let name = format!("p{}", index % 40);
            let handle = fs.create(Ino::ROOT, name.as_bytes(), &node, Access::ReadWrite, false).unwrap().value.1;
            let data = body(index, 5_000 + index * 100);
            let at = index * 200 % 4_000;
            fs.write(&handle, at as u64, &data, false).unwrap();
            let number = fs.fsync(&handle).unwrap().number;
            if index % 50 == 0 {
                fs.sync(number).unwrap();
            }
            let content = wanted.entry(name).or_default();
            content.resize(content.len().max(at + data.len()), 0);
            content[at..at + data.len()].copy_from_slice(&data);
        }
        for index in 0..10 {
            fs.unlink(Ino::ROOT, format!("p{index}").as_bytes()).unwrap();
            wanted.remove(&format!("p{index}"));
        }
        while fs.work().unwrap() {}
        compare(&fs, &wanted);
        fs.commit_writes(Duration::ZERO).unwrap();
        drop(fs);
        store.close().unwrap();
    }
    let store = open(dir.path());
    compare(&store.catalog().namespace("mixed").unwrap(), &wanted);
    store.close().unwrap();
}

fn compare(fs: &Arc<Namespace>, wanted: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(check(fs).unwrap(), []);
    let page = fs.list(&ListRequest { max_entries: 10_000, ..ListRequest::default() }).unwrap();
    let keys: Vec<String> = page
        .entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Object { key, .. } => String::from_utf8(key.clone()).unwrap(),
            ListEntry::CommonPrefix(_) => panic!("no delimiter was given"),
        })
        .collect();
    assert_eq!(keys, wanted.keys().cloned().collect::<Vec<_>>());
    for (key, data) in wanted {
        let reader = fs.get_object(key.as_bytes()).unwrap();
        let mut got = vec![0; reader.info().size as usize];
        reader.read_at(0, &mut got).unwrap();
        assert!(got == *data, "{key}");
    }
}
