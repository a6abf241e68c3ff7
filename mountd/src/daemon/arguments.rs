//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Serves an encrypted store: mounts it on a directory, and offers the same buckets over S3.
///
/// Runs in the foreground until SIGTERM or SIGINT. The store is made on first use. The KMS and the root credentials
/// come from the environment (MINIO_KMS_*, MINIO_ROOT_USER, MINIO_ROOT_PASSWORD).
#[derive(Clone, Debug, Parser)]
#[command(name = "strongroom-mountd", version)]
pub struct Arguments {
    /// Address of the S3 endpoint
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000", conflicts_with = "no_s3")]
    pub s3: String,
    /// Serve no S3
    #[arg(long)]
    pub no_s3: bool,
    /// Mount options, separated by commas, as for mount(8): ro, allow_other, noexec, ...
    #[arg(short = 'o', value_name = "OPTIONS")]
    pub options: Vec<String>,
    /// Directory of the store; made on first use
    pub store: PathBuf,
    /// Empty directory to mount it on
    pub mountpoint: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_of_the_command_line() {
        let plain = Arguments::try_parse_from(["strongroom-mountd", "/s", "/m"]).unwrap();
        assert_eq!((plain.s3.as_str(), plain.no_s3), ("127.0.0.1:9000", false));
        let full =
            Arguments::try_parse_from(["strongroom-mountd", "--s3", "[::1]:9", "-o", "ro", "-o", "noexec", "/s", "/m"])
                .unwrap();
        assert_eq!(full.options, ["ro", "noexec"]);
        let without = Arguments::try_parse_from(["strongroom-mountd", "--no-s3", "/s", "/m"]).unwrap();
        assert!(without.no_s3);
        assert!(Arguments::try_parse_from(["strongroom-mountd", "--no-s3", "--s3", "x:1", "/s", "/m"]).is_err());
        assert!(Arguments::try_parse_from(["strongroom-mountd", "/s"]).is_err());
    }
}
