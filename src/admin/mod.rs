//! The commands of an operator, as functions and as what travels over the control socket.

pub mod control;
mod fsck;
mod report;
mod status;

pub use fsck::{FsckError, Progress, fsck_closed};
pub use report::{Checked, DeadBytes, FsckFinding, FsckReport, Severity};
pub use status::{BucketStatus, EndpointLine, FormatStatus, KmsLine, MemoryStatus, SpaceStatus, StoreStatus};
