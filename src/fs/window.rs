//! Files that are open: their uncommitted writes, and the commit of them.
//!
//! Lock order: an open file's state, then the writer lock, then the table of open files.

use super::{
    Content, ETag, FsError, FsResult, INLINE_LIMIT_BYTES, Ino, Inode, Namespace, ObjectAttributes,
    runs::Runs,
    seal::{ContentKey, SealedExtent, Space},
    txn::{self, Located, Txn},
};
use crate::{bucket::Number, clock::UnixNanos, crypt};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Uncommitted bytes that one file holds before its writer commits them.
const FILE_LIMIT_BYTES: usize = 4 << 20;

/// Runs that one commit takes: bounds its batch.
const RUNS_LIMIT: usize = 1_024;

/// Largest file.
pub(super) const FILE_SIZE_LIMIT: u64 = 1 << 50;

/// Headers of other programs that hold a checksum of the content, and go when it changes (R9).
const CONTENT_METADATA: [&str; 3] = ["md5chksum", "s3cmd-attrs", "sha256"];

/// A file that somebody has open.
pub(super) struct OpenFile {
    pub ino: Ino,
    pub state: Mutex<FileState>,
    /// Set when it lost its last name: whoever closes it last reclaims it.
    pub orphan: AtomicBool,
}

/// What is not committed.
#[derive(Debug)]
pub(super) struct FileState {
    pub runs: Runs,
    /// Length, uncommitted writes included.
    pub size: u64,
    /// When it was last written, if that is not committed and `utimens` did not overrule it.
    pub touched: Option<UnixNanos>,
    /// Uptime of the oldest write that is not committed.
    pub since: Option<Duration>,
    /// Whether the mode has setuid or setgid, which a write may have to drop.
    pub privileged: bool,
    /// The error that lost data.
    pub lost: Option<FsError>,
}

impl FileState {
    pub(super) fn is_dirty(&self) -> bool {
        !self.runs.is_empty() || self.touched.is_some()
    }
}

impl OpenFile {
    pub(super) fn new(inode: &Inode) -> Self {
        Self {
            ino: inode.ino,
            state: Mutex::new(FileState {
                runs: Runs::default(),
                size: inode.size,
                touched: None,
                since: None,
                privileged: inode.mode & 0o6000 != 0,
                lost: None,
            }),
            orphan: AtomicBool::new(inode.nlink == 0),
        }
    }
}

impl Namespace {
    /// Takes a write; commits first when much is held.
    pub(super) fn write_file(&self, file: &OpenFile, state: &mut FileState, offset: u64, data: &[u8]) -> FsResult<()> {
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= FILE_SIZE_LIMIT);
        let end = end.ok_or(FsError::TooLarge("the file"))?;
        if data.is_empty() {
            return Ok(());
        }
        if state.runs.cost() >= FILE_LIMIT_BYTES || state.runs.count() >= RUNS_LIMIT || self.pool_is_full() {
            // Before the new bytes are taken: what a full disk refuses was never accepted.
            self.commit_file(file, state)?;
        }
        let before = state.runs.cost();
        state.runs.write(offset, data);
        self.pool_changed(before, state.runs.cost());
        state.size = state.size.max(end);
        state.touched = Some(self.parts.clock.now());
        state.since.get_or_insert_with(|| self.parts.clock.uptime());
        Ok(())
    }

    fn pool_changed(&self, before: usize, after: usize) {
        if after >= before {
            self.pool.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.pool.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    fn pool_is_full(&self) -> bool {
        self.pool.load(Ordering::Relaxed) > self.parts.window_pool_bytes
    }

    /// Drops uncommitted bytes at or behind `size`.
    pub(super) fn forget_writes_behind(&self, state: &mut FileState, size: u64) {
        let before = state.runs.cost();
        state.runs.remove(size, u64::MAX);
        self.pool_changed(before, state.runs.cost());
    }

    /// Commits what is not committed: seals and appends it, then publishes it in one batch with size, times and tag.
    ///
    /// On a full disk the writes are kept, and a later call tries again (promise D6). After any other error they are
    /// lost, and every later call says so (promise D5).
    pub(super) fn commit_file(&self, file: &OpenFile, state: &mut FileState) -> FsResult<Number> {
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        if !state.is_dirty() {
            return Ok(self.committed());
        }
        match self.try_commit(file.ino, state) {
            Ok(number) => {
                self.forget_writes_behind(state, 0);
                state.touched = None;
                state.since = None;
                self.tidy_under_pressure();
                Ok(number)
            }
            Err(FsError::NoSpace) => Err(FsError::NoSpace),
            Err(error) => {
                state.lost = Some(error.clone());
                self.forget_writes_behind(state, 0);
                state.touched = None;
                state.since = None;
                Err(error)
            }
        }
    }

    fn try_commit(&self, ino: Ino, state: &FileState) -> FsResult<Number> {
        // A copy may set the content aside under its key meanwhile: then it is sealed again, under the new one.
        for _ in 0..8 {
            let snapshot = self.parts.meta.snapshot()?;
            let inode = txn::load(snapshot.as_ref(), ino)?.inode;
            let sealed = self.seal_writes(snapshot.as_ref(), &inode, state)?;
            drop(snapshot);
            let mut txn = self.begin()?;
            let located = txn::load(&txn, ino)?;
            if located.inode.content.sealed_oek.map(|oek| oek.id()) != inode.content.sealed_oek.map(|oek| oek.id()) {
                continue;
            }
            txn.publish_writes(located, sealed, state)?;
            return txn.commit();
        }
        Err(FsError::Busy("the file's key keeps changing"))
    }

    fn seal_writes(
        &self,
        snapshot: &dyn crate::bucket::Snapshot,
        inode: &Inode,
        state: &FileState,
    ) -> FsResult<SealedWrites> {
        let content = &inode.content;
        if state.runs.is_empty() {
            return Ok(SealedWrites::Nothing);
        }
        let key = self.content_key(content)?;
        let etag = self.random_etag()?;
        let has_extents = content.spilled || !content.extents.is_empty() || !content.pieces.is_empty();
        if state.size <= INLINE_LIMIT_BYTES && !has_extents {
            let mut plain = vec![0; usize::try_from(state.size).unwrap_or(0)];
            let old = usize::try_from(inode.size).unwrap_or(usize::MAX).min(plain.len());
            if let Some(old) = plain.get_mut(..old) {
                self.read_committed(snapshot, inode, 0, old)?;
            }
            state.runs.read_over(0, &mut plain);
            let entropy = self.parts.entropy.as_ref();
            let inline = crypt::seal_inline(&key.oek, key.sealed.id(), &plain, entropy)?;
            return Ok(SealedWrites::Inline { inline, key, etag, crc64: super::crc64(&plain) });
        }
        let mut extents = Vec::new();
        if !content.inline.is_empty() {
            // The record's bytes move to a segment; where they were written anew, those writes are cut in over them.
            let plain = self.open_inline(content)?;
            let first = state.runs.groups().first().map_or(u64::MAX, |(at, _)| *at);
            let front = usize::try_from(first).unwrap_or(usize::MAX).min(plain.len());
            let covered = front < plain.len() && state.runs.next_gap(first) >= plain.len() as u64;
            let kept = if covered { plain.get(..front).unwrap_or_default() } else { plain.as_slice() };
            self.append_run(&key, 0, kept, Space::Common, &mut extents)?;
        }
        let groups = state.runs.groups();
        for (offset, parts) in &groups {
            self.append_group(&key, *offset, parts, &mut extents)?;
        }
        let crc64 = match groups.as_slice() {
            [(offset, parts)] => continued_crc(inode, *offset, parts),
            _ => None,
        };
        Ok(SealedWrites::Extents { extents, key, etag, crc64 })
    }

    fn append_group(
        &self,
        key: &ContentKey,
        offset: u64,
        parts: &[&[u8]],
        into: &mut Vec<SealedExtent>,
    ) -> FsResult<()> {
        let mut at = offset;
        let mut segment: Vec<&[u8]> = Vec::new();
        let mut len = 0usize;
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(rest.len().min(crypt::SEGMENT_MAX_BYTES.saturating_sub(len)));
                segment.push(head);
                len = len.saturating_add(head.len());
                rest = tail;
                if len == crypt::SEGMENT_MAX_BYTES {
                    into.push(self.append_segment(key, at, &segment, Space::Common)?);
                    at = at.saturating_add(len as u64);
                    segment.clear();
                    len = 0;
                }
            }
        }
        if len > 0 {
            into.push(self.append_segment(key, at, &segment, Space::Common)?);
        }
        Ok(())
    }

    /// Commits the writes of every open file whose oldest is at least `age` old.
    pub(super) fn commit_files(&self, age: Duration) -> FsResult<()> {
        let files: Vec<Arc<OpenFile>> = super::lock(&self.files).values().map(|(_, file)| Arc::clone(file)).collect();
        let now = self.parts.clock.uptime();
        let mut result = Ok(());
        for file in files {
            let mut state = super::lock(&file.state);
            if state.since.is_some_and(|since| now.saturating_sub(since) >= age) {
                let committed = self.commit_file(&file, &mut state);
                result = result.and(committed.map(|_| ()));
            }
        }
        result
    }

    /// Counts one more user of a file, with the writer lock held or not needed (see [`Self::hold`]).
    pub(super) fn register(&self, inode: &Inode) -> Arc<OpenFile> {
        let mut files = super::lock(&self.files);
        let (count, file) = files.entry(inode.ino).or_insert_with(|| (0, Arc::new(OpenFile::new(inode))));
        *count = count.saturating_add(1);
        Arc::clone(file)
    }

    /// Registers a user of a file. Under the writer lock, so that no unlink can decide between look and count.
    pub(super) fn hold(&self, ino: Ino) -> FsResult<Arc<OpenFile>> {
        if let Some((count, file)) = super::lock(&self.files).get_mut(&ino) {
            *count = count.saturating_add(1);
            return Ok(Arc::clone(file));
        }
        let txn = self.begin()?;
        let inode = txn::load(&txn, ino)?.inode;
        match inode.kind {
            super::FileKind::File => Ok(self.register(&inode)),
            super::FileKind::Directory => Err(FsError::IsDir),
            _ => Err(FsError::InvalidArgument("not a regular file")),
        }
    }

    /// The file, when somebody has it open.
    pub(super) fn open_file_of(&self, ino: Ino) -> Option<Arc<OpenFile>> {
        super::lock(&self.files).get(&ino).map(|(_, file)| Arc::clone(file))
    }

    /// One user less. The last one commits what is left, and reclaims a file without a name.
    pub(super) fn let_go(&self, file: &Arc<OpenFile>) {
        {
            let mut state = super::lock(&file.state);
            if state.is_dirty()
                && let Err(error) = self.commit_file(file, &mut state)
            {
                tracing::warn!(ino = file.ino.0, %error, "writes could not be committed at close");
            }
        }
        let last = {
            let mut files = super::lock(&self.files);
            let Some((count, _)) = files.get_mut(&file.ino) else { return };
            *count = count.saturating_sub(1);
            let last = *count == 0;
            if last {
                files.remove(&file.ino);
            }
            last
        };
        if !last {
            return;
        }
        self.forget_writes_behind(&mut super::lock(&file.state), 0);
        if file.orphan.load(Ordering::Acquire)
            && let Err(error) = self.reclaim(file.ino)
        {
            tracing::warn!(ino = file.ino.0, %error, "a file without a name stays until the next start");
        }
    }
}

/// Writes that are sealed and appended.
enum SealedWrites {
    Nothing,
    Inline { inline: Vec<u8>, key: ContentKey, etag: ETag, crc64: u64 },
    Extents { extents: Vec<SealedExtent>, key: ContentKey, etag: ETag, crc64: Option<u64> },
}

/// The checksum after writing `parts` at `offset`: known for what was written in order, or anew as a whole (R10).
fn continued_crc(inode: &Inode, offset: u64, parts: &[&[u8]]) -> Option<u64> {
    let len = parts.iter().map(|part| part.len() as u64).fold(0, u64::saturating_add);
    let of_parts = || parts.iter().fold(super::Crc64::new(), |crc, part| crc.update(part)).value();
    if offset == 0 && len >= inode.size {
        return Some(of_parts());
    }
    (offset == inode.size).then_some(())?;
    inode.crc64.map(|before| super::combine_crc64(before, of_parts(), len))
}

/// Drops what is only true of the content before (R9).
pub(super) fn forget_checksums(object: &mut ObjectAttributes) {
    object.checksums.clear();
    for name in CONTENT_METADATA {
        object.user.remove(name);
    }
}

impl Txn<'_> {
    fn publish_writes(&mut self, mut located: Located, sealed: SealedWrites, state: &FileState) -> FsResult<()> {
        let inode = &mut located.inode;
        match sealed {
            SealedWrites::Nothing => {}
            SealedWrites::Inline { inline, key, etag, crc64 } => {
                inode.content = Content {
                    sealed_oek: Some(self.namespace.current_seal(key.sealed)?),
                    inline,
                    own: inode.content.own,
                    ..Content::default()
                };
                self.content_changed(inode, etag, Some(crc64));
            }
            SealedWrites::Extents { extents, key, etag, crc64 } => {
                inode.content.sealed_oek = Some(self.namespace.current_seal(key.sealed)?);
                inode.content.inline.clear();
                for SealedExtent { extent, pending } in extents {
                    self.cut(inode.ino, &mut inode.content, extent.offset, extent.end())?;
                    self.publish(pending, &extent);
                    self.add_extent(&mut inode.content, extent)?;
                }
                self.content_changed(inode, etag, crc64);
            }
        }
        if inode.nlink > 0 {
            self.state.bytes = self.state.bytes.saturating_sub(inode.size).saturating_add(state.size);
        }
        inode.size = state.size;
        if let Some(touched) = state.touched {
            inode.mtime = touched;
            inode.ctime = touched.max(inode.ctime);
        }
        self.store(&located);
        Ok(())
    }

    /// New content: a new tag, S3's time, and no checksum of the one before (R9, R11).
    pub fn content_changed(&self, inode: &mut Inode, etag: ETag, crc64: Option<u64>) {
        inode.etag = etag;
        inode.crc64 = crc64;
        inode.content_time = self.now;
        forget_checksums(&mut inode.object);
    }
}
