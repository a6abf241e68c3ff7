//! Reads fields one after another, within bounds.

use super::FormatError;

/// The reverse of [`super::Encoder`]; each call names the field it reads, for the error.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// `len` bytes as they are.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] when fewer are left.
    pub fn raw(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], FormatError> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(FormatError::Truncated(field))?;
        self.rest = tail;
        Ok(head)
    }

    /// A fixed number of bytes.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(FormatError::Truncated(field))?;
        self.rest = tail;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn u8(&mut self, field: &'static str) -> Result<u8, FormatError> {
        self.array::<1>(field).map(u8::from_le_bytes)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn u16(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn u32(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn u64(&mut self, field: &'static str) -> Result<u64, FormatError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Eight bytes, two's complement.
    ///
    /// # Errors
    /// [`FormatError::Truncated`].
    pub fn i64(&mut self, field: &'static str) -> Result<i64, FormatError> {
        self.array(field).map(i64::from_le_bytes)
    }

    /// An unsigned number in LEB128, in its shortest form only.
    ///
    /// # Errors
    /// [`FormatError::Truncated`]; [`FormatError::Invalid`] when over 64 bits or longer than needed.
    pub fn varint(&mut self, field: &'static str) -> Result<u64, FormatError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(field)?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(FormatError::Invalid(field));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(FormatError::Invalid(field)) } else { Ok(value) };
            }
        }
        Err(FormatError::Invalid(field))
    }

    /// A signed number, zigzag in LEB128.
    ///
    /// # Errors
    /// As [`Self::varint`].
    pub fn signed(&mut self, field: &'static str) -> Result<i64, FormatError> {
        let value = self.varint(field)?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// A count of items that take at least `min_item_bytes` each, so that it cannot exceed what is left.
    ///
    /// # Errors
    /// As [`Self::varint`]; [`FormatError::TooLarge`] when more items are announced than bytes are left.
    pub fn count(&mut self, min_item_bytes: usize, field: &'static str) -> Result<usize, FormatError> {
        let count = usize::try_from(self.varint(field)?).map_err(|_| FormatError::TooLarge(field))?;
        if count > self.rest.len() / min_item_bytes.max(1) {
            return Err(FormatError::TooLarge(field));
        }
        Ok(count)
    }

    /// A length in LEB128 of at most `limit`, then that many bytes.
    ///
    /// # Errors
    /// As [`Self::varint`] and [`Self::raw`]; [`FormatError::TooLarge`] over the limit.
    pub fn bytes(&mut self, limit: usize, field: &'static str) -> Result<&'a [u8], FormatError> {
        let len = usize::try_from(self.varint(field)?).map_err(|_| FormatError::TooLarge(field))?;
        if len > limit {
            return Err(FormatError::TooLarge(field));
        }
        self.raw(len, field)
    }

    /// Asserts that everything was read.
    ///
    /// # Errors
    /// [`FormatError::Trailing`].
    pub fn finish(self, what: &'static str) -> Result<(), FormatError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FormatError::Trailing(what)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Encoder::new();
            out.varint(value).signed(value.cast_signed());
            let bytes = out.finish();
            let mut decoder = Decoder::new(&bytes);
            assert_eq!(decoder.varint("v"), Ok(value));
            assert_eq!(decoder.signed("s"), Ok(value.cast_signed()));
            assert_eq!(decoder.finish("all"), Ok(()));
        }
    }

    #[test]
    fn only_the_shortest_form_of_a_number_is_taken() {
        assert_eq!(Decoder::new(&[0x80, 0x00]).varint("v"), Err(FormatError::Invalid("v")));
        assert_eq!(Decoder::new(&[0xff; 10]).varint("v"), Err(FormatError::Invalid("v")));
        assert_eq!(Decoder::new(&[0xff; 3]).varint("v"), Err(FormatError::Truncated("v")));
    }

    #[test]
    fn a_count_is_bounded_by_what_is_left() {
        let mut out = Encoder::new();
        out.varint(1 << 40);
        assert_eq!(Decoder::new(out.as_slice()).count(1, "items"), Err(FormatError::TooLarge("items")));
    }
}
