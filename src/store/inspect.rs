//! What `status` and `fsck` see of a store beyond its buckets.

use super::{Store, StoreFile, keyring_files::read_keyrings};
use crate::{
    crypt::{BucketId, Keyring},
    disk::{DirEntry, Disk, DiskSpace},
    fs::FsResult,
};
use std::{io, sync::Arc, time::Duration};

/// Space as `status` shows it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreSpace {
    /// The file system below.
    pub disk: DiskSpace,
    /// Held for freeing space on a full disk.
    pub reserve_bytes: u64,
}

impl Store {
    /// The store file, as it was read.
    #[must_use]
    pub fn store_file(&self) -> StoreFile {
        self.file
    }

    /// How long it has been open.
    #[must_use]
    pub fn open_for(&self) -> Duration {
        self.opened_at.elapsed()
    }

    /// The memory budget in bytes, where one was given.
    #[must_use]
    pub fn memory_bytes(&self) -> Option<u64> {
        self.memory_bytes.get().copied()
    }

    /// The disk that the store lies on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.host.env.disk
    }

    /// Space on the disk, and the reserve.
    ///
    /// # Errors
    /// The error of the disk.
    pub fn space(&self) -> io::Result<StoreSpace> {
        let disk = self.disk().space()?;
        Ok(StoreSpace { disk, reserve_bytes: self.host.env.reserve.held_bytes() })
    }

    /// The keyring of a bucket as the catalog has it, verified, and its bytes.
    ///
    /// # Errors
    /// `Damaged`, `Io`, `Locked`.
    pub fn keyring(&self, bucket: BucketId) -> FsResult<(Keyring, Vec<u8>)> {
        self.host.keyring(bucket)
    }

    /// The two files of a bucket's keyring as they lie on the disk: name, and bytes where they can be read.
    #[must_use]
    pub fn keyring_files(&self, bucket: BucketId) -> Vec<(String, Option<Vec<u8>>)> {
        let dir = Self::bucket_directory(bucket);
        let copies = read_keyrings(self.disk().as_ref(), &dir);
        copies.into_iter().map(|(copy, bytes)| (format!("{dir}/{copy}"), bytes)).collect()
    }

    /// The directory of a bucket, below the store's.
    #[must_use]
    pub fn bucket_directory(bucket: BucketId) -> String {
        super::host::bucket_dir(bucket)
    }

    /// The files of a store that stand twice, as they lie on the disk: the store file and the catalog's keyring.
    #[must_use]
    pub fn twins(disk: &dyn Disk) -> Vec<(String, Option<Vec<u8>>)> {
        let catalog = super::open::CATALOG;
        let keyrings = read_keyrings(disk, catalog).into_iter();
        let keyrings = keyrings.map(|(copy, bytes)| (format!("{catalog}/{copy}"), bytes));
        let files = super::store_file::COPIES.into_iter();
        files.map(|copy| (copy.to_owned(), super::store_file::read_bytes(disk, copy))).chain(keyrings).collect()
    }

    /// What lies in the directory of all buckets.
    ///
    /// # Errors
    /// The error of the disk.
    pub fn bucket_directories(&self) -> io::Result<Vec<DirEntry>> {
        match self.disk().list(super::host::BUCKETS) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed,
        }
    }

    /// The next opening of this bucket accepts what it lost, and lets it be written again.
    pub fn accept_loss(&self, bucket: BucketId) {
        self.host.accept_loss(bucket);
    }
}
