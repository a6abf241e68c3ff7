//! Headers, footers and index of tables, for `crate::fuzzing`.

use super::{
    BLOCKS_OFFSET, PAGE_LEN, TableHeader,
    footer::Footer,
    index::{Partition, PartitionBuilder, TopEntry, decode_top, encode_top},
};
use crate::{
    crypt::FileId,
    fuzzing::{BUCKET, Checked, fixture, with_crc},
    tree::block::BlockHandle,
};

/// The page that an input stands for: what is in front of the zeros, with its check at `at` put right.
fn page(input: &[u8], at: usize) -> Vec<u8> {
    match Checked::of(input, at) {
        Checked::Raw(bytes) => bytes.to_vec(),
        Checked::Fitted(bytes) => {
            let mut page = bytes;
            page.resize(PAGE_LEN, 0);
            with_crc(&page, at)
        }
    }
}

fn header_check() -> usize {
    super::header::FIELDS_LEN + 32
}

pub(in crate::tree) fn header(input: &[u8]) {
    let page = page(input, header_check());
    if let Ok(header) = TableHeader::decode(&page) {
        let again = header.encode();
        assert_eq!(again.get(..page.len()), Some(page.as_slice()));
    }
}

pub(in crate::tree) fn header_seeds() -> Vec<Vec<u8>> {
    let Some(fixture) = fixture() else { return Vec::new() };
    let header = TableHeader {
        bucket_id: BUCKET,
        file_id: fixture.file,
        epoch: 3,
        number: 4,
        sealed_key: fixture.sealed_file_key,
        mac: [1; 32],
    };
    let page = header.encode();
    vec![Checked::seed(page.get(..header_check() + 4).unwrap_or_default())]
}

const FOOTER_CHECK: usize = 8 + 2 + 16 + 16 + 8;

pub(in crate::tree) fn footer(input: &[u8]) {
    let file = FileId::from_bytes([9; 16]);
    let page = page(input, FOOTER_CHECK);
    if let Ok(footer) = Footer::decode(file, &page) {
        let again = footer.encode(file);
        assert_eq!(again.get(..page.len()), Some(page.as_slice()));
    }
}

pub(in crate::tree) fn footer_seeds() -> Vec<Vec<u8>> {
    let footer = Footer { top: BlockHandle { offset: BLOCKS_OFFSET, sealed_len: 500, index: 3 }, file_len: 32_768 };
    let page = footer.encode(FileId::from_bytes([9; 16]));
    vec![Checked::seed(page.get(..FOOTER_CHECK + 4).unwrap_or_default())]
}

/// The first byte says how much of the input is the key to look for.
pub(in crate::tree) fn partition(input: &[u8]) {
    use crate::tree::entry::KeyRef;
    let Some((len, rest)) = input.split_first() else { return };
    let (target, plain) = rest.split_at(rest.len().min(usize::from(*len)));
    let Ok(partition) = Partition::parse(plain.to_vec()) else { return };
    let found = partition.find(KeyRef { user: target, seq: 7 });
    assert!(partition.handle(found).is_some() && partition.separator(found).is_some());
    let _ = partition.may_contain(super::key_hash(target));
    assert!(partition.weight() >= plain.len());
}

pub(in crate::tree) fn partition_seeds() -> Vec<Vec<u8>> {
    use crate::tree::entry::KeyRef;
    let mut builder = PartitionBuilder::default();
    for index in 0u8..6 {
        let user = [b'k', index];
        builder.add_key(&user);
        let handle = BlockHandle { offset: BLOCKS_OFFSET + 64 * u64::from(index), sealed_len: 30, index: index.into() };
        builder.add_block(KeyRef { user: &user, seq: u64::MAX }, handle);
    }
    vec![[&[2, b'k', 2], builder.finish().as_slice()].concat()]
}

pub(in crate::tree) fn top(input: &[u8]) {
    if let Ok(entries) = decode_top(input) {
        assert_eq!(encode_top(&entries).unwrap_or_default(), input);
    }
}

pub(in crate::tree) fn top_seeds() -> Vec<Vec<u8>> {
    let entry = TopEntry {
        user: b"key".to_vec(),
        seq: 8,
        handle: BlockHandle { offset: 20_480, sealed_len: 900, index: 3 },
        data_offset: BLOCKS_OFFSET,
        first_index: 0,
        entry_count: 120,
    };
    encode_top(&[entry]).into_iter().collect()
}
