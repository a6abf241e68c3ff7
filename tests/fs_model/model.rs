//! The reference: plain maps, one after another the rules of docs/SEMANTICS.md.

use std::collections::BTreeMap;
use strongroom::fs::{Component, FileKind, base_of_name};

pub type Id = u64;
pub type Bytes = Vec<u8>;

/// What went wrong, by name of the error.
pub type Outcome<T> = Result<T, &'static str>;

#[derive(Clone, Debug)]
pub struct Node {
    pub kind: FileKind,
    pub mode: u16,
    pub uid: u32,
    pub nlink: u32,
    /// As S3 sees it.
    pub committed: Bytes,
    /// As POSIX sees it, where that differs.
    pub written: Option<Bytes>,
    /// Grows with each change of the committed content.
    pub version: u64,
    pub target: Bytes,
    pub meta: BTreeMap<String, String>,
    pub xattrs: BTreeMap<Bytes, Bytes>,
    pub open: u32,
}

impl Node {
    pub fn new(kind: FileKind, mode: u16, uid: u32) -> Self {
        Self {
            kind,
            mode,
            uid,
            nlink: 1,
            committed: Vec::new(),
            written: None,
            version: 0,
            target: Vec::new(),
            meta: BTreeMap::new(),
            xattrs: BTreeMap::new(),
            open: 0,
        }
    }

    pub fn seen_by_posix(&self) -> &Bytes {
        self.written.as_ref().unwrap_or(&self.committed)
    }

    pub fn commit(&mut self) {
        if let Some(written) = self.written.take() {
            self.committed = written;
            self.content_changed();
        }
    }

    pub fn content_changed(&mut self) {
        self.version += 1;
        self.meta.remove("md5chksum");
    }
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub id: Id,
    pub alias: Option<Bytes>,
}

#[derive(Clone, Debug)]
pub struct Directory {
    pub entries: BTreeMap<Bytes, Entry>,
    pub explicit: bool,
    pub facet: Option<(Bytes, BTreeMap<String, String>)>,
    pub place: Option<(Id, Bytes)>,
    pub mode: u16,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub nodes: BTreeMap<Id, Node>,
    pub directories: BTreeMap<Id, Directory>,
}

pub const ROOT: Id = 1;

fn component(bytes: &[u8]) -> Component {
    Component::parse(bytes).unwrap()
}

impl Model {
    pub fn new() -> Self {
        let root = Directory { entries: BTreeMap::new(), explicit: true, facet: None, place: None, mode: 0o755 };
        Self { nodes: BTreeMap::new(), directories: BTreeMap::from([(ROOT, root)]) }
    }

    pub fn is_directory(&self, id: Id) -> bool {
        self.directories.contains_key(&id)
    }

    pub fn directory(&self, id: Id) -> Outcome<&Directory> {
        match self.directories.get(&id) {
            Some(directory) => Ok(directory),
            None if self.nodes.contains_key(&id) => Err("NotDir"),
            None => Err("NotFound"),
        }
    }

    /// Component and entry that a POSIX name means.
    pub fn resolve(&self, parent: Id, name: &[u8]) -> Outcome<Option<(Bytes, Entry)>> {
        let directory = self.directory(parent)?;
        let base = base_of_name(name).map_err(|error| crate::kind(&error))?;
        if let Some((found, entry)) = directory.entries.iter().find(|(_, entry)| entry.alias.as_deref() == Some(name)) {
            return Ok(Some((found.clone(), entry.clone())));
        }
        for component in [Component::file(&base), Component::directory(&base)] {
            if let Some(entry) = directory.entries.get(component.as_bytes())
                && entry.alias.is_none()
            {
                return Ok(Some((component.as_bytes().to_vec(), entry.clone())));
            }
        }
        Ok(None)
    }

    pub fn find(&self, parent: Id, name: &[u8]) -> Outcome<(Bytes, Id)> {
        self.resolve(parent, name)?.map(|(component, entry)| (component, entry.id)).ok_or("NotFound")
    }

    pub fn posix_name(&self, parent: Id, at: &[u8]) -> Bytes {
        let entry = &self.directories[&parent].entries[at];
        entry.alias.clone().unwrap_or_else(|| component(at).plain_name().unwrap())
    }

    /// Whether a component that comes into `parent` through S3 has to take an alias.
    pub fn needs_alias(&self, parent: Id, at: &[u8]) -> bool {
        let directory = &self.directories[&parent];
        let Some(plain) = component(at).plain_name() else { return true };
        let taken = directory.entries.values().any(|entry| entry.alias.as_ref() == Some(&plain));
        let rival = component(at).rival().and_then(|rival| directory.entries.get(rival.as_bytes()).cloned());
        taken || rival.is_some_and(|rival| rival.alias.is_none())
    }

    pub fn insert(&mut self, parent: Id, at: Bytes, id: Id, alias: Option<Bytes>) {
        let directory = self.directories.get_mut(&parent).unwrap();
        assert!(directory.entries.insert(at.clone(), Entry { id, alias }).is_none());
        if let Some(child) = self.directories.get_mut(&id) {
            child.place = Some((parent, at));
        }
    }

    /// Takes an entry out and promotes whoever waited for its name.
    pub fn remove(&mut self, parent: Id, at: &[u8]) -> Id {
        let directory = self.directories.get_mut(&parent).unwrap();
        let gone = directory.entries.remove(at).unwrap();
        let mut free = gone.alias.unwrap_or_else(|| component(at).plain_name().unwrap());
        while let Ok(base) = base_of_name(&free) {
            let file = Component::file(&base).as_bytes().to_vec();
            let key = if directory.entries.contains_key(&file) {
                file
            } else {
                Component::directory(&base).as_bytes().to_vec()
            };
            match directory.entries.get_mut(&key).and_then(|entry| entry.alias.take()) {
                Some(alias) => free = alias,
                None => break,
            }
        }
        gone.id
    }

    /// One name less.
    pub fn drop_name(&mut self, id: Id) {
        if self.directories.remove(&id).is_some() {
            return;
        }
        let node = self.nodes.get_mut(&id).unwrap();
        node.nlink -= 1;
        if node.nlink == 0 && node.open == 0 {
            self.nodes.remove(&id);
        }
    }

    pub fn bears(&self, id: Id) -> bool {
        match self.directories.get(&id) {
            Some(directory) => directory.explicit || directory.facet.is_some() || self.listed(id) > 0,
            None => self.nodes[&id].kind.is_object(),
        }
    }

    pub fn listed(&self, id: Id) -> usize {
        self.directories[&id].entries.values().filter(|entry| self.bears(entry.id)).count()
    }

    /// All keys that S3 lists, in order.
    pub fn keys(&self) -> Vec<(Bytes, Id)> {
        let mut keys = Vec::new();
        self.collect(ROOT, &[], &mut keys);
        keys.sort();
        keys
    }

    fn collect(&self, at: Id, path: &[u8], keys: &mut Vec<(Bytes, Id)>) {
        for (component, entry) in &self.directories[&at].entries {
            let key = [path, component].concat();
            match self.directories.get(&entry.id) {
                Some(child) => {
                    if child.facet.is_some() || (child.explicit && self.listed(entry.id) == 0) {
                        keys.push((key.clone(), entry.id));
                    }
                    self.collect(entry.id, &key, keys);
                }
                None if self.nodes[&entry.id].kind.is_object() => keys.push((key, entry.id)),
                None => {}
            }
        }
    }

    /// Parent and component of a key, as far as its directories exist.
    pub fn locate(&self, key: &[u8]) -> Option<(Id, Bytes)> {
        let parts: Vec<&[u8]> = key.split_inclusive(|byte| *byte == b'/').collect();
        let (last, directories) = parts.split_last()?;
        let mut at = ROOT;
        for part in directories {
            at = self.directories[&at].entries.get(*part)?.id;
        }
        Some((at, last.to_vec()))
    }

    /// What S3 sees at a key.
    pub fn object(&self, key: &[u8]) -> Option<(Id, Id, Bytes)> {
        let (parent, component) = self.locate(key)?;
        let id = self.directories[&parent].entries.get(&component)?.id;
        let seen = match self.directories.get(&id) {
            Some(directory) => directory.explicit || directory.facet.is_some(),
            None => self.nodes[&id].kind.is_object(),
        };
        seen.then_some((id, parent, component))
    }

    pub fn body(&self, id: Id) -> Bytes {
        match self.directories.get(&id) {
            Some(directory) => directory.facet.as_ref().map(|(body, _)| body.clone()).unwrap_or_default(),
            None if self.nodes[&id].kind == FileKind::Symlink => self.nodes[&id].target.clone(),
            None => self.nodes[&id].committed.clone(),
        }
    }

    /// Removes implied empty directories from `at` upwards.
    pub fn prune(&mut self, mut at: Id) {
        loop {
            let directory = &self.directories[&at];
            let Some((parent, component)) = directory.place.clone() else { return };
            if directory.explicit || directory.facet.is_some() || !directory.entries.is_empty() {
                return;
            }
            self.remove(parent, &component);
            self.directories.remove(&at);
            at = parent;
        }
    }

    pub fn is_below(&self, mut at: Id, above: Id) -> bool {
        loop {
            if at == above {
                return true;
            }
            match &self.directories[&at].place {
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
    }

    /// Nobody has anything open any more.
    pub fn close_all(&mut self) {
        for node in self.nodes.values_mut() {
            node.commit();
            node.open = 0;
        }
        self.nodes.retain(|_, node| node.nlink > 0);
    }
}
