//! The mount of a Strongroom store, and the daemon around it.
//!
//! [`adapter`] translates between the kernel's FUSE requests and `strongroom::fs`, and holds no semantics: what a
//! rename or an overwrite means is decided there, once for both views. [`mount`] puts it into the file tree and takes
//! it out again. [`daemon`] is the life of the program: checks, store, mount, gateway, ready, signals, close.

pub mod adapter;
pub mod daemon;
#[doc(hidden)]
pub mod fuzzing;
pub mod mount;
