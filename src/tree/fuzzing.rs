//! What stands in tables, for `crate::fuzzing`.

use super::{
    TableMeta,
    block::{BlockBuilder, BlockCursor, BlockFrame, BlockKind, DataBlock},
    entry::KeyRef,
    table,
};
use crate::{
    crypt::FileId,
    fuzzing::{Checked, Target, fixture},
};

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "tree-table-meta", run: meta, seeds: meta_seeds },
    Target { name: "tree-block", run: block, seeds: block_seeds },
    Target { name: "tree-block-frame", run: frame, seeds: frame_seeds },
    Target { name: "tree-header", run: table::fuzzing::header, seeds: table::fuzzing::header_seeds },
    Target { name: "tree-footer", run: table::fuzzing::footer, seeds: table::fuzzing::footer_seeds },
    Target { name: "tree-partition", run: table::fuzzing::partition, seeds: table::fuzzing::partition_seeds },
    Target { name: "tree-top", run: table::fuzzing::top, seeds: table::fuzzing::top_seeds },
];

fn meta(input: &[u8]) {
    if let Ok((meta, rest)) = TableMeta::decode(input) {
        let mut again = Vec::new();
        meta.encode(&mut again);
        again.extend_from_slice(rest);
        assert_eq!(again, input);
    }
}

fn meta_seeds() -> Vec<Vec<u8>> {
    let Some(fixture) = fixture() else { return Vec::new() };
    let meta = TableMeta {
        file_number: 6,
        file_id: fixture.file,
        len: 65_536,
        level: 1,
        sealed_key: fixture.sealed_file_key,
        smallest: b"a".to_vec(),
        largest: b"z".to_vec(),
        entry_count: 300,
        max_seq: 700,
        tag: [8; 16],
    };
    let mut out = Vec::new();
    meta.encode(&mut out);
    vec![out]
}

/// The first byte says how much of the input is the key to seek.
fn block(input: &[u8]) {
    let Some((len, rest)) = input.split_first() else { return };
    let (target, plain) = rest.split_at(rest.len().min(usize::from(*len)));
    let Ok(block) = DataBlock::parse(plain.to_vec()) else { return };
    // A block holds at most one entry per byte, so that a walk that goes on for longer does not end.
    let walk = |cursor: Result<BlockCursor, _>| {
        let Ok(mut cursor) = cursor else { return };
        for _ in 0..=plain.len() {
            let _ = (cursor.key(), cursor.value(), cursor.value_ref());
            if cursor.key().is_none() || cursor.advance().is_err() {
                return;
            }
        }
        assert!(cursor.key().is_none(), "a walk over a block does not end");
    };
    walk(BlockCursor::at(block.clone(), KeyRef { user: target, seq: 7 }));
    walk(BlockCursor::first(block));
}

fn block_seeds() -> Vec<Vec<u8>> {
    let mut builder = BlockBuilder::default();
    for number in 0u8..40 {
        let value = (number % 5 != 0).then_some([number; 9]);
        let _ =
            builder.add(KeyRef { user: &[b'k', number / 9, number], seq: 7 }, value.as_ref().map(<[u8; 9]>::as_slice));
    }
    let plain = builder.finish().unwrap_or_default();
    vec![[&[3, b'k', 1, 9], plain.as_slice()].concat()]
}

fn frame(input: &[u8]) {
    let file = FileId::from_bytes([9; 16]);
    let input = Checked::of(input, 28);
    if let Ok(frame) = BlockFrame::decode(file, input.bytes()) {
        assert_eq!(frame.encode(file), input.bytes());
    }
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let frame = BlockFrame { kind: BlockKind::Data, index: 4, sealed_len: 4000, crc: 77 };
    vec![Checked::seed(&frame.encode(FileId::from_bytes([9; 16])))]
}
