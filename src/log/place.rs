//! Where a frame lies.

use super::LogFile;
use std::sync::{Arc, atomic::Ordering};

/// The payload of a frame that was written. Holding it keeps the file from being given up.
#[derive(Clone, Debug)]
pub struct Place {
    /// The file.
    pub file: Arc<LogFile>,
    /// Where the payload begins.
    pub offset: u64,
    /// Its length in bytes.
    pub payload_bytes: u32,
    /// Its CRC32C.
    pub crc: u32,
}

/// Keeps a log file in force while content in it waits for its batch.
#[derive(Debug)]
pub struct Pin(Arc<LogFile>);

impl Pin {
    pub(super) fn new(file: Arc<LogFile>) -> Self {
        file.pins.fetch_add(1, Ordering::AcqRel);
        Self(file)
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<LogFile> {
        &self.0
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.pins.fetch_sub(1, Ordering::AcqRel);
    }
}
