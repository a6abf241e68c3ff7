//! Draws operations, does each to the namespace and to the model, and compares.

use crate::{
    kind,
    model::{Bytes, Directory, Id, Model, Node, Outcome, ROOT},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use strongroom::{
    bucket::{MemoryStore, StoreError, Tickets},
    clock::SystemClock,
    crypt::{BucketId, BucketKeys, KernelEntropy},
    fs::*,
};

const NAMES: [&[u8]; 12] =
    [b"a", b"b", b"c", b"dd", b"e-f", b"a0", b".s3~fme", b"\xff\xfe", b"\x01n", b".", b"", &[b'n'; 255]];
const PARTS: [&str; 11] = ["a", "b", "c", "dd", "e-f", "a0", "", ".", "..", "\u{1}n", ".s3~fme"];

pub struct Driver {
    rng: u64,
    store: Arc<MemoryStore>,
    keys: BucketKeys,
    fs: Arc<Namespace>,
    model: Model,
    handles: Vec<(Id, Handle)>,
    /// Dirty bytes that the model knows of, so that the namespace never commits by itself.
    dirty: usize,
    etags: HashMap<(Id, u64), String>,
    waiting: Arc<AtomicUsize>,
    registered: usize,
}

fn open(store: &Arc<MemoryStore>, keys: &BucketKeys) -> Arc<Namespace> {
    Namespace::open(NamespaceParts {
        meta: Arc::clone(store) as _,
        segments: Arc::clone(store) as _,
        keys: keys.clone(),
        entropy: Arc::new(KernelEntropy),
        clock: Arc::new(SystemClock),
        root: Arc::new(MemoryRoot::new(RootAttributes { mode: 0o755, uid: 7, gid: 7, ..RootAttributes::default() })),
        slot: 1,
        first_ino: 2,
        encryption: EncryptionStatus::default(),
        window_pool_bytes: 64 << 20,
    })
    .unwrap()
}

fn same<T: Debug, U: Debug>(what: &str, got: &FsResult<T>, wanted: &Outcome<U>) {
    let matches = match (got, wanted) {
        (Ok(_), Ok(_)) => true,
        (Err(got), Err(wanted)) => kind(got) == *wanted,
        _ => false,
    };
    assert!(matches, "{what}: got {:?}, the model says {wanted:?}", got.as_ref().map_err(kind));
}

impl Driver {
    pub fn new(seed: u64) -> Self {
        let store = MemoryStore::new();
        let keys = memory_keys(BucketId::from_bytes([1; 16]), &KernelEntropy).unwrap();
        let fs = open(&store, &keys);
        if seed.is_multiple_of(2) {
            store.set_tickets(Tickets::Held);
        }
        Self {
            rng: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            store,
            keys,
            fs,
            model: Model::new(),
            handles: Vec::new(),
            dirty: 0,
            etags: HashMap::new(),
            waiting: Arc::default(),
            registered: 0,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng >> 11) as usize % limit.max(1)
    }

    fn bytes(&mut self) -> Bytes {
        let limit = [10, 250, 300, 5_000, 70_000, 200_000][self.below(6)];
        let (len, salt) = (self.below(limit), self.below(251));
        (0..len).map(|at| (at * 31 + at / 97 + salt) as u8).collect()
    }

    fn name(&mut self) -> Bytes {
        // Sometimes one that exists, aliases included.
        let at = self.below(NAMES.len() + 3);
        match NAMES.get(at) {
            Some(name) => name.to_vec(),
            None => NAMES[self.below(4)].to_vec(),
        }
    }

    fn name_in(&mut self, parent: Id) -> Bytes {
        let entries: Vec<Bytes> = self.model.directories[&parent].entries.keys().cloned().collect();
        if entries.is_empty() || self.below(4) == 0 {
            return self.name();
        }
        let at = self.below(entries.len());
        self.model.posix_name(parent, &entries[at])
    }

    fn directory(&mut self) -> Id {
        let ids: Vec<Id> = self.model.directories.keys().copied().collect();
        ids[self.below(ids.len())]
    }

    fn inode(&mut self) -> Id {
        let ids: Vec<Id> = self.model.nodes.keys().chain(self.model.directories.keys()).copied().collect();
        ids[self.below(ids.len())]
    }

    fn key(&mut self) -> Bytes {
        let keys = self.model.keys();
        if !keys.is_empty() && self.below(2) == 0 {
            let at = self.below(keys.len());
            return keys[at].0.clone();
        }
        let depth = 1 + self.below(3);
        let mut parts = Vec::new();
        for _ in 0..depth {
            parts.push(PARTS[self.below(PARTS.len())].to_owned());
        }
        if self.below(40) == 0 {
            parts.push("l".repeat(300));
        }
        let mut key = parts.join("/");
        if self.below(6) == 0 {
            key.push('/');
        }
        if key.is_empty() { b"a".to_vec() } else { key.into_bytes() }
    }

    /// Registers a waiter for a change.
    fn done<T>(&mut self, done: &FsResult<Done<T>>) {
        if let Ok(done) = done {
            let waiting = Arc::clone(&self.waiting);
            self.registered += 1;
            self.fs.when_durable(done.number, move |result| {
                result.unwrap();
                waiting.fetch_add(1, Ordering::Relaxed);
            });
        }
    }

    /// Does an operation; when a full disk was asked for, it must change nothing, and go through the second time.
    fn retry<T: Debug>(&mut self, operation: impl Fn(&Arc<Namespace>) -> FsResult<T>) -> FsResult<T> {
        match self.below(40) {
            0 => self.store.faults().commit = Some((0, StoreError::NoSpace)),
            1 => self.store.faults().append = Some((0, StoreError::NoSpace)),
            _ => return operation(&self.fs),
        }
        let first = operation(&self.fs);
        let used = {
            let mut faults = self.store.faults();
            let used = faults.commit.is_none() && faults.append.is_none();
            faults.commit = None;
            faults.append = None;
            used
        };
        if !used {
            return first;
        }
        assert!(matches!(first, Err(FsError::NoSpace)), "a full disk was not reported: {first:?}");
        operation(&self.fs)
    }

    pub fn step(&mut self, step: usize) {
        if self.model.nodes.len() > 120 {
            for _ in 0..40 {
                self.s3_delete();
                self.unlink();
            }
        }
        match self.below(100) {
            0..8 => self.create(),
            8..20 => self.write(),
            20..26 => self.read(),
            26..30 => self.flush(),
            30..34 => self.close(),
            34..38 => self.open(),
            38..43 => self.mkdir(),
            43..48 => self.unlink(),
            48..50 => self.rmdir(),
            50..57 => self.rename(),
            57..60 => self.link(),
            60..62 => self.special(),
            62..66 => self.truncate(),
            66..68 => self.chmod(),
            68..72 => self.xattr(),
            72..75 => self.stat(),
            75..82 => self.s3_put(),
            82..84 => self.s3_copy(),
            84..89 => self.s3_get(),
            89..94 => self.s3_delete(),
            94..98 => self.s3_list(),
            98 => self.background(),
            _ => self.rarely(),
        }
        if step.is_multiple_of(500) {
            self.compare();
        }
    }

    /// So many small pieces that extents get records of their own and are freed in steps.
    fn fragment(&mut self) {
        let Some(at) = self.handle() else { return };
        let id = self.handles[at].0;
        let (count, stride) = (20 + self.below(400), 100 + self.below(900));
        for index in 0..count {
            self.fs.write(&self.handles[at].1, (index * stride) as u64, &[index as u8; 60], false).unwrap();
        }
        let node = self.model.nodes.get_mut(&id).unwrap();
        let mut content = node.seen_by_posix().clone();
        content.resize(content.len().max((count - 1) * stride + 60), 0);
        for index in 0..count {
            content[index * stride..index * stride + 60].fill(index as u8);
        }
        node.written = Some(content);
        self.fs.commit_writes(Duration::ZERO).unwrap();
        self.model.nodes.values_mut().for_each(Node::commit);
        self.dirty = 0;
    }

    fn s3_copy(&mut self) {
        let (source, target) = (self.key(), self.key());
        let replace = self.below(2) == 0;
        let meta = BTreeMap::from([("key".to_owned(), format!("r{}", self.below(50)))]);
        let found = self.model.object(&source);
        let wanted = match &found {
            _ if target.len() > KEY_LIMIT_BYTES => Err("NameTooLong"),
            None => Err("NotFound"),
            Some(_) if source == target && !replace => Err("InvalidArgument"),
            Some((id, ..)) => Ok(*id),
        };
        if let Ok(id) = wanted
            && source == target
            && self.model.nodes.get(&id).is_none_or(|node| node.kind != FileKind::File)
        {
            return;
        }
        let attributes = replace.then(|| ObjectAttributes { user: meta.clone(), ..ObjectAttributes::default() });
        let got = self.retry(|fs| fs.copy_object(&source, &target, attributes.clone(), &Conditions::default()));
        same("copy", &got, &wanted);
        self.done(&got);
        let (Ok(done), Ok(id)) = (got, wanted) else { return };
        if source == target {
            self.model.nodes.get_mut(&id).unwrap().meta = meta;
            return;
        }
        let kept = match self.model.directories.get(&id) {
            Some(directory) => directory.facet.as_ref().map(|(_, meta)| meta.clone()).unwrap_or_default(),
            None => self.model.nodes[&id].meta.clone(),
        };
        let body = self.model.body(id);
        self.model_put(&target, body, if replace { meta } else { kept }, done.value.ino.0);
    }

    fn rarely(&mut self) {
        match self.below(9) {
            6..9 => self.fragment(),
            0 => {
                self.fs.commit_writes(Duration::ZERO).unwrap();
                self.model.nodes.values_mut().for_each(Node::commit);
                self.dirty = 0;
            }
            1 => self.reopen(),
            _ => self.compare(),
        }
    }

    fn background(&mut self) {
        for _ in 0..20 {
            if !self.fs.work().unwrap() {
                break;
            }
        }
        let number = self.fs.committed();
        let swap = self.below(2) == 0;
        self.store.release(number, |waiters| {
            if swap {
                waiters.reverse();
            }
        });
    }

    fn reopen(&mut self) {
        for (_, handle) in std::mem::take(&mut self.handles) {
            self.fs.flush(&handle).unwrap();
            if self.below(2) == 0 {
                // As a killed process leaves it: nobody lets go.
                std::mem::forget(handle);
            }
        }
        self.model.close_all();
        self.dirty = 0;
        self.fs = open(&self.store, &self.keys);
        self.compare();
    }

    fn create(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        let exclusive = self.below(2) == 0;
        let node = NewNode { kind: FileKind::File, mode: 0o640, owner: Owner { uid: 1, gid: 1 }, rdev: 0 };
        let wanted = self.model.resolve(parent, &name).and_then(|found| match found {
            Some(_) if exclusive => Err("Exists"),
            Some((_, entry)) => match self.model.nodes.get(&entry.id) {
                None => Err("IsDir"),
                Some(node) if node.kind != FileKind::File => Err("InvalidArgument"),
                Some(_) => Ok(Some(entry.id)),
            },
            None => Ok(None),
        });
        let got = self.retry(|fs| fs.create(Ino(parent), &name, &node, Access::ReadWrite, exclusive));
        same("create", &got, &wanted);
        self.done(&got);
        let (Ok(done), Ok(existing)) = (got, wanted) else { return };
        let (attributes, handle) = done.value;
        let id = attributes.ino.0;
        match existing {
            Some(existing) => assert_eq!(existing, id),
            None => {
                self.model.nodes.insert(id, Node::new(FileKind::File, 0o640, 1));
                let component = Component::file(&base_of_name(&name).unwrap()).as_bytes().to_vec();
                self.model.insert(parent, component, id, None);
                self.model.directories.get_mut(&parent).unwrap().explicit = true;
            }
        }
        self.model.nodes.get_mut(&id).unwrap().open += 1;
        self.handles.push((id, handle));
        if self.handles.len() > 8 {
            self.close();
        }
    }

    fn open(&mut self) {
        let id = self.inode();
        let wanted = match self.model.nodes.get(&id) {
            None => Err("IsDir"),
            Some(node) if node.kind != FileKind::File => Err("InvalidArgument"),
            Some(_) => Ok(()),
        };
        let got = self.fs.open_file(Ino(id), Access::ReadWrite);
        same("open", &got, &wanted);
        if let Ok(handle) = got {
            self.model.nodes.get_mut(&id).unwrap().open += 1;
            self.handles.push((id, handle));
        }
    }

    fn handle(&mut self) -> Option<usize> {
        (!self.handles.is_empty()).then(|| self.below(self.handles.len()))
    }

    fn write(&mut self) {
        let Some(at) = self.handle() else { return };
        let data = self.bytes();
        let id = self.handles[at].0;
        let len = self.model.nodes[&id].seen_by_posix().len();
        let offset = match self.below(4) {
            0 => len,
            1 => self.below(len + 100_000),
            _ => self.below(len + 1),
        };
        let (fs, handle) = (Arc::clone(&self.fs), &self.handles[at].1);
        if self.below_of(3) && offset == len {
            assert_eq!(fs.append(handle, &data, false).unwrap(), len as u64);
        } else {
            fs.write(handle, offset as u64, &data, false).unwrap();
        }
        if data.is_empty() {
            return;
        }
        let node = self.model.nodes.get_mut(&id).unwrap();
        let mut content = node.seen_by_posix().clone();
        content.resize(content.len().max(offset + data.len()), 0);
        content[offset..offset + data.len()].copy_from_slice(&data);
        node.written = Some(content);
        self.dirty += data.len() + 200;
        if self.dirty > 2 << 20 {
            fs.commit_writes(Duration::ZERO).unwrap();
            self.model.nodes.values_mut().for_each(Node::commit);
            self.dirty = 0;
        }
    }

    fn below_of(&self, limit: u64) -> bool {
        self.rng.is_multiple_of(limit)
    }

    fn read(&mut self) {
        let Some(at) = self.handle() else { return };
        let content = self.model.nodes[&self.handles[at].0].seen_by_posix().clone();
        let offset = self.below(content.len() + 10);
        let mut buf = vec![0xaa; 1 + self.below(150_000)];
        let got = self.fs.read(&self.handles[at].1, offset as u64, &mut buf).unwrap();
        let wanted = &content[offset.min(content.len())..(offset + buf.len()).min(content.len())];
        assert!(buf[..got] == *wanted, "read of {} at {offset} differs", self.handles[at].0);
    }

    fn flush(&mut self) {
        let Some(at) = self.handle() else { return };
        let (id, handle) = self.handles.swap_remove(at);
        let got = self.retry(|fs| fs.fsync(&handle));
        self.done(&got);
        got.unwrap();
        self.model.nodes.get_mut(&id).unwrap().commit();
        self.handles.push((id, handle));
    }

    fn close(&mut self) {
        let Some(at) = self.handle() else { return };
        let (id, handle) = self.handles.swap_remove(at);
        self.fs.flush(&handle).unwrap();
        drop(handle);
        let node = self.model.nodes.get_mut(&id).unwrap();
        node.commit();
        node.open -= 1;
        if node.open == 0 && node.nlink == 0 {
            self.model.nodes.remove(&id);
        }
    }

    fn mkdir(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        let wanted = self.model.resolve(parent, &name).and_then(|found| found.map_or(Ok(()), |_| Err("Exists")));
        let node = NewNode { kind: FileKind::Directory, mode: 0o750, owner: Owner { uid: 1, gid: 1 }, rdev: 0 };
        let got = self.retry(|fs| fs.mkdir(Ino(parent), &name, &node));
        same("mkdir", &got, &wanted);
        self.done(&got);
        if let Ok(done) = got {
            self.add_directory(
                parent,
                Component::directory(&base_of_name(&name).unwrap()),
                done.value.ino.0,
                true,
                None,
            );
            self.model.directories.get_mut(&parent).unwrap().explicit = true;
        }
    }

    fn add_directory(&mut self, parent: Id, component: Component, id: Id, explicit: bool, alias: Option<Bytes>) {
        let mode = if explicit { 0o750 } else { 0o755 };
        let directory = Directory { entries: BTreeMap::new(), explicit, facet: None, place: None, mode };
        self.model.directories.insert(id, directory);
        self.model.insert(parent, component.as_bytes().to_vec(), id, alias);
    }

    fn unlink(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        let wanted = self
            .model
            .find(parent, &name)
            .and_then(|(component, id)| if self.model.is_directory(id) { Err("IsDir") } else { Ok(component) });
        let got = self.retry(|fs| fs.unlink(Ino(parent), &name));
        same("unlink", &got, &wanted);
        self.done(&got);
        if let Ok(component) = wanted {
            let id = self.model.remove(parent, &component);
            self.model.drop_name(id);
        }
    }

    fn rmdir(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        if name == b"." {
            return;
        }
        let wanted = self.model.find(parent, &name).and_then(|(component, id)| match self.model.directories.get(&id) {
            None => Err("NotDir"),
            Some(directory) if !directory.entries.is_empty() => Err("NotEmpty"),
            Some(_) => Ok(component),
        });
        let got = self.retry(|fs| fs.rmdir(Ino(parent), &name));
        same("rmdir", &got, &wanted);
        self.done(&got);
        if let Ok(component) = wanted {
            let id = self.model.remove(parent, &component);
            self.model.drop_name(id);
        }
    }

    fn rename(&mut self) {
        let (from_parent, to_parent) = (self.directory(), self.directory());
        let (from, to) = (self.name_in(from_parent), self.name_in(to_parent));
        let mode = if self.below(4) == 0 { RenameMode::NoReplace } else { RenameMode::Replace };
        let wanted = self.rename_outcome(from_parent, &from, to_parent, &to, mode);
        let got = self.retry(|fs| fs.rename(Ino(from_parent), &from, Ino(to_parent), &to, mode));
        same("rename", &got, &wanted);
        self.done(&got);
        // What was written to the source is committed first, whatever comes of the rename.
        if let Ok((_, id)) = self.model.find(from_parent, &from)
            && let Some(node) = self.model.nodes.get_mut(&id)
        {
            node.commit();
        }
        let Ok(Some((source, id, target))) = wanted else { return };
        let is_directory = self.model.is_directory(id);
        let kept = target.map(|(component, old)| {
            let entry = self.model.directories.get_mut(&to_parent).unwrap().entries.remove(&component).unwrap();
            self.model.drop_name(old);
            (component, entry.alias)
        });
        let (component, alias) = kept
            .unwrap_or_else(|| (Component::of(&base_of_name(&to).unwrap(), is_directory).as_bytes().to_vec(), None));
        // The target's name stays taken while the source's is given up.
        self.model.remove(from_parent, &source);
        self.model.insert(to_parent, component, id, alias);
        self.model.directories.get_mut(&to_parent).unwrap().explicit = true;
        if let Some(moved) = self.model.directories.get_mut(&id) {
            moved.explicit = true;
        }
    }

    #[allow(clippy::type_complexity)]
    fn rename_outcome(
        &self,
        from_parent: Id,
        from: &[u8],
        to_parent: Id,
        to: &[u8],
        mode: RenameMode,
    ) -> Outcome<Option<(Bytes, Id, Option<(Bytes, Id)>)>> {
        let (source, id) = self.model.find(from_parent, from)?;
        let target = self.model.resolve(to_parent, to)?;
        if let Some((_, entry)) = &target {
            if mode == RenameMode::NoReplace {
                return Err("Exists");
            }
            if entry.id == id {
                return Ok(None);
            }
            match (self.model.is_directory(id), self.model.directories.get(&entry.id)) {
                (true, None) => return Err("NotDir"),
                (false, Some(_)) => return Err("IsDir"),
                (true, Some(there)) if !there.entries.is_empty() => return Err("NotEmpty"),
                _ => {}
            }
        }
        if self.model.is_directory(id) && self.model.is_below(to_parent, id) {
            return Err("InvalidArgument");
        }
        Ok(Some((source, id, target.map(|(component, entry)| (component, entry.id)))))
    }

    fn link(&mut self) {
        let (id, parent) = (self.inode(), self.directory());
        let name = self.name_in(parent);
        let wanted = self.model.resolve(parent, &name).and_then(|found| match found {
            Some(_) => Err("Exists"),
            None if self.model.is_directory(id) => Err("NotPermitted"),
            None if self.model.nodes[&id].nlink == 0 => Err("NotFound"),
            None => Ok(()),
        });
        let got = self.retry(|fs| fs.link(Ino(id), Ino(parent), &name));
        same("link", &got, &wanted);
        self.done(&got);
        if wanted.is_ok() {
            self.model.nodes.get_mut(&id).unwrap().nlink += 1;
            let component = Component::file(&base_of_name(&name).unwrap()).as_bytes().to_vec();
            self.model.insert(parent, component, id, None);
            self.model.directories.get_mut(&parent).unwrap().explicit = true;
        }
    }

    fn special(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        let owner = Owner { uid: 1, gid: 1 };
        let wanted = self.model.resolve(parent, &name).and_then(|found| found.map_or(Ok(()), |_| Err("Exists")));
        let mut node = Node::new(FileKind::Fifo, 0o600, 1);
        let got = if self.below(2) == 0 {
            let fifo = NewNode { kind: FileKind::Fifo, mode: 0o600, owner, rdev: 0 };
            self.retry(|fs| fs.mknod(Ino(parent), &name, &fifo))
        } else {
            node = Node::new(FileKind::Symlink, 0o777, 1);
            node.target = self.key();
            self.retry(|fs| fs.symlink(Ino(parent), &name, &node.target, owner))
        };
        same("special", &got, &wanted);
        self.done(&got);
        if let Ok(done) = got {
            let id = done.value.ino.0;
            self.model.nodes.insert(id, node);
            let component = Component::file(&base_of_name(&name).unwrap()).as_bytes().to_vec();
            self.model.insert(parent, component, id, None);
            self.model.directories.get_mut(&parent).unwrap().explicit = true;
        }
    }

    fn truncate(&mut self) {
        let id = self.inode();
        let len = self.model.nodes.get(&id).map_or(0, |node| node.seen_by_posix().len());
        let size = match self.below(4) {
            0 => 0,
            1 => self.below(len + 50_000),
            _ => self.below(len + 1),
        };
        let wanted = match self.model.nodes.get(&id) {
            None => Err("IsDir"),
            Some(node) if node.kind != FileKind::File => Err("InvalidArgument"),
            Some(_) => Ok(()),
        };
        let change = SetAttributes { size: Some(size as u64), ..SetAttributes::default() };
        let got = self.retry(|fs| fs.setattr(Ino(id), &change, None));
        same("truncate", &got, &wanted);
        self.done(&got);
        if wanted.is_ok() {
            let node = self.model.nodes.get_mut(&id).unwrap();
            if size > 0 {
                node.commit();
            }
            node.written = None;
            if node.committed.len() != size {
                node.committed.resize(size, 0);
                node.content_changed();
            }
        }
    }

    fn chmod(&mut self) {
        let id = self.inode();
        let mode = self.below(0o1000) as u16;
        if id == ROOT {
            return;
        }
        let change = SetAttributes { mode: Some(mode), ..SetAttributes::default() };
        let got = self.retry(|fs| fs.setattr(Ino(id), &change, None));
        self.done(&got);
        assert_eq!(got.unwrap().value.mode, mode);
        match self.model.directories.get_mut(&id) {
            Some(directory) => {
                directory.explicit = true;
                directory.mode = mode;
            }
            None => self.model.nodes.get_mut(&id).unwrap().mode = mode,
        }
    }

    fn xattr(&mut self) {
        let id = self.inode();
        let Some(node) = self.model.nodes.get(&id).cloned() else { return };
        let name = [&b"user.one"[..], b"security.two", b"user.s3.meta.key", b"user.s3.meta.md5chksum"][self.below(4)];
        let meta = name.strip_prefix(b"user.s3.meta.").map(|key| String::from_utf8(key.to_vec()).unwrap());
        let there = match &meta {
            Some(key) => node.meta.get(key).map(|value| value.clone().into_bytes()),
            None => node.xattrs.get(name).cloned(),
        };
        match self.fs.getxattr(Ino(id), name) {
            Ok(value) => assert_eq!(Some(value), there),
            Err(error) => assert_eq!((kind(&error), there.clone()), ("NoAttr", None)),
        }
        let value = format!("v{}", self.below(100));
        if self.below(3) == 0 {
            let wanted = there.ok_or("NoAttr");
            let got = self.retry(|fs| fs.removexattr(Ino(id), name));
            same("removexattr", &got, &wanted);
            if wanted.is_err() {
                return;
            }
            let node = self.model.nodes.get_mut(&id).unwrap();
            match meta {
                Some(key) => drop(node.meta.remove(&key)),
                None => drop(node.xattrs.remove(name)),
            }
            return;
        }
        let mode = [SetMode::Either, SetMode::Create, SetMode::Replace][self.below(3)];
        let wanted = match (mode, &there) {
            (SetMode::Create, Some(_)) => Err("AttrExists"),
            (SetMode::Replace, None) => Err("NoAttr"),
            _ => Ok(()),
        };
        let got = self.retry(|fs| fs.setxattr(Ino(id), name, value.as_bytes(), mode));
        same("setxattr", &got, &wanted);
        if wanted.is_ok() {
            let node = self.model.nodes.get_mut(&id).unwrap();
            match meta {
                Some(key) => drop(node.meta.insert(key, value)),
                None => drop(node.xattrs.insert(name.to_vec(), value.into_bytes())),
            }
        }
    }

    fn stat(&mut self) {
        let parent = self.directory();
        let name = self.name_in(parent);
        if name == b"." {
            return;
        }
        let wanted = self.model.find(parent, &name);
        let got = self.fs.lookup(Ino(parent), &name);
        same("lookup", &got, &wanted);
        if let (Ok(attributes), Ok((_, id))) = (got, wanted) {
            assert_eq!(attributes.ino.0, id);
            self.compare_attributes(&attributes);
        }
    }

    fn compare_attributes(&self, got: &Attributes) {
        let id = got.ino.0;
        if let Some(directory) = self.model.directories.get(&id) {
            let subdirs = directory.entries.values().filter(|entry| self.model.is_directory(entry.id)).count();
            assert_eq!((got.kind, got.nlink), (FileKind::Directory, subdirs as u32 + 2));
            assert!(id == ROOT || got.mode == directory.mode, "mode of directory {id}");
            return;
        }
        let node = &self.model.nodes[&id];
        let size = if node.kind == FileKind::Symlink { node.target.len() } else { node.seen_by_posix().len() };
        assert_eq!(
            (got.kind, got.nlink, got.mode, got.uid, got.size),
            (node.kind, node.nlink, node.mode, node.uid, size as u64),
            "inode {id}"
        );
    }

    fn s3_put(&mut self) {
        let key = self.key();
        let data =
            if key.ends_with(b"/") { self.bytes()[..].iter().copied().take(2_000).collect() } else { self.bytes() };
        let meta: BTreeMap<String, String> = match self.below(3) {
            0 => BTreeMap::from([("key".to_owned(), format!("m{}", self.below(50)))]),
            _ => BTreeMap::new(),
        };
        let conditions = Conditions { must_not_exist: self.below(5) == 0, must_match: None };
        let exists = self.model.object(&key).is_some();
        let wanted = match conditions.must_not_exist && exists {
            _ if key.len() > KEY_LIMIT_BYTES => Err("NameTooLong"),
            true => Err("PreconditionFailed"),
            false => Ok(()),
        };
        let part = 1 + self.below(90_000);
        let attributes = ObjectAttributes { user: meta.clone(), ..ObjectAttributes::default() };
        let got = self.retry(|fs| {
            let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
            let mut put = fs.begin_put(&key, options)?;
            for chunk in data.chunks(part) {
                put.write(chunk)?;
            }
            put.finish(&conditions)
        });
        same("put", &got, &wanted);
        self.done(&got);
        if let Ok(done) = got {
            assert_eq!(done.value.crc64, Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &data)));
            self.model_put(&key, data, meta, done.value.ino.0);
        }
    }

    fn model_put(&mut self, key: &[u8], data: Bytes, meta: BTreeMap<String, String>, id: Id) {
        let parts: Vec<Bytes> = key.split_inclusive(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
        let mut at = ROOT;
        for part in parts.iter().filter(|part| part.ends_with(b"/")) {
            at = match self.model.directories[&at].entries.get(part) {
                Some(entry) => entry.id,
                None => self.learn_implied(at, part),
            };
        }
        let last = parts.last().unwrap();
        if last.ends_with(b"/") {
            assert_eq!(at, id);
            let directory = self.model.directories.get_mut(&at).unwrap();
            directory.explicit = true;
            directory.facet = Some((data, meta));
            return;
        }
        let mut node = Node::new(FileKind::File, 0o644, 7);
        node.committed = data;
        node.meta = meta;
        let old = self.model.directories[&at].entries.get(last).cloned();
        let alias = match old {
            Some(old) => {
                let before = &self.model.nodes[&old.id];
                node.uid = before.uid;
                if before.kind == FileKind::File {
                    node.mode = before.mode & 0o777;
                }
                node.xattrs = before.xattrs.clone();
                node.xattrs.retain(|name, _| name.starts_with(b"security."));
                self.model.directories.get_mut(&at).unwrap().entries.remove(last);
                self.model.drop_name(old.id);
                old.alias
            }
            None => self.model.needs_alias(at, last).then(|| self.name_of(at, id)),
        };
        self.model.nodes.insert(id, node);
        self.model.insert(at, last.clone(), id, alias);
    }

    fn learn_implied(&mut self, parent: Id, part: &[u8]) -> Id {
        let known: Vec<Id> = self.model.directories[&parent].entries.values().map(|entry| entry.id).collect();
        let listing = self.listing(parent);
        let mut fresh = listing
            .iter()
            .filter(|entry| !known.contains(&entry.attributes.ino.0) && entry.attributes.kind == FileKind::Directory);
        let found = fresh.next().expect("the implied directory is missing").clone();
        assert!(fresh.next().is_none());
        let alias = self.model.needs_alias(parent, part).then_some(found.name);
        let id = found.attributes.ino.0;
        self.add_directory(parent, Component::parse(part).unwrap(), id, false, alias);
        id
    }

    fn name_of(&self, parent: Id, id: Id) -> Bytes {
        let listing = self.listing(parent);
        listing.into_iter().find(|entry| entry.attributes.ino.0 == id).expect("the new entry is missing").name
    }

    fn listing(&self, id: Id) -> Vec<DirectoryEntry> {
        let handle = self.fs.open_dir(Ino(id)).unwrap();
        let mut entries = Vec::new();
        self.fs
            .read_dir(&handle, 2, &mut |entry| {
                entries.push(entry);
                ControlFlow::Continue(())
            })
            .unwrap();
        entries
    }

    fn s3_get(&mut self) {
        let key = self.key();
        let wanted = self.model.object(&key).map(|(id, ..)| id).ok_or("NotFound");
        let got = self.fs.get_object(&key);
        same("get", &got.as_ref().map(|_| ()).map_err(Clone::clone), &wanted);
        if let (Ok(reader), Ok(id)) = (got, wanted) {
            self.compare_object(id, reader.info());
            let body = self.model.body(id);
            let offset = self.below(body.len() + 5);
            let mut buf = vec![0; 1 + self.below(100_000)];
            let len = reader.read_at(offset as u64, &mut buf).unwrap();
            assert!(buf[..len] == body[offset.min(body.len())..(offset + buf.len()).min(body.len())]);
        }
    }

    fn compare_object(&mut self, id: Id, info: &ObjectInfo) {
        assert_eq!(info.size, self.model.body(id).len() as u64);
        let Some(node) = self.model.nodes.get(&id) else { return };
        if node.kind != FileKind::File {
            return;
        }
        assert_eq!(info.attributes.user, node.meta, "metadata of {id}");
        if let Some(crc) = info.crc64 {
            assert_eq!(crc, crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &node.committed));
        }
        let etag = info.etag.to_string();
        let version = node.version;
        for (other, seen) in [version.wrapping_sub(1), version].map(|v| (v, self.etags.get(&(id, v)))) {
            if let Some(seen) = seen {
                assert_eq!(*seen == etag, other == version, "the tag of {id}");
            }
        }
        self.etags.insert((id, version), etag);
    }

    fn s3_delete(&mut self) {
        let key = self.key();
        let found = self.model.object(&key);
        let got = self.retry(|fs| fs.delete_object(&key, &Conditions::default()));
        self.done(&got);
        let Some((id, parent, component)) = found else {
            assert_eq!(got.unwrap().value, Deleted::Missing);
            return;
        };
        assert_eq!(got.unwrap().value, Deleted::Removed);
        match self.model.directories.get_mut(&id) {
            Some(directory) => {
                directory.facet = None;
                directory.explicit = false;
                self.model.prune(id);
            }
            None => {
                self.model.remove(parent, &component);
                self.model.drop_name(id);
                self.model.prune(parent);
            }
        }
    }

    fn s3_list(&mut self) {
        let keys = self.model.keys();
        let prefix = match self.below(3) {
            0 => Vec::new(),
            _ => {
                let key = self.key();
                let cut = self.below(key.len() + 1);
                key[..cut].to_vec()
            }
        };
        let delimiter = [&b""[..], b"/", b"a", b"-", b"/a"][self.below(5)].to_vec();
        let from = match self.below(2) {
            0 => ListFrom::Start,
            _ => ListFrom::AfterKey(self.key()),
        };
        let mut wanted: Vec<Bytes> = Vec::new();
        for (key, _) in &keys {
            let behind = !matches!(&from, ListFrom::AfterKey(after) if key <= after);
            if let Some(rest) = key.strip_prefix(prefix.as_slice()).filter(|_| behind) {
                let rolled = (!delimiter.is_empty())
                    .then(|| rest.windows(delimiter.len()).position(|window| window == delimiter))
                    .flatten();
                let line = match rolled {
                    Some(at) => [prefix.as_slice(), &rest[..at + delimiter.len()]].concat(),
                    None => key.clone(),
                };
                if wanted.last() != Some(&line) {
                    wanted.push(line);
                }
            }
        }
        let mut request = ListRequest { prefix, delimiter, from, max_entries: 1 + self.below(12) };
        let mut got = Vec::new();
        loop {
            let page = self.fs.list(&request).unwrap();
            assert!(page.next.is_none() || page.entries.len() == request.max_entries);
            for entry in page.entries {
                match entry {
                    ListEntry::Object { key, info } => {
                        let id = keys[keys.binary_search_by(|(other, _)| other.cmp(&key)).unwrap()].1;
                        assert_eq!(info.ino.0, id);
                        self.compare_object(id, &info);
                        got.push(key);
                    }
                    ListEntry::CommonPrefix(prefix) => got.push(prefix),
                }
            }
            let Some(next) = page.next else { break };
            request.from = next;
        }
        let show =
            |keys: &[Bytes]| keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()).collect::<Vec<_>>();
        assert_eq!(show(&got), show(&wanted), "{request:?}");
    }

    /// Everything: both trees, all contents, and the invariants.
    fn compare(&mut self) {
        let found = inspect(&self.fs).unwrap();
        assert_eq!(found.problems, []);
        assert_eq!(found.references, self.store.references());
        let ids: Vec<Id> = self.model.directories.keys().copied().collect();
        for id in ids {
            let listing = self.listing(id);
            let directory = &self.model.directories[&id];
            assert_eq!(listing.len(), directory.entries.len(), "entries of {id}");
            for (entry, (component, wanted)) in listing.iter().zip(&directory.entries) {
                assert_eq!(entry.attributes.ino.0, wanted.id, "order of {id}");
                assert_eq!(entry.name, self.model.posix_name(id, component));
                self.compare_attributes(&entry.attributes);
            }
        }
        for (key, id) in self.model.keys() {
            let reader = self.fs.get_object(&key).unwrap();
            let mut buf = vec![0; reader.info().size as usize];
            reader.read_at(0, &mut buf).unwrap();
            assert!(buf == self.model.body(id), "content of {}", String::from_utf8_lossy(&key));
            let info = reader.info().clone();
            self.compare_object(id, &info);
        }
        let usage = self.fs.usage().unwrap();
        let named = self.model.nodes.values().filter(|node| node.nlink > 0).count();
        assert_eq!(usage.inodes as usize, named + self.model.directories.len() - 1);
    }

    pub fn finish(mut self) {
        self.compare();
        self.reopen();
        while self.fs.work().unwrap() {}
        self.compare();
        let number = self.fs.committed();
        self.store.release(number, |_| {});
        assert_eq!(self.waiting.load(Ordering::Relaxed), self.registered, "each waiter is told once");
        // After a failed sync nothing changes any more, and everything can still be read.
        self.store.fail_sync();
        let node = NewNode { kind: FileKind::Directory, mode: 0o755, owner: Owner { uid: 1, gid: 1 }, rdev: 0 };
        assert!(matches!(self.fs.mkdir(Ino::ROOT, b"too-late", &node), Err(FsError::ReadOnly(_))));
        assert!(self.fs.sync(number).is_err());
        self.compare();
    }
}
