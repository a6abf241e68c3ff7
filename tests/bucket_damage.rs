//! Any flipped byte of a cleanly closed bucket is found, or served from a second copy, or lies in bytes that are listed
//! as dead; an unreadable sector costs no more than what lies in it. Never wrong data.
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
    bucket::{
        Batch, LocalBucket, MetaStore, NotRecorded, SegmentId, SegmentRef, SegmentStore, StoreError, VerifyReport,
    },
    crypt::BucketId,
    disk::{Disk, SimDisk},
};
use support::bucket::{env_on, keys_of};

const DIR: &str = "bucket";

struct Bucket {
    disk: SimDisk,
    id: BucketId,
    keys: strongroom::crypt::BucketKeys,
    contents: BTreeMap<Vec<u8>, Vec<u8>>,
}

fn open(world: &Bucket, disk: &SimDisk) -> Result<Arc<LocalBucket>, StoreError> {
    LocalBucket::open(env_on(disk).unwrap(), DIR, world.id, world.keys.clone(), None, Arc::new(NotRecorded), false)
}

/// A bucket with tables, several logs, freed segments and a tail that only the log holds, closed.
fn closed_bucket() -> Bucket {
    let disk = SimDisk::new(1);
    let id = BucketId::from_bytes([9; 16]);
    let keys = keys_of(id);
    disk.create_dir(DIR).unwrap();
    LocalBucket::create(&env_on(&disk).unwrap(), DIR, id, &keys).unwrap();
    let mut world = Bucket { disk: disk.clone(), id, keys, contents: BTreeMap::new() };
    let bucket = open(&world, &disk).unwrap();
    let mut segments: BTreeMap<Vec<u8>, (SegmentId, i64)> = BTreeMap::new();
    for step in 0..60u32 {
        let key = format!("\x02key{:02}", step % 25).into_bytes();
        let content: Vec<u8> = (0..200 + step * 7).map(|i| (i.wrapping_mul(step + 3) >> 2) as u8).collect();
        let mut batch = Batch::new();
        if let Some((old, len)) = segments.remove(&key) {
            batch.adjust(old, SegmentRef { extents: -1, live_bytes: -len });
        }
        let pending = bucket.append(&content, content.len() as u32).unwrap();
        let len = content.len() as i64;
        let segment = batch.publish(pending, SegmentRef { extents: 1, live_bytes: len });
        batch.put(key.clone(), segment.0.to_le_bytes().to_vec());
        bucket.commit(batch).unwrap();
        segments.insert(key.clone(), (segment, len));
        world.contents.insert(key, content);
        if step == 30 {
            bucket.flush().unwrap();
        }
    }
    bucket.close().unwrap();
    world.disk = disk;
    world
}

/// What the bucket on `disk` shows: the contents, or that something is wrong.
fn contents(world: &Bucket, bucket: &LocalBucket) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
    let snapshot = bucket.snapshot()?;
    let mut found = BTreeMap::new();
    let mut cursor = snapshot.range(&[], None);
    while let Some((key, value)) = cursor.next()? {
        let id = SegmentId(u64::from_le_bytes(value[..].try_into().unwrap()));
        let mut content = vec![0; bucket.sealed_len(snapshot.as_ref(), id)? as usize];
        bucket.read(snapshot.as_ref(), id, 0, &mut content)?;
        found.insert(key.to_vec(), content);
    }
    let _ = world;
    Ok(found)
}

fn is_dead(report: &VerifyReport, path: &str, offset: u64) -> bool {
    report.dead.iter().any(|dead| dead.path == path && dead.bytes.contains(&offset))
}

#[test]
fn every_flipped_byte_is_found_or_dead() {
    let world = closed_bucket();
    let sound = open(&world, &world.disk.fork()).unwrap().verify().unwrap();
    assert_eq!(sound.findings, [], "a sound bucket has no findings");
    let stride = support::count("STRONGROOM_FLIP_STRIDE", 97, 31, 1);
    let mut tally = [0u64; 3];
    for (path, len) in world.disk.files() {
        if !path.starts_with(DIR) {
            continue;
        }
        for offset in (0..len).step_by(stride as usize) {
            if is_dead(&sound, &path, offset) {
                tally[0] += 1;
                continue;
            }
            let disk = world.disk.fork();
            disk.flip_byte(&path, offset).unwrap();
            let Ok(bucket) = open(&world, &disk) else {
                tally[1] += 1;
                continue;
            };
            let report = bucket.verify().unwrap();
            assert!(!report.findings.is_empty(), "{path} at {offset}: nobody notices");
            let harmless = report.findings.iter().all(|finding| finding.redundant);
            if harmless {
                assert!(
                    contents(&world, &bucket).is_ok_and(|found| found == world.contents),
                    "{path} at {offset}: wrong data"
                );
            }
            tally[2] += 1;
        }
    }
    println!("{} bytes dead, {} keep it from opening, {} found by verify", tally[0], tally[1], tally[2]);
    assert_eq!(tally[1], 0, "one flipped byte never keeps a bucket from opening");
}

#[test]
fn an_unreadable_sector_costs_no_more_than_what_lies_in_it() {
    let world = closed_bucket();
    for (path, len) in world.disk.files() {
        if !path.starts_with(DIR) {
            continue;
        }
        for page in 0..len.div_ceil(4096) {
            let disk = world.disk.fork();
            disk.make_unreadable(&path, page).unwrap();
            let bucket = open(&world, &disk).unwrap_or_else(|e| panic!("{path} page {page}: it does not open: {e}"));
            let snapshot = bucket.snapshot().unwrap();
            let mut lost = 0;
            for (key, content) in &world.contents {
                let read = snapshot.get(key).and_then(|value| {
                    let value = value.ok_or(StoreError::Locked)?;
                    let id = SegmentId(u64::from_le_bytes(value[..].try_into().unwrap()));
                    let mut found = vec![0; bucket.sealed_len(snapshot.as_ref(), id)? as usize];
                    bucket.read(snapshot.as_ref(), id, 0, &mut found)?;
                    Ok(found)
                });
                match read {
                    Ok(found) if found == *content => {}
                    Ok(_) if bucket.read_only_reason().is_some() => lost += 1,
                    Ok(_) => panic!("{path} page {page}: wrong data"),
                    Err(_) => lost += 1,
                }
            }
            let damaged = lost > 0 || bucket.read_only_reason().is_some();
            assert!(!damaged || !bucket.verify().unwrap().findings.is_empty(), "{path} page {page}: not named");
            assert!(lost < world.contents.len() || path.contains("/table/"), "{path} page {page}: everything is lost");
        }
    }
}
