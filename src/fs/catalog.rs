//! The catalog: which buckets there are.

use super::{
    BucketHost, BucketWatcher, FsError, FsResult, Ino, Namespace, NamespaceParts, RootAttributes, RootKeeper,
    bucket_name, records,
};
use crate::{
    bucket::{Batch, MetaStore},
    clock::{Clock, UnixNanos},
    crypt::{BucketId, Entropy},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
    time::Duration,
};

/// How far a bucket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    /// Its storage is being made; not shown to anybody, finished at the next start.
    Making,
    /// In use.
    Ready,
    /// Its storage is being removed; not shown to anybody, finished at the next start.
    Removing,
}

/// What the catalog keeps of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketRecord {
    /// Random id; names its folder and is bound into its keys.
    pub id: [u8; 16],
    /// 20 bits above the inode numbers in `st_ino`.
    pub slot: u32,
    /// Its name in both views.
    pub name: String,
    /// How far it is.
    pub state: BucketState,
    /// When it was made.
    pub created: UnixNanos,
    /// Mode, owner, ctime and xattrs of its root.
    pub root: RootAttributes,
    /// Name of its EK.
    pub key_name: String,
    /// First inode number (a slot used before goes on where it ended).
    pub first_ino: u64,
    /// Newest manifest known durable: version and tag (DESIGN 3.6).
    pub manifest: (u64, [u8; 16]),
    /// Copy of its keyring.
    pub keyring: Vec<u8>,
}

/// What anyone may know of a bucket, locked or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Id.
    pub id: [u8; 16],
    /// Slot.
    pub slot: u32,
    /// Name.
    pub name: String,
    /// When it was made.
    pub created: UnixNanos,
    /// Mode, owner, ctime and xattrs of its root.
    pub root: RootAttributes,
    /// Name of its EK.
    pub key_name: String,
}

impl BucketRecord {
    fn info(&self) -> BucketInfo {
        BucketInfo {
            id: self.id,
            slot: self.slot,
            name: self.name.clone(),
            created: self.created,
            root: self.root.clone(),
            key_name: self.key_name.clone(),
        }
    }
}

/// What a catalog is made of.
pub struct CatalogParts {
    /// The catalog's own metadata.
    pub meta: Arc<dyn MetaStore>,
    /// Keeps the storage of buckets.
    pub host: Arc<dyn BucketHost>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids.
    pub entropy: Arc<dyn Entropy>,
    /// Bytes of plaintext that the writes of one bucket may hold before they are committed.
    pub window_pool_bytes: usize,
}

/// 64 MiB (DESIGN 5).
pub const DEFAULT_WINDOW_POOL_BYTES: usize = 64 << 20;

/// Idle buckets closed in one go: whoever asks for a bucket waits meanwhile.
const CLOSE_AT_ONCE: usize = 8;

/// Slots are 20 bits; 0 is the mount's own.
const SLOT_LIMIT: u32 = 1 << 20;

/// The buckets of a store. Buckets are opened when first used.
///
/// Lock order: `open`, then `writer`, then `buckets`; a namespace's locks come after `open` and before `writer`.
pub struct Catalog {
    parts: CatalogParts,
    /// Held from look to commit by whoever changes the catalog.
    writer: Mutex<()>,
    buckets: RwLock<BTreeMap<[u8; 16], BucketRecord>>,
    open: Mutex<HashMap<[u8; 16], Opened>>,
    watcher: RwLock<Option<Arc<dyn BucketWatcher>>>,
}

/// An open bucket.
struct Opened {
    namespace: Arc<Namespace>,
    /// When it was asked for last, as time since boot.
    used: Duration,
}

/// Keeps one bucket's root for its namespace.
struct CatalogRoot {
    catalog: Weak<Catalog>,
    id: [u8; 16],
}

impl RootKeeper for CatalogRoot {
    fn root(&self) -> RootAttributes {
        let catalog = self.catalog.upgrade();
        let root = catalog.and_then(|catalog| catalog.read().get(&self.id).map(|record| record.root.clone()));
        root.unwrap_or_default()
    }

    fn update_root(&self, change: &mut dyn FnMut(&mut RootAttributes) -> FsResult<()>) -> FsResult<()> {
        let catalog = self.catalog.upgrade().ok_or(FsError::NoSuchBucket)?;
        catalog.update_record(self.id, |record| change(&mut record.root))?;
        Ok(())
    }
}

impl Catalog {
    /// Opens the catalog, and finishes buckets that were being made or removed.
    ///
    /// # Errors
    /// `Damaged`, `Locked`, `Io`.
    pub fn open(parts: CatalogParts) -> FsResult<Arc<Self>> {
        let snapshot = parts.meta.snapshot()?;
        let mut buckets = BTreeMap::new();
        let end = records::behind(&[records::BUCKET]);
        let mut cursor = snapshot.range(&[records::BUCKET], end.as_deref());
        while let Some((_, value)) = cursor.next()? {
            let record = records::decode_bucket(&value)?;
            buckets.insert(record.id, record);
        }
        drop(cursor);
        drop(snapshot);
        let unfinished: Vec<BucketRecord> =
            buckets.values().filter(|record| record.state != BucketState::Ready).cloned().collect();
        let catalog = Arc::new(Self {
            parts,
            writer: Mutex::new(()),
            buckets: RwLock::new(buckets),
            open: Mutex::default(),
            watcher: RwLock::default(),
        });
        for record in unfinished {
            match record.state {
                BucketState::Making => catalog.finish_making(record).map(drop)?,
                BucketState::Removing => catalog.finish_removing(&record)?,
                BucketState::Ready => {}
            }
        }
        Ok(catalog)
    }

    /// Registers who is told of buckets that are opened, closed, made, removed and renamed, beginning with those that
    /// are open; replaces the one before.
    pub fn set_watcher(&self, watcher: Option<Arc<dyn BucketWatcher>>) {
        let open = super::lock(&self.open);
        if let Some(watcher) = &watcher {
            open.values().for_each(|opened| watcher.opened(&opened.namespace));
        }
        *self.watcher.write().unwrap_or_else(PoisonError::into_inner) = watcher;
    }

    fn tell(&self, change: impl FnOnce(&dyn BucketWatcher)) {
        let watcher = self.watcher.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(watcher) = watcher {
            change(watcher.as_ref());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<[u8; 16], BucketRecord>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<[u8; 16], BucketRecord>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits a batch of catalog records durably.
    fn commit(&self, batch: Batch) -> FsResult<()> {
        let number = self.parts.meta.commit(batch)?.number;
        Ok(self.parts.meta.sync(number)?)
    }

    fn put_record(&self, record: &BucketRecord) -> FsResult<()> {
        let mut batch = Batch::new();
        batch.put(bucket_key(&record.id), records::encode_bucket(record));
        self.commit(batch)?;
        self.write().insert(record.id, record.clone());
        Ok(())
    }

    /// Changes a bucket's record; durable when it returns.
    ///
    /// # Errors
    /// `NoSuchBucket`, what `change` returns, and as a commit.
    pub fn update_record(
        &self,
        id: [u8; 16],
        change: impl FnOnce(&mut BucketRecord) -> FsResult<()>,
    ) -> FsResult<BucketRecord> {
        let _writer = super::lock(&self.writer);
        let mut record = self.read().get(&id).cloned().ok_or(FsError::NoSuchBucket)?;
        change(&mut record)?;
        self.put_record(&record)?;
        Ok(record)
    }

    /// All records, also of buckets that are being made or removed.
    #[must_use]
    pub fn records(&self) -> Vec<BucketRecord> {
        self.read().values().cloned().collect()
    }

    /// Checks a bucket name by S3's rules.
    ///
    /// # Errors
    /// `InvalidName` with the rule that is broken.
    pub fn check_name(name: &str) -> FsResult<()> {
        bucket_name::check(name)
    }

    /// The buckets in order of their names.
    #[must_use]
    pub fn buckets(&self) -> Vec<BucketInfo> {
        let mut found: Vec<BucketInfo> =
            self.read().values().filter(|record| record.state == BucketState::Ready).map(BucketRecord::info).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn find(&self, wanted: impl Fn(&BucketRecord) -> bool) -> FsResult<BucketRecord> {
        let buckets = self.read();
        let found = buckets.values().find(|record| record.state == BucketState::Ready && wanted(record));
        found.cloned().ok_or(FsError::NoSuchBucket)
    }

    /// One bucket by name; answers for a locked one too.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket(&self, name: &str) -> FsResult<BucketInfo> {
        self.find(|record| record.name == name).map(|record| record.info())
    }

    /// One bucket by slot, for the mount.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket_by_slot(&self, slot: u32) -> FsResult<BucketInfo> {
        self.find(|record| record.slot == slot).map(|record| record.info())
    }

    /// Makes a bucket; durable when it returns. `root.ctime` is set to now.
    ///
    /// # Errors
    /// `BucketExists`, `InvalidName`, `NoSpace`, `Locked`, `Io`.
    pub fn create_bucket(&self, name: &str, root: RootAttributes, key_name: &str) -> FsResult<BucketInfo> {
        bucket_name::check(name)?;
        let writer = super::lock(&self.writer);
        // One that is being removed keeps its name until it is gone.
        if self.read().values().any(|record| record.name == name) {
            return Err(FsError::BucketExists);
        }
        let (slot, first_ino) = self.free_slot()?;
        let created = self.parts.clock.now();
        let record = BucketRecord {
            id: *BucketId::random(self.parts.entropy.as_ref())?.as_bytes(),
            slot,
            name: name.to_owned(),
            state: BucketState::Making,
            created,
            root: RootAttributes { ctime: created, ..root },
            key_name: key_name.to_owned(),
            first_ino,
            manifest: (0, [0; 16]),
            keyring: Vec::new(),
        };
        let mut batch = Batch::new();
        batch.put(bucket_key(&record.id), records::encode_bucket(&record));
        batch.delete(slot_key(slot));
        self.commit(batch)?;
        self.write().insert(record.id, record.clone());
        let made = self.finish_making(record)?;
        drop(writer);
        self.tell(|watcher| watcher.name_changed(name));
        Ok(made)
    }

    fn finish_making(&self, mut record: BucketRecord) -> FsResult<BucketInfo> {
        match self.parts.host.create_storage(record.id, &record.key_name) {
            Ok(keyring) => {
                record.keyring = keyring;
                record.state = BucketState::Ready;
                self.put_record(&record)?;
                Ok(record.info())
            }
            Err(error) => {
                record.state = BucketState::Removing;
                self.put_record(&record)?;
                self.finish_removing(&record)?;
                Err(error)
            }
        }
    }

    fn finish_removing(&self, record: &BucketRecord) -> FsResult<()> {
        self.parts.host.remove_storage(record.id)?;
        let mut batch = Batch::new();
        batch.delete(bucket_key(&record.id));
        batch.put(slot_key(record.slot), record.first_ino.to_le_bytes().to_vec());
        batch.frees_space();
        self.commit(batch)?;
        self.write().remove(&record.id);
        Ok(())
    }

    /// A slot nobody has, and the first inode number in it.
    fn free_slot(&self) -> FsResult<(u32, u64)> {
        let snapshot = self.parts.meta.snapshot()?;
        let end = records::behind(&[records::FREE_SLOT]);
        if let Some((key, value)) = snapshot.range(&[records::FREE_SLOT], end.as_deref()).next()? {
            let bad = || FsError::damaged("a freed slot");
            let slot = key.get(1..).and_then(|slot| slot.try_into().ok()).ok_or_else(bad)?;
            let next = value.as_ref().try_into().map_err(|_| bad())?;
            return Ok((u32::from_be_bytes(slot), u64::from_le_bytes(next)));
        }
        let highest = self.read().values().map(|record| record.slot).max().unwrap_or(0);
        let slot = highest.saturating_add(1);
        if slot >= SLOT_LIMIT {
            return Err(FsError::TooLarge("the number of buckets"));
        }
        Ok((slot, Ino::ROOT.0.saturating_add(1)))
    }

    /// Removes an empty bucket; durable when it returns. Implied empty directories do not count (R4).
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`, `Busy` (a file without a name is still open), `Locked`, `Io`.
    pub fn remove_bucket(self: &Arc<Self>, name: &str) -> FsResult<()> {
        let result = self.remove_ready(name);
        if self.bucket(name).is_err() {
            self.tell(|watcher| watcher.name_changed(name));
        }
        result
    }

    fn remove_ready(self: &Arc<Self>, name: &str) -> FsResult<()> {
        let namespace = self.namespace(name)?;
        let mut open = super::lock(&self.open);
        let mut record = self.find(|record| record.name == name)?;
        let next_ino = namespace.close_if_empty()?;
        let _writer = super::lock(&self.writer);
        record.state = BucketState::Removing;
        record.first_ino = next_ino;
        if let Err(error) = self.put_record(&record) {
            namespace.reopen();
            return Err(error);
        }
        open.remove(&record.id);
        drop(namespace);
        self.tell(|watcher| watcher.closed(record.slot));
        // From here on it is finished, now or at the next start.
        self.parts.host.close_storage(record.id)?;
        self.finish_removing(&record)
    }

    /// Gives a bucket another name; durable when it returns.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketExists`, `InvalidName`, `Io`.
    pub fn rename_bucket(&self, from: &str, to: &str) -> FsResult<()> {
        bucket_name::check(to)?;
        let writer = super::lock(&self.writer);
        let mut record = self.find(|record| record.name == from)?;
        if from == to {
            return Ok(());
        }
        if self.read().values().any(|record| record.name == to) {
            return Err(FsError::BucketExists);
        }
        record.name = to.to_owned();
        self.put_record(&record)?;
        drop(writer);
        self.tell(|watcher| {
            watcher.name_changed(from);
            watcher.name_changed(to);
        });
        Ok(())
    }

    /// The files of a bucket, opened if need be.
    ///
    /// # Errors
    /// `NoSuchBucket`, `Locked`, `Damaged`, `Io`.
    pub fn namespace(self: &Arc<Self>, name: &str) -> FsResult<Arc<Namespace>> {
        self.open_bucket(|record| record.name == name)
    }

    /// The files of a bucket by slot, opened if need be.
    ///
    /// # Errors
    /// As [`Self::namespace`].
    pub fn namespace_by_slot(self: &Arc<Self>, slot: u32) -> FsResult<Arc<Namespace>> {
        self.open_bucket(|record| record.slot == slot)
    }

    fn open_bucket(self: &Arc<Self>, wanted: impl Fn(&BucketRecord) -> bool) -> FsResult<Arc<Namespace>> {
        let mut open = super::lock(&self.open);
        let record = self.find(wanted)?;
        let used = self.parts.clock.uptime();
        if let Some(opened) = open.get_mut(&record.id) {
            opened.used = used;
            return Ok(Arc::clone(&opened.namespace));
        }
        let parts = self.parts.host.open_storage(record.id)?;
        let namespace = Namespace::open(NamespaceParts {
            meta: parts.meta,
            segments: parts.segments,
            keys: parts.keys,
            entropy: parts.entropy,
            clock: parts.clock,
            root: Arc::new(CatalogRoot { catalog: Arc::downgrade(self), id: record.id }),
            slot: record.slot,
            first_ino: record.first_ino,
            encryption: parts.encryption,
            window_pool_bytes: self.parts.window_pool_bytes,
        })?;
        self.tell(|watcher| watcher.opened(&namespace));
        open.insert(record.id, Opened { namespace: Arc::clone(&namespace), used });
        Ok(namespace)
    }

    /// The namespaces that are open, for the threads that commit writes and do the work behind.
    #[must_use]
    pub fn open_namespaces(&self) -> Vec<Arc<Namespace>> {
        super::lock(&self.open).values().map(|opened| Arc::clone(&opened.namespace)).collect()
    }

    /// Commits all writes and closes all buckets; the catalog stays usable, and opens them again when asked.
    ///
    /// # Errors
    /// The first error; the others are closed all the same.
    pub fn close_buckets(&self) -> FsResult<()> {
        let mut open = super::lock(&self.open);
        let mut result = Ok(());
        for (id, opened) in open.drain() {
            result = result.and(self.close_one(id, opened.namespace));
        }
        result
    }

    fn close_one(&self, id: [u8; 16], namespace: Arc<Namespace>) -> FsResult<()> {
        self.tell(|watcher| watcher.closed(namespace.slot()));
        let committed = namespace.commit_writes(Duration::ZERO).map(drop);
        drop(namespace);
        committed.and(self.parts.host.close_storage(id))
    }

    /// Closes some of the buckets that nobody has in hand and nobody asked for during `idle`, and, when more than `most` are
    /// open, those that were asked for longest ago. An idle bucket then costs no descriptor and no memory but its
    /// record; it is opened again when somebody asks for it.
    ///
    /// # Errors
    /// The first error; the others are closed all the same.
    pub fn close_idle(&self, idle: Duration, most: usize) -> FsResult<()> {
        let mut open = super::lock(&self.open);
        let now = self.parts.clock.uptime();
        let mut unused: Vec<(Duration, [u8; 16])> = open
            .iter()
            .filter(|(_, opened)| Arc::strong_count(&opened.namespace) == 1)
            .map(|(id, opened)| (opened.used, *id))
            .collect();
        unused.sort_unstable();
        let surplus = open.len().saturating_sub(most);
        let mut result = Ok(());
        for (index, (used, id)) in unused.into_iter().take(CLOSE_AT_ONCE).enumerate() {
            if index >= surplus && now.saturating_sub(used) < idle {
                break;
            }
            let Some(opened) = open.remove(&id) else { continue };
            // Once the watcher has forgotten it, nobody can come by it any more but through the lock held here.
            self.tell(|watcher| watcher.closed(opened.namespace.slot()));
            if Arc::strong_count(&opened.namespace) > 1 {
                self.tell(|watcher| watcher.opened(&opened.namespace));
                open.insert(id, Opened { used: now, ..opened });
                continue;
            }
            result = result.and(self.close_one(id, opened.namespace));
        }
        result
    }

    /// Changes mode, owner, ctime or xattrs of a bucket's root without opening it; durable when it returns.
    ///
    /// # Errors
    /// `NoSuchBucket`, what `change` returns, `Io`.
    pub fn update_root(
        &self,
        slot: u32,
        change: &mut dyn FnMut(&mut RootAttributes) -> FsResult<()>,
    ) -> FsResult<BucketInfo> {
        let id = self.find(|record| record.slot == slot)?.id;
        Ok(self.update_record(id, |record| change(&mut record.root))?.info())
    }

    /// Store-wide settings by name.
    ///
    /// # Errors
    /// `Damaged`, `Io`.
    pub fn settings(&self) -> FsResult<BTreeMap<String, Vec<u8>>> {
        let snapshot = self.parts.meta.snapshot()?;
        let end = records::behind(&[records::SETTING]);
        let mut cursor = snapshot.range(&[records::SETTING], end.as_deref());
        let mut found = BTreeMap::new();
        while let Some((key, value)) = cursor.next()? {
            let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
            let name = name.ok_or_else(|| FsError::damaged("the name of a setting"))?;
            found.insert(name.to_owned(), value.to_vec());
        }
        Ok(found)
    }

    /// Sets, or with `None` removes, a setting; durable when it returns. The root credentials are the setting
    /// `root-credentials`: like all of the catalog they are sealed under its keys.
    ///
    /// # Errors
    /// `NoSpace`, `ReadOnly`, `Io`.
    pub fn set_setting(&self, name: &str, value: Option<&[u8]>) -> FsResult<()> {
        let _writer = super::lock(&self.writer);
        let key = [&[records::SETTING], name.as_bytes()].concat();
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(key, value.to_vec()),
            None => batch.delete(key),
        }
        self.commit(batch)
    }
}

fn bucket_key(id: &[u8; 16]) -> Vec<u8> {
    [&[records::BUCKET], id.as_slice()].concat()
}

fn slot_key(slot: u32) -> Vec<u8> {
    [&[records::FREE_SLOT], slot.to_be_bytes().as_slice()].concat()
}
