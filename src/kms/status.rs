//! What a KMS tells of itself.

use super::KeyName;

/// Which kind of KMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KmsKind {
    /// One key, given in the environment or a key file.
    StaticKey,
    /// A KES server, or several.
    Kes,
    /// Keys in memory: a test instrument.
    Memory,
}

impl std::fmt::Display for KmsKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::StaticKey => "static key",
            Self::Kes => "KES",
            Self::Memory => "memory",
        })
    }
}

/// What a KMS is and where, for messages. Asks nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsDescription {
    /// Its kind.
    pub kind: KmsKind,
    /// Its endpoints: URLs, or where the static key comes from.
    pub endpoints: Vec<String>,
}

impl std::fmt::Display for KmsDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.kind, self.endpoints.join(", "))
    }
}

/// How an endpoint was when last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// It answers. The version is unknown when the policy does not let this identity ask for it.
    Online {
        /// What the server calls its version.
        version: Option<String>,
    },
    /// It answers, and says that its key store does not.
    KeyStoreUnreachable,
    /// It does not answer, or cannot be trusted.
    Offline {
        /// Why.
        reason: String,
    },
}

/// One endpoint and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// URL, or where the static key comes from.
    pub endpoint: String,
    /// How it was.
    pub state: EndpointState,
}

/// What [`super::Kms::status`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsStatus {
    /// Kind of the KMS.
    pub kind: KmsKind,
    /// The default key.
    pub default_key: KeyName,
    /// Every endpoint, in the order configured.
    pub endpoints: Vec<EndpointStatus>,
}

impl KmsStatus {
    /// Whether any endpoint can be used.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.endpoints.iter().any(|endpoint| matches!(endpoint.state, EndpointState::Online { .. }))
    }
}

/// One key of [`super::Kms::list`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyInfo {
    /// Its name.
    pub name: KeyName,
}
