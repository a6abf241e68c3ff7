//! Arguments, the way to whoever holds the store, and how answers are shown.

mod args;
mod client;
mod failure;
mod fsck;
mod show;
mod target;
mod xattr;

use args::{BucketCommand, Cli, Command};
use clap::{CommandFactory, Parser};
use failure::{Failure, Outcome};
use serde::Serialize;
use std::{io::Write as _, process::ExitCode};
use strongroom::admin::control::BucketLine;
use target::Target;

/// What `bucket create` answers.
#[derive(Serialize)]
struct Created {
    created: BucketLine,
}

/// What `bucket remove` answers.
#[derive(Serialize)]
struct Removed {
    removed: String,
}

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with 0, mistakes to standard error with 2.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .without_time()
        .try_init();
    // Before any key is in memory.
    let hardened = strongroom::crypt::harden_process().map_err(|error| Failure::said(error.to_string()));
    match hardened.and_then(|()| execute(&cli)) {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "strongroom: {}", show::clean(&failure.to_string()));
            ExitCode::FAILURE
        }
    }
}

fn execute(cli: &Cli) -> Result<Outcome, Failure> {
    match &cli.command {
        Command::Status(arg) => {
            let target = Target::reach(&arg.store)?;
            let status = target.status()?;
            show::print(&if cli.json { show::json(&status)? } else { show::status(&status) })?;
            target.close()?;
        }
        Command::Bucket(command) => bucket(command, cli.json)?,
        Command::Fsck(arg) => return fsck::run(arg, cli.json),
        Command::Xattr { file } => show::print(&xattr::show(file, cli.json)?)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "strongroom", &mut script);
            show::print(&String::from_utf8_lossy(&script))?;
        }
    }
    Ok(Outcome::Done)
}

fn bucket(command: &BucketCommand, json: bool) -> Result<(), Failure> {
    match command {
        BucketCommand::List(arg) => {
            let target = Target::reach(&arg.store)?;
            let list = target.buckets()?;
            show::print(&if json { show::json(&list)? } else { show::buckets(&list.buckets) })?;
            target.close()
        }
        BucketCommand::Create(arg) => {
            let target = Target::reach(&arg.store)?;
            let created = target.create_bucket(&arg.name)?;
            target.close()?;
            let said = format!("created bucket {} under key {}\n", created.name, created.key_name);
            show::print(&if json { show::json(&Created { created })? } else { said })
        }
        BucketCommand::Remove(arg) => {
            let target = Target::reach(&arg.store)?;
            target.remove_bucket(&arg.name)?;
            target.close()?;
            let said = format!("removed bucket {}\n", arg.name);
            show::print(&if json { show::json(&Removed { removed: arg.name.clone() })? } else { said })
        }
    }
}
