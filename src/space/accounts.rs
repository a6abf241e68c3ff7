//! How many sealed bytes of each log file are in use.

use crate::log::SpaceNote;
use std::collections::BTreeMap;

/// Live bytes by log number. A flush keeps a copy as of its number in the manifest; replay adds what came after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    live: BTreeMap<u64, i64>,
}

impl Accounts {
    /// Sets what the manifest says of a file.
    pub fn set(&mut self, log: u64, live_bytes: u64) {
        self.live.insert(log, i64::try_from(live_bytes).unwrap_or(i64::MAX));
    }

    /// Adds a batch's notes.
    pub fn apply(&mut self, notes: &[SpaceNote]) {
        for note in notes {
            let live = self.live.entry(note.log).or_default();
            *live = live.saturating_add(note.live_bytes);
        }
    }

    /// Live bytes of one file.
    #[must_use]
    pub fn live_bytes(&self, log: u64) -> u64 {
        self.live.get(&log).map_or(0, |&live| u64::try_from(live).unwrap_or(0))
    }

    /// Live bytes of all files.
    #[must_use]
    pub fn total_live_bytes(&self) -> u64 {
        self.live.values().map(|&live| u64::try_from(live).unwrap_or(0)).sum()
    }

    /// Forgets a file that is gone.
    pub fn remove(&mut self, log: u64) {
        self.live.remove(&log);
    }
}
