//! Keys as the tree sees them: one file key a table, and where new files and their keys come from.

use super::TreeError;
use crate::crypt::{BucketId, BucketKeys, CryptError, FileId, FileKey, RecordSealer, SealedFileKey, TAG_LEN_BYTES};

/// The open key of one table file. It serves that file only, and each block index seals once.
pub(super) struct TableKey {
    key: FileKey,
    blocks: RecordSealer,
}

impl TableKey {
    pub(super) fn new(key: FileKey) -> Result<Self, TreeError> {
        let blocks = key.block_sealer()?;
        Ok(Self { key, blocks })
    }

    /// Seals `plain` in place as block `index`, appends the tag and returns it.
    pub(super) fn seal(&self, index: u32, aad: &[u8], plain: &mut Vec<u8>) -> Result<[u8; TAG_LEN_BYTES], TreeError> {
        Ok(self.blocks.seal_in_place(u64::from(index), aad, plain)?)
    }

    /// Opens block `index`.
    pub(super) fn open(&self, index: u32, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, TreeError> {
        Ok(self.blocks.open(u64::from(index), aad, sealed)?)
    }

    /// MAC of the file's header.
    pub(super) fn header_mac(&self, header: &[u8]) -> Result<[u8; 32], TreeError> {
        Ok(self.key.header_mac(header)?)
    }

    /// Whether `mac` is that of the header.
    pub(super) fn header_is_authentic(&self, header: &[u8], mac: &[u8; 32]) -> bool {
        self.key.verify_header(header, mac).is_ok()
    }
}

impl From<CryptError> for TreeError {
    fn from(error: CryptError) -> Self {
        match error {
            CryptError::Locked => Self::Locked,
            // Of a record or header. A sealed key that is damaged comes from the manifest, and is `Key`.
            CryptError::Damaged("a block of a table") => Self::Malformed("a block is not what was sealed"),
            other => Self::Key(other.to_string().into()),
        }
    }
}

/// Opens the file keys of tables.
pub trait TableKeys: Send + Sync {
    /// The key of a file.
    ///
    /// # Errors
    /// `Locked` or `Key`.
    fn open_file_key(&self, file: FileId, sealed: &SealedFileKey) -> Result<FileKey, TreeError>;
}

impl TableKeys for BucketKeys {
    fn open_file_key(&self, file: FileId, sealed: &SealedFileKey) -> Result<FileKey, TreeError> {
        Ok(Self::open_file_key(self, file, sealed)?)
    }
}

/// What a new table is made with.
pub struct NewTable {
    /// File number, never used before in this bucket.
    pub number: u64,
    /// Id of the bucket.
    pub bucket_id: BucketId,
    /// Epoch that writes the file.
    pub epoch: u64,
    /// The file's key, new.
    pub key: FileKey,
    /// The same, sealed, as manifest and header hold it.
    pub sealed_key: SealedFileKey,
}

/// Gives out numbers and keys for new tables.
pub trait TableFiles: Send + Sync {
    /// A new file's number and key.
    ///
    /// # Errors
    /// `Locked` or `Key`.
    fn new_table(&self) -> Result<NewTable, TreeError>;
}
