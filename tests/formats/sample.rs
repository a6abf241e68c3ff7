//! What stands in the stored stores: something of everything that a format must keep.

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use strongroom::{clock::UnixNanos, crypt::BucketId, fs::*, store::Store};

const OWNER: Owner = Owner { uid: 1000, gid: 1001 };
const MTIME: UnixNanos = UnixNanos(1_600_000_000_123_456_789);
const ODD_NAME: &[u8] = b"caf\xe9";

fn body(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251 + seed) as u8).collect()
}

fn node(kind: FileKind, mode: u16) -> NewNode {
    NewNode { kind, mode, owner: OWNER, rdev: 0 }
}

fn attributes() -> ObjectAttributes {
    ObjectAttributes {
        content_type: Some("image/png".to_owned()),
        cache_control: Some("no-store".to_owned()),
        user: BTreeMap::from([("color".to_owned(), "blue".to_owned())]),
        checksums: BTreeMap::from([("sha256".to_owned(), vec![7; 32])]),
        ..ObjectAttributes::default()
    }
}

fn put(fs: &Arc<Namespace>, key: &str, data: &[u8], options: PutOptions) {
    let mut writer = fs.begin_put(key.as_bytes(), options).unwrap();
    writer.write(data).unwrap();
    writer.finish(&Conditions::default()).unwrap();
}

/// Fills a new store. Some of it is flushed into tables, some stays in logs.
pub fn write(store: &Arc<Store>) {
    let key = store.default_key().to_owned();
    let root = RootAttributes { mode: 0o750, uid: 1000, gid: 1001, ..RootAttributes::default() };
    let info = store.catalog().create_bucket("sample", root, &key).unwrap();
    store.catalog().create_bucket("empty-one", RootAttributes::default(), &key).unwrap();
    let fs = store.catalog().namespace("sample").unwrap();
    put(
        &fs,
        "a/b/inline",
        &body(1, 200),
        PutOptions { attributes: attributes(), mtime: Some(MTIME), md5: Some([9; 16]) },
    );
    put(&fs, "a/b/chunks", &body(2, 70_000), PutOptions::default());
    put(&fs, "a//alias", &body(3, 10), PutOptions::default());
    put(&fs, "gone", &body(4, 5_000), PutOptions::default());
    for number in 0..50 {
        put(&fs, &format!("many/{number:03}"), &body(number, number), PutOptions::default());
    }
    fs.commit_writes(Duration::ZERO).unwrap();
    store.bucket_storage(BucketId::from_bytes(info.id)).unwrap().flush().unwrap();

    fs.delete_object(b"gone", &Conditions::default()).unwrap();
    let directory = fs.mkdir(Ino::ROOT, b"dir", &node(FileKind::Directory, 0o2755)).unwrap().value.ino;
    let (file, handle) =
        fs.create(directory, b"holes", &node(FileKind::File, 0o4711), Access::ReadWrite, true).unwrap().value;
    fs.write(&handle, 5_000, &body(5, 3_000), false).unwrap();
    fs.fsync(&handle).unwrap();
    fs.write(&handle, 6_000, &body(6, 100), false).unwrap();
    fs.fsync(&handle).unwrap();
    fs.link(file.ino, Ino::ROOT, b"second name").unwrap();
    fs.setxattr(file.ino, b"user.note", b"kept", SetMode::Either).unwrap();
    fs.setxattr(file.ino, b"user.large", &body(7, 4_000), SetMode::Either).unwrap();
    let times = SetAttributes { mtime: Some(SetTime::To(MTIME)), ..SetAttributes::default() };
    fs.setattr(file.ino, &times, None).unwrap();
    fs.symlink(directory, b"link", b"../a/b/inline", OWNER).unwrap();
    fs.mknod(directory, b"pipe", &node(FileKind::Fifo, 0o600)).unwrap();
    fs.mknod(directory, ODD_NAME, &node(FileKind::File, 0o600)).unwrap();
    fs.commit_writes(Duration::ZERO).unwrap();
}

fn read(fs: &Arc<Namespace>, key: &str) -> (ObjectInfo, Vec<u8>) {
    let reader = fs.get_object(key.as_bytes()).unwrap();
    let mut data = vec![0; reader.info().size as usize];
    assert_eq!(reader.read_at(0, &mut data).unwrap(), data.len());
    (reader.info().clone(), data)
}

/// Finds all that [`write`] wrote, and nothing else.
pub fn check(store: &Arc<Store>) {
    let mut names: Vec<_> = store.catalog().buckets().into_iter().map(|bucket| bucket.name).collect();
    names.sort();
    assert_eq!(names, ["empty-one", "sample"]);
    let root = store.catalog().bucket("sample").unwrap().root;
    assert_eq!((root.mode, root.uid, root.gid), (0o750, 1000, 1001));
    let empty = store.catalog().namespace("empty-one").unwrap();
    assert_eq!(empty.list(&ListRequest { max_entries: 10, ..ListRequest::default() }).unwrap().entries.len(), 0);

    let fs = store.catalog().namespace("sample").unwrap();
    assert_eq!(strongroom::fs::check(&fs).unwrap(), []);
    check_objects(&fs);
    check_files(&fs);
}

fn check_objects(fs: &Arc<Namespace>) {
    let (info, data) = read(fs, "a/b/inline");
    assert_eq!(data, body(1, 200));
    assert_eq!(info.attributes, attributes());
    assert_eq!(info.etag, ETag::Md5([9; 16]));
    assert!(info.crc64.is_some());
    assert_eq!(fs.getattr(info.ino).unwrap().mtime, MTIME);
    assert_eq!(read(fs, "a/b/chunks").1, body(2, 70_000));
    assert_eq!(read(fs, "a//alias").1, body(3, 10));
    assert!(matches!(fs.head_object(b"gone"), Err(FsError::NotFound)));
    for number in 0..50 {
        assert_eq!(read(fs, &format!("many/{number:03}")).1, body(number, number));
    }
    let page = fs.list(&ListRequest { max_entries: 1000, ..ListRequest::default() }).unwrap();
    let keys: Vec<_> = page
        .entries
        .iter()
        .map(|entry| match entry {
            ListEntry::Object { key, .. } => String::from_utf8(key.clone()).unwrap(),
            ListEntry::CommonPrefix(_) => panic!("no delimiter was given"),
        })
        .filter(|key| !key.starts_with("many/"))
        .collect();
    let expected = ["a//alias", "a/b/chunks", "a/b/inline", "dir/.posix~", "dir/holes", "dir/link", "second name"];
    assert_eq!(keys.len(), expected.len(), "{keys:?}");
    for (key, expected) in keys.iter().zip(expected) {
        assert!(key.starts_with(expected), "{key} where {expected} should be");
    }
}

fn check_files(fs: &Arc<Namespace>) {
    let directory = fs.lookup(Ino::ROOT, b"dir").unwrap();
    assert_eq!((directory.kind, directory.mode), (FileKind::Directory, 0o2755));
    let file = fs.lookup(directory.ino, b"holes").unwrap();
    assert_eq!((file.mode, file.uid, file.gid, file.nlink, file.size), (0o4711, 1000, 1001, 2, 8_000));
    assert_eq!(file.mtime, MTIME);
    assert_eq!(fs.lookup(Ino::ROOT, b"second name").unwrap().ino, file.ino);
    let handle = fs.open_file(file.ino, Access::Read).unwrap();
    let mut data = vec![1; 8_000];
    assert_eq!(fs.read(&handle, 0, &mut data).unwrap(), 8_000);
    let mut expected = vec![0; 5_000];
    expected.extend(body(5, 3_000));
    expected[6_000..6_100].copy_from_slice(&body(6, 100));
    assert!(data == expected);
    assert_eq!(fs.getxattr(file.ino, b"user.note").unwrap(), b"kept");
    assert_eq!(fs.getxattr(file.ino, b"user.large").unwrap(), body(7, 4_000));
    let link = fs.lookup(directory.ino, b"link").unwrap();
    assert_eq!(fs.readlink(link.ino).unwrap(), b"../a/b/inline");
    assert_eq!(fs.lookup(directory.ino, b"pipe").unwrap().kind, FileKind::Fifo);
    assert_eq!(fs.lookup(directory.ino, ODD_NAME).unwrap().kind, FileKind::File);
    let alias = fs.head_object(b"a//alias").unwrap().ino;
    assert_eq!(fs.getattr(alias).unwrap().size, 10);
}
