//! File content: segments of up to 1 MiB, in chunks of up to 64 KiB (docs/FORMAT.md 1.4).
//!
//! A segment key seals one segment only, so the chunk index is a safe nonce. The reader takes the salt from the
//! extent, never from the segment: an older or foreign segment does not open.

use super::{
    CryptError, Entropy, Oek, OekId, Salt,
    cipher::{Cipher, TAG_LEN_BYTES},
    derive::{Info, Label},
};
use crate::format::FORMAT_VERSION;
use std::ops::Range;

/// Plaintext bytes of every chunk but the last.
pub const CHUNK_LEN_BYTES: usize = 65_536;
/// Most plaintext bytes of one segment.
pub const SEGMENT_MAX_BYTES: usize = 1 << 20;

const WHAT: &str = "a chunk of file content";
const AAD_LEN: usize = 39;

/// Chunks of a segment of `plain_len` bytes.
#[must_use]
pub const fn chunk_count(plain_len: usize) -> usize {
    plain_len.div_ceil(CHUNK_LEN_BYTES)
}

/// Length in bytes of a sealed segment whose plaintext has `plain_len`.
#[must_use]
pub const fn sealed_len(plain_len: usize) -> usize {
    plain_len + TAG_LEN_BYTES * chunk_count(plain_len)
}

/// Where chunk `index` lies in the ciphertext of a segment of `plain_len` bytes, tag included, as (offset, length);
/// `None` behind the last chunk.
#[must_use]
pub fn chunk_range(index: usize, plain_len: usize) -> Option<(usize, usize)> {
    let start = index.checked_mul(CHUNK_LEN_BYTES)?;
    let plain = plain_len.checked_sub(start)?.min(CHUNK_LEN_BYTES);
    if plain == 0 {
        return None;
    }
    Some((start + index * TAG_LEN_BYTES, plain + TAG_LEN_BYTES))
}

/// The chunks that hold the plaintext bytes `start..end`, which must lie within the segment.
#[must_use]
pub const fn chunks_of(start: usize, end: usize) -> Range<usize> {
    start / CHUNK_LEN_BYTES..end.div_ceil(CHUNK_LEN_BYTES)
}

/// The key of one segment, set up; keep it while several chunks are read.
pub struct SegmentKey {
    cipher: Cipher,
    oek_id: OekId,
    salt: Salt,
}

impl SegmentKey {
    /// The key of the segment with this salt.
    ///
    /// # Errors
    /// [`CryptError::OekMismatch`] when `oek` is not the one that `oek_id` names.
    pub fn derive(oek: &Oek, oek_id: OekId, salt: &Salt) -> Result<Self, CryptError> {
        let parent = oek.named(oek_id)?;
        let info = Info { subject: *oek_id.as_bytes(), salt: *salt, ..Info::of(Label::Segment) };
        Ok(Self { cipher: Cipher::new(&info.key(parent.expose())?)?, oek_id, salt: *salt })
    }

    fn aad(&self, index: u32, last: bool) -> [u8; AAD_LEN] {
        let mut aad = [0; AAD_LEN];
        let parts = FORMAT_VERSION
            .to_le_bytes()
            .into_iter()
            .chain(*self.oek_id.as_bytes())
            .chain(*self.salt.as_bytes())
            .chain(index.to_le_bytes())
            .chain([u8::from(last)]);
        for (to, from) in aad.iter_mut().zip(parts) {
            *to = from;
        }
        aad
    }

    /// Appends ciphertext and tag of one chunk whose plaintext lies at the end of `out` from `start`.
    fn seal_tail(&self, index: u32, last: bool, out: &mut Vec<u8>, start: usize) -> Result<(), CryptError> {
        let body = out.get_mut(start..).ok_or(CryptError::Cipher("sealing a segment"))?;
        let tag = self.cipher.seal(u64::from(index), &self.aad(index, last), body)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens chunk `index` (ciphertext and tag, as [`chunk_range`] says) straight into `out`, which must have the length of its
    /// plaintext. `last` is whether the segment ends with it. On an error `out` is zeroed.
    ///
    /// # Errors
    /// [`CryptError::Damaged`] when the bytes, their place or their length are not what was sealed.
    pub fn open_chunk(&self, index: u32, last: bool, ciphertext: &[u8], out: &mut [u8]) -> Result<(), CryptError> {
        self.cipher.open(u64::from(index), &self.aad(index, last), ciphertext, out, WHAT)
    }

    /// Opens a whole segment into `out`, which must have the length of its plaintext. On an error all of `out` is zeroed.
    ///
    /// # Errors
    /// [`CryptError::Damaged`].
    pub fn open_segment(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), CryptError> {
        let opened = self.open_chunks(ciphertext, out);
        if opened.is_err() {
            out.fill(0);
        }
        opened
    }

    fn open_chunks(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<(), CryptError> {
        if out.is_empty() || out.len() > SEGMENT_MAX_BYTES || ciphertext.len() != sealed_len(out.len()) {
            return Err(CryptError::Damaged(WHAT));
        }
        let count = chunk_count(out.len());
        let sealed = ciphertext.chunks(CHUNK_LEN_BYTES + TAG_LEN_BYTES);
        for (index, (sealed, plain)) in (0u32..).zip(sealed.zip(out.chunks_mut(CHUNK_LEN_BYTES))) {
            self.open_chunk(index, index as usize + 1 == count, sealed, plain)?;
        }
        Ok(())
    }
}

/// Seals `plain` (its parts one after another) as one segment under a new salt, which the extent must keep. The
/// ciphertext is appended to `out`.
///
/// # Errors
/// [`CryptError::TooLarge`] for an empty segment or one over [`SEGMENT_MAX_BYTES`], [`CryptError::OekMismatch`],
/// [`CryptError::Entropy`]; `out` is then as it was.
pub fn seal_segment(
    oek: &Oek,
    oek_id: OekId,
    plain: &[&[u8]],
    entropy: &dyn Entropy,
    out: &mut Vec<u8>,
) -> Result<Salt, CryptError> {
    let plain_len = plain.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
    if plain_len == 0 || plain_len > SEGMENT_MAX_BYTES {
        return Err(CryptError::TooLarge {
            what: "a segment of 1 byte to 1 MiB",
            found: plain_len as u64,
            limit: SEGMENT_MAX_BYTES as u64,
        });
    }
    let salt = Salt::random(entropy)?;
    let key = SegmentKey::derive(oek, oek_id, &salt)?;
    let begin = out.len();
    out.reserve(sealed_len(plain_len));
    let sealed = seal_chunks(&key, plain, plain_len, out);
    if sealed.is_err() {
        // Plaintext may stand there unsealed.
        out.iter_mut().skip(begin).for_each(|byte| *byte = 0);
        out.truncate(begin);
    }
    sealed.map(|()| salt)
}

fn seal_chunks(key: &SegmentKey, plain: &[&[u8]], plain_len: usize, out: &mut Vec<u8>) -> Result<(), CryptError> {
    let (mut index, mut start, mut done) = (0u32, out.len(), 0usize);
    for part in plain {
        let mut rest = *part;
        while !rest.is_empty() {
            let room = CHUNK_LEN_BYTES - (out.len() - start);
            let (head, tail) = rest.split_at(room.min(rest.len()));
            out.extend_from_slice(head);
            done += head.len();
            rest = tail;
            if out.len() - start == CHUNK_LEN_BYTES || done == plain_len {
                key.seal_tail(index, done == plain_len, out, start)?;
                index += 1;
                start = out.len();
            }
        }
    }
    Ok(())
}
