//! Numbers, ids and keys for the tables of a local bucket.

use super::LocalBucket;
use crate::tree::{NewTable, TableFiles, TreeError};
use std::sync::atomic::Ordering;

/// Gives out new tables of one epoch.
pub(super) struct EpochTables<'a> {
    pub bucket: &'a LocalBucket,
    pub epoch: u64,
}

impl TableFiles for EpochTables<'_> {
    fn new_table(&self) -> Result<NewTable, TreeError> {
        let (_, key, sealed_key) = self.bucket.keys.new_file_key(self.bucket.env.entropy.as_ref())?;
        Ok(NewTable {
            number: self.bucket.next_number.fetch_add(1, Ordering::AcqRel),
            bucket_id: self.bucket.id,
            epoch: self.epoch,
            sealed_key,
            key,
        })
    }
}
