//! Appends frames, and rolls to the next file when one is full.
//!
//! Lock order: the writer's lock is taken inside the bucket's commit lock, never the other way round. Under it only the
//! offset is taken; a batch is written under the commit lock (so batches lie in order), content is written by its own
//! thread in parallel. Only when no next file was prepared ahead does an append wait for one to be made.

use super::{Cut, FrameKind, GroupSync, LogError, LogFile, LogState, PREAMBLE_BYTES, Pin, Place, frame_span};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Makes log files; the bucket knows numbers, keys, sizes and the disk.
pub trait LogFactory: Send + Sync {
    /// Makes, allocates and syncs the file that follows `previous`, with room for `min_bytes` of frames at least.
    /// `may_use_reserve` lets it take the space kept for freeing space.
    ///
    /// # Errors
    /// [`LogError::NoSpace`], [`LogError::Io`], [`LogError::Crypt`].
    fn next_file(
        &self,
        previous: &LogFile,
        cut: Cut,
        min_bytes: u64,
        may_use_reserve: bool,
    ) -> Result<Arc<LogFile>, LogError>;
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tail {
    /// Number of the last batch.
    pub number: u64,
    /// Its tag.
    pub tag: [u8; 16],
}

struct Append {
    file: Arc<LogFile>,
    offset: u64,
    tail: Tail,
    closed: Vec<LogState>,
}

/// The end of a bucket's log that is written.
pub struct LogWriter {
    append: Mutex<Append>,
    /// The file prepared ahead. Held while one is made, so that a file never gets two successors; taken inside
    /// `append`, and alone by whoever prepares.
    next: Mutex<Option<Arc<LogFile>>>,
    /// The file in use, once more, for whoever holds `next`; changed only under both locks. A leaf.
    in_use: Mutex<Arc<LogFile>>,
    factory: Box<dyn LogFactory>,
    sync: Arc<GroupSync>,
    failed: OnceLock<LogError>,
}

impl LogWriter {
    /// Appends to `file`, which is new and synced, after the batch of `tail`.
    #[must_use]
    pub fn new(file: Arc<LogFile>, tail: Tail, factory: Box<dyn LogFactory>, sync: Arc<GroupSync>) -> Self {
        let in_use = Mutex::new(Arc::clone(&file));
        let append = Append { file, offset: PREAMBLE_BYTES, tail, closed: Vec::new() };
        Self { append: Mutex::new(append), next: Mutex::new(None), in_use, factory, sync, failed: OnceLock::new() }
    }

    fn append(&self) -> MutexGuard<'_, Append> {
        lock(&self.append)
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

    /// Appends the ciphertext of a segment. Other threads may append meanwhile. The pin keeps the file in force until
    /// a batch has published the segment.
    ///
    /// # Errors
    /// [`LogError::NoSpace`]: nothing happened. Any other: the log takes no more writes.
    pub fn append_content(&self, segment: u64, sealed: &[u8], may_use_reserve: bool) -> Result<(Place, Pin), LogError> {
        self.check()?;
        let payload_bytes = payload_len(sealed)?;
        let (pin, offset) = {
            let mut append = self.append();
            let (file, offset) = self.take_space(&mut append, frame_span(payload_bytes), may_use_reserve)?;
            (Pin::new(file), offset)
        };
        let place = self.write(pin.file(), offset, FrameKind::Content, segment, sealed, payload_bytes)?;
        Ok((place, pin))
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

    fn write(
        &self,
        file: &Arc<LogFile>,
        offset: u64,
        kind: FrameKind,
        number: u64,
        payload: &[u8],
        payload_bytes: u32,
    ) -> Result<Place, LogError> {
        match file.write_frame(offset, kind, number, payload) {
            Ok(crc) => Ok(Place {
                file: Arc::clone(file),
                offset: offset + super::FRAME_HEADER_BYTES as u64,
                payload_bytes,
                crc,
            }),
            Err(error) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    fn take_space(
        &self,
        append: &mut Append,
        span: u64,
        may_use_reserve: bool,
    ) -> Result<(Arc<LogFile>, u64), LogError> {
        if append.offset + span > append.file.capacity {
            self.roll(append, span, may_use_reserve)?;
        }
        let offset = append.offset;
        append.offset += span;
        Ok((Arc::clone(&append.file), offset))
    }

    fn roll(&self, append: &mut Append, span: u64, may_use_reserve: bool) -> Result<(), LogError> {
        let mut prepared = lock(&self.next);
        loop {
            let next = match prepared.take() {
                Some(next) => next,
                None => self.factory.next_file(&append.file, roll_cut(append.tail), span, may_use_reserve)?,
            };
            let closed = state_of(&append.file, append.offset, append.tail);
            append.closed.push(closed);
            self.sync.rolled_to(Arc::clone(&next));
            *lock(&self.in_use) = Arc::clone(&next);
            append.file = next;
            append.offset = PREAMBLE_BYTES;
            if PREAMBLE_BYTES + span <= append.file.capacity {
                return Ok(());
            }
            // The prepared file is too small: it stays in the chain, empty.
        }
    }

    /// Makes the next file ahead when the one in use is more than half full, so that no append has to wait for it.
    ///
    /// # Errors
    /// As [`LogFactory::next_file`]; the log stays usable.
    pub fn prepare_next(&self) -> Result<(), LogError> {
        {
            let append = self.append();
            if append.offset < append.file.capacity / 2 || self.failure().is_some() {
                return Ok(());
            }
        }
        let mut prepared = lock(&self.next);
        if prepared.is_none() {
            let file = Arc::clone(&lock(&self.in_use));
            *prepared = Some(self.factory.next_file(&file, roll_cut(Tail::default()), 0, false)?);
        }
        Ok(())
    }

    /// Closes the file in use and begins another, so that everything before lies in closed files.
    ///
    /// # Errors
    /// As [`Self::append_content`].
    pub fn roll_now(&self) -> Result<(), LogError> {
        self.check()?;
        self.roll(&mut self.append(), 0, true)
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

    /// A closed file is gone.
    pub fn forget(&self, number: u64) {
        self.append().closed.retain(|log| log.number != number);
    }

    /// The prepared file that nothing was written to yet, if any: not garbage.
    #[must_use]
    pub fn prepared(&self) -> Option<u64> {
        lock(&self.next).as_ref().map(|file| file.number)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A roll cuts nothing: the file before is found to its end by its own frames.
fn roll_cut(tail: Tail) -> Cut {
    Cut { number: tail.number, offset: u64::MAX, tag: tail.tag }
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
        sealed_key: file.sealed_key,
        capacity: file.capacity,
        end,
        last_number: tail.number,
        last_tag: tail.tag,
    }
}
