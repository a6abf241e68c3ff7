//! The calls of a disk by kind: how often each was made, and which one is to fail.
//!
//! Shared by the simulated disk and the wrappers around any disk. A test runs once to learn the counts, then once
//! for every n with the n-th call failing.

use std::{collections::BTreeMap, io};

use nix::errno::Errno;

/// A kind of call of [`Disk`](super::Disk) or [`DiskFile`](super::DiskFile).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// `create`
    Create,
    /// `open` and `open_read`
    Open,
    /// `rename`
    Rename,
    /// `remove_file`
    RemoveFile,
    /// `create_dir`
    CreateDir,
    /// `remove_dir`
    RemoveDir,
    /// `list`
    List,
    /// `sync_dir`
    SyncDir,
    /// `space`
    Space,
    /// `len`
    Len,
    /// `read_at`
    Read,
    /// `write_at`
    Write,
    /// `allocate`
    Allocate,
    /// `set_len`
    SetLen,
    /// `sync` of a file
    Sync,
    /// `forget_cache`
    ForgetCache,
}

impl CallKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 16] = [
        Self::Create,
        Self::Open,
        Self::Rename,
        Self::RemoveFile,
        Self::CreateDir,
        Self::RemoveDir,
        Self::List,
        Self::SyncDir,
        Self::Space,
        Self::Len,
        Self::Read,
        Self::Write,
        Self::Allocate,
        Self::SetLen,
        Self::Sync,
        Self::ForgetCache,
    ];

    /// The kinds that change what a power cut can leave behind.
    pub const MUTATING: [Self; 10] = [
        Self::Create,
        Self::Rename,
        Self::RemoveFile,
        Self::CreateDir,
        Self::RemoveDir,
        Self::SyncDir,
        Self::Write,
        Self::Allocate,
        Self::SetLen,
        Self::Sync,
    ];

    /// Whether it is one of [`Self::MUTATING`].
    #[must_use]
    pub fn is_mutating(self) -> bool {
        Self::MUTATING.contains(&self)
    }
}

/// How often each kind of call was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    by_kind: BTreeMap<CallKind, u64>,
}

impl CallCounts {
    /// Calls of one kind.
    #[must_use]
    pub fn of(&self, kind: CallKind) -> u64 {
        self.by_kind.get(&kind).copied().unwrap_or(0)
    }

    /// Calls of any of `kinds`.
    #[must_use]
    pub fn of_any(&self, kinds: &[CallKind]) -> u64 {
        kinds.iter().map(|kind| self.of(*kind)).sum()
    }

    /// Calls that a cut can fall into, the range of `SimDisk::cut_after`.
    #[must_use]
    pub fn mutating(&self) -> u64 {
        self.of_any(&CallKind::MUTATING)
    }

    pub(super) fn add(&mut self, kind: CallKind) {
        self.set(kind, self.of(kind).saturating_add(1));
    }

    pub(super) fn set(&mut self, kind: CallKind, count: u64) {
        self.by_kind.insert(kind, count);
    }
}

/// Which calls are to fail, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct FaultPlan {
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Fault {
    kinds: Vec<CallKind>,
    /// Calls until the failing one, itself included; 0 when it is past.
    calls_left: u64,
    errno: Errno,
    repeats: bool,
}

impl FaultPlan {
    /// Fails the `nth` call from now (from 1) of any of `kinds`, once.
    pub(super) fn fail_once(&mut self, kinds: &[CallKind], nth: u64, errno: Errno) {
        self.faults.push(Fault { kinds: kinds.to_vec(), calls_left: nth.max(1), errno, repeats: false });
    }

    /// Fails the `nth` call from now (from 1) of any of `kinds`, and every later one.
    pub(super) fn fail_from(&mut self, kinds: &[CallKind], nth: u64, errno: Errno) {
        self.faults.push(Fault { kinds: kinds.to_vec(), calls_left: nth.max(1), errno, repeats: true });
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.faults.clear();
    }

    /// Counts one call of `kind`; the error that it is to end with.
    pub(super) fn count(&mut self, kind: CallKind) -> Option<Errno> {
        let mut failing = None;
        for fault in &mut self.faults {
            if !fault.kinds.contains(&kind) {
                continue;
            }
            fault.calls_left = fault.calls_left.saturating_sub(1);
            if fault.calls_left == 0 {
                failing = failing.or(Some(fault.errno));
            }
        }
        self.faults.retain(|fault| fault.calls_left > 0 || fault.repeats);
        failing
    }
}

/// The `io::Error` of an errno, as the real disk gives it.
pub(super) fn os_error(errno: Errno) -> io::Error {
    super::real::storage_full(errno.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_of_its_kinds_fails_once() {
        let mut plan = FaultPlan::default();
        plan.fail_once(&[CallKind::Write, CallKind::Sync], 3, Errno::EIO);
        let calls = [CallKind::Write, CallKind::Read, CallKind::Sync, CallKind::Write, CallKind::Write];
        let failing: Vec<_> = calls.iter().map(|kind| plan.count(*kind).is_some()).collect();
        assert_eq!(failing, [false, false, false, true, false]);
    }

    #[test]
    fn a_lasting_fault_stays_until_cleared() {
        let mut plan = FaultPlan::default();
        plan.fail_from(&[CallKind::Sync], 2, Errno::EIO);
        let failing: Vec<_> = (0..4).map(|_| plan.count(CallKind::Sync).is_some()).collect();
        assert_eq!(failing, [false, true, true, true]);
        plan.clear();
        assert!(plan.count(CallKind::Sync).is_none());
    }

    #[test]
    fn every_kind_is_listed_once() {
        let kinds: std::collections::BTreeSet<_> = CallKind::ALL.into_iter().collect();
        assert_eq!(kinds.len(), CallKind::ALL.len());
        assert!(CallKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
    }
}
