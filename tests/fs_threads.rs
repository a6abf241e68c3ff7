//! Many threads on one namespace: nobody waits for ever, and the invariants hold at the end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use strongroom::{
    bucket::MemoryStore,
    clock::SystemClock,
    crypt::{BucketId, KernelEntropy},
    fs::*,
};

const STEPS: usize = 1_500;

fn below(rng: &mut u64, limit: usize) -> usize {
    *rng ^= *rng << 13;
    *rng ^= *rng >> 7;
    *rng ^= *rng << 17;
    (*rng >> 11) as usize % limit
}

fn posix(fs: &Arc<Namespace>, mut rng: u64) {
    let names: Vec<String> = (0..12).map(|name| format!("n{name}")).collect();
    let node = NewNode { kind: FileKind::File, mode: 0o644, owner: Owner { uid: 1, gid: 1 }, rdev: 0 };
    for _ in 0..STEPS {
        let name = names[below(&mut rng, 12)].as_bytes();
        let other = names[below(&mut rng, 12)].as_bytes();
        match below(&mut rng, 9) {
            0..4 => {
                let Ok(done) = fs.create(Ino::ROOT, name, &node, Access::ReadWrite, false) else { continue };
                let handle = done.value.1;
                let data = vec![below(&mut rng, 200) as u8; 1 + below(&mut rng, 150_000)];
                fs.write(&handle, below(&mut rng, 3000) as u64, &data, false).unwrap();
                let mut buf = vec![0; 2000];
                fs.read(&handle, 3000, &mut buf).unwrap();
                if below(&mut rng, 2) == 0 {
                    fs.flush(&handle).unwrap();
                }
            }
            4 => drop(fs.unlink(Ino::ROOT, name)),
            5 => drop(fs.rename(Ino::ROOT, name, Ino::ROOT, other, RenameMode::Replace)),
            6 => {
                if let Ok(found) = fs.lookup(Ino::ROOT, name) {
                    let size = Some(below(&mut rng, 200_000) as u64);
                    drop(fs.setattr(found.ino, &SetAttributes { size, ..SetAttributes::default() }, None));
                    drop(fs.link(found.ino, Ino::ROOT, other));
                }
            }
            7 => drop(fs.mkdir(Ino::ROOT, name, &node)),
            _ => {
                let handle = fs.open_dir(Ino::ROOT).unwrap();
                fs.read_dir(&handle, 0, &mut |_| ControlFlow::Continue(())).unwrap();
                drop(fs.rmdir(Ino::ROOT, name));
            }
        }
    }
}

fn s3(fs: &Arc<Namespace>, mut rng: u64) {
    for _ in 0..STEPS {
        let key = format!("n{}{}", below(&mut rng, 12), ["", "/x", "/y/z"][below(&mut rng, 3)]);
        match below(&mut rng, 6) {
            0..2 => {
                let mut put = fs.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
                put.write(&vec![7; below(&mut rng, 200_000)]).unwrap();
                put.finish(&Conditions::default()).unwrap();
            }
            2 => {
                if let Ok(reader) = fs.get_object(key.as_bytes()) {
                    let mut body = vec![0; reader.info().size as usize];
                    assert_eq!(reader.read_at(0, &mut body).unwrap(), body.len());
                    if let Some(crc) = reader.info().crc64 {
                        assert_eq!(crc, crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body));
                    }
                }
            }
            3 => drop(fs.delete_object(key.as_bytes(), &Conditions::default()).unwrap()),
            4 => drop(fs.copy_object(key.as_bytes(), b"n3/copy", None, &Conditions::default())),
            _ => {
                let request = ListRequest { delimiter: b"/".to_vec(), max_entries: 5, ..ListRequest::default() };
                fs.list(&request).unwrap();
            }
        }
    }
}

#[test]
fn threads_of_both_views_end_and_leave_everything_whole() {
    let store = MemoryStore::new();
    let fs = Namespace::open(NamespaceParts {
        meta: Arc::clone(&store) as _,
        segments: Arc::clone(&store) as _,
        keys: memory_keys(BucketId::from_bytes([1; 16]), &KernelEntropy).unwrap(),
        entropy: Arc::new(KernelEntropy),
        clock: Arc::new(SystemClock),
        root: Arc::new(MemoryRoot::default()),
        slot: 1,
        first_ino: 2,
        encryption: EncryptionStatus::default(),
        window_pool_bytes: 1 << 20,
    })
    .unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..=3u64)
            .flat_map(|seed| {
                let fs = &fs;
                [scope.spawn(move || posix(fs, seed * 77)), scope.spawn(move || s3(fs, seed * 99 + 5))]
            })
            .collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fs.commit_writes(Duration::from_millis(5)).unwrap();
                while fs.work().unwrap() {}
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let ended: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        stop.store(true, Ordering::Relaxed);
        ended.into_iter().for_each(Result::unwrap);
    });
    fs.commit_writes(Duration::ZERO).unwrap();
    let found = inspect(&fs).unwrap();
    assert_eq!(found.problems, []);
    assert_eq!(found.references, store.references());
}
