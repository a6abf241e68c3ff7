//! KES: a KMS over HTTPS, its client authenticated by a TLS certificate.

mod api_key;
mod endpoint;

use std::path::PathBuf;

pub use api_key::{ApiKey, InvalidApiKey};
pub use endpoint::{Endpoint, InvalidEndpoint, parse_endpoints};

use super::KeyName;

/// What is needed to reach a KES.
pub struct KesConfig {
    /// The servers, tried in turn; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Who this process is.
    pub identity: KesIdentity,
    /// Certificates to trust beside the system's: a file, or a directory of files.
    pub ca_path: Option<PathBuf>,
    /// The default key.
    pub default_key: KeyName,
    /// Sent as `Kes-Enclave`; servers of today ignore it.
    pub enclave: Option<String>,
}

/// How this process proves to a KES who it is.
pub enum KesIdentity {
    /// An API key, from which a client certificate is derived.
    ApiKey(ApiKey),
    /// A client certificate and its key, in PEM files.
    CertFiles {
        /// The certificate, and its chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}
