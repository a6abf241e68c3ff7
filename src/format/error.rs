//! Why bytes were not accepted.

/// What a decoder found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes end inside a field.
    #[error("truncated in {0}")]
    Truncated(&'static str),
    /// Bytes are left behind the last field.
    #[error("bytes left over behind {0}")]
    Trailing(&'static str),
    /// A field holds a value that the encoder never writes.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// A length or a count is over its limit.
    #[error("{0} is over its limit")]
    TooLarge(&'static str),
    /// The checksum does not fit the bytes.
    #[error("checksum of {0} does not match")]
    Checksum(&'static str),
    /// Another kind of file, or none of ours.
    #[error("not a {0} of Strongroom")]
    Magic(&'static str),
    /// Written by a later version, or with features that this one does not know.
    #[error(
        "{what} has format version {version} or features {features:#x} that this version does not know; use a newer Strongroom"
    )]
    Newer {
        /// What was read.
        what: &'static str,
        /// The version found.
        version: u16,
        /// Feature bits that are not known.
        features: u64,
    },
}
