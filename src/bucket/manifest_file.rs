//! Manifests on the disk: `manifest/N.a` and `N.b` (docs/FORMAT.md 6).

use super::{Manifest, ManifestRef, StoreError, env::Env, manifest::LIMIT_BYTES};
use crate::crypt::{BucketId, BucketKeys, Salt, Slot};
use std::io;

/// Reads and writes the manifests of one bucket.
pub(super) struct ManifestFiles<'a> {
    pub env: &'a Env,
    pub dir: &'a str,
    pub bucket: BucketId,
    pub keys: &'a BucketKeys,
}

impl ManifestFiles<'_> {
    fn path(&self, version: u64, copy: &str) -> String {
        format!("{}/manifest/{version}.{copy}", self.dir)
    }

    fn io(&self, what: &str, error: io::Error) -> StoreError {
        StoreError::io(format!("{what} a manifest of {}", self.dir), error)
    }

    /// Writes both copies of a manifest and makes them durable. Remains of an earlier attempt at the same number, which
    /// nothing recorded, are removed first.
    pub fn write(&self, manifest: &Manifest) -> Result<ManifestRef, StoreError> {
        let generation = self.keys.newest(Slot::OWN)?;
        let salt = Salt::random(self.env.entropy.as_ref())?;
        let (bytes, reference) = manifest.seal(self.bucket, self.keys, generation, salt)?;
        let opened = Manifest::open(&bytes, self.bucket, self.keys);
        if !matches!(&opened, Ok((_, again)) if *again == reference) {
            return Err(StoreError::damaged(format!("a manifest of {} did not open again after sealing", self.dir)));
        }
        for copy in ["a", "b"] {
            let path = self.path(manifest.version, copy);
            match self.env.disk.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.io("removing", error)),
                _ => {}
            }
            let file = self.env.disk.create(&path).map_err(|e| self.io("creating", e))?;
            let len = bytes.len() as u64;
            if let Err(error) = file.allocate(0, len) {
                let _ = self.env.disk.remove_file(&path);
                return Err(self.io("allocating", error));
            }
            file.write_at(0, &[&bytes]).and_then(|()| file.sync()).map_err(|e| self.io("writing", e))?;
        }
        self.env.disk.sync_dir(&format!("{}/manifest", self.dir)).map_err(|e| self.io("syncing", e))?;
        Ok(reference)
    }

    /// Reads one copy.
    pub fn read_copy(&self, version: u64, copy: &str) -> Result<(Manifest, ManifestRef), StoreError> {
        let path = self.path(version, copy);
        let file = self.env.disk.open_read(&path).map_err(|e| self.io("opening", e))?;
        let len = usize::try_from(file.len().map_err(|e| self.io("reading", e))?).unwrap_or(usize::MAX);
        if len > LIMIT_BYTES {
            return Err(StoreError::damaged(format!("{path} is longer than any manifest")));
        }
        let mut bytes = vec![0; len];
        file.read_at(0, &mut bytes).map_err(|e| self.io("reading", e))?;
        let (manifest, reference) =
            Manifest::open(&bytes, self.bucket, self.keys).map_err(|e| StoreError::damaged(format!("{path}: {e}")))?;
        if manifest.version != version {
            return Err(StoreError::damaged(format!("{path} holds manifest {}", manifest.version)));
        }
        Ok((manifest, reference))
    }

    /// The numbers for which a copy lies on the disk, newest first.
    pub fn versions(&self) -> Result<Vec<u64>, StoreError> {
        let entries = self.env.disk.list(&format!("{}/manifest", self.dir)).map_err(|e| self.io("listing", e))?;
        let mut versions: Vec<u64> =
            entries.iter().filter_map(|entry| entry.name.split_once('.')?.0.parse().ok()).collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        versions.dedup();
        Ok(versions)
    }

    /// Reads the manifest in force: the recorded one, or the newest that opens when none is recorded. Whatever copy
    /// could not be used is named in `problems`.
    pub fn read(
        &self,
        recorded: Option<ManifestRef>,
        problems: &mut Vec<String>,
    ) -> Result<(Manifest, ManifestRef), StoreError> {
        let candidates = match recorded {
            Some(reference) => vec![reference.version],
            None => self.versions()?,
        };
        for version in candidates {
            for copy in ["a", "b"] {
                match self.read_copy(version, copy) {
                    Ok((_, found)) if recorded.is_some_and(|wanted| wanted != found) => {
                        problems
                            .push(format!("{} is not the manifest that the catalog records", self.path(version, copy)));
                    }
                    Ok(read) => return Ok(read),
                    Err(StoreError::Locked) => return Err(StoreError::Locked),
                    Err(error) => problems.push(error.to_string()),
                }
            }
        }
        Err(StoreError::damaged(format!("no manifest of {} is intact: {}", self.dir, problems.join("; "))))
    }

    /// Removes every manifest but `keep`.
    pub fn remove_others(&self, keep: u64) -> Result<(), StoreError> {
        for version in self.versions()?.into_iter().filter(|&version| version != keep) {
            for copy in ["a", "b"] {
                match self.env.disk.remove_file(&self.path(version, copy)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.io("removing", error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
