//! Records of files, keys and names, for `crate::fuzzing`.

use super::{
    BucketRecord, BucketState, Component, Content, ContentId, DirectoryFacts, ETag, Extent, FileKind, Ino, Inode,
    KeyPath, ObjectAttributes, Piece, Place, RootAttributes, base_of_name, bucket_name, records,
};
use crate::{
    bucket::SegmentId,
    clock::UnixNanos,
    fuzzing::{Target, fixture},
};
use std::collections::BTreeMap;

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "fs-entry", run: entry, seeds: entry_seeds },
    Target { name: "fs-inode", run: inode, seeds: inode_seeds },
    Target { name: "fs-extent", run: extent, seeds: extent_seeds },
    Target { name: "fs-shared", run: shared, seeds: shared_seeds },
    Target { name: "fs-small-records", run: small, seeds: small_seeds },
    Target { name: "fs-bucket", run: bucket, seeds: bucket_seeds },
    Target { name: "fs-names", run: names, seeds: name_seeds },
];

fn entry(input: &[u8]) {
    match records::decode_entry(input) {
        Ok(records::Entry::Link(ino)) => assert_eq!(records::encode_link_entry(ino), input),
        Ok(records::Entry::Inode(inode)) => {
            // User metadata may be written in any order and is read into one; so the record, not its bytes.
            let again = records::decode_entry(&records::encode_inode_entry(&inode));
            assert!(again.is_ok_and(|again| again == records::Entry::Inode(inode)));
        }
        Err(_) => {}
    }
}

fn inode(input: &[u8]) {
    if let Ok(inode) = records::decode_inode(input) {
        let again = records::decode_inode(&records::encode_inode(&inode));
        assert!(again.is_ok_and(|again| again == inode));
        for extent in &inode.content.extents {
            assert!(extent.end() > extent.offset);
        }
        for piece in &inode.content.pieces {
            assert!(piece.end() > piece.offset);
        }
    }
}

const EXTENT: Extent =
    Extent { offset: 4096, len: 5000, segment: SegmentId(9), salt: [3; 16], segment_offset: 10, segment_len: 6000 };

fn some_inodes() -> Vec<Inode> {
    let Some(fixture) = fixture() else { return Vec::new() };
    let time = |value: i64| UnixNanos(1_700_000_000_000_000_000 + value);
    let file = Inode {
        ino: Ino(500),
        kind: FileKind::File,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        nlink: 1,
        rdev: 0,
        atime: time(1),
        mtime: time(-2),
        ctime: time(3),
        btime: time(0),
        content_time: time(2),
        size: 9096,
        etag: ETag::Md5([1; 16]),
        crc64: Some(77),
        target: Vec::new(),
        content: Content {
            sealed_oek: Some(fixture.sealed_oek),
            inline: vec![5; 40],
            own: 12,
            extents: vec![EXTENT],
            spilled: false,
            pieces: vec![Piece { offset: 0, len: 10, content: ContentId(8), content_offset: 0 }],
        },
        object: ObjectAttributes {
            content_type: Some("text/plain".to_owned()),
            user: BTreeMap::from([("color".to_owned(), "blue".to_owned()), ("mtime".to_owned(), "1.5".to_owned())]),
            checksums: BTreeMap::from([("sha256".to_owned(), vec![4; 32])]),
            ..ObjectAttributes::default()
        },
        xattrs: 2,
        directory: DirectoryFacts::default(),
    };
    let directory = Inode {
        kind: FileKind::Directory,
        etag: ETag::Random([2; 16]),
        content: Content::default(),
        directory: DirectoryFacts { entries: 3, subdirs: 1, listed: 2, aliases: 0, explicit: true, facet: false },
        ..file.clone()
    };
    let link = Inode {
        kind: FileKind::Symlink,
        target: b"../somewhere".to_vec(),
        content: Content::default(),
        ..file.clone()
    };
    vec![file, directory, link]
}

fn entry_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = some_inodes().iter().map(records::encode_inode_entry).collect();
    seeds.push(records::encode_link_entry(Ino(70_000)));
    seeds
}

fn inode_seeds() -> Vec<Vec<u8>> {
    some_inodes().iter().map(records::encode_inode).collect()
}

/// The first eight bytes are the end of the key.
fn extent(input: &[u8]) {
    let (last, record) = input.split_at(input.len().min(8));
    if let Ok(extent) = records::decode_extent(last, record) {
        assert_eq!(records::encode_extent(&extent), record);
        assert_eq!((extent.end() - 1).to_be_bytes(), last);
    }
}

fn extent_seeds() -> Vec<Vec<u8>> {
    vec![[&(EXTENT.end() - 1).to_be_bytes()[..], &records::encode_extent(&EXTENT)].concat()]
}

fn shared(input: &[u8]) {
    if let Ok(shared) = records::decode_shared(input) {
        assert_eq!(records::encode_shared(&shared), input);
    }
}

fn shared_seeds() -> Vec<Vec<u8>> {
    let sealed = fixture().map(|fixture| fixture.sealed_oek);
    sealed
        .map(|sealed_oek| records::encode_shared(&records::SharedContent { refs: 3, sealed_oek }))
        .into_iter()
        .collect()
}

fn small(input: &[u8]) {
    if let Ok(state) = records::decode_state(input) {
        assert_eq!(records::encode_state(&state), input);
    }
    if let Ok(place) = records::decode_place(input) {
        assert_eq!(records::encode_place(&place), input);
    }
    if let Ok(keep) = records::decode_job(input) {
        assert_eq!(records::encode_job(keep), input);
    }
    if let Some((kind, id, rest)) = records::split(input) {
        let again = [records::id_key(kind, id).as_slice(), rest].concat();
        assert_eq!(again, input);
    }
    if let Some(behind) = records::behind(input) {
        assert!(behind.as_slice() > input && !behind.starts_with(input));
    }
}

fn small_seeds() -> Vec<Vec<u8>> {
    let state = records::NamespaceState { next: 900, inodes: 800, bytes: 1 << 40 };
    let place = Place { parent: Ino(300), component: Component::file(b"name") };
    vec![
        records::encode_state(&state),
        records::encode_place(&place),
        records::encode_job(1 << 20),
        records::entry_key(Ino(4), &Component::directory(b"name")),
        records::extent_key(ContentId(4), 4095),
    ]
}

fn bucket(input: &[u8]) {
    if let Ok(bucket) = records::decode_bucket(input) {
        let again = records::decode_bucket(&records::encode_bucket(&bucket));
        assert!(again.is_ok_and(|again| again == bucket));
    }
}

fn bucket_seeds() -> Vec<Vec<u8>> {
    let root = RootAttributes { xattrs: BTreeMap::from([(b"user.a".to_vec(), b"b".to_vec())]), ..some_root() };
    let bucket = BucketRecord {
        id: [7; 16],
        slot: 3,
        name: "photos".to_owned(),
        state: BucketState::Ready,
        created: UnixNanos(5),
        root,
        key_name: "my-key".to_owned(),
        first_ino: 2,
        manifest: (4, [1; 16]),
        keyring: vec![6; 90],
    };
    vec![records::encode_bucket(&bucket)]
}

fn some_root() -> RootAttributes {
    RootAttributes { mode: 0o755, uid: 0, gid: 0, ctime: UnixNanos(9), xattrs: BTreeMap::new() }
}

/// Any bytes as a POSIX name, as an S3 key, as a component and as a bucket's name.
fn names(input: &[u8]) {
    if let Ok(base) = base_of_name(input) {
        assert!(std::str::from_utf8(&base).is_ok(), "what S3 is shown is UTF-8");
        let name = Component::file(&base).plain_name();
        assert_eq!(name.as_deref(), Some(input), "names map to components and back");
    }
    if let Ok(path) = KeyPath::parse(input) {
        let parts = path.directories.iter().chain(&path.object).map(Component::as_bytes);
        assert_eq!(parts.collect::<Vec<_>>().concat(), input);
    }
    if let Some(component) = Component::parse(input) {
        assert_eq!(component.as_bytes(), input);
        if let Some(rival) = component.rival() {
            assert_eq!(rival.rival().as_ref(), Some(&component));
        }
        if let Some(name) = component.plain_name() {
            assert_eq!(base_of_name(&name).ok().as_deref(), Some(component.base()));
        }
    }
    if let Ok(text) = std::str::from_utf8(input)
        && bucket_name::check(text).is_ok()
    {
        assert!((3..=63).contains(&text.len()) && !text.contains('/'));
    }
}

fn name_seeds() -> Vec<Vec<u8>> {
    let names: [&[u8]; 8] = [
        b"report.txt",
        b"a/b/c",
        b"a//b/",
        b"\xff\xfe",
        b".posix~x41",
        b"my-bucket.1",
        "h\u{e9}llo\u{7f}".as_bytes(),
        b"..",
    ];
    names.map(<[u8]>::to_vec).to_vec()
}
