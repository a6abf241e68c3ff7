//! What `fsck` finds, names, repairs and leaves alone.

use super::room::{Room, copy_tree};
use serde_json::Value;
use std::{fs, os::unix::fs::FileExt, path::Path};

fn flip(path: &Path, offset: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

fn findings<'a>(report: &'a Value, severity: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["severity"] == severity).collect()
}

fn is_dead(report: &Value, file: &str, offset: u64) -> bool {
    report["dead"].as_array().unwrap().iter().any(|dead| {
        let range = dead["start"].as_u64().unwrap()..dead["end"].as_u64().unwrap();
        dead["file"] == file && range.contains(&offset)
    })
}

#[test]
fn a_whole_store_is_clean() {
    let room = Room::with_files();
    let run = room.run(&["fsck", "store"]).done();
    assert!(run.out.starts_with("clean: 1 buckets"), "{run:?}");
    let report = room.run(&["--json", "fsck", "store"]).done().json();
    assert_eq!(report["clean"], true, "{report}");
    assert_eq!(report["checked"]["content_bytes"], 200 + 70_000 + (3 << 20));
}

#[test]
fn damaged_content_is_named_by_bucket_object_and_place() {
    let room = Room::with_files();
    let logs = room.files().into_iter().filter(|file| file.starts_with("buckets/") && file.ends_with(".log"));
    let log = logs.map(|file| room.store().join(file)).max_by_key(|log| fs::metadata(log).unwrap().len()).unwrap();
    // Within the first segment of 1 MiB.
    let offset = 300 << 10;
    flip(&log, offset);
    let run = room.run(&["--json", "fsck", "store"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = run.json();
    let lost = findings(&report, "lost");
    let named: Vec<_> = lost.iter().filter(|finding| !finding["objects"].as_array().unwrap().is_empty()).collect();
    assert_eq!(named.len(), 1, "{report}");
    assert_eq!(named[0]["bucket"], "photos");
    assert_eq!(named[0]["objects"], serde_json::json!(["2026/large"]));
    let range = &named[0]["object_range"];
    assert_eq!(range[1].as_u64().unwrap() - range[0].as_u64().unwrap(), 65_536);
    let (start, len) = (named[0]["offset"].as_u64().unwrap(), named[0]["len"].as_u64().unwrap());
    assert!((start..start + len).contains(&offset));
    assert!(log.ends_with(named[0]["file"].as_str().unwrap()));
    let text = room.run(&["fsck", "store"]);
    assert_eq!(text.code, 3);
    assert!(text.out.contains("2026/large") && text.out.contains("backup"), "{text:?}");
}

#[test]
fn a_flip_or_a_cut_anywhere_is_reported_or_lies_in_dead_bytes() {
    let whole = Room::with_files();
    for file in whole.files() {
        let len = fs::metadata(whole.store().join(&file)).unwrap().len();
        if file == "lock" || file == "reserve" || len == 0 {
            continue;
        }
        for offset in [0, len / 3, len - 1] {
            let room = whole.copy();
            flip(&room.store().join(&file), offset);
            let run = room.run(&["--json", "fsck", "store"]);
            match run.code {
                0 => assert!(is_dead(&run.json(), &file, offset), "{file} at {offset}: not noticed"),
                3 => assert!(run.out.contains(file.rsplit('/').next().unwrap()), "{file} at {offset}: {}", run.out),
                _ => panic!("{file} at {offset}: {run:?}"),
            }
        }
        let room = whole.copy();
        fs::OpenOptions::new().write(true).open(room.store().join(&file)).unwrap().set_len(len / 2).unwrap();
        let run = room.run(&["--json", "fsck", "store"]);
        match run.code {
            0 => assert!(is_dead(&whole.copy().run(&["--json", "fsck", "store"]).json(), &file, len - 1), "{file}"),
            1 => assert!(run.err.contains("catalog") || run.err.contains("store"), "{file}: {run:?}"),
            3 => {}
            _ => panic!("{file}: {run:?}"),
        }
    }
}

#[test]
fn what_stands_twice_is_repaired_and_said() {
    let room = Room::with_files();
    let lost =
        [room.store().join("store.b"), room.store().join("catalog/keyring.a"), room.file("buckets/", "/keyring.b")];
    for path in &lost {
        fs::remove_file(path).unwrap();
    }
    let run = room.run(&["--json", "fsck", "store"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = run.json();
    let repaired: Vec<_> = findings(&report, "repaired").iter().map(|finding| finding["file"].clone()).collect();
    assert_eq!(repaired.len(), 3, "{report}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 3, "{report}");
    for path in &lost {
        assert!(path.exists());
    }
    assert_eq!(room.run(&["--json", "fsck", "store"]).done().json()["clean"], true);
}

#[test]
fn a_bucket_put_back_from_an_older_copy_is_named() {
    let room = Room::with_files();
    let older = room.copy();
    let store = room.open(false);
    let bucket = store.catalog().namespace("photos").unwrap();
    let put = bucket.begin_put(b"newer", Default::default()).unwrap();
    put.finish(&Default::default()).unwrap();
    drop(bucket);
    store.close().unwrap();
    fs::remove_dir_all(room.store().join("buckets")).unwrap();
    copy_tree(&older.store().join("buckets"), &room.store().join("buckets"));
    let run = room.run(&["--json", "fsck", "store"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = run.json();
    assert!(findings(&report, "lost").iter().any(|finding| finding["bucket"] == "photos"), "{report}");
}

#[test]
fn a_bucket_whose_directory_is_gone_is_named_and_the_others_are_checked() {
    let room = Room::with_files();
    room.run(&["bucket", "create", "store", "other"]).done();
    let store = room.open(false);
    let id = hex::encode(store.catalog().bucket("photos").unwrap().id);
    store.close().unwrap();
    fs::remove_dir_all(room.store().join("buckets").join(id)).unwrap();
    let run = room.run(&["--json", "fsck", "store"]);
    assert_eq!(run.code, 3, "{run:?}");
    let report = run.json();
    assert_eq!(report["checked"]["buckets"], 2);
    assert!(report["findings"].as_array().unwrap().iter().all(|finding| finding["bucket"] == "photos"), "{report}");
}

#[test]
fn directories_without_a_record_are_listed_and_left_alone() {
    let room = Room::with_files();
    let strange = room.store().join("buckets/00112233445566778899aabbccddeeff");
    fs::create_dir(&strange).unwrap();
    fs::write(strange.join("keyring.a"), "?").unwrap();
    fs::write(room.store().join("notes.txt"), "mine").unwrap();
    let report = room.run(&["--json", "fsck", "store"]).done().json();
    assert_eq!(report["unknown"], serde_json::json!(["buckets/00112233445566778899aabbccddeeff", "notes.txt"]));
    assert!(strange.join("keyring.a").exists());
    assert!(room.run(&["fsck", "store"]).done().out.contains("left alone"));
}

#[test]
fn losses_of_a_bucket_that_is_not_there_are_not_accepted() {
    let room = Room::with_files();
    let before = room.digest();
    room.run(&["fsck", "store", "--accept-loss", "letters"]).refused(&["letters", "bucket list"]);
    assert_eq!(room.digest(), before);
    // Nothing was lost, so there is nothing to accept.
    let report = room.run(&["--json", "fsck", "store", "--accept-loss", "photos"]).done().json();
    assert_eq!(report["accepted"], serde_json::json!([]));
}
