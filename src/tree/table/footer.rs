//! The footer of a table, which stands twice: where the top block is.

use super::{BLOCKS_OFFSET, FOOTERS_LEN, FORMAT_VERSION, PAGE_LEN};
use crate::{
    crypt::FileId,
    tree::{TreeError, block::BlockHandle, codec::Decoder},
};

/// First bytes of a footer.
const MAGIC: [u8; 8] = *b"SRMtfoot";

/// Where the top block is, and how long the file. Not sealed: the top block itself proves what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) top: BlockHandle,
    pub(super) file_len: u64,
}

impl Footer {
    /// One page.
    pub(super) fn encode(&self, file: FileId) -> Vec<u8> {
        let mut out = Vec::with_capacity(PAGE_LEN);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(file.as_bytes());
        self.top.encode(&mut out);
        out.extend_from_slice(&self.file_len.to_le_bytes());
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(PAGE_LEN, 0);
        out
    }

    pub(super) fn decode(file: FileId, page: &[u8]) -> Result<Self, TreeError> {
        let bad = TreeError::Malformed("no table footer");
        let mut decoder = Decoder::new(page);
        if decoder.array()? != MAGIC || decoder.u16()? != FORMAT_VERSION || decoder.array()? != *file.as_bytes() {
            return Err(bad);
        }
        let footer = Self { top: BlockHandle::decode(&mut decoder)?, file_len: decoder.u64()? };
        let covered = page.get(..page.len() - decoder.remaining()).unwrap_or_default();
        if decoder.u32()? != crc32c::crc32c(covered) {
            return Err(bad);
        }
        let blocks_end = footer.file_len.saturating_sub(FOOTERS_LEN);
        if footer.top.offset < BLOCKS_OFFSET || footer.top.end() > blocks_end {
            return Err(bad);
        }
        if decoder.take(decoder.remaining())?.iter().any(|byte| *byte != 0) {
            return Err(TreeError::Malformed("bytes behind a table footer"));
        }
        Ok(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn footers_come_back(len in 64u32..9000, index: u32, id: [u8; 16]) {
            let footer = Footer { top: BlockHandle { offset: BLOCKS_OFFSET, sealed_len: len, index }, file_len: 32768 };
            let page = footer.encode(FileId::from_bytes(id));
            prop_assert_eq!(page.len(), PAGE_LEN);
            prop_assert_eq!(Footer::decode(FileId::from_bytes(id), &page).unwrap(), footer);
        }

        #[test]
        fn any_bytes_decode_or_fail(mut bytes: Vec<u8>, keep: bool) {
            if keep { bytes.splice(0..0, MAGIC); }
            let _ = Footer::decode(FileId::from_bytes([0; 16]), &bytes);
        }
    }
}
