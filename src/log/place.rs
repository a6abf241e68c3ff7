//! Where a frame lies.

use super::LogFile;
use std::sync::Arc;

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
