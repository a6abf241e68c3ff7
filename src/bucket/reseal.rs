//! Seals the keys of logs and tables anew under the newest generation, so that an older one can be dropped.

use super::{LocalBucket, StoreError, local::lock};
use crate::crypt::{Generation, Slot};

impl LocalBucket {
    /// Rolls to a log of the newest generation, merges all tables into new ones, and writes a manifest whose keys, and
    /// whose own seal, are of the newest generation. The headers of closed logs keep the old seal: the manifest's copy
    /// of the key is the one in force.
    ///
    /// # Errors
    /// As a flush. It can be called again.
    pub fn reseal_files(&self) -> Result<(), StoreError> {
        let writer = self.writer()?;
        let newest = self.keys.newest(Slot::OWN)?;
        // A file that was prepared before the new generation is passed by.
        while writer.log.position().0.sealed_key.generation() != newest {
            writer.log.roll_now()?;
        }
        self.flush()?;
        while self.tree.tables().iter().any(|table| table.sealed_key.generation() != newest) {
            self.compact_tables(true)?;
        }
        let mut held = lock(&self.maintenance);
        let mut manifest = self.next_manifest(&held, &[], &[]);
        for log in &mut manifest.logs {
            if log.state.sealed_key.generation() != newest {
                log.state.sealed_key =
                    self.keys.reseal_file_key(log.state.file, &log.state.sealed_key, self.env.entropy.as_ref())?;
            }
        }
        let outcome = self.put_in_force(&mut held, manifest, Vec::new());
        drop(held);
        self.fail_on_io(&outcome);
        outcome?;
        self.remove_dead()
    }

    /// Whether something that the manifest in force names, or a log since, is sealed under `generation`.
    #[must_use]
    pub fn needs_generation(&self, generation: Generation) -> bool {
        let held = lock(&self.maintenance);
        let logs = held.manifest.logs.iter().any(|log| log.state.sealed_key.generation() == generation);
        let tables = held.manifest.tables.iter().any(|table| table.sealed_key.generation() == generation);
        let in_use = self.writer.get().is_some_and(|writer| {
            let (closed, in_use) = writer.log.files();
            in_use.sealed_key.generation() == generation
                || closed.iter().any(|log| {
                    log.sealed_key.generation() == generation
                        && !held.manifest.logs.iter().any(|named| named.state.number == log.number)
                })
        });
        logs || tables || in_use
    }
}
