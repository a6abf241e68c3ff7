//! The KMS: where external keys (EK) live, and the few calls made of them.
//!
//! [`Kms`] is the seam: the static key ([`StaticKey`]), KES ([`Kes`]) and test instruments ([`FaultyKms`],
//! [`MemoryKms`]) stand behind it. Only *create*, *generate* and *unwrap* are needed to run, because that is all the
//! documented KES policy grants; *list* and *status* are for operators. Which KMS it is comes from the environment
//! ([`KmsConfig::from_env`]), never from the store.
//!
//! Invariants: an unsealed DEK is a [`DekBytes`], wiped on drop and never printed; a KMS that cannot be asked
//! ([`KmsError::Unreachable`]) is never taken for one that says no ([`KmsError::Denied`], [`KmsError::NotFound`]).
//! The room knows nothing of files, buckets or leases, and caches nothing.

mod context;
mod dek;
mod environment;
mod error;
mod faulty;
pub mod kes;
mod key_file;
mod key_name;
mod memory;
mod runtime;
mod sealed_dek;
mod secret_key;
mod static_key;
mod status;

pub use context::Context;
pub use dek::{DEK_LEN_BYTES, DataKey, DekBytes, SEALED_DEK_MAX_LEN_BYTES};
pub use environment::{KmsConfig, SECRET_VARIABLES, StaticSource, process_variable};
pub use error::KmsError;
pub use faulty::{CallKind, FaultyKms};
pub use kes::{ApiKey, Endpoint, InvalidApiKey, InvalidEndpoint, Kes, KesConfig, KesIdentity, parse_endpoints};
pub use key_file::{create_key_file, read_key_file};
pub use key_name::{InvalidKeyName, KeyName};
pub use memory::MemoryKms;
pub use sealed_dek::{LegacyCipher, SealedDek, StaticDekError};
pub use secret_key::{InvalidSecretKey, SecretKey, parse_secret_key};
pub use static_key::StaticKey;
pub use status::{EndpointState, EndpointStatus, KeyInfo, KmsDescription, KmsKind, KmsStatus};

/// A key management service: holds external keys and makes and unwraps data keys under them.
///
/// Calls block until there is an answer or a bounded time is over (a few seconds), and may come from any thread,
/// also from within a tokio worker that can afford to wait.
///
/// # Errors
/// Every call returns [`KmsError`]; see its variants for what tells them apart.
pub trait Kms: Send + Sync {
    /// Creates a random external key. [`KmsError::AlreadyExists`] if there is one of that name.
    fn create_key(&self, name: &KeyName) -> Result<(), KmsError>;
    /// Makes a new random DEK under `name`, bound to `context`, and returns it plain and sealed.
    fn generate(&self, name: &KeyName, context: &Context) -> Result<DataKey, KmsError>;
    /// Unwraps a DEK that [`Kms::generate`] sealed under the same name and context.
    fn unwrap(&self, name: &KeyName, sealed: &[u8], context: &Context) -> Result<DekBytes, KmsError>;
    /// The keys whose names begin with `prefix` (`""` for all), sorted; bounded, see the implementation.
    fn list(&self, prefix: &str) -> Result<Vec<KeyInfo>, KmsError>;
    /// Asks every endpoint how it is. A KMS that is down is an answer, not an error.
    fn status(&self) -> Result<KmsStatus, KmsError>;
    /// The key that is used where no other is named.
    fn default_key(&self) -> &KeyName;
    /// What this KMS is and where, for messages.
    fn describe(&self) -> KmsDescription;
}
