//! The header of a log file (docs/FORMAT.md 4.1), written twice.

use crate::{
    crypt::{BucketId, CryptError, EpochId, FileId, FileKey, SealedFileKey},
    format::{Decoder, Encoder, FORMAT_VERSION, FormatError},
};

/// Bytes of one copy of the header.
pub const HEADER_BYTES: usize = 4096;
/// Bytes before the first frame: both copies.
pub const PREAMBLE_BYTES: u64 = 2 * HEADER_BYTES as u64;

const MAGIC: &[u8; 8] = b"SRLOGHDR";
const CHECK_OFFSET: usize = HEADER_BYTES - 36;
const MAC_OFFSET: usize = HEADER_BYTES - 32;

/// Where the log before this file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cut {
    /// Number of the last batch before.
    pub number: u64,
    /// Offset behind the last frame that counts, or `u64::MAX` when the file before was closed by a roll.
    pub offset: u64,
    /// Tag of the batch with that number; zero in a bucket's first file.
    pub tag: [u8; 16],
}

/// What the header of a log file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeader {
    /// The bucket.
    pub bucket: BucketId,
    /// The file's random id.
    pub file: FileId,
    /// The file's number.
    pub number: u64,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// That epoch's random id.
    pub epoch_id: EpochId,
    /// The file before; zero for none.
    pub previous: FileId,
    /// Where the file before ends.
    pub cut: Cut,
    /// The file's key, sealed.
    pub sealed_key: SealedFileKey,
}

impl LogHeader {
    /// One copy of the header, with its MAC.
    ///
    /// # Errors
    /// [`CryptError`] when the key is gone.
    pub fn encode(&self, key: &FileKey) -> Result<Vec<u8>, CryptError> {
        let mut out = Encoder::with_capacity(HEADER_BYTES);
        out.raw(MAGIC).u16(FORMAT_VERSION).raw(&[0; 6]).raw(self.bucket.as_bytes()).raw(self.file.as_bytes());
        out.u64(self.number).u64(self.epoch).raw(self.epoch_id.as_bytes()).raw(self.previous.as_bytes());
        out.u64(self.cut.number).u64(self.cut.offset).raw(&self.cut.tag);
        self.sealed_key.encode(&mut out);
        let mut bytes = out.finish();
        bytes.resize(CHECK_OFFSET, 0);
        let check = crc32c::crc32c(&bytes);
        let mac = key.header_mac(&bytes)?;
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.extend_from_slice(&mac);
        Ok(bytes)
    }

    /// Reads a copy without checking its MAC: enough to find the key.
    ///
    /// # Errors
    /// [`FormatError`] when it is not an intact header of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Decoder::new(bytes);
        let covered = bytes.get(..CHECK_OFFSET).ok_or(FormatError::Truncated("log header"))?;
        let stored = bytes.get(CHECK_OFFSET..MAC_OFFSET).ok_or(FormatError::Truncated("log header"))?;
        if from.array::<8>("log header")? != *MAGIC {
            return Err(FormatError::Magic("log file"));
        }
        if stored != crc32c::crc32c(covered).to_le_bytes() {
            return Err(FormatError::Checksum("log header"));
        }
        let version = from.u16("log header version")?;
        if version != FORMAT_VERSION {
            return Err(FormatError::Newer { what: "a log file", version, features: 0 });
        }
        if from.array::<6>("log header")? != [0; 6] {
            return Err(FormatError::Invalid("log header"));
        }
        let header = Self {
            bucket: BucketId::from_bytes(from.array("bucket id")?),
            file: FileId::from_bytes(from.array("file id")?),
            number: from.u64("log number")?,
            epoch: from.u64("epoch")?,
            epoch_id: EpochId::from_bytes(from.array("epoch id")?),
            previous: FileId::from_bytes(from.array("previous file id")?),
            cut: Cut { number: from.u64("cut")?, offset: from.u64("cut")?, tag: from.array("cut")? },
            sealed_key: SealedFileKey::decode(&mut from).map_err(|_| FormatError::Invalid("sealed file key"))?,
        };
        let padding = from.remaining().saturating_sub(HEADER_BYTES - CHECK_OFFSET);
        if from.raw(padding, "padding")?.iter().any(|&byte| byte != 0) {
            return Err(FormatError::Invalid("padding of a log header"));
        }
        Ok(header)
    }

    /// Whether the MAC of a copy fits, under the file's key.
    #[must_use]
    pub fn verify(bytes: &[u8], key: &FileKey) -> bool {
        match (bytes.get(..CHECK_OFFSET), bytes.get(MAC_OFFSET..HEADER_BYTES).and_then(|mac| mac.first_chunk::<32>())) {
            (Some(covered), Some(mac)) => key.verify_header(covered, mac).is_ok(),
            _ => false,
        }
    }
}
