//! Extents, shared contents, and what is to be freed.

use super::{VERSION, version};
use crate::{
    bucket::SegmentId,
    crypt::SealedOek,
    format::{Decoder, Encoder},
    fs::{Extent, FsError, FsResult},
};

/// Content that pieces of files refer to. Its extents have records of their own and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedContent {
    /// Pieces that refer to it.
    pub refs: u32,
    /// The OEK of its extents.
    pub sealed_oek: SealedOek,
}

/// Appends what an extent is, apart from its offset.
pub fn put_extent(out: &mut Encoder, extent: &Extent) {
    out.varint(u64::from(extent.len)).varint(extent.segment.0).raw(&extent.salt);
    out.varint(u64::from(extent.segment_offset)).varint(u64::from(extent.segment_len));
    // Reserved: which of several OEKs, while a content is being re-encrypted.
    out.u8(0);
}

fn small(value: u64, field: &str) -> FsResult<u32> {
    u32::try_from(value).map_err(|_| FsError::damaged(format!("{field} of an extent")))
}

/// Reads what [`put_extent`] wrote.
pub fn take_extent(from: &mut Decoder<'_>, offset: u64) -> FsResult<Extent> {
    let extent = Extent {
        offset,
        len: small(from.varint("extent length")?, "length")?,
        segment: SegmentId(from.varint("segment")?),
        salt: from.array("salt")?,
        segment_offset: small(from.varint("segment offset")?, "segment offset")?,
        segment_len: small(from.varint("segment length")?, "segment length")?,
    };
    let key = from.u8("extent key")?;
    let inside = extent.segment_offset.checked_add(extent.len).is_some_and(|end| end <= extent.segment_len);
    let bounded = extent.segment_len as usize <= crate::crypt::SEGMENT_MAX_BYTES;
    if key != 0 || extent.len == 0 || !inside || !bounded || offset.checked_add(u64::from(extent.len)).is_none() {
        return Err(FsError::damaged("an extent whose numbers contradict each other"));
    }
    Ok(extent)
}

/// Encodes an extent's record.
pub fn encode_extent(extent: &Extent) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION);
    put_extent(&mut out, extent);
    out.finish()
}

/// Decodes the extent whose key ends in `last`.
pub fn decode_extent(last: &[u8], bytes: &[u8]) -> FsResult<Extent> {
    let last = u64::from_be_bytes(last.try_into().map_err(|_| FsError::damaged("the key of an extent"))?);
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let mut extent = take_extent(&mut from, 0)?;
    from.finish("extent")?;
    let behind = last.checked_add(1).ok_or_else(|| FsError::damaged("the key of an extent"))?;
    extent.offset =
        behind.checked_sub(u64::from(extent.len)).ok_or_else(|| FsError::damaged("an extent before its content"))?;
    Ok(extent)
}

/// Encodes a shared content.
pub fn encode_shared(shared: &SharedContent) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).varint(u64::from(shared.refs));
    shared.sealed_oek.encode(&mut out);
    out.finish()
}

/// Decodes a shared content.
pub fn decode_shared(bytes: &[u8]) -> FsResult<SharedContent> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let refs = small(from.varint("references")?, "references")?;
    let sealed_oek = SealedOek::decode(&mut from)?;
    from.finish("shared content")?;
    Ok(SharedContent { refs, sealed_oek })
}

/// Encodes a job: extents at and behind `keep` go.
pub fn encode_job(keep: u64) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).varint(keep);
    out.finish()
}

/// Decodes a job.
pub fn decode_job(bytes: &[u8]) -> FsResult<u64> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let keep = from.varint("keep")?;
    from.finish("job")?;
    Ok(keep)
}
