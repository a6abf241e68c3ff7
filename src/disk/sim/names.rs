//! The names of the simulated disk: as programs see them, as the disk has them, and the changes between.
//!
//! A directory's sync makes durable what was changed in it, and whatever earlier change that rests on: of the same
//! name (and so of the same file, whose names form a chain), in a directory that was removed, or the move of a
//! directory that was changed. A rename between two directories is one change, and durable with the sync of either,
//! since a journal holds both halves together.

use std::io;

use nix::errno::Errno;

use super::{
    dice::Dice,
    fate::CutMood,
    tree::{Ino, NameChange, Place, ROOT, Tree},
};
use crate::disk::path::{components, parent_and_name};

/// See the module's page.
#[derive(Clone, Debug)]
pub(super) struct Names {
    cached: Tree,
    durable: Tree,
    /// Changes in `cached` and not in `durable`, in the order made.
    pending: Vec<NameChange>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { cached: Tree::new(), durable: Tree::new(), pending: Vec::new() }
    }

    /// As programs see them.
    pub(super) fn cached(&self) -> &Tree {
        &self.cached
    }

    /// The file or directory at `path`.
    pub(super) fn resolve(&self, path: &str) -> io::Result<Ino> {
        let mut at = ROOT;
        for name in components(path)? {
            let entries = self.cached.entries(at).ok_or(Errno::ENOTDIR)?;
            at = *entries.get(name).ok_or(Errno::ENOENT)?;
        }
        Ok(at)
    }

    pub(super) fn resolve_dir(&self, path: &str) -> io::Result<Ino> {
        let ino = self.resolve(path)?;
        if self.cached.is_dir(ino) { Ok(ino) } else { Err(Errno::ENOTDIR.into()) }
    }

    pub(super) fn resolve_file(&self, path: &str) -> io::Result<Ino> {
        parent_and_name(path)?;
        let ino = self.resolve(path)?;
        if self.cached.is_dir(ino) { Err(Errno::EISDIR.into()) } else { Ok(ino) }
    }

    fn resolve_place(&self, path: &str) -> io::Result<Place> {
        let (parent, name) = parent_and_name(path)?;
        Ok((self.resolve_dir(parent)?, name.to_owned()))
    }

    /// Gives the new file or directory `ino` a name.
    pub(super) fn create(&mut self, path: &str, ino: Ino, is_dir: bool) -> io::Result<()> {
        let place = self.resolve_place(path)?;
        if self.cached.get(place.0, &place.1).is_some() {
            return Err(Errno::EEXIST.into());
        }
        if is_dir {
            self.cached.add_dir(ino);
            self.durable.add_dir(ino);
        }
        self.change(NameChange { ino, from: None, to: Some(place) });
        Ok(())
    }

    /// Takes a file's name; its number.
    pub(super) fn remove_file(&mut self, path: &str) -> io::Result<Ino> {
        let place = self.resolve_place(path)?;
        let ino = self.cached.get(place.0, &place.1).ok_or(Errno::ENOENT)?;
        if self.cached.is_dir(ino) {
            return Err(Errno::EISDIR.into());
        }
        self.change(NameChange { ino, from: Some(place), to: None });
        Ok(ino)
    }

    pub(super) fn remove_dir(&mut self, path: &str) -> io::Result<()> {
        let place = self.resolve_place(path)?;
        let ino = self.cached.get(place.0, &place.1).ok_or(Errno::ENOENT)?;
        if !self.cached.is_dir(ino) {
            return Err(Errno::ENOTDIR.into());
        }
        if self.cached.is_filled_dir(ino) {
            return Err(Errno::ENOTEMPTY.into());
        }
        self.change(NameChange { ino, from: Some(place), to: None });
        Ok(())
    }

    /// Renames; the number of the file that was replaced. Errors come in the order in which Linux finds them.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<Option<Ino>> {
        let (from, to) = (self.resolve_place(from)?, self.resolve_place(to)?);
        let ino = self.cached.get(from.0, &from.1).ok_or(Errno::ENOENT)?;
        let is_dir = self.cached.is_dir(ino);
        if is_dir && self.cached.lies_within(to.0, ino) {
            return Err(Errno::EINVAL.into());
        }
        let victim = self.cached.get(to.0, &to.1);
        if victim == Some(ino) {
            return Ok(None);
        }
        if let Some(victim) = victim {
            if self.cached.lies_within(from.0, victim) {
                return Err(Errno::ENOTEMPTY.into());
            }
            match (is_dir, self.cached.is_dir(victim)) {
                (true, false) => return Err(Errno::ENOTDIR.into()),
                (false, true) => return Err(Errno::EISDIR.into()),
                _ if self.cached.is_filled_dir(victim) => return Err(Errno::ENOTEMPTY.into()),
                _ => {}
            }
        }
        self.change(NameChange { ino, from: Some(from), to: Some(to) });
        Ok(victim.filter(|_| !is_dir))
    }

    /// Makes the changes in `dir`, and what they rest on, durable.
    pub(super) fn sync_dir(&mut self, dir: Ino) {
        let mut chosen: Vec<NameChange> = Vec::new();
        let mut left: Vec<NameChange> = Vec::new();
        for change in std::mem::take(&mut self.pending).into_iter().rev() {
            let rests_on_it = |later: &NameChange| {
                later.shares_place(&change)
                    || later.to.is_none() && change.touches_dir(later.ino)
                    || change.moves_across() && later.touches_dir(change.ino)
            };
            if change.touches_dir(dir) || chosen.iter().any(rests_on_it) {
                chosen.push(change);
            } else {
                left.push(change);
            }
        }
        for change in chosen.iter().rev() {
            self.durable.apply(change);
        }
        left.reverse();
        self.pending = left;
    }

    /// The names that are found after a power cut.
    pub(super) fn cut(&self, mood: CutMood, dice: &mut Dice) -> Self {
        let mut found = self.durable.clone();
        for change in &self.pending {
            if mood.keeps_change(dice) {
                found.apply(change);
            }
        }
        found.prune();
        Self { cached: found.clone(), durable: found, pending: Vec::new() }
    }

    /// Whether a file without a name may be found again after a power cut.
    pub(super) fn may_come_back(&self, ino: Ino) -> bool {
        self.durable.has_place(ino) || self.pending.iter().any(|change| change.ino == ino)
    }

    fn change(&mut self, change: NameChange) {
        self.cached.apply(&change);
        self.pending.push(change);
    }

    #[cfg(test)]
    pub(super) fn durable(&self) -> &Tree {
        &self.durable
    }
}
