//! The manifest, for `crate::fuzzing`.

use super::{Line, LogInForce, Manifest};
use crate::{
    crypt::{EpochId, FileId},
    fuzzing::{BUCKET, Target, fixture},
    log::{LogState, Tail},
    tree::TableMeta,
};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "bucket-manifest", run: body, seeds: body_seeds },
    Target { name: "bucket-manifest-file", run: file, seeds: file_seeds },
];

fn body(input: &[u8]) {
    if let Ok(manifest) = Manifest::decode_body(input, 3, 2) {
        assert_eq!(manifest.encode_body(), input);
    }
}

fn some_manifest() -> Option<Manifest> {
    let fixture = fixture()?;
    let tail = Tail { number: 700, tag: [4; 16] };
    let state = LogState {
        number: 5,
        file: fixture.file,
        epoch: 2,
        sealed_key: fixture.sealed_file_key,
        capacity: 64 << 20,
        end: 9000,
        last_number: 700,
        last_tag: [4; 16],
    };
    let table = TableMeta {
        file_number: 6,
        file_id: FileId::from_bytes([6; 16]),
        len: 65_536,
        level: 1,
        sealed_key: fixture.sealed_file_key,
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        entry_count: 300,
        max_seq: 700,
        tag: [8; 16],
    };
    Some(Manifest {
        version: 3,
        epoch: 2,
        clean: true,
        hole_accepted: false,
        epoch_id: EpochId::from_bytes([2; 16]),
        flushed: tail,
        replay_from: (5, 8192),
        witness: 700,
        next_number: 7,
        next_segment: 40,
        lines: vec![Line { epoch: 1, epoch_id: EpochId::from_bytes([1; 16]), tail }],
        logs: vec![LogInForce { state, live_bytes: 1 << 20 }],
        tables: vec![table],
    })
}

fn body_seeds() -> Vec<Vec<u8>> {
    some_manifest().map(|manifest| manifest.encode_body()).into_iter().collect()
}

/// What was not sealed under the bucket's keys never opens.
fn file(input: &[u8]) {
    let Some(fixture) = fixture() else { return };
    let genuine = sealed();
    // The check of the header is put right, so that what stands behind it is reached.
    let fitted = crate::fuzzing::with_crc(input, 72);
    for bytes in [input, fitted.as_slice()] {
        let opened = Manifest::open(bytes, BUCKET, &fixture.keys);
        assert!(opened.is_err() || genuine.as_deref() == Some(bytes), "a manifest that nobody sealed opened");
    }
}

fn sealed() -> Option<Vec<u8>> {
    use crate::crypt::{Generation, Salt};
    let salt = Salt::from_bytes([3; 16]);
    let (bytes, _) = some_manifest()?.seal(BUCKET, &fixture()?.keys, Generation::FIRST, salt).ok()?;
    Some(bytes)
}

fn file_seeds() -> Vec<Vec<u8>> {
    sealed().into_iter().collect()
}
