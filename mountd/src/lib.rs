//! The mount of a Strongroom store, and the daemon around it.
//!
//! [`adapter`] translates between the kernel's FUSE requests and `strongroom::fs`, and holds no semantics: what a
//! rename or an overwrite means is decided there, once for both views. [`mount`] puts it into the file tree and takes
//! it out again.

pub mod adapter;
pub mod mount;
