//! The root credentials of the S3 endpoint: from the environment, else kept sealed in the catalog, else made up.

use super::OpenError;
use crate::{crypt::Entropy, fs::Catalog};
use zeroize::Zeroizing;

/// Setting of the catalog that holds the access key, and the one that holds the secret. The catalog's metadata is
/// sealed like everything else.
const ACCESS_SETTING: &str = "root-access-key";
const SECRET_SETTING: &str = "root-secret-key";

const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Access key and secret key. The secret is wiped on drop and never printed.
#[derive(Clone)]
pub struct RootCredentials {
    /// The access key (`MINIO_ROOT_USER`), 3 characters at least.
    pub access_key: String,
    /// The secret key (`MINIO_ROOT_PASSWORD`), 8 characters at least.
    pub secret_key: Zeroizing<String>,
}

impl std::fmt::Debug for RootCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

impl RootCredentials {
    /// Reads `MINIO_ROOT_USER` and `MINIO_ROOT_PASSWORD`.
    ///
    /// # Errors
    /// [`OpenError::Credentials`] when only one is set, or one is too short.
    pub fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, OpenError> {
        let wrong = |message: &str| Err(OpenError::Credentials(message.to_owned()));
        match (lookup("MINIO_ROOT_USER"), lookup("MINIO_ROOT_PASSWORD").map(Zeroizing::new)) {
            (None, None) => Ok(None),
            (Some(_), None) => wrong("MINIO_ROOT_USER is set and MINIO_ROOT_PASSWORD is not; set both or neither"),
            (None, Some(_)) => wrong("MINIO_ROOT_PASSWORD is set and MINIO_ROOT_USER is not; set both or neither"),
            (Some(access_key), Some(secret_key)) => {
                if access_key.len() < 3 || access_key.contains(['=', ',', '/']) {
                    return wrong("MINIO_ROOT_USER needs 3 characters at least, and none of '=', ',' and '/'");
                }
                if secret_key.len() < 8 {
                    return wrong("MINIO_ROOT_PASSWORD needs 8 characters at least");
                }
                Ok(Some(Self { access_key, secret_key }))
            }
        }
    }

    /// The credentials to serve with: those given, else those kept, else new ones, which are then kept. Returns whether
    /// they are new.
    pub(super) fn settle(
        given: Option<Self>,
        catalog: &Catalog,
        entropy: &dyn Entropy,
    ) -> Result<(Self, bool), OpenError> {
        if let Some(given) = given {
            return Ok((given, false));
        }
        let settings = catalog.settings()?;
        let text = |name: &str| settings.get(name).and_then(|bytes| String::from_utf8(bytes.clone()).ok());
        if let (Some(access_key), Some(secret_key)) = (text(ACCESS_SETTING), text(SECRET_SETTING)) {
            return Ok((Self { access_key, secret_key: Zeroizing::new(secret_key) }, false));
        }
        let made = Self { access_key: (*random_text(entropy, 20)?).clone(), secret_key: random_text(entropy, 40)? };
        catalog.set_setting(ACCESS_SETTING, Some(made.access_key.as_bytes()))?;
        catalog.set_setting(SECRET_SETTING, Some(made.secret_key.as_bytes()))?;
        Ok((made, true))
    }
}

/// Random characters, 5 bits each, without those that people confuse.
fn random_text(entropy: &dyn Entropy, len: usize) -> Result<Zeroizing<String>, OpenError> {
    let mut bytes = Zeroizing::new(vec![0u8; len]);
    entropy.fill(&mut bytes)?;
    let letter = |byte: &u8| LETTERS.get(usize::from(byte & 31)).map(|&letter| char::from(letter));
    Ok(Zeroizing::new(bytes.iter().filter_map(letter).collect()))
}
