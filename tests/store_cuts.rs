//! A whole store under random power cuts and kills: files put and deleted, buckets made and removed, keys rewrapped,
//! generations added and dropped, flush and compaction. It always opens; each bucket shows one state of its own, not
//! older than its last sync; what was promised of buckets and keys holds (D1, D2, D4).
//!
//! `STRONGROOM_STORE_CUTS` sets the number of cuts (default 60, 300 in CI, 3,000 in the long tier).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod support;

use std::{collections::BTreeMap, sync::Arc};
use strongroom::{
    disk::SimDisk,
    fs::{Conditions, FsError, ListEntry, ListFrom, ListRequest, PutOptions, RootAttributes},
    kms::{KeyName, MemoryKms},
    store::Store,
};
use support::{
    random::Random,
    store::{Ground, open},
};

type Files = BTreeMap<String, Vec<u8>>;

/// One bucket as it may be found.
struct Bucket {
    /// States since the last sync, oldest first; the last one is the present.
    states: Vec<Files>,
    /// Whether it was acknowledged: it then exists after a cut, or was removed by an acknowledged call.
    sure: bool,
}

struct World {
    ground: Ground,
    kms: Arc<MemoryKms>,
    random: Random,
    buckets: BTreeMap<String, Bucket>,
    keys: u64,
    cuts: u64,
    tally: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let kms = Arc::new(MemoryKms::new(KeyName::new("key-0").unwrap()).unwrap());
        let ground = Ground { disk: SimDisk::new(seed), kms: Arc::clone(&kms) as _ };
        Self { ground, kms, random: Random(seed), buckets: BTreeMap::new(), keys: 0, cuts: 0, tally: BTreeMap::new() }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn change_files(&mut self, store: &Store, name: &str) -> Result<(), FsError> {
        let namespace = store.catalog().namespace(name)?;
        let key = format!("d{}/f{}", self.random.below(3), self.random.below(8));
        let bucket = self.buckets.get_mut(name).unwrap();
        let mut files = bucket.states.last().unwrap().clone();
        let number = if self.random.below(100) < 25 {
            files.remove(&key);
            bucket.states.push(files);
            namespace.delete_object(key.as_bytes(), &Conditions::default())?.number
        } else {
            let len = self.random.below(if self.random.0.is_multiple_of(11) { 200_000 } else { 3_000 }) as usize;
            let content = vec![self.random.below(256) as u8; len];
            files.insert(key.clone(), content.clone());
            bucket.states.push(files);
            let mut writer = namespace.begin_put(key.as_bytes(), PutOptions::default())?;
            writer.write(&content)?;
            writer.finish(&Conditions::default())?.number
        };
        if self.random.below(100) < 30 {
            namespace.sync(number)?;
            let bucket = self.buckets.get_mut(name).unwrap();
            bucket.states = vec![bucket.states.last().unwrap().clone()];
        }
        Ok(())
    }

    fn step(&mut self, store: &Arc<Store>) -> Result<(), FsError> {
        let names: Vec<String> = self.buckets.keys().cloned().collect();
        let chosen = (!names.is_empty()).then(|| names[self.random.below(names.len() as u64) as usize].clone());
        match (self.random.below(100), chosen) {
            (0..=5, _) | (_, None) => {
                let name = format!("bucket-{}", self.random.below(5));
                if self.buckets.contains_key(&name) {
                    return Ok(());
                }
                self.buckets.insert(name.clone(), Bucket { states: vec![Files::new()], sure: false });
                store.catalog().create_bucket(&name, RootAttributes::default(), store.default_key())?;
                self.buckets.get_mut(&name).unwrap().sure = true;
                self.count("buckets made");
            }
            (6..=8, Some(name)) => {
                if !self.buckets[&name].states.last().unwrap().is_empty() {
                    return Ok(());
                }
                self.buckets.get_mut(&name).unwrap().sure = false;
                store.catalog().remove_bucket(&name)?;
                self.buckets.remove(&name);
                self.count("buckets removed");
            }
            (9..=11, Some(name)) => {
                self.keys += 1;
                store.rewrap_bucket(&name, &format!("key-{}", self.keys))?;
                self.count("rewraps");
            }
            (12..=14, Some(name)) => {
                store.reseal_bucket(&name)?;
                self.count("generations dropped");
            }
            (15..=22, Some(_)) => {
                let (own, open) = store.storage();
                for bucket in open.iter().chain([&own]) {
                    if self.random.below(2) == 0 {
                        bucket.flush()?;
                    }
                    while bucket.work()? {}
                }
                for namespace in store.catalog().open_namespaces() {
                    namespace.work()?;
                }
            }
            (_, Some(name)) => self.change_files(store, &name)?,
        }
        Ok(())
    }

    fn verify(&mut self, store: &Store, all: bool) {
        let found: Vec<String> = store.catalog().buckets().into_iter().map(|bucket| bucket.name).collect();
        for name in &found {
            assert!(self.buckets.contains_key(name), "bucket {name} was removed, or never made");
        }
        let names: Vec<String> = self.buckets.keys().cloned().collect();
        for name in names {
            if !found.contains(&name) {
                assert!(!self.buckets[&name].sure, "bucket {name} is gone");
                self.buckets.remove(&name);
                continue;
            }
            let files = read_bucket(store, &name);
            let bucket = self.buckets.get_mut(&name).unwrap();
            let least = if all { bucket.states.len() - 1 } else { 0 };
            assert!(
                bucket.states[least..].contains(&files),
                "bucket {name} shows no state that it had since its last sync"
            );
            *bucket = Bucket { states: vec![files], sure: true };
        }
    }

    fn reopen(&mut self) -> Arc<Store> {
        loop {
            if self.random.below(100) < 15 {
                self.ground.disk.cut_after(1 + self.random.below(60));
            }
            match open(&self.ground) {
                Ok(store) if !self.ground.disk.is_off() => return store,
                Ok(_) => {}
                Err(error) => assert!(self.ground.disk.is_off(), "it does not open after power cuts alone: {error}"),
            }
            self.count("cuts during an opening");
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.ground.disk = self.ground.disk.power_cut(self.random.next());
        self.cuts += 1;
    }

    /// One life: opened, worked on, ended by a cut, a kill or a clean close.
    fn live(&mut self, store: Arc<Store>) -> Arc<Store> {
        let cut = self.random.below(100) < 65;
        if cut {
            self.ground.disk.cut_after(1 + self.random.below(400));
        }
        let mut failed = false;
        for _ in 0..self.random.below(60) {
            if let Err(error) = self.step(&store) {
                assert!(self.ground.disk.is_off(), "it fails without a fault: {error}");
                failed = true;
                break;
            }
        }
        if !failed && !cut && self.random.below(3) == 0 {
            store.close_storage().unwrap();
            self.count("clean closes");
        }
        let kill = !failed && !cut;
        if kill {
            self.ground.disk = self.ground.disk.kill();
            self.count("kills");
        } else {
            self.cut();
        }
        drop(store);
        let off = |world: &Self| world.ground.disk.is_off();
        let mut store = if kill { open(&self.ground).unwrap() } else { self.reopen() };
        loop {
            // What is shown is read while no cut is pending; a pending one is let go off first.
            if off(self) {
                self.cut();
                store = self.reopen();
                continue;
            }
            self.ground.disk.heal();
            self.verify(&store, kill);
            return store;
        }
    }
}

fn read_bucket(store: &Store, name: &str) -> Files {
    let namespace = store.catalog().namespace(name).unwrap();
    let page = namespace
        .list(&ListRequest { prefix: Vec::new(), delimiter: Vec::new(), from: ListFrom::Start, max_entries: 1000 })
        .unwrap();
    let mut files = Files::new();
    for entry in page.entries {
        let ListEntry::Object { key, .. } = entry else { continue };
        let reader = namespace.get_object(&key).unwrap();
        let mut content = vec![0; reader.info().size as usize];
        assert_eq!(reader.read_at(0, &mut content).unwrap(), content.len());
        files.insert(String::from_utf8(key).unwrap(), content);
    }
    assert_eq!(strongroom::fs::check(&namespace).unwrap(), [], "the records of {name} agree");
    files
}

#[test]
fn a_store_under_random_cuts_always_opens_and_keeps_its_promises() {
    let wanted = support::count("STRONGROOM_STORE_CUTS", 60, 300, 3_000);
    let first = support::seed(1);
    let mut cuts = 0;
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first.. {
        if cuts >= wanted {
            break;
        }
        println!("seed {seed}");
        let mut world = World::new(seed);
        let mut store = open(&world.ground).unwrap();
        for _ in 0..20 {
            store = world.live(store);
        }
        cuts += world.cuts;
        for (what, count) in world.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{cuts} power cuts from seed {first} on, no violation; {tally:?}");
}

#[test]
fn after_a_rewrap_and_a_new_generation_the_old_key_can_be_deleted() {
    let mut world = World::new(7);
    let mut store = open(&world.ground).unwrap();
    store.catalog().create_bucket("bucket-0", RootAttributes::default(), store.default_key()).unwrap();
    world.buckets.insert("bucket-0".into(), Bucket { states: vec![Files::new()], sure: true });
    for _ in 0..80 {
        world.change_files(&store, "bucket-0").unwrap();
    }
    store.rewrap_bucket("bucket-0", "fresh-key").unwrap();
    assert!(store.reseal_bucket("bucket-0").unwrap() > 0);
    for _ in 0..20 {
        world.change_files(&store, "bucket-0").unwrap();
    }
    store.close_storage().unwrap();
    drop(store);
    // The catalog stands under the default key; a second bucket key of the same name would not open without it.
    store = open(&world.ground).unwrap();
    world.kms.delete(&KeyName::new("key-0").unwrap());
    let wanted = world.buckets["bucket-0"].states.last().unwrap().clone();
    assert_eq!(read_bucket(&store, "bucket-0"), wanted);
    let (_, open_buckets) = store.storage();
    assert_eq!(open_buckets[0].verify().unwrap().findings, []);
}
