//! Group commit: one `fdatasync` answers everybody who waits for a number (docs/FORMAT.md 4.4).
//!
//! Lock order: the state's lock is a leaf; it is never held over I/O or while a waiter is called.

use super::{LogError, LogFile};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Called once, with the outcome.
pub type Waiter = Box<dyn FnOnce(Result<(), LogError>) + Send>;

#[derive(Default)]
struct State {
    durable: u64,
    running: bool,
    failed: Option<LogError>,
    waiters: Vec<(u64, Waiter)>,
    /// Files that may hold frames that are not durable, oldest first; the last one is in use.
    files: Vec<Arc<LogFile>>,
}

/// Who waits for which number, and what is durable.
#[derive(Default)]
pub struct GroupSync {
    state: Mutex<State>,
    changed: Condvar,
}

impl GroupSync {
    /// Everything up to `durable` is on the disk; `file` is written next.
    #[must_use]
    pub fn new(durable: u64, file: Arc<LogFile>) -> Self {
        Self { state: Mutex::new(State { durable, files: vec![file], ..State::default() }), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new file is in use from now on; to be called before the first frame is written to it.
    pub fn rolled_to(&self, file: Arc<LogFile>) {
        self.state().files.push(file);
    }

    /// Frames were written to `file`, which may have been rolled away from and synced meanwhile: the next sync covers
    /// it again. To be called before the batch that commits them counts as committed.
    pub fn touched(&self, file: &Arc<LogFile>) {
        let mut state = self.state();
        if !state.files.iter().any(|held| held.number == file.number) {
            state.files.insert(0, Arc::clone(file));
        }
    }

    /// The newest number known durable.
    #[must_use]
    pub fn durable(&self) -> u64 {
        self.state().durable
    }

    /// Whether somebody waits who does not run the sync himself.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        !self.state().waiters.is_empty()
    }

    /// From now on every wait fails with `error`, and those who wait are told.
    pub fn fail(&self, error: &LogError) {
        let mut state = self.state();
        if state.failed.is_none() {
            state.failed = Some(error.clone());
        }
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        self.changed.notify_all();
        for (_, waiter) in waiters {
            waiter(Err(error.clone()));
        }
    }

    /// Calls `waiter` when `number` is durable; at once when it is, or never will be. Returns whether a sync is wanted.
    pub fn when_durable(&self, number: u64, waiter: Waiter) -> bool {
        let mut state = self.state();
        let outcome = match &state.failed {
            Some(error) => Err(error.clone()),
            None if state.durable >= number => Ok(()),
            None => {
                state.waiters.push((number, waiter));
                return true;
            }
        };
        drop(state);
        waiter(outcome);
        false
    }

    /// Waits until `number` is durable. When no sync runs, runs one for everybody: `committed` tells the newest number
    /// whose frames are all written.
    ///
    /// # Errors
    /// The error of the sync, now or earlier: from then on nothing becomes durable.
    pub fn sync(&self, number: u64, committed: &dyn Fn() -> u64) -> Result<(), LogError> {
        let mut state = self.state();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if state.durable >= number {
                return Ok(());
            }
            if !state.running {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.running = true;
        drop(state);
        // The number is read before the files: a file that comes into use later holds only later numbers.
        let target = committed();
        let files = self.state().files.clone();
        let outcome = files.iter().try_for_each(|file| file.sync());
        self.finish(target, &files, outcome)
    }

    fn finish(&self, target: u64, synced: &[Arc<LogFile>], outcome: Result<(), LogError>) -> Result<(), LogError> {
        let mut state = self.state();
        state.running = false;
        let ready: Vec<Waiter> = match &outcome {
            Ok(()) => {
                state.durable = state.durable.max(target);
                let in_use = synced.last().map(|file| file.number);
                state
                    .files
                    .retain(|file| Some(file.number) == in_use || !synced.iter().any(|s| s.number == file.number));
                let durable = state.durable;
                let (ready, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut state.waiters).into_iter().partition(|(n, _)| *n <= durable);
                state.waiters = later;
                ready.into_iter().map(|(_, waiter)| waiter).collect()
            }
            Err(error) => {
                state.failed.get_or_insert_with(|| error.clone());
                std::mem::take(&mut state.waiters).into_iter().map(|(_, waiter)| waiter).collect()
            }
        };
        drop(state);
        self.changed.notify_all();
        for waiter in ready {
            waiter(outcome.clone());
        }
        outcome
    }
}
