//! The header of a table, which stands twice: enough to open the file without a manifest.

use super::{FORMAT_VERSION, PAGE_LEN, table_path};
use crate::{
    crypt::{BucketId, FileId, SealedFileKey},
    disk::Disk,
    tree::{
        TreeError,
        codec::Decoder,
        meta::sealed_key,
        sealing::{NewTable, TableKey, TableKeys},
    },
};

/// First bytes of a table.
const MAGIC: [u8; 8] = *b"SRMtable";
/// Length of the fields before the MAC.
pub(super) const FIELDS_LEN: usize = 8 + 2 + 2 + 16 + 16 + 8 + 8 + SealedFileKey::LEN;
/// Length of the MAC.
const MAC_LEN: usize = 32;

/// What the header of a table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableHeader {
    /// Id of the bucket.
    pub bucket_id: BucketId,
    /// Id of the file.
    pub file_id: FileId,
    /// Epoch that wrote the file.
    pub epoch: u64,
    /// Number of the file.
    pub number: u64,
    /// The file's key, sealed.
    pub sealed_key: SealedFileKey,
    /// MAC of all before it, under the file's key.
    pub mac: [u8; MAC_LEN],
}

impl TableHeader {
    /// The header of a new table, and its key.
    pub(super) fn of_new(table: NewTable) -> Result<(Self, TableKey), TreeError> {
        let mut header = Self {
            bucket_id: table.bucket_id,
            file_id: table.key.id(),
            epoch: table.epoch,
            number: table.number,
            sealed_key: table.sealed_key,
            mac: [0; MAC_LEN],
        };
        let key = TableKey::new(table.key)?;
        header.mac = key.header_mac(&header.fields())?;
        Ok((header, key))
    }

    fn fields(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAGE_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(self.bucket_id.as_bytes());
        out.extend_from_slice(self.file_id.as_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.sealed_key.to_bytes());
        debug_assert_eq!(out.len(), FIELDS_LEN);
        out
    }

    /// One page.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.fields();
        out.extend_from_slice(&self.mac);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(PAGE_LEN, 0);
        out
    }

    /// Reads a page; the MAC is not checked, because that takes the key that stands in the header.
    pub(super) fn decode(page: &[u8]) -> Result<Self, TreeError> {
        let mut decoder = Decoder::new(page);
        if decoder.array()? != MAGIC {
            return Err(TreeError::Malformed("no table header"));
        }
        if decoder.u16()? != FORMAT_VERSION {
            return Err(TreeError::Malformed("a table of another format version"));
        }
        if decoder.u16()? != 0 {
            return Err(TreeError::Malformed("a reserved field of a table header is not zero"));
        }
        let header = Self {
            bucket_id: BucketId::from_bytes(decoder.array()?),
            file_id: FileId::from_bytes(decoder.array()?),
            epoch: decoder.u64()?,
            number: decoder.u64()?,
            sealed_key: sealed_key(&mut decoder)?,
            mac: decoder.array()?,
        };
        let covered = page.get(..FIELDS_LEN + MAC_LEN).unwrap_or_default();
        if decoder.u32()? != crc32c::crc32c(covered) {
            return Err(TreeError::Malformed("a table header fails its checksum"));
        }
        if decoder.take(decoder.remaining())?.iter().any(|byte| *byte != 0) {
            return Err(TreeError::Malformed("bytes behind a table header"));
        }
        Ok(header)
    }

    /// Whether the header was written by who had the file's key.
    ///
    /// # Errors
    /// `Locked` or `Key` when the key cannot be had.
    pub fn is_authentic(&self, keys: &dyn TableKeys) -> Result<bool, TreeError> {
        Ok(self.has_mac(&TableKey::new(keys.open_file_key(self.file_id, &self.sealed_key)?)?))
    }

    /// Whether the MAC is that of the fields.
    pub(super) fn has_mac(&self, key: &TableKey) -> bool {
        key.header_is_authentic(&self.fields(), &self.mac)
    }
}

/// Reads the header of a table from whichever copy is good, for salvage without a manifest. What it says is to be
/// believed only after [`TableHeader::is_authentic`].
///
/// # Errors
/// `Damaged` when neither copy is good, `Io`.
pub fn read_table_header(disk: &dyn Disk, dir: &str, number: u64) -> Result<TableHeader, TreeError> {
    let path = table_path(dir, number);
    let file = disk.open_read(&path).map_err(|e| TreeError::io("open", &path, e))?;
    let mut page = vec![0; PAGE_LEN];
    for copy in 0..2 {
        if file.read_at(copy * PAGE_LEN as u64, &mut page).is_ok()
            && let Ok(header) = TableHeader::decode(&page)
        {
            return Ok(header);
        }
    }
    Err(TreeError::Damaged { table: number, block: u32::MAX, offset: 0, what: "neither copy of the header is good" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(mut bytes: Vec<u8>, keep: bool) {
            if keep { bytes.splice(0..0, MAGIC); }
            let _ = TableHeader::decode(&bytes);
        }
    }
}
