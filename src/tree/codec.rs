//! Little-endian integers, varints and bounded byte strings; the decoder never panics and never allocates.

use super::TreeError;

const SHORT: TreeError = TreeError::Malformed("a record ends early");

/// Reads fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], TreeError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else { return Err(SHORT) };
        self.rest = rest;
        Ok(head)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], TreeError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else { return Err(SHORT) };
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, TreeError> {
        let [byte] = self.array::<1>()?;
        Ok(byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, TreeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, TreeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, TreeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Seven bits a byte, lowest first, top bit set on all but the last; the shortest form only.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, TreeError> {
        // Nearly all are lengths below 128.
        if let Some((byte, rest)) = self.rest.split_first()
            && *byte < 0x80
        {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, TreeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift != 0 {
                    break;
                }
                return Ok(value);
            }
        }
        Err(TreeError::Malformed("a varint is not in its shortest form"))
    }

    /// A varint length that must fit what is left of the slice.
    #[inline]
    pub(super) fn len(&mut self) -> Result<usize, TreeError> {
        usize::try_from(self.varint()?).map_err(|_| TreeError::Malformed("a length is out of range"))
    }

    /// A byte string behind its varint length, at most `max` bytes.
    #[inline]
    pub(super) fn bytes(&mut self, max: usize) -> Result<&'a [u8], TreeError> {
        let len = self.len()?;
        if len > max {
            return Err(TreeError::Malformed("a byte string is longer than allowed"));
        }
        self.take(len)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), TreeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(TreeError::Malformed("bytes behind the end of a record")) }
    }
}

/// Appends `value` as a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// Appends a byte string behind its varint length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A length in the width that the format has for it.
pub(super) fn narrow(len: usize) -> Result<u32, TreeError> {
    u32::try_from(len).map_err(|_| TreeError::TooLarge { what: "a block or table" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut decoder = Decoder::new(&out);
            prop_assert_eq!(decoder.varint().unwrap(), value);
            decoder.end().unwrap();
        }

        #[test]
        fn any_bytes_decode_or_fail(bytes: Vec<u8>) {
            let mut decoder = Decoder::new(&bytes);
            let before = decoder.remaining();
            if let Ok(value) = decoder.varint() {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                prop_assert_eq!(&out[..], &bytes[..before - decoder.remaining()]);
            }
        }
    }
}
