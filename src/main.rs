//! `strongroom`: the operator's command-line tool. What the commands do is in the library's `admin`; here are only
//! arguments, the way to whoever holds the store, and how answers are shown.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
