//! Where the content of an inode is: in its record, in segments, in pieces shared with other files.

use crate::{bucket::SegmentId, crypt::SealedOek};

/// Content of up to this many bytes stands in the record, sealed (DESIGN 3.4).
pub const INLINE_LIMIT_BYTES: u64 = crate::crypt::INLINE_MAX_BYTES as u64;

/// Extents of up to this many stand in the inode's record; more have records of their own.
pub const INLINE_EXTENTS: usize = 4;

/// Names a run of content that extents belong to. Drawn from the same numbers as inodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId(pub u64);

/// A range of content that a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Where it begins in the content.
    pub offset: u64,
    /// Length in bytes, at least 1.
    pub len: u32,
    /// The segment.
    pub segment: SegmentId,
    /// The salt that the segment was sealed with; the reader takes it from here and nowhere else.
    pub salt: [u8; 16],
    /// Where the range begins in the segment's plaintext.
    pub segment_offset: u32,
    /// Length of the segment's whole plaintext.
    pub segment_len: u32,
}

impl Extent {
    /// First byte behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.len))
    }
}

/// A range of a file that lies in content which may be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins in the file.
    pub offset: u64,
    /// Length in bytes, at least 1.
    pub len: u64,
    /// The counted content.
    pub content: ContentId,
    /// Where it begins in that content.
    pub content_offset: u64,
}

impl Piece {
    /// First byte behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

/// Where an inode's content is. A byte of the file is in an own extent, else in a shared piece, else zero;
/// own extents and shared pieces never overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The sealed OEK of inline content and own extents; `None` while there was neither.
    pub sealed_oek: Option<SealedOek>,
    /// Sealed first bytes of a small file, the rest up to its length zero; there are no extents and pieces then.
    pub inline: Vec<u8>,
    /// Id under which own extents have records; 0 while none was drawn.
    pub own: u64,
    /// Own extents while they are few, in order of offset.
    pub extents: Vec<Extent>,
    /// Whether own extents have records of their own instead.
    pub spilled: bool,
    /// Shared pieces, in order of offset.
    pub pieces: Vec<Piece>,
}
