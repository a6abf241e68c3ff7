//! Reads every byte of a bucket's files and says what is wrong, and where (for `fsck`).
//!
//! Each byte is either checked, or it is listed as dead: nothing that the bucket holds depends on it.

use super::{
    LocalBucket, ManifestRef, SegmentId, StoreError, local::lock, manifest::Manifest, manifest_file::ManifestFiles,
    recovery::file_numbers,
};
use crate::{
    log::{
        FrameKind, FrameScan, HEADER_BYTES, LogFile, LogHeader, LogState, PREAMBLE_BYTES, log_path, open_batch,
        read_payload,
    },
    space::{SegmentRecord, segment_key, segment_of_key},
    tree::verify_table,
};
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the store directory.
    pub path: String,
    /// The bytes concerned; the whole file when it is missing.
    pub bytes: Range<u64>,
    /// What was expected there.
    pub what: String,
    /// Whether a second copy, or an index built anew, serves in place of these bytes: nothing is lost.
    pub redundant: bool,
}

/// Bytes that nothing depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRange {
    /// The file, from the store directory.
    pub path: String,
    /// The bytes.
    pub bytes: Range<u64>,
}

/// The outcome of reading a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What nothing depends on.
    pub dead: Vec<DeadRange>,
    /// Bytes read.
    pub checked_bytes: u64,
    /// Segments whose ciphertext was checked.
    pub segments: u64,
}

impl VerifyReport {
    fn find(&mut self, path: &str, bytes: Range<u64>, what: impl Into<String>, redundant: bool) {
        self.findings.push(Finding { path: path.to_owned(), bytes, what: what.into(), redundant });
    }

    fn dead(&mut self, path: &str, bytes: Range<u64>) {
        if bytes.is_empty() {
            return;
        }
        match self.dead.last_mut() {
            Some(last) if last.path == path && last.bytes.end == bytes.start => last.bytes.end = bytes.end,
            _ => self.dead.push(DeadRange { path: path.to_owned(), bytes }),
        }
    }
}

impl LocalBucket {
    /// Reads and checks everything that the bucket keeps on the disk. Changes meanwhile are seen or not.
    ///
    /// # Errors
    /// `Locked`; `Io` when a directory cannot be listed. What is wrong with a file is in the report.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        let mut report = VerifyReport::default();
        for problem in &self.problems {
            report.find(&self.dir, 0..0, problem.clone(), true);
        }
        if let Some(reason) = self.read_only_reason() {
            report.find(&self.dir, 0..0, reason.to_string(), false);
        }
        let (manifest, reference) = {
            let held = lock(&self.maintenance);
            (held.manifest.clone(), held.reference)
        };
        self.verify_manifests(reference, &mut report)?;
        self.verify_tables(&manifest, &mut report)?;
        self.verify_logs(&manifest, &mut report)?;
        Ok(report)
    }

    /// Whether it was opened although it had lost something durable.
    #[must_use]
    pub fn accepted_loss(&self) -> bool {
        self.problems.iter().any(|problem| problem.starts_with("accepted: "))
    }

    /// Where the ciphertext of a segment lies: the log file, from the store directory, and the bytes.
    #[must_use]
    pub fn segment_place(&self, id: SegmentId) -> Option<(String, Range<u64>)> {
        let row = self.snapshot_now().ok()?.segment(id).ok()?;
        Some((log_path(&self.dir, row.log), row.offset..row.offset.saturating_add(u64::from(row.sealed_bytes))))
    }

    fn verify_manifests(&self, reference: ManifestRef, report: &mut VerifyReport) -> Result<(), StoreError> {
        let files = ManifestFiles { env: &self.env, dir: &self.dir, bucket: self.id, keys: &self.keys };
        let in_force = format!("{}.", reference.version);
        let dir = format!("{}/manifest", self.dir);
        for entry in self.env.disk.list(&dir).map_err(|e| StoreError::io(format!("listing {dir}"), e))? {
            let path = format!("{dir}/{}", entry.name);
            let len = self.len_of(&path);
            if !entry.name.starts_with(&in_force) {
                report.dead(&path, 0..len);
            }
        }
        for copy in ["a", "b"] {
            let path = format!("{dir}/{}.{copy}", reference.version);
            let len = self.len_of(&path);
            match files.read_copy(reference.version, copy) {
                Ok((_, found)) if found == reference => report.checked_bytes += len,
                Ok(_) => report.find(&path, 0..len, "another manifest than the one in force", true),
                Err(StoreError::Locked) => return Err(StoreError::Locked),
                Err(error) => report.find(&path, 0..len, error.to_string(), true),
            }
        }
        Ok(())
    }

    fn len_of(&self, path: &str) -> u64 {
        self.env.disk.open_read(path).and_then(|file| file.len()).unwrap_or(0)
    }

    fn verify_tables(&self, manifest: &Manifest, report: &mut VerifyReport) -> Result<(), StoreError> {
        for table in &manifest.tables {
            let path = format!("{}/table/{}.tbl", self.dir, table.file_number);
            match verify_table(self.env.disk.as_ref(), &self.dir, table, &self.keys) {
                Ok(found) => {
                    report.checked_bytes += table.len;
                    for finding in found.findings {
                        report.find(&path, finding.bytes, finding.what, !finding.loses_entries);
                    }
                    for dead in found.dead {
                        report.dead(&path, dead);
                    }
                }
                Err(error) => match StoreError::from(error) {
                    StoreError::Locked => return Err(StoreError::Locked),
                    error => report.find(&path, 0..table.len, error.to_string(), false),
                },
            }
        }
        for number in file_numbers(&self.env, &self.dir, "table", ".tbl")? {
            let in_force = self.tree.tables().iter().any(|table| table.file_number == number);
            if !in_force && !manifest.tables.iter().any(|table| table.file_number == number) {
                let path = format!("{}/table/{number}.tbl", self.dir);
                report.dead(&path, 0..self.len_of(&path));
            }
        }
        Ok(())
    }

    fn verify_logs(&self, manifest: &Manifest, report: &mut VerifyReport) -> Result<(), StoreError> {
        let snapshot = self.snapshot_now()?;
        let mut seen: BTreeMap<u64, u64> = BTreeMap::new();
        for number in file_numbers(&self.env, &self.dir, "log", ".log")? {
            let path = log_path(&self.dir, number);
            let Some(file) = self.log_file(number) else {
                report.dead(&path, 0..self.len_of(&path));
                continue;
            };
            let state = manifest.logs.iter().find(|log| log.state.number == number).map(|log| &log.state);
            self.verify_log_headers(&path, &file, state, report);
            let live = self.verify_frames(&path, &file, state, manifest.flushed.number, report)?;
            seen.insert(number, live);
        }
        self.verify_rows(&snapshot, &seen, report)
    }

    fn verify_log_headers(&self, path: &str, file: &Arc<LogFile>, state: Option<&LogState>, report: &mut VerifyReport) {
        let sealed = state.map_or(&file.sealed_key, |state| &state.sealed_key);
        for copy in 0..2u64 {
            let at = copy * HEADER_BYTES as u64;
            let mut bytes = vec![0; HEADER_BYTES];
            let intact = file.read_at(at, &mut bytes).is_ok()
                && LogHeader::decode(&bytes).is_ok_and(|header| {
                    // The manifest's copy of the key is the one in force; a reseal leaves an older one in the header.
                    let key = self.keys.open_file_key(file.id, sealed);
                    header.file == file.id && key.is_ok_and(|key| LogHeader::verify(&bytes, &key))
                });
            report.checked_bytes += HEADER_BYTES as u64;
            if !intact {
                report.find(path, at..at + HEADER_BYTES as u64, "a copy of the log's header is damaged", true);
            }
        }
    }

    /// Checks the frames of a log that matter; returns how many live segments were found whole or damaged.
    fn verify_frames(
        &self,
        path: &str,
        file: &Arc<LogFile>,
        state: Option<&LogState>,
        flushed: u64,
        report: &mut VerifyReport,
    ) -> Result<u64, StoreError> {
        let end = state.filter(|state| state.end != 0).map_or(file.capacity, |state| state.end);
        let mut position = PREAMBLE_BYTES;
        let mut live = 0;
        let mut scan = FrameScan::new(file, 0, end);
        while let Some(found) = scan.next_frame() {
            report.dead(path, position..found.offset);
            position = found.end();
            let frame = found.offset..found.end();
            match found.header.kind {
                FrameKind::Batch if found.header.number > flushed => {
                    // Opened when the bucket was; whatever was damaged then is named by its read-only reason.
                    if open_batch(file, &found).is_ok_and(|opened| opened.is_some()) {
                        report.checked_bytes += frame.end - frame.start;
                        self.verify_padding(path, file, &found, report);
                    } else {
                        report.find(path, frame, format!("batch {} is damaged", found.header.number), false);
                    }
                }
                FrameKind::Batch => report.dead(path, frame),
                FrameKind::Content => {
                    let id = SegmentId(found.header.number);
                    let row = match self.snapshot_now()?.segment(id) {
                        Ok(row) if (row.log, row.offset) == (file.number, found.payload_offset()) => row,
                        Ok(_) | Err(StoreError::NoSegment(_)) => {
                            report.dead(path, frame);
                            continue;
                        }
                        Err(StoreError::Locked) => return Err(StoreError::Locked),
                        // The block that holds its row is damaged, and named already.
                        Err(_) => continue,
                    };
                    live += 1;
                    report.segments += 1;
                    let whole = read_payload(file, &found)
                        .is_ok_and(|(sealed, intact)| intact && crc32c::crc32c(&sealed) == row.crc);
                    if whole {
                        report.checked_bytes += frame.end - frame.start;
                        self.verify_padding(path, file, &found, report);
                    } else {
                        report.find(path, frame, format!("segment {} is damaged", id.0), false);
                    }
                }
            }
        }
        report.dead(path, position..self.len_of(path).max(file.capacity));
        Ok(live)
    }

    /// What lies between a frame and the next is zero.
    fn verify_padding(&self, path: &str, file: &LogFile, found: &crate::log::Found, report: &mut VerifyReport) {
        let start = found.payload_offset() + u64::from(found.header.payload_bytes);
        let mut padding = vec![0; usize::try_from(found.end() - start).unwrap_or(0)];
        if file.read_at(start, &mut padding).is_err() || padding.iter().any(|&byte| byte != 0) {
            report.find(path, start..found.end(), "bytes between frames are not zero", true);
        }
    }

    /// Every row of the segment table must have been met in its log: a frame whose header is damaged, or a log that is
    /// missing, is found from here.
    fn verify_rows(
        &self,
        snapshot: &super::snapshot::LocalSnapshot,
        seen: &BTreeMap<u64, u64>,
        report: &mut VerifyReport,
    ) -> Result<(), StoreError> {
        let mut rows: BTreeMap<u64, u64> = BTreeMap::new();
        let end = segment_key(u64::MAX);
        let mut cursor = snapshot.tree.range(&segment_key(0), Some(&end)).skip_damaged();
        while let Some((_, row)) = cursor.next()? {
            if let Ok(row) = SegmentRecord::decode(&row) {
                *rows.entry(row.log).or_default() += 1;
            }
        }
        let short: Vec<u64> =
            rows.into_iter().filter(|(log, count)| seen.get(log) != Some(count)).map(|(log, _)| log).collect();
        if short.is_empty() {
            return Ok(());
        }
        let mut cursor = snapshot.tree.range(&segment_key(0), Some(&end)).skip_damaged();
        while let Some((key, row)) = cursor.next()? {
            let (Some(id), Ok(row)) = (segment_of_key(&key), SegmentRecord::decode(&row)) else { continue };
            if short.contains(&row.log) {
                self.verify_row(id, &row, report);
            }
        }
        Ok(())
    }

    /// Checks a segment by its row alone.
    fn verify_row(&self, id: u64, row: &SegmentRecord, report: &mut VerifyReport) {
        let path = log_path(&self.dir, row.log);
        let bytes = row.offset..row.offset + u64::from(row.sealed_bytes);
        let header = row.offset.saturating_sub(crate::log::FRAME_HEADER_BYTES as u64)..row.offset;
        let Some(file) = self.log_file(row.log) else {
            report.find(&path, bytes, format!("segment {id}: its log is missing"), false);
            return;
        };
        let mut sealed = vec![0; usize::try_from(row.sealed_bytes).unwrap_or(usize::MAX)];
        if file.read_at(row.offset, &mut sealed).is_err() || crc32c::crc32c(&sealed) != row.crc {
            report.find(&path, bytes, format!("segment {id} is damaged"), false);
        } else if !file.has_frame_at(header.start) {
            report.find(&path, header, format!("the frame header of segment {id} is damaged"), true);
        }
    }
}
