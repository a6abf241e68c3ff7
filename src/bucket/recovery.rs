//! Opens a bucket's log after a clean close, a crash or a power cut (docs/FORMAT.md 4.5).
//!
//! Reads only; what it finds is synced before anybody may see it. Power cuts alone never make it report damage.

use super::{
    Line, LogInForce, Manifest, StoreError,
    env::{Env, LazyFile},
};
use crate::{
    crypt::{BucketId, BucketKeys, FileId},
    log::{BatchRecord, Cut, FrameKind, FrameScan, LogError, LogFile, LogHeader, LogState, Tail, log_path, open_batch},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

/// What replay found.
pub(super) struct Recovered {
    /// Logs in force, each with its end, in order; the last one ends at the cut.
    pub logs: Vec<LogInForce>,
    /// Those files, open for reading.
    pub files: BTreeMap<u64, Arc<LogFile>>,
    /// Batches after the flushed number, in order, with their numbers.
    pub batches: Vec<(u64, BatchRecord)>,
    /// The last batch that counts.
    pub tail: Tail,
    /// Where the log is cut: the file before the next, and the cut its header repeats.
    pub cut: (FileId, Cut),
    /// Newest epoch found anywhere.
    pub newest_epoch: u64,
    /// Greatest number of a log or table found anywhere.
    pub greatest_number: u64,
    /// Why the bucket may only be read, when something durable is missing.
    pub damage: Option<String>,
    /// What was found besides, for `fsck`.
    pub problems: Vec<String>,
}

struct Replay<'a> {
    env: &'a Env,
    dir: &'a str,
    bucket: BucketId,
    keys: &'a BucketKeys,
    manifest: &'a Manifest,
}

/// A log of the chain that is read: its file, where to begin, where it ends by the manifest (0: by its own frames).
struct Link {
    file: Arc<LogFile>,
    start: u64,
    end: u64,
}

struct FoundBatch {
    link: usize,
    end: u64,
    number: u64,
    /// Tag before, own tag, record; `None` when it does not open.
    opened: Option<([u8; 16], [u8; 16], BatchRecord)>,
}

/// Replays the log behind `manifest`.
///
/// # Errors
/// `Locked`; `Io` when a directory cannot be read, or a sync of what was found fails.
pub(super) fn recover(
    env: &Env,
    dir: &str,
    bucket: BucketId,
    keys: &BucketKeys,
    manifest: &Manifest,
) -> Result<Recovered, StoreError> {
    Replay { env, dir, bucket, keys, manifest }.run()
}

impl Replay<'_> {
    fn run(&self) -> Result<Recovered, StoreError> {
        let mut problems = Vec::new();
        let mut files = BTreeMap::new();
        let mut links = Vec::new();
        for log in &self.manifest.logs {
            let file = self.open_named(&log.state)?;
            let in_use = log.state.end == 0;
            let needed = in_use || log.state.last_number > self.manifest.flushed.number;
            if needed {
                let start =
                    if log.state.number == self.manifest.replay_from.0 { self.manifest.replay_from.1 } else { 0 };
                links.push(Link { file: Arc::clone(&file), start, end: log.state.end });
            }
            files.insert(log.state.number, file);
        }
        let mut greatest_number = self.manifest.next_number.saturating_sub(1);
        let mut newest_epoch = self.manifest.epoch;
        let successors = self.successors(&mut greatest_number, &mut newest_epoch, &mut problems)?;
        let mut last = self.manifest.logs.last().map(|log| log.state.file);
        while let Some((header, file)) = last.and_then(|id| successors.get(&id)) {
            links.push(Link { file: Arc::clone(file), start: 0, end: 0 });
            files.insert(header.number, Arc::clone(file));
            last = Some(header.file);
        }
        self.settle(&links, &mut problems)?;
        self.replay(files, links, greatest_number, newest_epoch, problems)
    }

    /// Opens a log that the manifest names, by the manifest's copy of its key.
    fn open_named(&self, state: &LogState) -> Result<Arc<LogFile>, StoreError> {
        let key = self.keys.open_file_key(state.file, &state.sealed_key)?;
        let path = log_path(self.dir, state.number);
        let lazy = Arc::new(LazyFile {
            disk: Arc::clone(&self.env.disk),
            descriptors: Arc::clone(&self.env.descriptors),
            id: state.file,
            path,
        });
        Ok(Arc::new(LogFile::of_state(state, &key, lazy)?))
    }

    /// Logs that the manifest does not name, by the file before them: those of the manifest's epoch continue the chain.
    fn successors(
        &self,
        greatest_number: &mut u64,
        newest_epoch: &mut u64,
        problems: &mut Vec<String>,
    ) -> Result<BTreeMap<FileId, (LogHeader, Arc<LogFile>)>, StoreError> {
        let mut found = BTreeMap::new();
        for number in file_numbers(self.env, self.dir, "table", ".tbl")? {
            *greatest_number = (*greatest_number).max(number);
        }
        for number in file_numbers(self.env, self.dir, "log", ".log")? {
            *greatest_number = (*greatest_number).max(number);
            if self.manifest.logs.iter().any(|log| log.state.number == number) {
                continue;
            }
            let path = log_path(self.dir, number);
            let disk = self.env.disk.open_read(&path).map_err(|e| StoreError::io(format!("opening {path}"), e))?;
            match LogFile::open(disk, &path, self.bucket, &|id, sealed| self.keys.open_file_key(id, sealed)) {
                Ok((header, file)) => {
                    *newest_epoch = (*newest_epoch).max(header.epoch);
                    if header.epoch == self.manifest.epoch && header.number == number {
                        found.insert(header.previous, (header, Arc::new(file)));
                    }
                }
                // Left over from a crash before its header was durable, or garbage: it belongs to no chain.
                Err(error) => problems.push(format!("{path}: {error}")),
            }
        }
        Ok(found)
    }

    /// Makes what will be replayed durable before it is read: what a failed sync left in the page cache only must not
    /// be taken for stored.
    fn settle(&self, links: &[Link], problems: &mut Vec<String>) -> Result<(), StoreError> {
        for link in links {
            match link.file.settle() {
                Err(LogError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    problems.push(format!("log {} of {} is missing", link.file.number, self.dir));
                }
                outcome => outcome?,
            }
        }
        self.env
            .disk
            .sync_dir(&format!("{}/log", self.dir))
            .map_err(|e| StoreError::io(format!("syncing {}", self.dir), e))
    }

    fn batches(&self, links: &[Link], problems: &mut Vec<String>) -> Vec<FoundBatch> {
        let mut batches = Vec::new();
        for (index, link) in links.iter().enumerate() {
            let end = if link.end == 0 { link.file.capacity } else { link.end };
            let mut scan = FrameScan::new(&link.file, link.start, end);
            while let Some(found) = scan.next_frame() {
                if found.header.kind == FrameKind::Batch && found.header.number > self.manifest.flushed.number {
                    let opened = open_batch(&link.file, &found).unwrap_or(None);
                    batches.push(FoundBatch { link: index, end: found.end(), number: found.header.number, opened });
                }
            }
            for page in scan.unreadable {
                problems.push(format!("log {} of {}: page at {page} cannot be read", link.file.number, self.dir));
            }
        }
        batches
    }

    fn replay(
        &self,
        mut files: BTreeMap<u64, Arc<LogFile>>,
        links: Vec<Link>,
        greatest_number: u64,
        newest_epoch: u64,
        mut problems: Vec<String>,
    ) -> Result<Recovered, StoreError> {
        let mut found = self.batches(&links, &mut problems);
        let witness = found
            .iter()
            .filter_map(|batch| batch.opened.as_ref().map(|(_, _, record)| record.witness))
            .fold(self.manifest.witness, u64::max);
        let mut tail = self.manifest.flushed;
        let mut ends: Vec<u64> = links.iter().map(|link| link.start.max(crate::log::PREAMBLE_BYTES)).collect();
        let mut settled: BTreeSet<u64> = links.iter().map(|link| link.file.number).collect();
        let mut last_link = 0;
        let mut batches = Vec::new();
        let mut missing = Vec::new();
        for batch in &mut found {
            let expected = tail.number + 1;
            if batch.number < expected {
                continue;
            }
            let Some((previous, tag, record)) = batch.opened.take() else { continue };
            let follows = batch.number == expected && previous == tail.tag;
            if !follows && expected > witness {
                break;
            }
            if batch.number > witness && !self.content_is_whole(&files, &mut settled, &record)? {
                break;
            }
            if !follows {
                // What is missing was durable: that is damage. The batches behind it are served all the same.
                missing.push(expected..batch.number);
            }
            tail = Tail { number: batch.number, tag };
            last_link = batch.link;
            if let Some(end) = ends.get_mut(batch.link) {
                *end = batch.end;
            }
            batches.push((batch.number, record));
        }
        if tail.number < witness {
            missing.push(tail.number + 1..witness + 1);
        }
        let damage = missing.first().map(|first| {
            format!("of {}, batches from {} on, {} in all, were durable (number {witness} was witnessed) and are missing or damaged",
                self.dir, first.start, missing.iter().map(|gap| (gap.end - gap.start).max(1)).sum::<u64>())
        });
        let logs = self.logs_in_force(&links, &ends, last_link, tail, &batches, &mut files);
        let cut = links.get(last_link).map_or((FileId::from_bytes([0; 16]), Cut::default()), |link| {
            let offset = ends.get(last_link).copied().unwrap_or_default();
            (link.file.id, Cut { number: tail.number, offset, tag: tail.tag })
        });
        Ok(Recovered { logs, files, batches, tail, cut, newest_epoch, greatest_number, damage, problems })
    }

    /// Whether the content that a batch commits is what its checksums say. It may lie in a log that is not replayed:
    /// that one is settled before it is read.
    fn content_is_whole(
        &self,
        files: &BTreeMap<u64, Arc<LogFile>>,
        settled: &mut BTreeSet<u64>,
        record: &BatchRecord,
    ) -> Result<bool, StoreError> {
        for note in &record.contents {
            let Some(file) = files.get(&note.log) else { return Ok(false) };
            if settled.insert(note.log) {
                file.settle()?;
            }
            let mut sealed = vec![0; usize::try_from(note.sealed_bytes).unwrap_or(usize::MAX)];
            if file.read_at(note.offset, &mut sealed).is_err() || crc32c::crc32c(&sealed) != note.crc {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The logs up to the cut, each closed where its last batch that counts, or content of one, ends.
    fn logs_in_force(
        &self,
        links: &[Link],
        ends: &[u64],
        last_link: usize,
        tail: Tail,
        batches: &[(u64, BatchRecord)],
        files: &mut BTreeMap<u64, Arc<LogFile>>,
    ) -> Vec<LogInForce> {
        let mut logs: Vec<LogInForce> = self.manifest.logs.clone();
        for (index, (link, end)) in links.iter().zip(ends).enumerate() {
            let number = link.file.number;
            if index > last_link {
                // Behind the cut. A log that the manifest names stays for what it held before; others were never in force.
                if !logs.iter().any(|log| log.state.number == number) {
                    files.remove(&number);
                    continue;
                }
            }
            let content_end = batches
                .iter()
                .flat_map(|(_, record)| &record.contents)
                .filter(|note| note.log == number)
                .map(|note| (note.offset + u64::from(note.sealed_bytes)).next_multiple_of(64))
                .max();
            let end = content_end.unwrap_or(0).max(*end);
            let state = LogState {
                number,
                file: link.file.id,
                epoch: link.file.epoch,
                sealed_key: link.file.sealed_key,
                capacity: link.file.capacity,
                end: if link.end == 0 || index >= last_link { end } else { link.end },
                last_number: tail.number,
                last_tag: tail.tag,
            };
            match logs.iter_mut().find(|log| log.state.number == number) {
                // A log that was in use, or one that lost its end: it ends where the replay did.
                Some(log) if log.state.end == 0 || log.state.last_number > tail.number => log.state = state,
                Some(_) => {}
                None => logs.push(LogInForce { state, live_bytes: 0 }),
            }
        }
        logs
    }
}

/// The numbers in a directory of numbered files.
pub(super) fn file_numbers(env: &Env, dir: &str, room: &str, suffix: &str) -> Result<Vec<u64>, StoreError> {
    let path = format!("{dir}/{room}");
    let entries = env.disk.list(&path).map_err(|e| StoreError::io(format!("listing {path}"), e))?;
    Ok(entries.iter().filter_map(|entry| entry.name.strip_suffix(suffix)?.parse().ok()).collect())
}

/// The line that an epoch leaves when the next begins.
pub(super) fn line_of(manifest: &Manifest, tail: Tail) -> Line {
    Line { epoch: manifest.epoch, epoch_id: manifest.epoch_id, tail }
}
