//! `strongroom-mountd`: serves a store through a mount and over S3.

use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use strongroom_mountd::daemon::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,fuser=warn,s3s=warn,hyper=warn"));
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
