//! A tree of names, without what they name: directories hold entries, every inode has at most one place.

use std::collections::{BTreeMap, BTreeSet};

/// Number of a file or directory; never used twice.
pub(super) type Ino = u64;

/// The root directory.
pub(super) const ROOT: Ino = 1;

/// A directory and a name in it.
pub(super) type Place = (Ino, String);

/// One change of names, as a disk orders it: a creation has no `from`, a removal no `to`, a rename both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameChange {
    pub(super) ino: Ino,
    pub(super) from: Option<Place>,
    pub(super) to: Option<Place>,
}

impl NameChange {
    pub(super) fn touches_dir(&self, dir: Ino) -> bool {
        self.places().any(|place| place.0 == dir)
    }

    pub(super) fn shares_place(&self, other: &Self) -> bool {
        self.places().any(|place| other.places().any(|of_other| place == of_other))
    }

    /// A directory that changes its parent.
    pub(super) fn moves_across(&self) -> bool {
        matches!((&self.from, &self.to), (Some(from), Some(to)) if from.0 != to.0)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.from.iter().chain(self.to.iter())
    }
}

/// See the module's page.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    dirs: BTreeMap<Ino, BTreeMap<String, Ino>>,
    places: BTreeMap<Ino, Place>,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { dirs: BTreeMap::from([(ROOT, BTreeMap::new())]), places: BTreeMap::new() }
    }

    pub(super) fn get(&self, dir: Ino, name: &str) -> Option<Ino> {
        self.dirs.get(&dir)?.get(name).copied()
    }

    /// The entries, if it is a directory.
    pub(super) fn entries(&self, dir: Ino) -> Option<&BTreeMap<String, Ino>> {
        self.dirs.get(&dir)
    }

    pub(super) fn is_dir(&self, ino: Ino) -> bool {
        self.dirs.contains_key(&ino)
    }

    pub(super) fn is_filled_dir(&self, ino: Ino) -> bool {
        self.dirs.get(&ino).is_some_and(|entries| !entries.is_empty())
    }

    pub(super) fn has_place(&self, ino: Ino) -> bool {
        self.places.contains_key(&ino)
    }

    /// Whether `ino` is `ancestor` or lies in it, at any depth.
    pub(super) fn lies_within(&self, ino: Ino, ancestor: Ino) -> bool {
        let mut at = ino;
        loop {
            if at == ancestor {
                return true;
            }
            match self.places.get(&at) {
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
    }

    /// Makes an empty directory without a place.
    pub(super) fn add_dir(&mut self, ino: Ino) {
        self.dirs.insert(ino, BTreeMap::new());
    }

    /// Makes one change, as far as it makes sense in this tree; false if it made none. A change never drops a
    /// directory that holds something, and never puts one into itself.
    pub(super) fn apply(&mut self, change: &NameChange) -> bool {
        let Some((to_dir, to_name)) = &change.to else {
            return change.from.as_ref().is_some_and(|from| self.remove(from, change.ino));
        };
        let victim = self.get(*to_dir, to_name);
        if victim == Some(change.ino) {
            return true;
        }
        if victim.is_some_and(|victim| self.is_filled_dir(victim))
            || self.is_dir(change.ino) && self.lies_within(*to_dir, change.ino)
            || !self.is_dir(*to_dir)
        {
            return false;
        }
        if let Some(victim) = victim {
            self.dirs.remove(&victim);
            self.places.remove(&victim);
        }
        if let Some((dir, name)) = self.places.remove(&change.ino)
            && let Some(entries) = self.dirs.get_mut(&dir)
        {
            entries.remove(&name);
        }
        if let Some(entries) = self.dirs.get_mut(to_dir) {
            entries.insert(to_name.clone(), change.ino);
        }
        self.places.insert(change.ino, (*to_dir, to_name.clone()));
        true
    }

    fn remove(&mut self, (dir, name): &Place, ino: Ino) -> bool {
        if self.get(*dir, name) != Some(ino) || self.is_filled_dir(ino) {
            return false;
        }
        if let Some(entries) = self.dirs.get_mut(dir) {
            entries.remove(name);
        }
        self.dirs.remove(&ino);
        self.places.remove(&ino);
        true
    }

    /// Everything that a path leads to, by path, in order; directories too.
    pub(super) fn walk(&self) -> Vec<(String, Ino)> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), ROOT)];
        while let Some((path, dir)) = open.pop() {
            for (name, ino) in self.entries(dir).into_iter().flatten() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                if self.is_dir(*ino) {
                    open.push((path.clone(), *ino));
                }
                found.push((path, *ino));
            }
        }
        found.sort();
        found
    }

    /// Forgets what no path leads to; what is left.
    pub(super) fn prune(&mut self) -> BTreeSet<Ino> {
        let mut kept: BTreeSet<Ino> = self.walk().into_iter().map(|(_, ino)| ino).collect();
        kept.insert(ROOT);
        self.dirs.retain(|ino, _| kept.contains(ino));
        self.places.retain(|ino, _| kept.contains(ino));
        kept
    }
}
