//! What may be typed.

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
The store is reached through the daemon that holds it, when one runs, and opened by this command when none does; the \
KMS is then configured by the same environment as the daemon's (MINIO_KMS_*).

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 fsck found problems.";

/// Looks after a Strongroom store: an encrypted object file system.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub struct Cli {
    /// Answer in JSON, with stable fields
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what a store tells of itself: KMS, keys, space, buckets
    Status(StoreArg),
    /// List, create or remove buckets
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// Read and verify everything in a store; say what is wrong and where
    Fsck(FsckArgs),
    /// Print the user.sse.* attributes of a file, a directory or a bucket in a mount
    Xattr {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// A store.
#[derive(Args, Debug)]
pub struct StoreArg {
    /// The store directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,
}

/// What to do with buckets.
#[derive(Debug, Subcommand)]
pub enum BucketCommand {
    /// List the buckets of a store
    List(StoreArg),
    /// Create a bucket under the store's default key
    Create(NamedBucket),
    /// Remove an empty bucket
    Remove(NamedBucket),
}

/// A bucket of a store.
#[derive(Args, Debug)]
pub struct NamedBucket {
    /// The store directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,
    /// The bucket's name, by the rules of S3
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// What to verify.
#[derive(Args, Debug)]
pub struct FsckArgs {
    /// The store directory
    #[arg(value_name = "STORE")]
    pub store: PathBuf,
    /// Let a bucket that lost something be written again; may be given several times. No daemon may hold the store
    #[arg(long, value_name = "BUCKET")]
    pub accept_loss: Vec<String>,
    /// Let the store be written again although its catalog lost something. No daemon may hold the store
    #[arg(long)]
    pub accept_catalog_loss: bool,
}
