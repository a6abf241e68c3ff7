//! Damaged tables: every byte counts, an index is rebuilt, and only a damaged data block costs anything.

use super::fixture::{DIR, House, small_shape};
use crate::{
    disk::{Disk, SimDisk},
    tree::{
        BlockCache, FileCache, TableMeta, TableReport, Tree, TreeError, TreeOptions, read_table_header, table_path,
        verify_table,
    },
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A disk with one table of several partitions, some keys with two versions and some deleted.
struct Sample {
    house: House,
    meta: TableMeta,
    model: Model,
    path: String,
}

impl Sample {
    fn new(keys: u64) -> Self {
        let house = House::new(3, small_shape());
        let tree = house.tree(Vec::new(), 0);
        let mut model = Model::new();
        let mut seq = 0;
        let mut held = Vec::new();
        for round in 0..2 {
            for n in (0..keys).filter(|n| round == 0 || n % 5 == 0) {
                let key = format!("key-{n:04}").into_bytes();
                let value = format!("value of {n} in round {round}").into_bytes();
                seq += 1;
                if round == 1 && n % 15 == 0 {
                    tree.apply(seq, [(key.as_slice(), None)]);
                    model.remove(&key);
                } else {
                    tree.apply(seq, [(key.as_slice(), Some(Bytes::from(value.clone())))]);
                    model.insert(key, value);
                }
            }
            // Keeps the first versions.
            held.push(tree.snapshot());
        }
        house.flush(&tree);
        let [meta] = <[TableMeta; 1]>::try_from(tree.tables()).unwrap();
        assert_eq!(meta.entry_count, keys + keys.div_ceil(5));
        let path = table_path(DIR, meta.file_number);
        Self { house, meta, model, path }
    }

    fn tree_on(&self, disk: &SimDisk) -> Tree {
        let options = TreeOptions {
            disk: Arc::new(disk.clone()),
            dir: DIR.into(),
            cache: Arc::new(BlockCache::new(1 << 20)),
            files: Arc::new(FileCache::default()),
            keys: Arc::clone(&self.house.files) as _,
            shape: self.house.shape,
        };
        Tree::new(options, vec![self.meta.clone()], self.meta.max_seq).unwrap()
    }

    fn verify(&self, disk: &SimDisk) -> TableReport {
        verify_table(disk, DIR, &self.meta, self.house.files.as_ref()).unwrap()
    }

    /// Reads every key in every way; returns the keys that gave `Damaged`. What is given is right, always.
    fn read(&self, disk: &SimDisk) -> Vec<Vec<u8>> {
        let tree = self.tree_on(disk);
        let snapshot = tree.snapshot();
        let mut damaged = Vec::new();
        let deleted = (0..2000).step_by(15).map(|n| format!("key-{n:04}").into_bytes());
        for key in self.model.keys().cloned().chain(deleted) {
            match snapshot.get(&key) {
                Ok(found) => assert_eq!(found.as_deref(), self.model.get(&key).map(Vec::as_slice)),
                Err(TreeError::Damaged { .. }) => damaged.push(key),
                Err(error) => panic!("{error}"),
            }
        }
        let mut cursor = snapshot.range(b"", None);
        let mut expected = self.model.iter();
        loop {
            match cursor.next() {
                Ok(Some((key, value))) => assert_eq!(expected.next(), Some((&key.to_vec(), &value.to_vec()))),
                Ok(None) => {
                    assert_eq!(expected.next(), None);
                    assert!(damaged.is_empty(), "the cursor saw what get did not");
                    break;
                }
                Err(error) => {
                    assert!(error.is_damage() && !damaged.is_empty(), "{error}");
                    assert!(cursor.next().unwrap().is_none(), "ended after an error");
                    break;
                }
            }
        }
        let mut salvage = snapshot.range(b"", None).skip_damaged();
        let mut saved = 0;
        while let Some((key, _)) = salvage.next().unwrap() {
            saved += usize::from(self.model.contains_key(key.as_ref()));
        }
        assert!(saved + damaged.len() >= self.model.len());
        assert_eq!(salvage.blocks_skipped() == 0, damaged.is_empty());
        damaged
    }

    fn pages(&self) -> u64 {
        self.meta.len / 4096
    }
}

/// Keys that one block of the small shape holds at most.
const BLOCK_KEYS_MAX: usize = 24;

#[test]
fn every_flipped_byte_is_found_and_costs_at_most_its_block() {
    let sample = Sample::new(120);
    let disk = sample.house.disk.fork();
    let sound = sample.verify(&disk);
    assert_eq!((sound.findings, sound.entries), (Vec::new(), sample.meta.entry_count));
    for offset in 0..sample.meta.len {
        disk.flip_byte(&sample.path, offset).unwrap();
        let report = sample.verify(&disk);
        let found = report.findings.iter().any(|finding| finding.bytes.contains(&offset));
        assert!(found, "offset {offset}: {:?}", report.findings);
        let loses = report.findings.iter().any(|finding| finding.loses_entries);
        // Headers and footers are pages of mostly zeros: a sample of them is read, all of the blocks.
        let in_blocks = (8192..sample.meta.len - 8192).contains(&offset);
        if offset % 61 == 0 || (in_blocks && offset % 3 == 0) {
            let damaged = sample.read(&disk);
            assert_eq!(loses, !damaged.is_empty(), "offset {offset}: {:?} {damaged:?}", report.findings);
            assert!(damaged.len() <= BLOCK_KEYS_MAX, "offset {offset}: {}", damaged.len());
        }
        disk.flip_byte(&sample.path, offset).unwrap();
    }
}

#[test]
fn an_unreadable_page_costs_only_the_data_blocks_in_it() {
    let sample = Sample::new(600);
    let mut lossless = 0;
    for page in 0..sample.pages() {
        let disk = sample.house.disk.fork();
        disk.make_unreadable(&sample.path, page).unwrap();
        assert!(!sample.verify(&disk).findings.is_empty());
        let damaged = sample.read(&disk);
        // A page touches at most ten blocks of half a kibibyte.
        assert!(damaged.len() <= 10 * BLOCK_KEYS_MAX, "page {page}: {}", damaged.len());
        lossless += u64::from(damaged.is_empty());
    }
    assert!(lossless >= 4, "both headers and both footers");
}

#[test]
fn without_footers_and_top_the_index_is_rebuilt() {
    let sample = Sample::new(600);
    let disk = sample.house.disk.fork();
    for page in [0, 1, sample.pages() - 2, sample.pages() - 1] {
        disk.make_unreadable(&sample.path, page).unwrap();
    }
    assert_eq!(sample.read(&disk), Vec::<Vec<u8>>::new());
    // And a data block in the middle besides.
    let offset = sample.meta.len / 2;
    disk.flip_byte(&sample.path, offset).unwrap();
    let damaged = sample.read(&disk);
    assert!(damaged.len() <= BLOCK_KEYS_MAX);
    // The first and the last data block.
    for offset in [8192 + 100, 8192 + 20] {
        let disk = sample.house.disk.fork();
        disk.make_unreadable(&sample.path, sample.pages() - 2).unwrap();
        disk.make_unreadable(&sample.path, sample.pages() - 1).unwrap();
        disk.flip_byte(&sample.path, offset).unwrap();
        let damaged = sample.read(&disk);
        assert!(damaged.iter().all(|key| key.as_slice() < b"key-0030".as_slice()), "{damaged:?}");
        assert!(!damaged.is_empty());
    }
}

#[test]
fn a_header_is_read_from_either_copy_and_proves_itself() {
    let sample = Sample::new(60);
    for page in 0..2 {
        let disk = sample.house.disk.fork();
        disk.make_unreadable(&sample.path, page).unwrap();
        let header = read_table_header(&disk, DIR, sample.meta.file_number).unwrap();
        assert_eq!((header.file_id, header.sealed_key), (sample.meta.file_id, sample.meta.sealed_key));
        assert!(header.is_authentic(sample.house.files.as_ref()).unwrap());
        disk.flip_byte(&sample.path, (1 - page) * 4096 + 60).unwrap();
        assert!(read_table_header(&disk, DIR, sample.meta.file_number).unwrap_err().is_damage());
    }
}

#[test]
fn a_missing_or_foreign_or_short_table_is_damage() {
    let sample = Sample::new(120);
    let other = {
        let tree = sample.house.tree(Vec::new(), 0);
        tree.apply(1, [(&b"key-0001"[..], Some(Bytes::from_static(b"foreign")))]);
        sample.house.flush(&tree);
        table_path(DIR, tree.tables()[0].file_number)
    };
    let all = |disk: &SimDisk| assert!(sample.read(disk).len() >= sample.model.len());
    let disk = sample.house.disk.fork();
    disk.swap(&sample.path, &other).unwrap();
    all(&disk);
    let disk = sample.house.disk.fork();
    disk.remove_file(&sample.path).unwrap();
    all(&disk);
    let disk = sample.house.disk.fork();
    disk.truncate(&sample.path, sample.meta.len - 4096).unwrap();
    assert_eq!(sample.read(&disk), Vec::<Vec<u8>>::new(), "the other footer is still there");
    assert!(!sample.verify(&disk).findings.is_empty());
    disk.truncate(&sample.path, 8192).unwrap();
    all(&disk);
    assert!(sample.verify(&disk).findings.iter().any(|finding| finding.loses_entries));
}

#[test]
fn a_compaction_stops_at_damage_unless_the_loss_is_accepted() {
    let sample = Sample::new(600);
    let disk = sample.house.disk.fork();
    disk.flip_byte(&sample.path, 8192 + 100).unwrap();
    let tree = sample.tree_on(&disk);
    let files_before = disk.list(&format!("{DIR}/table")).unwrap().len();
    let cancel = AtomicBool::new(false);
    let job = tree.pick_full_compaction().unwrap();
    let error = tree.run_compaction(job, sample.house.files.as_ref(), &cancel).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert_eq!(disk.list(&format!("{DIR}/table")).unwrap().len(), files_before, "nothing is left behind");
    let job = tree.pick_full_compaction().unwrap().accept_loss();
    let edit = tree.run_compaction(job, sample.house.files.as_ref(), &cancel).unwrap();
    assert_eq!(edit.blocks_lost, 1);
    tree.install(edit).unwrap();
    let mut cursor = tree.snapshot().range(b"", None);
    let mut left = 0;
    while let Some((key, value)) = cursor.next().unwrap() {
        assert_eq!(sample.model.get(key.as_ref()).map(Vec::as_slice), Some(value.as_ref()));
        left += 1;
    }
    assert!(left >= sample.model.len() - BLOCK_KEYS_MAX && left < sample.model.len());
}
