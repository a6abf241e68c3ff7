//! One bucket on disk: its keyring, manifest, logs, tables and segments put together.
//!
//! `fs` stands on two traits only, [`MetaStore`] (ordered metadata) and [`SegmentStore`] (sealed content), so that the
//! local pair, which shares one log, can be replaced by an in-memory one in tests and by others later.

mod batch;
mod error;
mod memory;
mod traits;

pub use batch::{Batch, SegmentId, SegmentRef};
pub use error::StoreError;
pub use memory::{MemoryFaults, MemoryStore, Tickets};
pub use traits::{Committed, Completion, Cursor, MetaStore, Number, PendingSegment, SegmentStore, Snapshot};
