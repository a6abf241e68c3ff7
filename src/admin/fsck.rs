//! Reads and verifies everything in a store: the files that stand twice, the catalog, each bucket's files on the disk,
//! the invariants of its namespace, and all content under its keys. It repairs what has an intact copy, and nothing else.

use super::{Checked, DeadBytes, FsckFinding, FsckReport, Severity};
use crate::{
    bucket::{Batch, LocalBucket, MetaStore, VerifyReport},
    crypt::BucketId,
    disk::{Disk, RealDisk},
    fs::{self, BucketInfo, FsError},
    store::{OpenError, Store, StoreOptions},
};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// The catalog in reports: no bucket may have this name.
const CATALOG: &str = "(catalog)";
/// What lies in a store directory.
const KNOWN: [&str; 6] = ["store.a", "store.b", "lock", "reserve", "catalog", "buckets"];
/// Files whose bytes mean nothing.
const MEANINGLESS: [&str; 2] = ["lock", "reserve"];

/// The copies of what stands twice, before an opening that repairs them.
type Twins = Vec<(String, Option<Vec<u8>>)>;

/// Told what is being checked, and how many bytes of content were opened there.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64);

/// Why a check could not begin.
#[derive(Debug, thiserror::Error)]
pub enum FsckError {
    /// The store does not open, or could not be closed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no bucket of that name whose losses could be accepted.
    #[error(
        "there is no bucket {0}, so that nothing was accepted and nothing checked; `strongroom bucket list` names all"
    )]
    NoSuchBucket(String),
}

/// Opens a store that nobody holds, checks it, and closes it. The losses of the buckets in `accept_loss` are accepted, and
/// that of the catalog when `options.accept_loss` is set.
///
/// # Errors
/// [`FsckError`].
pub fn fsck_closed(
    options: StoreOptions,
    accept_loss: &[String],
    progress: Progress<'_>,
) -> Result<FsckReport, FsckError> {
    let accepts_catalog = options.accept_loss;
    let before = twins_at(&options.path);
    let (store, _) = Store::open(options)?;
    for name in accept_loss {
        let info = store.catalog().bucket(name).map_err(|_| FsckError::NoSuchBucket(name.clone()))?;
        store.accept_loss(BucketId::from_bytes(info.id));
    }
    let mut check = Check { store: &store, report: FsckReport::default(), progress };
    check.twins(&before);
    check.run(accept_loss, accepts_catalog);
    let report = check.report;
    store.close()?;
    Ok(report)
}

fn twins_at(path: &Path) -> Twins {
    RealDisk::new(path).map(|disk| Store::twins(&disk)).unwrap_or_default()
}

impl Store {
    /// Checks a store that is in use. Changes meanwhile are seen or not; to accept losses, the store must not be in use.
    #[must_use]
    pub fn fsck(self: &Arc<Self>, progress: Progress<'_>) -> FsckReport {
        let before = Self::twins(self.disk().as_ref());
        let mut check = Check { store: self, report: FsckReport::default(), progress };
        check.twins(&before);
        check.run(&[], false);
        check.report
    }
}

struct Check<'a> {
    store: &'a Arc<Store>,
    report: FsckReport,
    progress: Progress<'a>,
}

impl Check<'_> {
    fn find(&mut self, finding: FsckFinding) {
        self.report.findings.push(finding);
    }

    /// The copies that the opening found differing from what lies there now, and those that differ still.
    fn twins(&mut self, before: &Twins) {
        let now = Store::twins(self.store.disk().as_ref());
        for pair in now.chunks(2) {
            let [first, second] = pair else { continue };
            let alike = first.1.is_some() && first.1 == second.1;
            if alike && let Some(bytes) = &first.1 {
                self.report.checked.disk_bytes = self.report.checked.disk_bytes.saturating_add(2 * bytes.len() as u64);
            }
            for (file, bytes) in pair {
                let old = before.iter().find(|(name, _)| name == file).and_then(|(_, bytes)| bytes.as_ref());
                let repaired = bytes.is_some() && old != bytes.as_ref();
                if repaired || !alike {
                    self.find(FsckFinding {
                        file: Some(file.clone()),
                        what: "this copy was missing, damaged or older than the other one".to_owned(),
                        severity: if repaired { Severity::Repaired } else { Severity::Redundant },
                        ..FsckFinding::default()
                    });
                }
            }
        }
    }

    fn run(&mut self, accept_loss: &[String], accepts_catalog: bool) {
        self.report.store_id = self.store.id().to_string();
        self.surroundings();
        let (catalog, _) = self.store.storage();
        (self.progress)(CATALOG, 0);
        if accepts_catalog {
            self.accept(CATALOG, &catalog);
        }
        self.storage(CATALOG, &catalog);
        for info in self.store.catalog().buckets() {
            self.bucket(&info, accept_loss.contains(&info.name));
            self.report.checked.buckets = self.report.checked.buckets.saturating_add(1);
        }
        self.report.clean = self.report.findings.is_empty();
    }

    /// What lies about in the store directory and under `buckets/`.
    fn surroundings(&mut self) {
        let records: BTreeSet<String> =
            self.store.catalog().records().iter().map(|record| BucketId::from_bytes(record.id).to_string()).collect();
        let list = |directory: &str| self.store.disk().list(directory).unwrap_or_default();
        let mut unknown: Vec<String> =
            list("").into_iter().map(|entry| entry.name).filter(|name| !KNOWN.contains(&name.as_str())).collect();
        let directories = self.store.bucket_directories().unwrap_or_default().into_iter();
        let strange = directories.map(|entry| entry.name).filter(|name| !records.contains(name));
        unknown.extend(strange.map(|name| format!("buckets/{name}")));
        unknown.sort();
        self.report.unknown = unknown;
        for file in MEANINGLESS {
            let len = self.store.disk().open_read(file).and_then(|file| file.len()).unwrap_or(0);
            self.report.dead.push(DeadBytes { file: file.to_owned(), start: 0, end: len });
        }
    }

    fn bucket(&mut self, info: &BucketInfo, accepts: bool) {
        let id = BucketId::from_bytes(info.id);
        let name = info.name.as_str();
        (self.progress)(name, 0);
        let wrong = |error: &FsError| FsckFinding {
            bucket: Some(name.to_owned()),
            file: Some(Store::bucket_directory(id)),
            what: error.to_string(),
            ..FsckFinding::default()
        };
        let keyring = match self.store.keyring(id) {
            Ok((_, bytes)) => Some(bytes),
            Err(error) => {
                self.find(wrong(&error));
                None
            }
        };
        let before = self.store.keyring_files(id);
        let opened = self.store.catalog().namespace(name);
        if let Some(keyring) = keyring {
            self.keyrings(id, name, &keyring, &before);
        }
        let storage = self.store.bucket_storage(id);
        if let Some(storage) = &storage {
            if accepts {
                self.accept(name, storage);
            }
            self.storage(name, storage);
        }
        let namespace = match opened {
            Ok(namespace) => namespace,
            Err(error) => return self.find(wrong(&error)),
        };
        match fs::check(&namespace) {
            Ok(problems) => {
                for problem in problems {
                    let bucket = Some(name.to_owned());
                    self.find(FsckFinding { bucket, what: problem.what, ..FsckFinding::default() });
                }
            }
            Err(error) => self.find(wrong(&error)),
        }
        let progress = &mut *self.progress;
        match fs::verify_content(&namespace, &mut |bytes| progress(name, bytes)) {
            Ok(found) => self.content(name, storage.as_deref(), found),
            Err(error) => self.find(wrong(&error)),
        }
    }

    /// Lets a bucket that lost something be written again: a manifest that names the hole is written at once.
    fn accept(&mut self, name: &str, storage: &LocalBucket) {
        if !storage.accepted_loss() {
            return;
        }
        let outcome = storage.commit(Batch::new()).and_then(|committed| storage.sync(committed.number));
        match outcome {
            Ok(()) => {
                tracing::warn!(bucket = name, "its losses were accepted");
                self.report.accepted.push(name.to_owned());
            }
            Err(error) => self.find(FsckFinding {
                bucket: Some(name.to_owned()),
                what: format!("its losses could not be accepted: {error}"),
                ..FsckFinding::default()
            }),
        }
    }

    fn keyrings(&mut self, id: BucketId, name: &str, keyring: &[u8], before: &Twins) {
        let now = self.store.keyring_files(id);
        for ((file, old), (_, new)) in before.iter().zip(&now) {
            self.report.checked.disk_bytes = self.report.checked.disk_bytes.saturating_add(keyring.len() as u64);
            if old.as_deref() == Some(keyring) {
                continue;
            }
            let repaired = new.as_deref() == Some(keyring);
            self.find(FsckFinding {
                bucket: Some(name.to_owned()),
                file: Some(file.clone()),
                what: "this copy of the keyring is not the one that the catalog holds".to_owned(),
                severity: if repaired { Severity::Repaired } else { Severity::Redundant },
                ..FsckFinding::default()
            });
        }
    }

    /// The files of a bucket or of the catalog.
    fn storage(&mut self, name: &str, storage: &LocalBucket) {
        let VerifyReport { findings, dead, checked_bytes, .. } = match storage.verify() {
            Ok(report) => report,
            Err(error) => {
                let bucket = Some(name.to_owned());
                return self.find(FsckFinding { bucket, what: error.to_string(), ..FsckFinding::default() });
            }
        };
        for finding in findings {
            let whole = finding.bytes.is_empty();
            self.find(FsckFinding {
                bucket: Some(name.to_owned()),
                file: Some(finding.path),
                offset: (!whole).then_some(finding.bytes.start),
                len: (!whole).then(|| finding.bytes.end.saturating_sub(finding.bytes.start)),
                what: finding.what,
                severity: if finding.redundant { Severity::Redundant } else { Severity::Lost },
                ..FsckFinding::default()
            });
        }
        let dead = dead.into_iter();
        self.report.dead.extend(dead.map(|dead| DeadBytes {
            file: dead.path,
            start: dead.bytes.start,
            end: dead.bytes.end,
        }));
        self.report.checked.disk_bytes = self.report.checked.disk_bytes.saturating_add(checked_bytes);
    }

    fn content(&mut self, name: &str, storage: Option<&LocalBucket>, found: fs::ContentReport) {
        for damaged in found.damaged {
            let place = damaged.segment.and_then(|segment| storage?.segment_place(segment));
            let segment = damaged.segment.map(|segment| format!("segment {}: ", segment.0)).unwrap_or_default();
            self.find(FsckFinding {
                bucket: Some(name.to_owned()),
                file: place.as_ref().map(|(file, _)| file.clone()),
                offset: place.as_ref().map(|(_, bytes)| bytes.start),
                len: place.as_ref().map(|(_, bytes)| bytes.end.saturating_sub(bytes.start)),
                objects: damaged.paths,
                object_range: damaged.range,
                what: format!("content does not open: {segment}{}", damaged.what),
                severity: Severity::Lost,
            });
        }
        let Checked { files, content_bytes, .. } = &mut self.report.checked;
        *files = files.saturating_add(found.files);
        *content_bytes = content_bytes.saturating_add(found.bytes);
    }
}
