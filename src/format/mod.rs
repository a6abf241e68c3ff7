//! On-disk records that are not the property of one room above: plain encoders and bounded decoders, versions, flags.
//!
//! No I/O, no policy. Every integer is little-endian; every decoder bounds what it allocates by the bytes it was given
//! and returns [`FormatError`] on anything else than what the encoder writes.

mod decoder;
mod encoder;
mod error;
mod version;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::FormatError;
pub use version::{FORMAT_VERSION, Features};
