//! The commands of an operator, as functions and as what travels over the control socket.

pub mod control;
mod status;

pub use status::{BucketStatus, EndpointLine, FormatStatus, KmsLine, MemoryStatus, SpaceStatus, StoreStatus};
