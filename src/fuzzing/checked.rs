//! Inputs for decoders behind a checksum: a fuzzer that must guess a CRC finds nothing behind it.

/// How an input is to be taken: as it is, or with its checksum put right.
pub enum Checked<'a> {
    /// As it is.
    Raw(&'a [u8]),
    /// With the checksum made to fit.
    Fitted(Vec<u8>),
}

impl<'a> Checked<'a> {
    /// Takes the lowest bit of the first byte for the choice; the rest is the input, whose CRC32C of all before `at`
    /// belongs at `at`.
    #[must_use]
    pub fn of(input: &'a [u8], at: usize) -> Self {
        let (choice, rest) = input.split_first().map_or((0, input), |(first, rest)| (*first, rest));
        if choice & 1 == 0 { Self::Raw(rest) } else { Self::Fitted(with_crc(rest, at)) }
    }

    /// The bytes to decode.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Fitted(bytes) => bytes,
        }
    }

    /// A seed that gives these bytes.
    #[must_use]
    pub fn seed(bytes: &[u8]) -> Vec<u8> {
        [&[1], bytes].concat()
    }
}

/// `bytes` with the CRC32C of all before `at` put at `at`; as they are when they are too short for it.
#[must_use]
pub fn with_crc(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut fitted = bytes.to_vec();
    if let Some((covered, rest)) = fitted.split_at_mut_checked(at)
        && let Some(place) = rest.first_chunk_mut::<4>()
    {
        *place = crc32c::crc32c(covered).to_le_bytes();
    }
    fitted
}
