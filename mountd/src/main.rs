//! The daemon; comes with the store.
fn main() {}
