//! `strongroom-s3gw`: serves a store over S3, without a mount.

use clap::Parser;
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};
use strongroom_s3gw::program::{Arguments, run};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // The library logs requests whole, keys and signatures included: never, whatever the environment asks for.
    let filter = match "s3s=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => EnvFilter::default().add_directive(LevelFilter::WARN.into()),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    // Before any key is in memory.
    let result = strongroom::crypt::harden_process().map_err(|error| error.to_string());
    match result.and_then(|()| run(&arguments).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "strongroom-s3gw: {error}");
            ExitCode::FAILURE
        }
    }
}
