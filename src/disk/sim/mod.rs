//! A simulated disk that loses, tears and fails: the instrument of the crash tests.
//!
//! It keeps to the promises of [`Disk`](super::Disk) and to no more. For every file it holds what is *durable* and
//! what the page *cache* has over it, in 4 KiB pages; for the names, the durable tree, the tree that programs see,
//! and the changes between. A seed decides everything that is left to chance, so that a failing run can be had again.
//!
//! ```
//! use strongroom::disk::{Disk, SimDisk};
//!
//! let disk = SimDisk::new(1);
//! let file = disk.create("f")?;
//! file.write_at(0, &[b"kept"])?;
//! file.sync()?;
//! disk.sync_dir("")?;
//! file.write_at(0, &[b"in doubt"])?;
//! let found = disk.power_cut(7);
//! assert!(file.sync().is_err(), "a handle does not outlive the power");
//! let bytes = found.read_all("f")?;
//! assert!(bytes == b"kept" || bytes.starts_with(b"in d"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! What it models and what it does not is told in `docs/TESTING.md`.

mod content;
pub(super) mod dice;
mod fate;
mod handle;
mod names;
mod power;
mod ranges;
mod state;
mod tamper;
#[cfg(test)]
mod tests;
mod tree;

pub use fate::CutMood;
pub use power::is_power_off;
pub use tamper::Image;

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::errno::Errno;

use self::{dice::Dice, power::Power, state::State};
use super::{CallCounts, CallKind};

/// A simulated disk. Clones are the same disk; [`SimDisk::fork`] makes another.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk without a limit, whose chances come from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::from_state(State::new(seed))
    }

    /// Cuts the power: every handle of this disk fails from now on. Returns the disk as it is found afterwards, with
    /// everything on it durable; `seed` decides upon each un-synced page, length and name. May be called again with
    /// other seeds, for other ends of the same run.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mood = CutMood::draw(&mut dice);
        self.cut_to(dice, mood)
    }

    /// [`SimDisk::power_cut`] with the odds given.
    #[must_use]
    pub fn power_cut_with(&self, seed: u64, mood: CutMood) -> Self {
        self.cut_to(Dice::new(seed), mood)
    }

    fn cut_to(&self, dice: Dice, mood: CutMood) -> Self {
        let mut state = self.state();
        state.power = Power::Off;
        Self::from_state(state.cut(dice, mood))
    }

    /// Kills the process: every handle of this disk fails from now on. Returns the disk for the next process; nothing
    /// is lost, but what was not synced still is not.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.state();
        if state.power == Power::On {
            state.power = Power::Killed;
        }
        Self::from_state(state.restarted())
    }

    /// A second disk with the same content, cached and durable; this one goes on. Handles stay with this one. Costs
    /// no more than the names: contents are shared until written.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::from_state(self.state().restarted())
    }

    /// Cuts the power within the `nth` mutating call from now (1 is the next, see [`CallKind::MUTATING`]): the call
    /// is done in part, and it and everything later fails with an error that [`is_power_off`] knows. The harness
    /// then calls [`SimDisk::power_cut`].
    pub fn cut_after(&self, nth: u64) {
        self.state().calls_until_cut = Some(nth.max(1));
    }

    /// Whether the power was cut or the process killed.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.state().power != Power::On
    }

    /// Fails the `nth` call from now (1 is the next) of any of `kinds`, once. A write that fails is done in part; a
    /// sync that fails leaves its pages cached as if clean, whatever the disk has.
    pub fn fail_call(&self, kinds: &[CallKind], nth: u64, errno: Errno) {
        self.state().plan.fail_once(kinds, nth, errno);
    }

    /// Fails the `nth` call from now of any of `kinds`, and all later ones.
    pub fn fail_calls_from(&self, kinds: &[CallKind], nth: u64, errno: Errno) {
        self.state().plan.fail_from(kinds, nth, errno);
    }

    /// Forgets planned failures and a planned cut.
    pub fn heal(&self) {
        let mut state = self.state();
        state.plan.clear();
        state.calls_until_cut = None;
    }

    /// Calls made of this disk so far, failed ones too.
    #[must_use]
    pub fn counts(&self) -> CallCounts {
        self.state().counts.clone()
    }

    /// Limits the space for content, in bytes; names take none.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity_bytes = bytes;
    }

    /// Whether a page that is written twice between syncs may become durable in between, as the kernel's flusher
    /// does to it. On at first.
    pub fn set_early_writeback(&self, on: bool) {
        self.state().early_writeback = on;
    }

    /// Every file that has a name, by path in order, with its length in bytes.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        let state = self.state();
        let named = state.names.cached().walk().into_iter();
        named.filter_map(|(path, ino)| Some((path, state.nodes.get(&ino)?.content.len()))).collect()
    }

    /// The whole content of a file as a program would see it, for whoever examines the disk: it works without power,
    /// is not counted, and does not fail.
    ///
    /// # Errors
    /// As [`Disk::open`](super::Disk::open).
    pub fn read_all(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let ino = state.names.resolve_file(path)?;
        Ok(state.node(ino)?.content.bytes())
    }

    fn from_state(state: State) -> Self {
        Self { shared: Arc::new(Mutex::new(state)) }
    }

    /// No call leaves the state half-changed but by a panic of its own, which a test shows anyway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
