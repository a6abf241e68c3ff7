//! The state of a simulated disk, and what each call does to it.

use std::{collections::BTreeMap, io, ops::Range, sync::Arc};

use nix::errno::Errno;

use super::{
    content::{Content, PAGE_BYTES},
    dice::Dice,
    fate::CutMood,
    names::Names,
    power::{Power, power_off},
    tree::Ino,
};
use crate::disk::{
    DirEntry, DiskSpace,
    calls::{CallCounts, CallKind, FaultPlan, os_error},
};

/// What a disk without a limit says that it holds.
const UNLIMITED_BYTES: u64 = 1 << 50;

/// A file, named or not.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Shared between copies of a disk until one of them changes it.
    pub(super) content: Arc<Content>,
    opens: u32,
    named: bool,
}

/// See the module's page.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) names: Names,
    pub(super) nodes: BTreeMap<Ino, Node>,
    next_ino: Ino,
    pub(super) dice: Dice,
    pub(super) power: Power,
    /// Mutating calls until the one that the power is cut in.
    pub(super) calls_until_cut: Option<u64>,
    pub(super) plan: FaultPlan,
    pub(super) counts: CallCounts,
    pub(super) capacity_bytes: Option<u64>,
    pub(super) early_writeback: bool,
    used_pages: u64,
}

/// What is to become of a call.
enum Verdict {
    Proceed,
    Fail(Errno),
    /// The power goes while it runs.
    Cut,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            names: Names::new(),
            nodes: BTreeMap::new(),
            next_ino: super::tree::ROOT + 1,
            dice: Dice::new(seed),
            power: Power::On,
            calls_until_cut: None,
            plan: FaultPlan::default(),
            counts: CallCounts::default(),
            capacity_bytes: None,
            early_writeback: true,
            used_pages: 0,
        }
    }

    fn enter(&mut self, kind: CallKind) -> io::Result<Verdict> {
        self.power.check()?;
        self.counts.add(kind);
        if kind.is_mutating()
            && let Some(left) = &mut self.calls_until_cut
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.power = Power::Off;
                return Ok(Verdict::Cut);
            }
        }
        Ok(self.plan.count(kind).map_or(Verdict::Proceed, Verdict::Fail))
    }

    /// A call that happens whole or not at all: names, lengths, questions.
    pub(super) fn call<T>(&mut self, kind: CallKind, run: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        match self.enter(kind)? {
            Verdict::Proceed => run(self),
            Verdict::Fail(errno) => Err(os_error(errno)),
            Verdict::Cut => {
                if self.dice.percent(50) {
                    // Whatever it would have said, its caller hears of the power.
                    let _ = run(self);
                }
                Err(power_off())
            }
        }
    }

    pub(super) fn create(&mut self, path: &str) -> io::Result<Ino> {
        let ino = self.next_ino;
        self.names.create(path, ino, false)?;
        self.next_ino += 1;
        self.nodes.insert(ino, Node { content: Arc::default(), opens: 1, named: true });
        Ok(ino)
    }

    pub(super) fn open(&mut self, path: &str) -> io::Result<Ino> {
        let ino = self.names.resolve_file(path)?;
        self.node(ino)?.opens += 1;
        Ok(ino)
    }

    pub(super) fn close(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.opens = node.opens.saturating_sub(1);
        }
        self.release(ino);
    }

    pub(super) fn create_dir(&mut self, path: &str) -> io::Result<()> {
        self.names.create(path, self.next_ino, true)?;
        self.next_ino += 1;
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        if let Some(replaced) = self.names.rename(from, to)? {
            self.unname(replaced);
        }
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &str) -> io::Result<()> {
        let ino = self.names.remove_file(path)?;
        self.unname(ino);
        Ok(())
    }

    pub(super) fn list(&mut self, path: &str) -> io::Result<Vec<DirEntry>> {
        let dir = self.names.resolve_dir(path)?;
        let tree = self.names.cached();
        let entries = tree.entries(dir).into_iter().flatten();
        Ok(entries.map(|(name, ino)| DirEntry { name: name.clone(), is_dir: tree.is_dir(*ino) }).collect())
    }

    pub(super) fn sync_dir(&mut self, path: &str) -> io::Result<()> {
        let dir = self.names.resolve_dir(path)?;
        self.names.sync_dir(dir);
        let names = &self.names;
        self.nodes.retain(|ino, node| node.named || node.opens > 0 || names.may_come_back(*ino));
        Ok(())
    }

    pub(super) fn space(&self) -> DiskSpace {
        let total_bytes = self.capacity_bytes.unwrap_or(UNLIMITED_BYTES);
        DiskSpace { total_bytes, available_bytes: total_bytes.saturating_sub(self.used_pages * PAGE_BYTES) }
    }

    /// Writes what the call's fate leaves of `parts`.
    pub(super) fn write(&mut self, ino: Ino, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let total = parts.iter().map(|part| part.len() as u64).sum::<u64>();
        check_range(offset, total)?;
        let (wanted, outcome) = match self.enter(CallKind::Write)? {
            Verdict::Proceed => (total, Ok(())),
            Verdict::Fail(errno) => (self.dice.below(total + 1), Err(os_error(errno))),
            Verdict::Cut => (self.dice.below(total + 1), Err(power_off())),
        };
        let fitting = self.fitting(ino, offset, wanted)?;
        let full = if fitting < wanted { Err(os_error(Errno::ENOSPC)) } else { Ok(()) };
        let writeback = self.early_writeback;
        self.change(ino, |content, dice| {
            let (mut at, mut left) = (offset, fitting);
            for part in parts {
                let take = usize::try_from(left).map_or(part.len(), |left| part.len().min(left));
                let bytes = part.get(..take).unwrap_or(part);
                content.write(at, bytes, writeback.then_some(&mut *dice));
                at += take as u64;
                left -= take as u64;
            }
        })?;
        outcome.and(full)
    }

    /// Takes space, all of it or none.
    pub(super) fn allocate(&mut self, ino: Ino, offset: u64, len: u64) -> io::Result<()> {
        check_range(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        if self.fitting(ino, offset, len)? < len {
            return Err(os_error(Errno::ENOSPC));
        }
        self.change(ino, |content, _| content.allocate(offset, len))
    }

    pub(super) fn set_len(&mut self, ino: Ino, len: u64) -> io::Result<()> {
        check_range(len, 0)?;
        self.change(ino, |content, _| content.set_len(len))
    }

    /// A cut within a sync leaves the pages as they are: un-synced, for the cut to decide upon.
    pub(super) fn sync(&mut self, ino: Ino) -> io::Result<()> {
        match self.enter(CallKind::Sync)? {
            Verdict::Proceed => self.change(ino, |content, _| content.sync()),
            Verdict::Fail(errno) => {
                self.change(ino, Content::fail_sync)?;
                Err(os_error(errno))
            }
            Verdict::Cut => Err(power_off()),
        }
    }

    /// Changes a content and keeps account of the space that it takes.
    pub(super) fn change(&mut self, ino: Ino, run: impl FnOnce(&mut Content, &mut Dice)) -> io::Result<()> {
        let node = self.nodes.get_mut(&ino).ok_or(Errno::EBADF)?;
        let content = Arc::make_mut(&mut node.content);
        let before = content.allocated_pages();
        run(content, &mut self.dice);
        self.used_pages = (self.used_pages + content.allocated_pages()).saturating_sub(before);
        Ok(())
    }

    pub(super) fn node(&mut self, ino: Ino) -> io::Result<&mut Node> {
        self.nodes.get_mut(&ino).ok_or_else(|| Errno::EBADF.into())
    }

    /// How much of a range there is space for, from its start.
    fn fitting(&self, ino: Ino, offset: u64, len: u64) -> io::Result<u64> {
        let Some(capacity) = self.capacity_bytes else { return Ok(len) };
        let node = self.nodes.get(&ino).ok_or(Errno::EBADF)?;
        let mut free_pages = (capacity / PAGE_BYTES).saturating_sub(self.used_pages);
        for Range { start, end } in node.content.unallocated(offset, len) {
            if end - start > free_pages {
                return Ok(((start + free_pages) * PAGE_BYTES).saturating_sub(offset));
            }
            free_pages -= end - start;
        }
        Ok(len)
    }

    fn unname(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.named = false;
        }
        self.release(ino);
    }

    /// Gives back the space of a file that nobody can reach, and the file unless a power cut may bring it back.
    fn release(&mut self, ino: Ino) {
        let Some(node) = self.nodes.get(&ino).filter(|node| !node.named && node.opens == 0) else { return };
        self.used_pages = self.used_pages.saturating_sub(node.content.allocated_pages());
        if !self.names.may_come_back(ino) {
            self.nodes.remove(&ino);
        }
    }

    /// The disk as it is found after a power cut.
    pub(super) fn cut(&self, mut dice: Dice, mood: CutMood) -> Self {
        let names = self.names.cut(mood.of_part(&mut dice), &mut dice);
        let mut found = Self { names, nodes: BTreeMap::new(), used_pages: 0, ..self.restarted() };
        for (_, ino) in found.names.cached().walk() {
            if let Some(node) = self.nodes.get(&ino) {
                let content = if node.content.is_settled() {
                    Arc::clone(&node.content)
                } else {
                    let mood = mood.of_part(&mut dice);
                    Arc::new(node.content.cut(mood, &mut dice))
                };
                found.used_pages += content.allocated_pages();
                found.nodes.insert(ino, Node { content, opens: 0, named: true });
            }
        }
        found.dice = dice;
        found
    }

    /// The same disk for another process: nothing is open, nothing is planned.
    pub(super) fn restarted(&self) -> Self {
        let mut fresh = Self {
            power: Power::On,
            calls_until_cut: None,
            plan: FaultPlan::default(),
            counts: CallCounts::default(),
            ..self.clone()
        };
        let open: Vec<Ino> = fresh.nodes.iter().filter(|(_, node)| node.opens > 0).map(|(ino, _)| *ino).collect();
        for ino in open {
            if let Some(node) = fresh.nodes.get_mut(&ino) {
                node.opens = 0;
            }
            fresh.release(ino);
        }
        fresh
    }
}

/// # Errors
/// EINVAL when a range ends beyond what a file can be long.
fn check_range(offset: u64, len: u64) -> io::Result<()> {
    let end = offset.checked_add(len).and_then(|end| i64::try_from(end).ok());
    end.map(|_| ()).ok_or_else(|| Errno::EINVAL.into())
}
