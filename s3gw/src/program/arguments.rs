//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Serves an encrypted store over S3, without mounting it.
///
/// Runs in the foreground until SIGTERM or SIGINT. The store is made on first use. The KMS and the root credentials
/// come from the environment (MINIO_KMS_*, MINIO_ROOT_USER, MINIO_ROOT_PASSWORD).
#[derive(Clone, Debug, Parser)]
#[command(name = "strongroom-s3gw", version)]
pub struct Arguments {
    /// Address of the S3 endpoint
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9000")]
    pub s3: String,
    /// Domain below which host names begin with a bucket; may be given again
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Vec<String>,
    /// Directory of the store; made on first use
    pub store: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_of_the_command_line() {
        let plain = Arguments::try_parse_from(["strongroom-s3gw", "/s"]).unwrap();
        assert_eq!(plain.s3, "127.0.0.1:9000");
        let full = Arguments::try_parse_from(["strongroom-s3gw", "--s3", "[::1]:9", "/s"]).unwrap();
        assert_eq!(full.s3, "[::1]:9");
        assert!(Arguments::try_parse_from(["strongroom-s3gw"]).is_err());
    }
}
