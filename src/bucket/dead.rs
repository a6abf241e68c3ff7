//! Files that are no longer in force, and that a snapshot may still read.

use std::collections::VecDeque;

/// Paths to remove, each with the number that every snapshot must have passed.
#[derive(Default)]
pub(super) struct DeadFiles {
    waiting: VecDeque<(u64, DeadFile)>,
}

/// A log that left the manifest.
pub(super) struct DeadFile {
    pub number: u64,
}

impl DeadFiles {
    /// A file left the manifest when `number` was the last batch.
    pub fn add(&mut self, number: u64, file: DeadFile) {
        self.waiting.push_back((number, file));
    }

    /// The files that no snapshot reads any more, when the oldest one alive has number `oldest`.
    pub fn take(&mut self, oldest: u64) -> Vec<DeadFile> {
        let (ready, waiting): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(number, _)| *number <= oldest);
        self.waiting = waiting;
        ready.into_iter().map(|(_, file)| file).collect()
    }

    /// Whether a log waits here.
    pub fn contains(&self, log: u64) -> bool {
        self.waiting.iter().any(|(_, file)| file.number == log)
    }
}
