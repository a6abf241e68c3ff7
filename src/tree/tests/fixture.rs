//! A bucket without a bucket: keys, numbers for tables, and a manifest in memory.

use crate::{
    crypt::{BucketId, BucketKeys, Dek, Keyring, SeededEntropy, StoreId},
    disk::{Disk, SimDisk},
    tree::{
        BlockCache, FileCache, NewTable, TableFiles, TableMeta, Tree, TreeError, TreeOptions, TreeShape, VersionEdit,
    },
};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use zeroize::Zeroizing;

pub(super) const DIR: &str = "bucket";

pub(super) struct Files {
    pub(super) keys: BucketKeys,
    bucket_id: BucketId,
    entropy: SeededEntropy,
    next: AtomicU64,
}

impl TableFiles for Files {
    fn new_table(&self) -> Result<NewTable, TreeError> {
        let (_, key, sealed_key) = self.keys.new_file_key(&self.entropy)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(NewTable { number, bucket_id: self.bucket_id, epoch: 1, key, sealed_key })
    }
}

/// A tree on a simulated disk.
pub(super) struct House {
    pub(super) disk: SimDisk,
    pub(super) files: Arc<Files>,
    pub(super) cache: Arc<BlockCache>,
    pub(super) open: Arc<FileCache>,
    pub(super) shape: TreeShape,
}

impl House {
    pub(super) fn new(seed: u64, shape: TreeShape) -> Self {
        let disk = SimDisk::new(seed);
        disk.create_dir(DIR).unwrap();
        disk.create_dir(&format!("{DIR}/table")).unwrap();
        disk.sync_dir(DIR).unwrap();
        disk.sync_dir("").unwrap();
        let entropy = SeededEntropy::new(seed);
        let dek = Dek::new(Zeroizing::new([7; 32]));
        let (store, bucket_id) = (StoreId::random(&entropy).unwrap(), BucketId::random(&entropy).unwrap());
        let keyring = Keyring::create(store, bucket_id, "ek", b"sealed", &dek, &entropy).unwrap();
        let keys = keyring.unlock(|_| Some(&dek)).unwrap();
        let files = Arc::new(Files { keys, bucket_id, entropy, next: AtomicU64::new(1) });
        let cache = Arc::new(BlockCache::new(256 * 1024));
        Self { disk, files, cache, open: Arc::new(FileCache::new(4.try_into().unwrap())), shape }
    }

    pub(super) fn tree(&self, tables: Vec<TableMeta>, last_seq: u64) -> Tree {
        let options = TreeOptions {
            disk: Arc::new(self.disk.clone()),
            dir: DIR.into(),
            cache: Arc::clone(&self.cache),
            files: Arc::clone(&self.open),
            keys: Arc::clone(&self.files) as _,
            shape: self.shape,
        };
        Tree::new(options, tables, last_seq).unwrap()
    }

    /// Flushes everything.
    pub(super) fn flush(&self, tree: &Tree) {
        tree.freeze();
        while let Some(edit) = tree.write_frozen(self.files.as_ref()).unwrap() {
            install(tree, edit);
        }
    }

    /// Runs one compaction if one is needed.
    pub(super) fn compact(&self, tree: &Tree) -> bool {
        let Some(job) = tree.pick_compaction() else { return false };
        let edit = tree.run_compaction(job, self.files.as_ref(), &AtomicBool::new(false)).unwrap();
        install(tree, edit);
        true
    }

    /// Removes the files of tables that nobody reads.
    pub(super) fn clean(&self, tree: &Tree) {
        for meta in tree.take_obsolete() {
            self.disk.remove_file(&crate::tree::table_path(DIR, meta.file_number)).unwrap();
        }
    }
}

impl crate::tree::TableKeys for Files {
    fn open_file_key(
        &self,
        file: crate::crypt::FileId,
        sealed: &crate::crypt::SealedFileKey,
    ) -> Result<crate::crypt::FileKey, TreeError> {
        Ok(self.keys.open_file_key(file, sealed)?)
    }
}

/// Puts an edit in force, after its tables went through encoding as in a manifest.
pub(super) fn install(tree: &Tree, mut edit: VersionEdit) {
    let mut out = Vec::new();
    edit.added.iter().for_each(|meta| meta.encode(&mut out));
    let mut rest = out.as_slice();
    let mut back = Vec::new();
    while !rest.is_empty() {
        let (meta, left) = TableMeta::decode(rest).unwrap();
        back.push(meta);
        rest = left;
    }
    assert_eq!(back, edit.added);
    edit.added = back;
    tree.install(edit).unwrap();
}

/// A small tree: many tables, blocks and partitions from few entries.
pub(super) fn small_shape() -> TreeShape {
    TreeShape {
        table_bytes: 24 * 1024,
        level0_tables: 3,
        level1_bytes: 64 * 1024,
        level_ratio: 4,
        table: crate::tree::TableShape { block_bytes: 512, partition_blocks: 5 },
    }
}

pub(super) fn put(tree: &Tree, seq: u64, key: &[u8], value: &[u8]) {
    tree.apply(seq, [(key, Some(Bytes::copy_from_slice(value)))]);
}

pub(super) fn delete(tree: &Tree, seq: u64, key: &[u8]) {
    tree.apply(seq, [(key, None)]);
}

/// All that a snapshot of the tree holds.
pub(super) fn contents(tree: &Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut cursor = tree.snapshot().range(b"", None);
    let mut all = Vec::new();
    while let Some((key, value)) = cursor.next().unwrap() {
        all.push((key.to_vec(), value.to_vec()));
    }
    all
}

/// A generator of numbers (xorshift), so that a run can be had again from its seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
