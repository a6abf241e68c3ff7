//! What the commands do when all is well.

use super::room::Room;

#[test]
fn buckets_are_made_listed_and_removed() {
    let room = Room::with_store();
    let made = room.run(&["bucket", "create", "store", "photos"]).done();
    assert_eq!(made.out, "created bucket photos under key strongroom-default\n");
    let made = room.run(&["--json", "bucket", "create", "store", "letters"]).done().json();
    assert_eq!(made["created"]["name"], "letters");
    assert_eq!(made["created"]["key_name"], "strongroom-default");
    let list = room.run(&["bucket", "list", "store"]).done().out;
    let names: Vec<_> = list.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["letters", "photos"]);
    let list = room.run(&["bucket", "list", "store", "--json"]).done().json();
    assert_eq!(list["buckets"][1]["name"], "photos");
    let removed = room.run(&["bucket", "remove", "store", "photos"]).done();
    assert_eq!(removed.out, "removed bucket photos\n");
    let removed = room.run(&["--json", "bucket", "remove", "store", "letters"]).done().json();
    assert_eq!(removed, serde_json::json!({ "removed": "letters" }));
    assert_eq!(room.run(&["bucket", "list", "store"]).done().out, "");
}

#[test]
fn a_bucket_that_cannot_be_made_or_removed_is_named() {
    let room = Room::with_store();
    room.run(&["bucket", "create", "store", "photos"]).done();
    room.run(&["bucket", "create", "store", "photos"]).refused(&["photos", "exists"]);
    room.run(&["bucket", "create", "store", "No_Good"]).refused(&["No_Good"]);
    room.run(&["bucket", "remove", "store", "letters"]).refused(&["letters", "no such bucket"]);
}

#[test]
fn status_tells_kms_keys_space_and_buckets() {
    let room = Room::with_store();
    room.run(&["bucket", "create", "store", "photos"]).done();
    let status = room.run(&["--json", "status", "store"]).done().json();
    assert_eq!(status["state"], "open");
    assert_eq!(status["format"]["version"], 1);
    assert_eq!(status["kms"]["kind"], "static key");
    assert_eq!(status["kms"]["online"], true);
    assert_eq!(status["kms"]["endpoints"][0]["endpoint"], room.key_file().display().to_string());
    assert_eq!(status["default_key"], "strongroom-default");
    assert_eq!(status["buckets"][0]["name"], "photos");
    assert_eq!(status["buckets"][0]["state"], "closed");
    assert_eq!(status["buckets"][0]["generation"], 1);
    assert!(status["space"]["reserve_bytes"].as_u64().unwrap() > 0);
    assert!(room.key_file().ends_with(format!("{}.key", status["store_id"].as_str().unwrap())));
    let text = room.run(&["status", "store"]).done().out;
    for word in ["open", "photos", "strongroom-default", "online", "reserve"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours outside a terminal");
}

#[test]
fn wrong_usage_ends_with_2_and_help_with_0() {
    let room = Room::new();
    for wrong in [
        &["frobnicate"][..],
        &["status"],
        &["bucket"],
        &["bucket", "create", "store"],
        &["status", "--wrong", "s"],
        &[],
    ] {
        let run = room.run(wrong);
        assert_eq!(run.code, 2, "{run:?}");
        assert_eq!(run.out, "");
        assert!(run.err.contains("Usage"), "{run:?}");
    }
    let help = room.run(&["--help"]).done();
    assert!(help.out.contains("Exit codes") && help.out.contains("bucket"), "{help:?}");
    assert!(room.run(&["--version"]).done().out.starts_with("strongroom "));
}

#[test]
fn xattr_says_that_a_file_outside_a_mount_has_none() {
    let room = Room::new();
    std::fs::write(room.path("plain"), b"x").unwrap();
    room.run(&["xattr", "plain"]).refused(&["plain", "inside a Strongroom mount"]);
    room.run(&["xattr", "missing"]).refused(&["missing", "No such file"]);
}

#[test]
fn completions_name_every_command() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = room.run(&["completions", shell]).done().out;
        for command in ["status", "bucket", "fsck", "xattr"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}
