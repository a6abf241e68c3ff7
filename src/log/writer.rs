//! Appends frames, and rolls to the next file when one is full.
//!
//! Lock order: the writer's lock is taken inside the bucket's commit lock, never the other way round. Under it only the
//! offset is taken; a batch is written under the commit lock (so batches lie in order), content is written by its own
//! thread in parallel. Only when no next file was prepared ahead does an append wait for one to be made.

use super::{Cut, FrameKind, GroupSync, LogError, LogFile, LogState, PREAMBLE_BYTES, Place, frame_span};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Makes log files; the bucket knows numbers, keys, sizes and the disk.
pub trait LogFactory: Send + Sync {
    /// Makes, allocates and syncs the file that follows `previous`, with room for `min_bytes` of frames at least.
    /// `may_use_reserve` lets it take the space kept for freeing space.
    ///
    /// # Errors
    /// [`LogError::NoSpace`], [`LogError::Io`], [`LogError::Crypt`].
    fn next_file(&self, previous: &LogFile, cut: Cut, min_bytes: u64, may_use_reserve: bool) -> Result<Arc<LogFile>, LogError>;
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Number of the last batch.
    pub number: u64,
    /// Its tag.
    pub tag: [u8; 16],
}

struct Append {
    file: Arc<LogFile>,
    offset: u64,
    next: Option<Arc<LogFile>>,
    tail: Tail,
    closed: Vec<LogState>,
}

/// The end of a bucket's log that is written.
pub struct LogWriter {
    append: Mutex<Append>,
    factory: Box<dyn LogFactory>,
    sync: Arc<GroupSync>,
    failed: OnceLock<LogError>,
}

impl LogWriter {
    /// Appends to `file`, which is new and synced, after the batch of `tail`.
    #[must_use]
    pub fn new(file: Arc<LogFile>, tail: Tail, factory: Box<dyn LogFactory>, sync: Arc<GroupSync>) -> Self {
        let append = Append { file, offset: PREAMBLE_BYTES, next: None, tail, closed: Vec::new() };
        Self { append: Mutex::new(append), factory, sync, failed: OnceLock::new() }
    }

    fn append(&self) -> MutexGuard<'_, Append> {
        self.append.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The error after which nothing more is written.
    #[must_use]
    pub fn failure(&self) -> Option<&LogError> {
        self.failed.get()
    }

    fn check(&self) -> Result<(), LogError> {
        self.failure().map_or(Ok(()), |error| Err(LogError::Failed(error.to_string().into())))
    }

    /// Stops all writing, for good.
    pub fn fail(&self, error: &LogError) {
        let _ = self.failed.set(error.clone());
        self.sync.fail(error);
    }

    /// Appends the ciphertext of a segment. Other threads may append meanwhile.
    ///
    /// # Errors
    /// [`LogError::NoSpace`]: nothing happened. Any other: the log takes no more writes.
    pub fn append_content(&self, segment: u64, sealed: &[u8], may_use_reserve: bool) -> Result<Place, LogError> {
        self.check()?;
        let payload_bytes = payload_len(sealed)?;
        let (file, offset) = self.take_space(&mut self.append(), frame_span(payload_bytes), may_use_reserve)?;
        self.write(&file, offset, FrameKind::Content, segment, sealed, payload_bytes)
    }

    /// Appends a batch with the next number, whose plaintext is `record`; the caller holds the commit lock. Returns
    /// its tag.
    ///
    /// # Errors
    /// As [`Self::append_content`]; [`LogError::Crypt`] when the keys are gone: nothing happened.
    pub fn append_batch(&self, number: u64, record: Vec<u8>, may_use_reserve: bool) -> Result<Tail, LogError> {
        self.check()?;
        let payload_bytes = payload_len(&record)?.saturating_add(32);
        let mut append = self.append();
        let (file, offset) = self.take_space(&mut append, frame_span(payload_bytes), may_use_reserve)?;
        let previous = append.tail.tag;
        let mut sealed = record;
        file.batches
            .seal_in_place(number, &file.batch_aad(number, &previous), &mut sealed)
            .map_err(|e| LogError::crypt(format!("sealing batch {number}"), e))?;
        let tail = Tail { number, tag: sealed.last_chunk().copied().unwrap_or_default() };
        let mut payload = Vec::with_capacity(sealed.len() + 16);
        payload.extend_from_slice(&previous);
        payload.append(&mut sealed);
        self.write(&file, offset, FrameKind::Batch, number, &payload, payload_bytes)?;
        append.tail = tail;
        Ok(tail)
    }

    fn write(&self, file: &Arc<LogFile>, offset: u64, kind: FrameKind, number: u64, payload: &[u8], payload_bytes: u32) -> Result<Place, LogError> {
        match file.write_frame(offset, kind, number, payload) {
            Ok(crc) => Ok(Place { file: Arc::clone(file), offset: offset + super::FRAME_HEADER_BYTES as u64, payload_bytes, crc }),
            Err(error) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    fn take_space(&self, append: &mut Append, span: u64, may_use_reserve: bool) -> Result<(Arc<LogFile>, u64), LogError> {
        if append.offset + span > append.file.capacity {
            self.roll(append, span, may_use_reserve)?;
        }
        let offset = append.offset;
        append.offset += span;
        Ok((Arc::clone(&append.file), offset))
    }

    fn roll(&self, append: &mut Append, span: u64, may_use_reserve: bool) -> Result<(), LogError> {
        let next = match append.next.take() {
            Some(next) if PREAMBLE_BYTES + span <= next.capacity => next,
            prepared => {
                // A prepared file that is too small is given up: it holds nothing, and is removed as garbage later.
                drop(prepared);
                let cut = Cut { number: append.tail.number, offset: u64::MAX, tag: append.tail.tag };
                self.factory.next_file(&append.file, cut, span, may_use_reserve)?
            }
        };
        append.closed.push(state_of(&append.file, append.offset, append.tail));
        self.sync.rolled_to(Arc::clone(&next));
        append.file = next;
        append.offset = PREAMBLE_BYTES;
        Ok(())
    }

    /// Makes the next file ahead when the one in use is more than half full, so that no append has to wait for it.
    ///
    /// # Errors
    /// As [`LogFactory::next_file`]; the log stays usable.
    pub fn prepare_next(&self) -> Result<(), LogError> {
        let file = {
            let append = self.append();
            if append.next.is_some() || append.offset < append.file.capacity / 2 || self.failure().is_some() {
                return Ok(());
            }
            Arc::clone(&append.file)
        };
        // The cut of a rolled file is found from the file before it, so the numbers here are not needed.
        let cut = Cut { number: 0, offset: u64::MAX, tag: [0; 16] };
        let next = self.factory.next_file(&file, cut, 0, false)?;
        let mut append = self.append();
        if append.next.is_none() && append.file.number == file.number {
            append.next = Some(next);
        }
        Ok(())
    }

    /// Where the log ends now.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.append().tail
    }

    /// The file in use, the offset behind its last frame, and the tail, as of one instant.
    #[must_use]
    pub fn position(&self) -> (Arc<LogFile>, u64, Tail) {
        let append = self.append();
        (Arc::clone(&append.file), append.offset, append.tail)
    }

    /// The files that were closed since this writer began, oldest first, then the one in use.
    #[must_use]
    pub fn files(&self) -> (Vec<LogState>, LogState) {
        let append = self.append();
        let in_use = LogState { end: 0, last_number: 0, last_tag: [0; 16], ..state_of(&append.file, 0, append.tail) };
        (append.closed.clone(), in_use)
    }

    /// The prepared file that nothing was written to yet, if any: not garbage.
    #[must_use]
    pub fn prepared(&self) -> Option<u64> {
        self.append().next.as_ref().map(|file| file.number)
    }
}

fn payload_len(bytes: &[u8]) -> Result<u32, LogError> {
    let limit = u64::from(u32::MAX >> 2);
    u32::try_from(bytes.len())
        .ok()
        .filter(|&len| u64::from(len) <= limit)
        .ok_or(LogError::TooLarge { bytes: bytes.len() as u64, limit })
}

fn state_of(file: &LogFile, end: u64, tail: Tail) -> LogState {
    LogState {
        number: file.number,
        file: file.id,
        epoch: file.epoch,
        sealed_key: file.sealed_key.clone(),
        capacity: file.capacity,
        end,
        last_number: tail.number,
        last_tag: tail.tag,
    }
}
