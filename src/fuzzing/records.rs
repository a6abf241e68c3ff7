//! Fields of the format, batches, rows of the segment table.

use super::Target;
use crate::{
    format::{Decoder, Encoder},
    log::{BatchRecord, ContentNote, SpaceNote},
    space::{SegmentRecord, segment_key, segment_of_key},
};
use bytes::Bytes;

pub(super) const TARGETS: &[Target] = &[
    Target { name: "format-fields", run: fields, seeds: field_seeds },
    Target { name: "log-batch", run: batch, seeds: batch_seeds },
    Target { name: "space-segment", run: segment, seeds: segment_seeds },
];

/// Pairs of a byte that says which field comes, and what is read back from what was written.
fn fields(input: &[u8]) {
    let Some((plan, data)) = input.split_first_chunk::<8>() else { return };
    let mut from = Decoder::new(data);
    let mut again = Encoder::new();
    for step in plan {
        let done = match step % 8 {
            0 => from.varint("field").map(|value| again.varint(value)),
            1 => from.signed("field").map(|value| again.signed(value)),
            2 => from.bytes(64, "field").map(|value| again.bytes(value)),
            3 => from.u16("field").map(|value| again.u16(value)),
            4 => from.u32("field").map(|value| again.u32(value)),
            5 => from.u64("field").map(|value| again.u64(value)),
            6 => from.i64("field").map(|value| again.i64(value)),
            _ => from.array::<3>("field").map(|value| again.raw(&value)),
        };
        if done.is_err() {
            return;
        }
    }
    assert_eq!(data.get(..again.len()), Some(again.as_slice()));
    assert_eq!(from.remaining() + again.len(), data.len());
    if let Ok(count) = from.count(2, "items") {
        assert!(count <= data.len() / 2);
    }
}

fn field_seeds() -> Vec<Vec<u8>> {
    let mut out = Encoder::new();
    out.raw(&[0, 1, 2, 3, 4, 5, 6, 7]);
    out.varint(u64::MAX).signed(-70_000).bytes(b"some bytes").u16(7).u32(8).u64(9).i64(-10).raw(&[1, 2, 3]).varint(2);
    vec![out.finish()]
}

fn batch(input: &[u8]) {
    let input = Bytes::copy_from_slice(input);
    if let Ok(record) = BatchRecord::decode(&input) {
        assert_eq!(record.encode(), input);
    }
}

fn batch_seeds() -> Vec<Vec<u8>> {
    let record = BatchRecord {
        witness: 300,
        changes: vec![
            (Bytes::from_static(b"\x10key"), Some(Bytes::from_static(b"value"))),
            (Bytes::from_static(b"\x11gone"), None),
        ],
        contents: vec![ContentNote { log: 1, segment: 2, offset: 4096, sealed_bytes: 70_000, crc: 5 }],
        space: vec![SpaceNote { log: 1, live_bytes: -70_000 }],
    };
    vec![record.encode(), BatchRecord::default().encode()]
}

fn segment(input: &[u8]) {
    if let Ok(record) = SegmentRecord::decode(input) {
        assert_eq!(record.encode(), input);
    }
    if let Some(id) = segment_of_key(input) {
        assert_eq!(segment_key(id), input);
    }
}

fn segment_seeds() -> Vec<Vec<u8>> {
    let record = SegmentRecord {
        log: 3,
        offset: 1 << 33,
        sealed_bytes: 70_000,
        plain_bytes: 69_968,
        crc: 9,
        extents: 2,
        live_bytes: 100,
    };
    vec![record.encode(), segment_key(77)]
}
