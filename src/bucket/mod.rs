//! One bucket on disk: its keyring, manifest, logs, tables and segments put together.
//!
//! `fs` stands on two traits only, [`MetaStore`] (ordered metadata) and [`SegmentStore`] (sealed content), so that the
//! local pair, which shares one log, can be replaced by an in-memory one in tests and by others later.

mod batch;
mod commit;
mod dead;
mod env;
mod epoch;
mod error;
mod flush;
pub(crate) mod fuzzing;
mod local;
mod manifest;
mod manifest_file;
mod memory;
mod recovery;
mod reseal;
mod segments;
mod snapshot;
mod table_keys;
mod traits;
mod verify;
mod work;

use local::InForce;

pub use batch::{Batch, SegmentId, SegmentRef};
pub use env::{Env, Limits, ManifestRecorder, NotRecorded};
pub use error::StoreError;
pub use local::LocalBucket;
pub use manifest::{Line, LogInForce, Manifest, ManifestError, ManifestRef};
pub use memory::{MemoryFaults, MemoryStore, Tickets};
pub use traits::{Committed, Completion, Cursor, MetaStore, Number, PendingSegment, SegmentStore, Snapshot};
pub use verify::{DeadRange, Finding, VerifyReport};
