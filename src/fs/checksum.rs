//! CRC64NVME, as S3's full-object checksum.

use crc_fast::{CrcAlgorithm::Crc64Nvme, Digest};

/// A checksum that grows.
pub(super) struct Crc64(Digest);

impl Crc64 {
    /// Of nothing.
    pub fn new() -> Self {
        Self(Digest::new(Crc64Nvme))
    }

    /// With `data` behind what there was.
    pub fn update(mut self, data: &[u8]) -> Self {
        self.0.update(data);
        self
    }

    /// Adds `data`.
    pub fn add(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The checksum so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The checksum of `data`.
pub(super) fn crc64(data: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Nvme, data)
}

/// The checksum of two contents one behind the other, the second `len` bytes long.
pub(super) fn combine_crc64(first: u64, second: u64, len: u64) -> u64 {
    crc_fast::checksum_combine(Crc64Nvme, first, second, len)
}
