//! What integration tests share: processes that are started, watched and ended, and the KES server.
//!
//! Use it from a test file with `mod support;`.

#![allow(dead_code)] // Each test file uses a part of it.

pub mod kes;
pub mod process;
