//! Sealing content: outside of every lock of the namespace's metadata.

use super::{Content, Extent, FsError, FsResult, Namespace};
use crate::{
    bucket::PendingSegment,
    crypt::{self, Oek, SEGMENT_MAX_BYTES, SealedOek, Slot},
};

/// A segment that is appended, and the extent that is to name it.
pub(super) struct SealedExtent {
    pub extent: Extent,
    pub pending: PendingSegment,
}

/// A key and its sealed form.
pub(super) struct ContentKey {
    pub oek: Oek,
    pub sealed: SealedOek,
}

/// Whether an append may use the reserve of a full disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Common,
    Reserve,
}

impl Namespace {
    /// The key of a content; a new one where it has none.
    pub(super) fn content_key(&self, content: &Content) -> FsResult<ContentKey> {
        match content.sealed_oek {
            Some(sealed) => Ok(ContentKey { oek: self.parts.keys.open_oek(&sealed)?, sealed }),
            None => self.new_content_key(),
        }
    }

    /// A new key, sealed under the bucket's own slot.
    pub(super) fn new_content_key(&self) -> FsResult<ContentKey> {
        let (oek, sealed) = self.parts.keys.new_oek(Slot::OWN, self.parts.entropy.as_ref())?;
        Ok(ContentKey { oek, sealed })
    }

    /// Seals and appends the bytes at `offset` as one segment of up to 1 MiB.
    pub(super) fn append_segment(
        &self,
        key: &ContentKey,
        offset: u64,
        plain: &[&[u8]],
        space: Space,
    ) -> FsResult<SealedExtent> {
        let mut sealed = Vec::new();
        let salt = crypt::seal_segment(&key.oek, key.sealed.id(), plain, self.parts.entropy.as_ref(), &mut sealed)?;
        let len: usize = plain.iter().map(|part| part.len()).sum();
        let len = u32::try_from(len).map_err(|_| FsError::TooLarge("a segment"))?;
        let pending = match space {
            Space::Common => self.parts.segments.append(&sealed, len)?,
            Space::Reserve => self.parts.segments.append_from_reserve(&sealed, len)?,
        };
        let extent =
            Extent { offset, len, segment: pending.id(), salt: *salt.as_bytes(), segment_offset: 0, segment_len: len };
        Ok(SealedExtent { extent, pending })
    }

    /// Seals contiguous bytes at `offset` as segments of up to 1 MiB.
    pub(super) fn append_run(
        &self,
        key: &ContentKey,
        offset: u64,
        plain: &[u8],
        space: Space,
        into: &mut Vec<SealedExtent>,
    ) -> FsResult<()> {
        let mut at = offset;
        for part in plain.chunks(SEGMENT_MAX_BYTES) {
            into.push(self.append_segment(key, at, &[part], space)?);
            at = at.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// A random entity tag (R9).
    pub(super) fn random_etag(&self) -> FsResult<super::ETag> {
        let mut bytes = [0; 16];
        self.parts.entropy.fill(&mut bytes)?;
        Ok(super::ETag::Random(bytes))
    }
}
