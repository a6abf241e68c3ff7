//! `strongroom-mountd`: serves a store through a mount and over S3.

use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use strongroom_mountd::daemon::{Arguments, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // These log requests whole, with names, keys and signatures: never, whatever the environment asks for.
    let quiet = ["s3s=off", "fuser=warn"].map(str::parse);
    let filter = quiet.into_iter().flatten().fold(filter, EnvFilter::add_directive);
    let coloured = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(coloured)
        .with_target(false)
        .init();
    // Before any key is in memory.
    let result = strongroom::crypt::harden_process().map_err(|error| error.to_string());
    match result.and_then(|()| run(&arguments).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("strongroom-mountd: {error}");
            ExitCode::FAILURE
        }
    }
}
