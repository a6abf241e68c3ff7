//! Reads a log file back, frame by frame (docs/FORMAT.md 4.5).

use super::{
    BatchRecord, FRAME_HEADER_BYTES, FrameHeader, FrameKind, LogError, LogFile, frame::FRAME_ALIGN, frame_span,
};
use bytes::Bytes;

/// Bytes read at once while scanning for headers.
const WINDOW_BYTES: u64 = 256 << 10;
const PAGE_BYTES: u64 = 4096;

/// A frame whose header is intact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where the header begins.
    pub offset: u64,
    /// The header.
    pub header: FrameHeader,
}

impl Found {
    /// Where the next frame begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + frame_span(self.header.payload_bytes)
    }

    /// Where the payload begins.
    #[must_use]
    pub fn payload_offset(&self) -> u64 {
        self.offset + FRAME_HEADER_BYTES as u64
    }
}

/// Walks the frames of a file from an offset. What is not a frame is passed over in steps of 64 bytes; a page that
/// cannot be read counts as such, and is noted.
pub struct FrameScan<'a> {
    file: &'a LogFile,
    position: u64,
    end: u64,
    window: Vec<u8>,
    window_start: u64,
    /// Pages that the disk did not give, by offset.
    pub unreadable: Vec<u64>,
}

impl<'a> FrameScan<'a> {
    /// Scans `start..end` of `file`.
    #[must_use]
    pub fn new(file: &'a LogFile, start: u64, end: u64) -> Self {
        let start = start.max(super::PREAMBLE_BYTES).next_multiple_of(FRAME_ALIGN);
        Self {
            file,
            position: start,
            end: end.min(file.capacity),
            window: Vec::new(),
            window_start: 0,
            unreadable: Vec::new(),
        }
    }

    /// The next intact header, or `None` at the end. Whether the payload is intact is for the caller to find out.
    pub fn next_frame(&mut self) -> Option<Found> {
        while self.position + FRAME_HEADER_BYTES as u64 <= self.end {
            let Some(bytes) = self.header_bytes() else {
                self.position = (self.position / PAGE_BYTES + 1) * PAGE_BYTES;
                continue;
            };
            let found = FrameHeader::decode(&bytes, self.file.magic)
                .map(|header| Found { offset: self.position, header })
                .filter(|found| found.end() <= self.end);
            match found {
                Some(found) => {
                    self.position = found.end();
                    return Some(found);
                }
                None => self.position += FRAME_ALIGN,
            }
        }
        None
    }

    fn header_bytes(&mut self) -> Option<[u8; FRAME_HEADER_BYTES]> {
        let held = self.window_start..self.window_start + self.window.len() as u64;
        if !held.contains(&self.position) || !held.contains(&(self.position + FRAME_HEADER_BYTES as u64 - 1)) {
            self.load()?;
        }
        let at = usize::try_from(self.position - self.window_start).ok()?;
        self.window.get(at..)?.first_chunk().copied()
    }

    /// Fills the window at `position`; falls back to the one page when the window has a page that cannot be read.
    fn load(&mut self) -> Option<()> {
        for len in [WINDOW_BYTES, PAGE_BYTES - self.position % PAGE_BYTES] {
            let len = len.min(self.end - self.position);
            self.window.resize(usize::try_from(len).ok()?, 0);
            self.window_start = self.position;
            if self.file.read_at(self.position, &mut self.window).is_ok() {
                return Some(());
            }
        }
        self.window.clear();
        self.unreadable.push(self.position / PAGE_BYTES * PAGE_BYTES);
        None
    }
}

/// Reads a frame's payload, and whether it fits its checksum.
///
/// # Errors
/// [`LogError::Io`].
pub fn read_payload(file: &LogFile, found: &Found) -> Result<(Vec<u8>, bool), LogError> {
    let mut payload = vec![0; usize::try_from(found.header.payload_bytes).unwrap_or(usize::MAX)];
    file.read_at(found.payload_offset(), &mut payload)?;
    let intact = crc32c::crc32c(&payload) == found.header.payload_crc;
    Ok((payload, intact))
}

/// The tag of the batch before, a batch's own tag, its record.
pub type OpenedBatch = ([u8; 16], [u8; 16], BatchRecord);

/// Opens a batch: the tag of the batch before it, its own tag, its record. `None` when it is not an intact batch.
///
/// # Errors
/// [`LogError::Io`] only.
pub fn open_batch(file: &LogFile, found: &Found) -> Result<Option<OpenedBatch>, LogError> {
    if found.header.kind != FrameKind::Batch {
        return Ok(None);
    }
    let (payload, intact) = read_payload(file, found)?;
    let (Some((previous, sealed)), Some(tag), true) =
        (payload.split_first_chunk::<16>(), payload.last_chunk::<16>(), intact)
    else {
        return Ok(None);
    };
    let aad = file.batch_aad(found.header.number, previous);
    let Ok(plain) = file.batches.open(found.header.number, &aad, sealed) else { return Ok(None) };
    Ok(BatchRecord::decode(&Bytes::from(plain)).ok().map(|record| (*previous, *tag, record)))
}
