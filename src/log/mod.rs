//! The log of a bucket: append-only sealed files that are the truth (docs/FORMAT.md 4).
//!
//! Appends content and batches, shares syncs between waiters, and reads the log back after a crash. Knows how a batch
//! is framed, sealed and chained, not what its changes mean.

mod error;
mod file;
mod frame;
mod header;
mod place;
mod reader;
mod record;
mod sync;
mod writer;

pub use error::LogError;
pub use file::{LogFile, LogState, log_path};
pub use frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, FrameMagic, frame_span};
pub use header::{Cut, HEADER_BYTES, LogHeader, PREAMBLE_BYTES};
pub use place::{Pin, Place};
pub use reader::{Found, FrameScan, OpenedBatch, open_batch, read_payload};
pub use record::{BatchRecord, ContentNote, Operation, SpaceNote};
pub use sync::{GroupSync, Waiter};
pub use writer::{LogFactory, LogWriter, Tail};
