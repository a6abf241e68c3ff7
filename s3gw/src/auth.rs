//! Who may sign: the root credentials. `s3s` verifies the signature, in constant time.

use s3s::{
    S3Error, S3ErrorCode, S3Result,
    auth::{S3Auth, SecretKey},
};
use zeroize::Zeroizing;

/// The root credentials of a store.
pub(crate) struct RootAuth {
    pub(crate) access_key: String,
    pub(crate) secret_key: Zeroizing<String>,
}

#[async_trait::async_trait]
impl S3Auth for RootAuth {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            Ok(SecretKey::from(self.secret_key.as_str()))
        } else {
            Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId))
        }
    }
}
