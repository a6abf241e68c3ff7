//! The command-line tool as it is built: outputs, exit codes, and that a store which is refused stays as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::cast_possible_truncation, clippy::print_stdout)]

#[path = "cli/bad_input.rs"]
mod bad_input;
#[path = "cli/commands.rs"]
mod commands;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/fsck.rs"]
mod fsck;
#[path = "cli/room.rs"]
mod room;
