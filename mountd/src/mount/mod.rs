//! Putting the file system into the file tree, and taking it out again.
//!
//! Done here and not by the FUSE library, because its helper program must not inherit the secrets of the environment,
//! and because every failure must be told before anything is changed ([`check`] before the store is opened).

mod attach;
mod check;
mod error;
mod helper;
mod options;
mod session;
mod table;

pub use check::{MountPoint, check};
pub use error::MountError;
pub use options::{MountOptions, OptionError};
pub use session::{Mounted, mount};
pub(crate) use table::last_on;
