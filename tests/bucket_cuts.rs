//! One bucket under random power cuts, kills and faults: whatever happens, it opens, holds exactly what some instant not
//! older than the last sync held, and every segment that it names is whole (promises D1, D2, D4, D5).
//!
//! `STRONGROOM_CUTS` sets the number of cuts (default 400, 2,000 in CI, 20,000 in the long tier), `STRONGROOM_SEED` the first
//! seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod support;

use support::{
    bucket::{env_on, keys_of},
    random::Random,
};

use nix::errno::Errno;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use strongroom::{
    bucket::{
        Batch, LocalBucket, ManifestRecorder, ManifestRef, MetaStore, SegmentId, SegmentRef, SegmentStore, StoreError,
    },
    crypt::{BucketId, BucketKeys},
    disk::{CallKind, Disk, SimDisk},
};

const DIR: &str = "bucket";

/// The catalog's record, durable when it is made.
#[derive(Default)]
struct Recorder(Mutex<Option<ManifestRef>>);

impl ManifestRecorder for Recorder {
    fn record(&self, _: BucketId, manifest: ManifestRef) -> Result<(), StoreError> {
        *self.0.lock().unwrap() = Some(manifest);
        Ok(())
    }
}

/// What a key holds: nothing but a value, or a segment too.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    value: u64,
    segment: Option<(SegmentId, u32)>,
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let (id, len) = self.segment.map_or((0, 0), |(id, len)| (id.0, len));
        [self.value.to_le_bytes().as_slice(), &id.to_le_bytes(), &len.to_le_bytes()].concat()
    }

    fn content(&self, len: u32) -> Vec<u8> {
        let mut random = Random(self.value);
        (0..len).map(|_| random.next() as u8).collect()
    }
}

type State = BTreeMap<Vec<u8>, Entry>;

/// The key that names the step whose state is shown.
const STEP: &[u8] = b"\x01";

struct World {
    disk: SimDisk,
    keys: BucketKeys,
    id: BucketId,
    recorder: Arc<Recorder>,
    random: Random,
    /// The state after each step that was tried since the last opening; the first one is what that opening found.
    states: BTreeMap<u64, State>,
    /// The last step that was acknowledged: survives kills.
    acknowledged: u64,
    /// The last step that was synced: survives power cuts.
    durable: u64,
    /// The next step.
    next: u64,
    tally: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let id = BucketId::from_bytes([9; 16]);
        let keys = keys_of(id);
        disk.create_dir(DIR).unwrap();
        disk.sync_dir("").unwrap();
        let recorder = Arc::new(Recorder::default());
        let first = LocalBucket::create(&env_on(&disk).unwrap(), DIR, id, &keys).unwrap();
        recorder.record(id, first).unwrap();
        Self {
            disk,
            keys,
            id,
            recorder,
            random: Random(seed),
            states: BTreeMap::from([(0, State::new())]),
            acknowledged: 0,
            durable: 0,
            next: 1,
            tally: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn open(&self) -> Result<Arc<LocalBucket>, StoreError> {
        let env = env_on(&self.disk).map_err(|e| StoreError::Io { what: "reserve".into(), source: Arc::new(e) })?;
        let recorded = *self.recorder.0.lock().unwrap();
        LocalBucket::open(env, DIR, self.id, self.keys.clone(), recorded, Arc::clone(&self.recorder) as _, false)
    }

    /// Commits one batch of random changes.
    fn commit(&mut self, bucket: &LocalBucket) -> Result<(), StoreError> {
        let mut state = self.states[&self.acknowledged].clone();
        let mut batch = Batch::new();
        let keys: BTreeSet<u64> = (0..=self.random.below(4)).map(|_| self.random.below(150)).collect();
        for key in keys {
            let key = format!("\x02key{key:03}").into_bytes();
            if let Some(Entry { segment: Some((id, len)), .. }) = state.remove(&key) {
                batch.adjust(id, SegmentRef { extents: -1, live_bytes: -i64::from(len) });
            }
            if self.random.chance(30) {
                batch.delete(key);
                continue;
            }
            let mut entry = Entry { value: self.random.next(), segment: None };
            if self.random.chance(40) {
                let limit = if self.random.chance(10) { 60_000 } else { 6_000 };
                let len = 1 + self.random.below(limit) as u32;
                let pending = bucket.append(&entry.content(len), len)?;
                let id = batch.publish(pending, SegmentRef { extents: 1, live_bytes: i64::from(len) });
                entry.segment = Some((id, len));
            }
            batch.put(key.clone(), entry.encode());
            state.insert(key, entry);
        }
        let step = self.next;
        self.next += 1;
        batch.put(STEP.to_vec(), step.to_le_bytes().to_vec());
        self.states.insert(step, state);
        bucket.commit(batch)?;
        self.acknowledged = step;
        Ok(())
    }

    fn sync(&mut self, bucket: &LocalBucket) -> Result<(), StoreError> {
        bucket.sync(bucket.committed())?;
        self.durable = self.acknowledged;
        Ok(())
    }

    /// A run of random work; an error ends it.
    fn run(&mut self, bucket: &LocalBucket, steps: u64) -> Result<(), StoreError> {
        for _ in 0..steps {
            match self.random.below(100) {
                0..=79 => self.commit(bucket)?,
                80..=87 => self.sync(bucket)?,
                88..=90 => {
                    bucket.flush()?;
                    self.count("flushes");
                }
                91..=98 => {
                    while bucket.work()? {
                        self.count("rounds of work");
                    }
                }
                _ => {
                    // Content that no batch ever publishes.
                    drop(bucket.append(&[1; 3000], 3000)?);
                }
            }
        }
        Ok(())
    }

    /// Whether the bucket shows exactly the state of one step, not older than `least`.
    fn verify(&mut self, bucket: &LocalBucket, least: u64) {
        assert_eq!(bucket.read_only_reason(), None);
        let snapshot = bucket.snapshot().unwrap();
        let mut found = BTreeMap::new();
        let mut cursor = snapshot.range(&[], None);
        while let Some((key, value)) = cursor.next().unwrap() {
            found.insert(key.to_vec(), value.to_vec());
        }
        let step = found.remove(STEP).map_or(0, |step| u64::from_le_bytes(step.as_slice().try_into().unwrap()));
        assert!(step >= least, "step {step} is shown, and {least} was promised");
        if step > self.acknowledged {
            self.count("unanswered batches found whole");
        }
        let state = self.states.remove(&step).unwrap_or_else(|| panic!("step {step} was never tried"));
        let wanted: BTreeMap<Vec<u8>, Vec<u8>> =
            state.iter().map(|(key, entry)| (key.clone(), entry.encode())).collect();
        assert_eq!(found, wanted, "the state of step {step}");
        for entry in state.values() {
            let Some((id, len)) = entry.segment else { continue };
            let mut content = vec![0; len as usize];
            bucket.read(snapshot.as_ref(), id, 0, &mut content).unwrap();
            assert!(content == entry.content(len), "segment {} is whole", id.0);
        }
        self.states = BTreeMap::from([(step, state)]);
        self.acknowledged = step;
        // What is shown was synced before it was shown.
        self.durable = step;
    }

    /// Cuts the power and opens again, maybe under more cuts.
    fn cut_and_reopen(&mut self, cuts: &mut u64) -> Arc<LocalBucket> {
        loop {
            self.disk = self.disk.power_cut(self.random.next());
            *cuts += 1;
            if self.random.chance(25) {
                self.disk.cut_after(1 + self.random.below(40));
            }
            match self.open() {
                Ok(bucket) => {
                    self.verify(&bucket, self.durable);
                    return bucket;
                }
                Err(error) => {
                    assert!(self.disk.is_off(), "it does not open after power cuts alone: {error}");
                    self.count("cuts during recovery");
                }
            }
        }
    }

    /// One life of the bucket: opened, worked on, ended by a cut, a kill, or a clean close.
    fn live(&mut self, bucket: &Arc<LocalBucket>, cuts: &mut u64) -> Arc<LocalBucket> {
        let steps = self.random.below(120);
        let end = self.random.below(100);
        if end < 60 && !self.disk.is_off() {
            // Somewhere in the midst of it, a call is done by half and the power goes.
            self.disk.cut_after(1 + self.random.below(steps * 4 + 2));
        }
        match self.run(bucket, steps) {
            Ok(()) => {}
            Err(error) => assert!(self.disk.is_off(), "it fails without a fault: {error}"),
        }
        if !self.disk.is_off() && self.random.chance(30) {
            // The mutating calls of a clean close are cut too, when the power is to go during this life.
            match bucket.close() {
                Ok(()) => {
                    self.durable = self.acknowledged;
                    self.count("clean closes");
                }
                Err(error) => assert!(self.disk.is_off(), "a close fails without a fault: {error}"),
            }
        }
        if self.disk.is_off() || self.random.chance(50) {
            return self.cut_and_reopen(cuts);
        }
        self.disk = self.disk.kill();
        self.count("kills");
        match self.open() {
            Ok(bucket) => {
                self.verify(&bucket, self.acknowledged);
                bucket
            }
            Err(error) => panic!("it does not open after a kill: {error}"),
        }
    }
}

#[test]
fn whatever_is_cut_off_a_whole_state_not_older_than_the_last_sync_is_found() {
    let wanted = support::count("STRONGROOM_CUTS", 400, 2_000, 20_000);
    let first = support::seed(1);
    let mut cuts = 0;
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in first.. {
        if cuts >= wanted {
            break;
        }
        println!("seed {seed}");
        let mut world = World::new(seed);
        let mut bucket = world.open().unwrap();
        for _ in 0..40 {
            bucket = world.live(&bucket, &mut cuts);
        }
        for (what, count) in world.tally {
            *tally.entry(what).or_default() += count;
        }
    }
    println!("{cuts} power cuts from seed {first} on, no violation; {tally:?}");
}

#[test]
fn after_any_call_of_the_disk_fails_once_nothing_acknowledged_is_lost() {
    let seed = support::seed(1);
    // How many calls an undisturbed run makes.
    let calls = |kinds: &[CallKind], disk: &SimDisk| kinds.iter().map(|&kind| disk.counts().of(kind)).sum::<u64>();
    let kinds = [
        CallKind::Read,
        CallKind::Write,
        CallKind::Sync,
        CallKind::Allocate,
        CallKind::SyncDir,
        CallKind::Create,
        CallKind::RemoveFile,
    ];
    let mut world = World::new(seed);
    let bucket = world.open().unwrap();
    world.run(&bucket, 150).unwrap();
    let totals: Vec<u64> = kinds.iter().map(|&kind| calls(&[kind], &world.disk)).collect();
    let stride = support::count("STRONGROOM_FAULT_STRIDE", 7, 3, 1);
    for (kind, total) in kinds.into_iter().zip(totals) {
        for nth in (1..=total).step_by(stride as usize) {
            let mut world = World::new(seed);
            world.disk.fail_call(&[kind], nth, Errno::EIO);
            let Ok(bucket) = world.open() else {
                world.disk.heal();
                world.open().unwrap();
                continue;
            };
            let outcome = world.run(&bucket, 150);
            if outcome.is_err() && bucket.read_only_reason().is_some() {
                assert!(bucket.commit(Batch::new()).is_err(), "every later write says so ({kind:?} {nth})");
            }
            world.disk.heal();
            let mut cuts = 0;
            drop(bucket);
            world.cut_and_reopen(&mut cuts);
        }
    }
}
