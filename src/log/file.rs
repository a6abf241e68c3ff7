//! One log file, open.

use super::{FrameHeader, FrameKind, FrameMagic, LogError, LogHeader, frame_span};
use crate::{
    crypt::{BucketId, CryptError, FileId, FileKey, RecordSealer, SealedFileKey},
    disk::DiskFile,
    format::{Encoder, FORMAT_VERSION},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is known of a log file beside its bytes; the manifest carries it from one opening to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The file's number.
    pub number: u64,
    /// Its random id.
    pub file: FileId,
    /// The epoch that wrote it.
    pub epoch: u64,
    /// Its key, sealed.
    pub sealed_key: SealedFileKey,
    /// Allocated length in bytes.
    pub capacity: u64,
    /// Where its frames end, 0 while it is in use.
    pub end: u64,
    /// Its last batch, 0 while it is in use.
    pub last_number: u64,
    /// That batch's tag.
    pub last_tag: [u8; 16],
}

/// A log file that can be read, and appended to by the one writer of its bucket.
pub struct LogFile {
    /// Number of the file, which its name repeats.
    pub number: u64,
    /// Random id of the file.
    pub id: FileId,
    /// Epoch that wrote it.
    pub epoch: u64,
    /// Its key, sealed, for the manifest.
    pub sealed_key: SealedFileKey,
    /// Allocated length in bytes.
    pub capacity: u64,
    pub(super) magic: FrameMagic,
    pub(super) batches: RecordSealer,
    pub(super) pins: AtomicU64,
    disk: Arc<dyn DiskFile>,
}

impl std::fmt::Debug for LogFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFile").field("number", &self.number).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// Path of a log file in its bucket's directory.
#[must_use]
pub fn log_path(dir: &str, number: u64) -> String {
    format!("{dir}/log/{number}.log")
}

impl LogFile {
    /// A file whose header was read or written, with its unsealed key.
    ///
    /// # Errors
    /// [`CryptError`] when the key is gone.
    pub fn new(header: &LogHeader, key: &FileKey, capacity: u64, disk: Arc<dyn DiskFile>) -> Result<Self, CryptError> {
        Ok(Self {
            number: header.number,
            id: header.file,
            epoch: header.epoch,
            sealed_key: header.sealed_key,
            capacity,
            magic: FrameMagic::of(header.file),
            batches: key.batch_sealer()?,
            pins: AtomicU64::new(0),
            disk,
        })
    }

    /// A file that the manifest names, opened by the manifest's copy of its key; the header is not read.
    ///
    /// # Errors
    /// [`CryptError`] when the key is gone.
    pub fn of_state(state: &LogState, key: &FileKey, disk: Arc<dyn DiskFile>) -> Result<Self, CryptError> {
        Ok(Self {
            number: state.number,
            id: state.file,
            epoch: state.epoch,
            sealed_key: state.sealed_key,
            capacity: state.capacity,
            magic: FrameMagic::of(state.file),
            batches: key.batch_sealer()?,
            pins: AtomicU64::new(0),
            disk,
        })
    }

    /// Whether content in the file still waits for the batch that publishes it.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::Acquire) > 0
    }

    /// What is bound to a batch of this file beside its number.
    pub(super) fn batch_aad(&self, number: u64, previous_tag: &[u8; 16]) -> Vec<u8> {
        let mut aad = Encoder::with_capacity(50);
        aad.u16(FORMAT_VERSION).raw(self.id.as_bytes()).u64(self.epoch).u64(number).raw(previous_tag);
        aad.finish()
    }

    /// Writes a frame at `offset`, padded with zeros; returns the payload's checksum.
    pub(super) fn write_frame(
        &self,
        offset: u64,
        kind: FrameKind,
        number: u64,
        payload: &[u8],
    ) -> Result<u32, LogError> {
        let payload_bytes = u32::try_from(payload.len())
            .map_err(|_| LogError::TooLarge { bytes: payload.len() as u64, limit: u64::from(u32::MAX) })?;
        let payload_crc = crc32c::crc32c(payload);
        let header = FrameHeader { kind, payload_bytes, number, payload_crc }.encode(self.magic);
        let used = header.len() as u64 + u64::from(payload_bytes);
        let padding = [0u8; 64];
        let pad = padding.get(..usize::try_from(frame_span(payload_bytes) - used).unwrap_or(0)).unwrap_or(&[]);
        self.disk
            .write_at(offset, &[&header, payload, pad])
            .map_err(|e| LogError::io(format!("writing to log {}", self.number), e))?;
        Ok(payload_crc)
    }

    /// Reads bytes of the file.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), LogError> {
        self.disk.read_at(offset, buf).map_err(|e| LogError::io(format!("reading log {} at {offset}", self.number), e))
    }

    /// Whether an intact frame header stands at `offset`.
    #[must_use]
    pub fn has_frame_at(&self, offset: u64) -> bool {
        let mut bytes = [0; super::FRAME_HEADER_BYTES];
        self.read_at(offset, &mut bytes).is_ok() && FrameHeader::decode(&bytes, self.magic).is_some()
    }

    /// Makes everything written to the file durable.
    ///
    /// # Errors
    /// [`LogError::Io`]: what was not synced before may be lost.
    pub fn sync(&self) -> Result<(), LogError> {
        self.disk.sync().map_err(|e| LogError::io(format!("syncing log {}", self.number), e))
    }

    /// Syncs, then drops cached pages, so that what is read next is what the disk holds.
    ///
    /// # Errors
    /// [`LogError::Io`].
    pub fn settle(&self) -> Result<(), LogError> {
        self.sync()?;
        self.disk.forget_cache().map_err(|e| LogError::io(format!("dropping cached pages of log {}", self.number), e))
    }

    /// Opens the file of `state`, or finds its header by itself when `state` is `None`.
    ///
    /// Reads both copies of the header; one is enough. Returns the header too.
    ///
    /// # Errors
    /// [`LogError::Io`] when neither copy can be read; [`LogError::Format`] when neither is intact;
    /// [`LogError::Crypt`] when the key or the MAC does not fit, or it is another bucket's file.
    pub fn open(
        disk: Arc<dyn DiskFile>,
        name: &str,
        bucket: BucketId,
        unseal: &dyn Fn(FileId, &SealedFileKey) -> Result<FileKey, crate::crypt::CryptError>,
    ) -> Result<(LogHeader, Self), LogError> {
        let mut failure = None;
        for copy in 0..2u64 {
            let mut bytes = vec![0; super::HEADER_BYTES];
            let attempt = disk
                .read_at(copy * super::HEADER_BYTES as u64, &mut bytes)
                .map_err(|e| LogError::io(format!("reading the header of {name}"), e))
                .and_then(|()| LogHeader::decode(&bytes).map_err(|e| LogError::format(name, e)))
                .and_then(|header| {
                    let key = unseal(header.file, &header.sealed_key).map_err(|e| LogError::crypt(name, e))?;
                    if header.bucket != bucket || !LogHeader::verify(&bytes, &key) {
                        return Err(LogError::format(
                            name,
                            crate::format::FormatError::Invalid("MAC or bucket of a log header"),
                        ));
                    }
                    Ok((header, key))
                });
            match attempt {
                Ok((header, key)) => {
                    let capacity = disk.len().map_err(|e| LogError::io(name, e))?;
                    let file = Self::new(&header, &key, capacity, disk).map_err(|e| LogError::crypt(name, e))?;
                    return Ok((header, file));
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or(LogError::format(name, crate::format::FormatError::Truncated("log header"))))
    }
}
