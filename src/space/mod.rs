//! Where content lies, and how space comes back: the segment table, the accounting of log files, compaction of
//! content, the reserve. Knows nothing of names.

mod accounts;
mod reserve;
mod segment_record;

pub use accounts::Accounts;
pub use reserve::Reserve;
pub use segment_record::{SegmentRecord, is_store_key, segment_key, segment_of_key};
