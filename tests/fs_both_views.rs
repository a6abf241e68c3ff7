//! What POSIX and S3 calls mean to each other: the statements of docs/SEMANTICS.md that name a test here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

use std::{ops::ControlFlow, sync::Arc};
use strongroom::{
    bucket::{MemoryStore, StoreError, Tickets},
    clock::{SystemClock, UnixNanos},
    crypt::{BucketId, BucketKeys, KernelEntropy},
    fs::*,
};

struct World {
    store: Arc<MemoryStore>,
    keys: BucketKeys,
    fs: Arc<Namespace>,
}

fn open(store: &Arc<MemoryStore>, keys: &BucketKeys) -> Arc<Namespace> {
    Namespace::open(NamespaceParts {
        meta: Arc::clone(store) as _,
        segments: Arc::clone(store) as _,
        keys: keys.clone(),
        entropy: Arc::new(KernelEntropy),
        clock: Arc::new(SystemClock),
        root: Arc::new(MemoryRoot::new(RootAttributes { mode: 0o755, uid: 7, gid: 8, ..RootAttributes::default() })),
        slot: 1,
        first_ino: 2,
        encryption: EncryptionStatus { algorithm: "aws:kms".into(), ..EncryptionStatus::default() },
        window_pool_bytes: 64 << 20,
    })
    .unwrap()
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::new();
        let keys = memory_keys(BucketId::from_bytes([1; 16]), &KernelEntropy).unwrap();
        let fs = open(&store, &keys);
        Self { store, keys, fs }
    }

    fn reopen(&mut self) {
        self.fs = open(&self.store, &self.keys);
    }

    fn check(&self) {
        let found = inspect(&self.fs).unwrap();
        assert_eq!(found.problems, []);
        assert_eq!(found.references, self.store.references());
    }

    fn create(&self, parent: Ino, name: &str) -> Handle {
        self.fs.create(parent, name.as_bytes(), &file(), Access::ReadWrite, true).unwrap().value.1
    }

    fn write_file(&self, parent: Ino, name: &str, data: &[u8]) -> Ino {
        let handle = self.create(parent, name);
        self.fs.write(&handle, 0, data, false).unwrap();
        self.fs.flush(&handle).unwrap();
        handle.ino()
    }

    fn read_file(&self, ino: Ino) -> Vec<u8> {
        let handle = self.fs.open_file(ino, Access::Read).unwrap();
        let mut buf = vec![0; self.fs.getattr(ino).unwrap().size as usize + 10];
        let got = self.fs.read(&handle, 0, &mut buf).unwrap();
        buf.truncate(got);
        buf
    }

    fn put(&self, key: &str, data: &[u8]) -> ObjectInfo {
        let mut put = self.fs.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
        put.write(data).unwrap();
        put.finish(&Conditions::default()).unwrap().value
    }

    fn get(&self, key: &str) -> Vec<u8> {
        let reader = self.fs.get_object(key.as_bytes()).unwrap();
        let mut buf = vec![0; reader.info().size as usize];
        assert_eq!(reader.read_at(0, &mut buf).unwrap(), buf.len());
        buf
    }

    fn delete(&self, key: &str) -> Deleted {
        self.fs.delete_object(key.as_bytes(), &Conditions::default()).unwrap().value
    }

    fn keys(&self) -> Vec<String> {
        self.list("", "", 1000).0
    }

    fn list(&self, prefix: &str, delimiter: &str, page: usize) -> (Vec<String>, Vec<String>) {
        let mut request = ListRequest {
            prefix: prefix.into(),
            delimiter: delimiter.into(),
            from: ListFrom::Start,
            max_entries: page,
        };
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        loop {
            let page = self.fs.list(&request).unwrap();
            for entry in page.entries {
                match entry {
                    ListEntry::Object { key, .. } => keys.push(String::from_utf8(key).unwrap()),
                    ListEntry::CommonPrefix(prefix) => prefixes.push(String::from_utf8(prefix).unwrap()),
                }
            }
            let Some(next) = page.next else { return (keys, prefixes) };
            request.from = next;
        }
    }

    fn names(&self, ino: Ino) -> Vec<String> {
        let handle = self.fs.open_dir(ino).unwrap();
        let mut names = Vec::new();
        self.fs
            .read_dir(&handle, 2, &mut |entry| {
                names.push(String::from_utf8(entry.name).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        names
    }

    fn mkdir(&self, parent: Ino, name: &str) -> Ino {
        self.fs.mkdir(parent, name.as_bytes(), &file()).unwrap().value.ino
    }

    fn lookup(&self, parent: Ino, name: &str) -> Attributes {
        self.fs.lookup(parent, name.as_bytes()).unwrap()
    }
}

fn file() -> NewNode {
    NewNode { kind: FileKind::File, mode: 0o644, owner: Owner { uid: 1000, gid: 1000 }, rdev: 0 }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

const ROOT: Ino = Ino::ROOT;

#[test]
fn a_file_written_through_posix_is_an_object_of_the_same_bytes() {
    let world = World::new();
    for len in [0, 1, 256, 257, 65_536, 65_537, 3_000_000] {
        let data = pattern(len);
        let name = format!("f{len}");
        let ino = world.write_file(ROOT, &name, &data);
        assert_eq!(world.read_file(ino), data, "{len}");
        assert_eq!(world.get(&name), data, "{len}");
    }
    world.check();
}

#[test]
fn an_object_put_through_s3_is_a_file_of_the_same_bytes() {
    let world = World::new();
    for len in [0, 1, 256, 257, 1 << 20, 5_000_001] {
        let data = pattern(len);
        world.put(&format!("d/e/o{len}"), &data);
        let d = world.lookup(ROOT, "d");
        assert_eq!((d.uid, d.gid, d.mode), (7, 8, 0o755));
        let e = world.lookup(d.ino, "e").ino;
        assert_eq!(world.read_file(world.lookup(e, &format!("o{len}")).ino), data);
    }
    world.check();
}

#[test]
fn a_put_of_many_segments_is_published_in_parts_and_abandoned_without_trace() {
    let world = World::new();
    let data = pattern(1 << 20);
    let mut put = world.fs.begin_put(b"big", PutOptions::default()).unwrap();
    for _ in 0..600 {
        put.write(&data).unwrap();
    }
    world.check();
    assert!(world.keys().is_empty());
    drop(put);
    while world.fs.work().unwrap() {}
    world.check();
    assert!(world.store.references().is_empty());
}

#[test]
fn writes_are_seen_by_posix_at_once_and_by_s3_after_the_commit() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, b"hello", false).unwrap();
    let mut buf = [0; 10];
    assert_eq!(world.fs.read(&handle, 0, &mut buf).unwrap(), 5);
    assert_eq!(&buf[..5], b"hello");
    assert_eq!(world.fs.getattr(handle.ino()).unwrap().size, 5);
    assert_eq!(world.fs.head_object(b"a").unwrap().size, 0);
    let before = world.fs.head_object(b"a").unwrap().etag;
    world.fs.flush(&handle).unwrap();
    let after = world.fs.head_object(b"a").unwrap();
    assert_eq!(after.size, 5);
    assert_ne!(after.etag, before);
    assert_eq!(world.get("a"), b"hello");
}

#[test]
fn every_key_order_is_that_of_bytes() {
    let world = World::new();
    let keys =
        ["a", "a-b", "a/", "a/x", "a0", "a//b", "a/./b", "a/../b", "foo/bar", "foo+1/x", "foo-bar", "é", "/lead"];
    for key in keys {
        world.put(key, key.as_bytes());
    }
    let mut sorted: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    sorted.sort();
    assert_eq!(world.keys(), sorted);
    for key in keys {
        assert_eq!(world.get(key), key.as_bytes());
    }
    for page in 1..5 {
        assert_eq!(world.list("", "", page).0, sorted);
    }
    let (keys, prefixes) = world.list("", "/", 2);
    assert_eq!(keys, ["a", "a-b", "a0", "foo-bar", "é"]);
    assert_eq!(prefixes, ["/", "a/", "foo+1/", "foo/"]);
    assert_eq!(
        world.list("a/", "/", 1),
        (vec!["a/".into(), "a/x".into()], vec!["a/../".into(), "a/./".into(), "a//".into()])
    );
    assert_eq!(world.list("foo", "-", 10), (vec!["foo+1/x".into(), "foo/bar".into()], vec!["foo-".into()]));
    world.check();
    for key in &sorted {
        assert_eq!(world.delete(key), Deleted::Removed);
    }
    assert!(world.keys().is_empty());
    assert!(world.names(ROOT).is_empty(), "{:?}", world.names(ROOT));
    world.check();
}

#[test]
fn rivals_have_an_alias_and_the_first_holder_the_name() {
    let world = World::new();
    world.put("a", b"file");
    world.put("a/b", b"inner");
    let names = world.names(ROOT);
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"a".to_owned()));
    let alias = names.iter().find(|name| name.starts_with(".s3~d")).unwrap().clone();
    assert_eq!(world.lookup(ROOT, "a").kind, FileKind::File);
    let directory = world.lookup(ROOT, &alias);
    assert_eq!(directory.kind, FileKind::Directory);
    assert_eq!(world.read_file(world.lookup(directory.ino, "b").ino), b"inner");
    world.check();
    world.fs.unlink(ROOT, b"a").unwrap();
    assert_eq!(world.names(ROOT), ["a"]);
    assert_eq!(world.lookup(ROOT, "a").kind, FileKind::Directory);
    assert!(world.fs.lookup(ROOT, alias.as_bytes()).is_err());
    assert_eq!(world.keys(), ["a/b"]);
    world.check();
}

#[test]
fn long_and_odd_components_are_usable_through_their_alias() {
    let world = World::new();
    let long = "x".repeat(1024);
    world.put(&long, b"long");
    let name = world.names(ROOT).pop().unwrap();
    assert!(name.len() <= 255);
    assert_eq!(world.read_file(world.lookup(ROOT, &name).ino), b"long");
    world.fs.rename(ROOT, name.as_bytes(), ROOT, b"short", RenameMode::Replace).unwrap();
    assert_eq!(world.keys(), ["short"]);
    world.put("a/../b", b"dots");
    let a = world.lookup(ROOT, "a").ino;
    let dots = world.names(a).pop().unwrap();
    let dots = world.lookup(a, &dots).ino;
    assert_eq!(world.names(dots), ["b"]);
    world.check();
}

#[test]
fn a_name_that_only_looks_like_an_alias_is_a_normal_name() {
    let world = World::new();
    world.write_file(ROOT, ".s3~dme", b"mine");
    world.put("a", b"file");
    world.put("a/b", b"inner");
    assert_eq!(world.read_file(world.lookup(ROOT, ".s3~dme").ino), b"mine");
    let names = world.names(ROOT);
    assert!(names.contains(&".s3~dme~1".to_owned()), "{names:?}");
    world.check();
}

#[test]
fn a_put_keeps_owner_and_mode_and_readers_keep_the_old_content() {
    let world = World::new();
    let ino = world.write_file(ROOT, "a", b"old content");
    let mode = SetAttributes { mode: Some(0o600), uid: Some(5), ..SetAttributes::default() };
    world.fs.setattr(ino, &mode, None).unwrap();
    let handle = world.fs.open_file(ino, Access::Read).unwrap();
    let reader = world.fs.get_object(b"a").unwrap();
    world.put("a", b"new");
    let mut buf = [0; 11];
    world.fs.read(&handle, 0, &mut buf).unwrap();
    assert_eq!(&buf, b"old content");
    reader.read_at(0, &mut buf).unwrap();
    assert_eq!(&buf, b"old content");
    let now = world.lookup(ROOT, "a");
    assert_ne!(now.ino, ino);
    assert_eq!((now.mode, now.uid, now.size), (0o600, 5, 3));
    drop(handle);
    world.check();
    assert!(matches!(world.fs.getattr(ino), Err(FsError::NotFound)));
}

#[test]
fn a_put_splits_hard_links() {
    let world = World::new();
    let ino = world.write_file(ROOT, "a", b"both");
    world.fs.link(ino, ROOT, b"b").unwrap();
    assert_eq!(world.keys(), ["a", "b"]);
    world.put("a", b"one");
    assert_eq!(world.get("b"), b"both");
    assert_eq!(world.lookup(ROOT, "b").nlink, 1);
    assert_eq!(world.delete("b"), Deleted::Removed);
    assert_eq!(world.keys(), ["a"]);
    world.check();
}

#[test]
fn directories_are_listed_while_explicit_and_childless_and_implied_ones_go_with_their_last_object() {
    let world = World::new();
    let d = world.mkdir(ROOT, "d");
    assert_eq!(world.keys(), ["d/"]);
    world.put("d/x", b"1");
    assert_eq!(world.keys(), ["d/x"]);
    world.delete("d/x");
    assert_eq!(world.keys(), ["d/"]);
    world.put("i/j/k", b"1");
    assert!(world.fs.head_object(b"i/").is_err());
    world.delete("i/j/k");
    assert_eq!(world.names(ROOT), ["d"]);
    world.put("i/j/k", b"1");
    let i = world.lookup(ROOT, "i").ino;
    world.mkdir(i, "made");
    world.delete("i/j/k");
    assert_eq!(world.keys(), ["d/", "i/made/"]);
    assert_eq!(world.delete("d/"), Deleted::Removed);
    assert!(world.fs.getattr(d).is_err());
    world.put("m/", b"body");
    world.put("m/n", b"");
    assert_eq!(world.keys(), ["i/made/", "m/", "m/n"]);
    assert_eq!(world.get("m/"), b"body");
    assert_eq!(world.delete("m/"), Deleted::Removed);
    assert_eq!(world.keys(), ["i/made/", "m/n"]);
    world.delete("m/n");
    assert_eq!(world.names(ROOT), ["i"]);
    world.check();
}

#[test]
fn special_files_are_hidden_from_s3_and_links_are_not_followed() {
    let world = World::new();
    world.fs.mknod(ROOT, b"fifo", &NewNode { kind: FileKind::Fifo, ..file() }).unwrap();
    world.fs.symlink(ROOT, b"link", b"/etc/passwd", Owner { uid: 1, gid: 1 }).unwrap();
    assert_eq!(world.keys(), ["link"]);
    assert_eq!(world.get("link"), b"/etc/passwd");
    assert!(world.fs.head_object(b"fifo").is_err());
    assert_eq!(world.delete("fifo"), Deleted::Missing);
    world.put("fifo", b"now an object");
    assert_eq!(world.lookup(ROOT, "fifo").kind, FileKind::File);
    world.check();
}

#[test]
fn an_unlinked_open_file_lives_until_it_is_closed_or_the_bucket_is_opened_again() {
    let mut world = World::new();
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, &pattern(1000), false).unwrap();
    world.fs.unlink(ROOT, b"a").unwrap();
    world.fs.write(&handle, 1000, &pattern(100_000), false).unwrap();
    world.fs.flush(&handle).unwrap();
    assert_eq!(world.fs.getattr(handle.ino()).unwrap().nlink, 0);
    world.check();
    std::mem::forget(handle);
    world.reopen();
    world.check();
    assert!(world.store.references().is_empty());
    let handle = world.create(ROOT, "b");
    world.fs.write(&handle, 0, &pattern(1000), false).unwrap();
    world.fs.unlink(ROOT, b"b").unwrap();
    drop(handle);
    world.check();
    assert!(world.store.references().is_empty());
}

#[test]
fn a_rename_over_an_existing_file_commits_the_source_first() {
    let world = World::new();
    world.write_file(ROOT, "config", b"old");
    let handle = world.create(ROOT, "config.tmp");
    world.fs.write(&handle, 0, b"new content", false).unwrap();
    world.fs.rename(ROOT, b"config.tmp", ROOT, b"config", RenameMode::Replace).unwrap();
    assert_eq!(world.get("config"), b"new content");
    assert_eq!(world.keys(), ["config"]);
    drop(handle);
    world.check();
}

#[test]
fn renames_follow_posix() {
    let world = World::new();
    let d = world.mkdir(ROOT, "d");
    let e = world.mkdir(d, "e");
    world.write_file(e, "f", b"x");
    let to_file = world.fs.rename(ROOT, b"d", e, b"below", RenameMode::Replace);
    assert!(matches!(to_file, Err(FsError::InvalidArgument(_))));
    world.write_file(ROOT, "plain", b"y");
    assert!(matches!(world.fs.rename(ROOT, b"d", ROOT, b"plain", RenameMode::Replace), Err(FsError::NotDir)));
    assert!(matches!(world.fs.rename(ROOT, b"plain", ROOT, b"d", RenameMode::Replace), Err(FsError::IsDir)));
    assert!(matches!(world.fs.rename(d, b"e", ROOT, b"plain", RenameMode::NoReplace), Err(FsError::Exists)));
    world.mkdir(ROOT, "full");
    world.write_file(world.lookup(ROOT, "full").ino, "z", b"z");
    assert!(matches!(world.fs.rename(ROOT, b"d", ROOT, b"full", RenameMode::Replace), Err(FsError::NotEmpty)));
    world.mkdir(ROOT, "empty");
    world.fs.rename(d, b"e", ROOT, b"empty", RenameMode::Replace).unwrap();
    assert_eq!(world.keys(), ["d/", "empty/f", "full/z", "plain"]);
    assert_eq!(world.fs.lookup(e, b"..").unwrap().ino, ROOT);
    world.check();
}

#[test]
fn truncation_and_holes_read_as_zero() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, &[1; 100], false).unwrap();
    world.fs.flush(&handle).unwrap();
    let size = |size| SetAttributes { size: Some(size), ..SetAttributes::default() };
    world.fs.setattr(handle.ino(), &size(50), None).unwrap();
    world.fs.setattr(handle.ino(), &size(100), None).unwrap();
    assert_eq!(world.read_file(handle.ino()), [vec![1; 50], vec![0; 50]].concat());
    world.fs.write(&handle, 300_000, &[2; 10], false).unwrap();
    assert_eq!(world.fs.seek(&handle, 1000, SeekTo::Data).unwrap(), 300_000);
    world.fs.flush(&handle).unwrap();
    assert_eq!(world.fs.seek(&handle, 1000, SeekTo::Data).unwrap(), 300_000);
    assert_eq!(world.fs.seek(&handle, 0, SeekTo::Hole).unwrap(), 50);
    world.fs.setattr(handle.ino(), &size(300_005), None).unwrap();
    let mut expected = vec![0; 300_005];
    expected[..50].fill(1);
    expected[300_000..].fill(2);
    assert_eq!(world.get("a"), expected);
    world.check();
}

#[test]
fn a_fragmented_file_is_truncated_and_removed_in_bounded_steps() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    let mut expected = vec![0; 2_000 * 8192];
    for block in 0..2_000u64 {
        let at = block * 8192;
        world.fs.write(&handle, at, &[block as u8 | 1; 100], false).unwrap();
        expected[at as usize..at as usize + 100].fill(block as u8 | 1);
    }
    expected.truncate(1999 * 8192 + 100);
    world.fs.flush(&handle).unwrap();
    world.check();
    assert_eq!(world.get("a"), expected);
    let size = SetAttributes { size: Some(700 * 8192 + 50), ..SetAttributes::default() };
    world.fs.setattr(handle.ino(), &size, None).unwrap();
    expected.truncate(700 * 8192 + 50);
    assert_eq!(world.get("a"), expected);
    world.check();
    world.fs.write(&handle, 8192, &[9; 5000], false).unwrap();
    expected[8192..13192].fill(9);
    assert_eq!(world.read_file(handle.ino()), expected);
    while world.fs.work().unwrap() {}
    assert_eq!(world.get("a").len(), expected.len());
    world.fs.flush(&handle).unwrap();
    assert_eq!(world.get("a"), expected);
    world.check();
    drop(handle);
    world.fs.unlink(ROOT, b"a").unwrap();
    while world.fs.work().unwrap() {}
    world.check();
    assert!(world.store.references().is_empty());
}

#[test]
fn tidying_keeps_the_bytes_and_frees_the_dead_ones() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    let mut expected = pattern(1 << 20);
    world.fs.write(&handle, 0, &expected, false).unwrap();
    world.fs.flush(&handle).unwrap();
    for block in 0..24u64 {
        let at = block * 40_000;
        world.fs.write(&handle, at, &[block as u8; 36_000], false).unwrap();
        expected[at as usize..at as usize + 36_000].fill(block as u8);
        world.fs.flush(&handle).unwrap();
    }
    let before: i64 = world.store.references().values().map(|refs| refs.live_bytes).sum();
    while world.fs.work().unwrap() {}
    let after: i64 = world.store.references().values().map(|refs| refs.live_bytes).sum();
    assert_eq!(before, after);
    assert_eq!(world.get("a"), expected);
    world.check();
}

#[test]
fn checksums_are_kept_for_what_is_written_in_order() {
    let world = World::new();
    let crc = |data: &[u8]| Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, data));
    let handle = world.create(ROOT, "a");
    let data = pattern(500_000);
    for part in data.chunks(70_000) {
        world.fs.append(&handle, part, false).unwrap();
        world.fs.flush(&handle).unwrap();
    }
    assert_eq!(world.fs.head_object(b"a").unwrap().crc64, crc(&data));
    world.fs.write(&handle, 10, b"x", false).unwrap();
    world.fs.flush(&handle).unwrap();
    assert_eq!(world.fs.head_object(b"a").unwrap().crc64, None);
    assert_eq!(world.put("b", &data).crc64, crc(&data));
}

#[test]
fn attributes_map_between_xattrs_and_headers() {
    let world = World::new();
    let mut put = world.fs.begin_put(b"a", PutOptions::default()).unwrap();
    put.attributes_mut().user.insert("colour".into(), "red".into());
    put.attributes_mut().content_type = Some("text/plain".into());
    put.finish(&Conditions::default()).unwrap();
    let ino = world.lookup(ROOT, "a").ino;
    assert_eq!(world.fs.getxattr(ino, b"user.s3.meta.colour").unwrap(), b"red");
    assert_eq!(world.fs.getxattr(ino, b"user.mime_type").unwrap(), b"text/plain");
    world.fs.setxattr(ino, b"user.s3.meta.size", b"big", SetMode::Create).unwrap();
    world.fs.setxattr(ino, b"user.other", b"posix", SetMode::Either).unwrap();
    world.fs.setxattr(ino, b"security.x", b"kept", SetMode::Either).unwrap();
    assert!(matches!(world.fs.setxattr(ino, b"user.other", b"", SetMode::Create), Err(FsError::AttrExists)));
    assert!(matches!(world.fs.setxattr(ino, b"user.none", b"", SetMode::Replace), Err(FsError::NoAttr)));
    assert_eq!(world.fs.head_object(b"a").unwrap().attributes.user["size"], "big");
    assert_eq!(world.fs.getxattr(ino, b"user.sse.algorithm").unwrap(), b"aws:kms");
    let names = world.fs.listxattr(ino).unwrap();
    assert_eq!(names.len(), 5);
    assert!(!names.iter().any(|name| name.starts_with(b"user.sse.")));
    world.put("a", b"again");
    let ino = world.lookup(ROOT, "a").ino;
    assert_eq!(world.fs.listxattr(ino).unwrap(), [b"security.x".to_vec()]);
    world.fs.removexattr(ino, b"security.x").unwrap();
    world.check();
}

#[test]
fn conditions_are_checked_where_the_name_changes() {
    let world = World::new();
    let must_not = Conditions { must_not_exist: true, ..Conditions::default() };
    let put = |key: &[u8], conditions: &Conditions| {
        world.fs.begin_put(key, PutOptions::default()).unwrap().finish(conditions)
    };
    let info = put(b"a", &must_not).unwrap().value;
    assert!(matches!(put(b"a", &must_not), Err(FsError::PreconditionFailed(_))));
    let tag = Conditions { must_match: Some(vec![info.etag.to_string()]), ..Conditions::default() };
    let other = put(b"a", &tag).unwrap().value;
    assert!(matches!(put(b"a", &tag), Err(FsError::PreconditionFailed(_))));
    assert!(matches!(put(b"none", &tag), Err(FsError::NotFound)));
    assert!(matches!(world.fs.delete_object(b"a", &tag), Err(FsError::PreconditionFailed(_))));
    let tag = Conditions { must_match: Some(vec![other.etag.to_string()]), ..Conditions::default() };
    assert_eq!(world.fs.delete_object(b"a", &tag).unwrap().value, Deleted::Removed);
    world.check();
}

#[test]
fn a_full_disk_keeps_the_writes_and_freeing_space_heals() {
    let world = World::new();
    world.write_file(ROOT, "ballast", &pattern(100_000));
    world.store.faults().capacity_bytes = Some(120_000);
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, &pattern(50_000), false).unwrap();
    assert!(matches!(world.fs.fsync(&handle), Err(FsError::NoSpace)));
    assert!(matches!(world.fs.fsync(&handle), Err(FsError::NoSpace)));
    world.fs.unlink(ROOT, b"ballast").unwrap();
    world.fs.fsync(&handle).unwrap();
    assert_eq!(world.get("a"), pattern(50_000));
    world.check();
}

#[test]
fn after_lost_writes_every_fsync_says_so() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, b"gone", false).unwrap();
    let error = StoreError::Io { what: "a test".into(), source: Arc::new(std::io::Error::other("x")) };
    world.store.faults().commit = Some((0, error));
    assert!(matches!(world.fs.fsync(&handle), Err(FsError::Io { .. })));
    assert!(matches!(world.fs.fsync(&handle), Err(FsError::Io { .. })));
    assert!(world.fs.write(&handle, 0, b"more", false).is_err());
    drop(handle);
    world.check();
}

#[test]
fn late_tickets_hold_back_durability_only() {
    let world = World::new();
    world.store.set_tickets(Tickets::Held);
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, b"data", false).unwrap();
    let number = world.fs.fsync(&handle).unwrap().number;
    assert_eq!(world.get("a"), b"data");
    let (send, receive) = std::sync::mpsc::channel();
    world.fs.when_durable(number, move |result| send.send(result.is_ok()).unwrap());
    assert!(receive.try_recv().is_err());
    world.fs.sync(number).unwrap();
    assert!(receive.recv().unwrap());
}

#[test]
fn damage_of_a_chunk_costs_that_chunk() {
    let world = World::new();
    let data = pattern(300_000);
    world.put("a", &data);
    let segment = *world.store.references().keys().next().unwrap();
    world.store.damage(segment, 70_000);
    let reader = world.fs.get_object(b"a").unwrap();
    let mut buf = vec![0; 65_536];
    reader.read_at(0, &mut buf).unwrap();
    assert_eq!(buf, data[..65_536]);
    assert!(matches!(reader.read_at(65_536, &mut buf), Err(FsError::Damaged(_))));
    reader.read_at(131_072, &mut buf).unwrap();
    assert_eq!(buf, data[131_072..196_608]);
}

#[test]
fn utimens_after_a_write_wins_over_its_time() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    world.fs.write(&handle, 0, b"x", false).unwrap();
    let times = SetAttributes { mtime: Some(SetTime::To(UnixNanos(5))), ..SetAttributes::default() };
    world.fs.setattr(handle.ino(), &times, None).unwrap();
    world.fs.flush(&handle).unwrap();
    assert_eq!(world.fs.getattr(handle.ino()).unwrap().mtime, UnixNanos(5));
    assert!(world.fs.head_object(b"a").unwrap().last_modified.0 > 5);
}

#[test]
fn writes_drop_setuid() {
    let world = World::new();
    let handle = world.create(ROOT, "a");
    let mode = SetAttributes { mode: Some(0o6755), ..SetAttributes::default() };
    world.fs.setattr(handle.ino(), &mode, None).unwrap();
    world.fs.write(&handle, 0, b"x", true).unwrap();
    assert_eq!(world.fs.getattr(handle.ino()).unwrap().mode, 0o755);
}

#[test]
fn directories_are_read_in_pages_with_stable_cookies() {
    let world = World::new();
    for index in 0..300 {
        world.write_file(ROOT, &format!("f{index:03}"), b"");
    }
    let handle = world.fs.open_dir(ROOT).unwrap();
    let (mut names, mut cookie) = (Vec::new(), 0);
    loop {
        let mut room = 7;
        let before = cookie;
        world
            .fs
            .read_dir(&handle, cookie, &mut |entry| {
                if room == 0 {
                    return ControlFlow::Break(());
                }
                room -= 1;
                cookie = entry.cookie;
                names.push(String::from_utf8(entry.name).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        if cookie == before {
            break;
        }
        if names.len() == 14 {
            world.fs.unlink(ROOT, b"f005").unwrap();
        }
    }
    let expected: Vec<String> =
        [".".to_owned(), "..".to_owned()].into_iter().chain((0..300).map(|index| format!("f{index:03}"))).collect();
    assert_eq!(names, expected);
}

#[test]
fn buckets_are_made_renamed_and_removed() {
    let meta = MemoryStore::new();
    let host = Arc::new(MemoryHost::default());
    let open = || {
        Catalog::open(CatalogParts {
            meta: Arc::clone(&meta) as _,
            host: Arc::clone(&host) as _,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(KernelEntropy),
            window_pool_bytes: DEFAULT_WINDOW_POOL_BYTES,
        })
        .unwrap()
    };
    let catalog = open();
    let root = RootAttributes { mode: 0o750, uid: 3, ..RootAttributes::default() };
    let first = catalog.create_bucket("photos", root.clone(), "key").unwrap();
    assert!(matches!(catalog.create_bucket("photos", root.clone(), "key"), Err(FsError::BucketExists)));
    assert!(matches!(catalog.create_bucket("No", root.clone(), "key"), Err(FsError::InvalidName(_))));
    let fs = catalog.namespace("photos").unwrap();
    assert_eq!(fs.getattr(ROOT).unwrap().uid, 3);
    fs.setxattr(ROOT, b"user.a", b"b", SetMode::Either).unwrap();
    let made = fs.mkdir(ROOT, b"d", &file()).unwrap().value.ino;
    assert!(matches!(catalog.remove_bucket("photos"), Err(FsError::BucketNotEmpty)));
    catalog.rename_bucket("photos", "pictures").unwrap();
    drop((fs, catalog));
    let catalog = open();
    let fs = catalog.namespace("pictures").unwrap();
    assert_eq!(fs.getxattr(ROOT, b"user.a").unwrap(), b"b");
    assert_eq!(catalog.buckets().len(), 1);
    fs.rmdir(ROOT, b"d").unwrap();
    catalog.remove_bucket("pictures").unwrap();
    assert!(fs.mkdir(ROOT, b"late", &file()).is_err());
    assert!(host.ids().is_empty());
    let second = catalog.create_bucket("again", root, "key").unwrap();
    assert_eq!(second.slot, first.slot);
    let again = catalog.namespace("again").unwrap().mkdir(ROOT, b"d", &file()).unwrap().value.ino;
    assert!(again > made);
    catalog.set_setting("x", Some(b"y")).unwrap();
    assert_eq!(catalog.settings().unwrap()["x"], b"y");
}
