//! What can go wrong with a KMS.

/// An error of a KMS call. Cheap enough to clone: one renewal answers many waiters.
///
/// `key` is the name of the key asked for, `endpoint` who answered or was asked (a URL, a key file), `detail` what was
/// said there and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KmsError {
    /// The KMS answered, and knows no such key. Deleted, or never made; nothing is destroyed because of it.
    #[error("the KMS at {endpoint} has no key `{key}`; create it, restore it if it was deleted, or correct the name")]
    NotFound {
        /// The key.
        key: String,
        /// Who answered.
        endpoint: String,
    },
    /// The KMS answered, and refuses: the key is disabled, or this identity may not use it so.
    #[error("the KMS at {endpoint} denies the use of key `{key}`: {detail}")]
    Denied {
        /// The key.
        key: String,
        /// Who answered.
        endpoint: String,
        /// What was denied, and what to allow.
        detail: String,
    },
    /// The KMS gave no usable answer: it is down, cannot be reached or trusted, or its key store is away. Temporary.
    #[error("the KMS at {endpoint} cannot be reached for key `{key}`: {detail}")]
    Unreachable {
        /// The key.
        key: String,
        /// Who was asked, all of them.
        endpoint: String,
        /// The causes, one for each endpoint.
        detail: String,
    },
    /// The key is there and does not open this sealed DEK: the DEK or its context is not what was sealed, or the key
    /// was deleted and made anew under the same name.
    #[error(
        "key `{key}` at {endpoint} does not open the sealed data key; the sealed key is damaged or belongs elsewhere, \
         or the key was deleted and created again: restore the old key from a backup of the KMS"
    )]
    InvalidCiphertext {
        /// The key.
        key: String,
        /// Who answered.
        endpoint: String,
    },
    /// There is a key of that name already.
    #[error("key `{key}` already exists at {endpoint}; use it, or choose another name")]
    AlreadyExists {
        /// The key.
        key: String,
        /// Who answered.
        endpoint: String,
    },
    /// This KMS cannot do that at all.
    #[error("the KMS at {endpoint} cannot do this for key `{key}`: {detail}")]
    NotSupported {
        /// The key.
        key: String,
        /// Who was asked.
        endpoint: String,
        /// What, and what to use in its place.
        detail: String,
    },
    /// The configuration is wrong; nothing was asked.
    #[error("KMS configuration: {detail}")]
    Configuration {
        /// Which variable or file, what is wrong with it, and what to do.
        detail: String,
    },
    /// The answer is not what the protocol says. A proxy in between, another service, or a newer server.
    #[error(
        "the KMS at {endpoint} gave an answer that was not understood for key `{key}`: {detail}; check that the \
         endpoint is the KMS itself"
    )]
    Protocol {
        /// The key.
        key: String,
        /// Who answered.
        endpoint: String,
        /// What was received.
        detail: String,
    },
}

impl KmsError {
    /// A configuration error with its message.
    pub(crate) fn configuration(detail: impl Into<String>) -> Self {
        Self::Configuration { detail: detail.into() }
    }
}
