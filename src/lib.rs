//! Strongroom: buckets of objects on a disk, sealed under a key hierarchy whose root is in a KMS.
//!
//! This package is the core: no FUSE, no HTTP server. The rooms, lowest first, and the arrows between them
//! are drawn in `docs/ARCHITECTURE.md`; every byte on the disk is in `docs/FORMAT.md`.

pub mod admin;
pub mod bucket;
pub mod clock;
pub mod crypt;
pub mod disk;
pub mod format;
pub mod fs;
#[doc(hidden)]
pub mod fuzzing;
pub mod kms;
pub mod log;
pub mod space;
pub mod store;
pub mod tree;
