//! The root credentials of the S3 endpoint.

use zeroize::Zeroizing;

/// Access key and secret key. The secret is wiped on drop and never printed.
#[derive(Clone)]
pub struct RootCredentials {
    /// The access key (`MINIO_ROOT_USER`), 3 to 20 characters.
    pub access_key: String,
    /// The secret key (`MINIO_ROOT_PASSWORD`), 8 to 40 characters.
    pub secret_key: Zeroizing<String>,
}

impl std::fmt::Debug for RootCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}
