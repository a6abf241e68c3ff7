//! The store file.

use super::{Checked, Target};
use crate::{
    crypt::{InstanceId, StoreId},
    store::{STORE_FILE_BYTES, StoreFile, fuzz_manifest_reference},
};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "store-file", run: file, seeds: file_seeds },
    Target { name: "store-ledger", run: ledger, seeds: ledger_seeds },
];

fn file(input: &[u8]) {
    let input = Checked::of(input, STORE_FILE_BYTES - 4);
    if let Ok(file) = StoreFile::decode(input.bytes()) {
        assert_eq!(file.encode(), input.bytes());
    }
}

fn file_seeds() -> Vec<Vec<u8>> {
    let file = StoreFile::new(StoreId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]));
    vec![Checked::seed(&file.encode())]
}

fn ledger(input: &[u8]) {
    fuzz_manifest_reference(input);
}

fn ledger_seeds() -> Vec<Vec<u8>> {
    vec![[&[1], &7u64.to_le_bytes()[..], &[9; 16]].concat()]
}
