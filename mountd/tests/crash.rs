//! The daemon killed under load, again and again, and a disk that fills up below it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

mod common;

use common::{can_mount, daemon::Place, noise, shell};
use nix::errno::Errno;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Rounds of killing: a few in each run, many in the long tier.
fn rounds() -> u64 {
    if std::env::var_os("STRONGROOM_LONG").is_some() { 200 } else { 4 }
}

/// What was acknowledged: the seed and length of each file's content.
type Acknowledged = Arc<Mutex<BTreeMap<String, (u64, usize)>>>;

/// Saves, replaces and removes files until told to stop, or the mount dies; notes what was acknowledged. What a call was
/// doing when the daemon died may or may not have happened, so its file is not in the notes.
fn load(folder: &Path, worker: u64, round: u64, stop: &AtomicBool, notes: &Acknowledged) {
    for step in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let seed = (round << 40) | (worker << 32) | step;
        let name = format!("{worker}-{}", noise(seed, 1)[0] % 40);
        let (path, len) = (folder.join(&name), 1 + (seed as usize * 7919) % 150_000);
        notes.lock().unwrap().remove(&name);
        if step % 9 == 8 {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(_) => return,
            }
            continue;
        }
        let temporary = folder.join(format!("{name}.new"));
        let saved = File::create(&temporary).and_then(|mut file| {
            file.write_all(&noise(seed, len))?;
            if step % 4 == 0 {
                file.sync_all()?;
            }
            Ok(nix::unistd::close(file)?)
        });
        if saved.is_err() || fs::rename(&temporary, &path).is_err() {
            return;
        }
        notes.lock().unwrap().insert(name, (seed, len));
    }
}

#[test]
fn whatever_was_acknowledged_survives_a_kill() {
    if !can_mount() {
        return;
    }
    let place = Place::new();
    let notes = Acknowledged::default();
    let folder = place.mnt().join("bucket");
    for round in 0..rounds() {
        let daemon = place.start(&["--no-s3"]);
        if round == 0 {
            fs::create_dir(&folder).unwrap();
        }
        for (name, (seed, len)) in notes.lock().unwrap().iter() {
            let found = fs::read(folder.join(name)).unwrap_or_else(|error| panic!("round {round}: {name}: {error}"));
            assert!(found == noise(*seed, *len), "round {round}: {name} is not what was saved");
        }
        // Every file that is there can be read whole.
        for entry in fs::read_dir(&folder).unwrap() {
            fs::read(entry.unwrap().path()).unwrap();
        }
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in 0..3 {
                let (folder, notes, stop) = (&folder, &notes, &stop);
                scope.spawn(move || load(folder, worker, round, stop, notes));
            }
            std::thread::sleep(Duration::from_millis(300 + 137 * (round % 7)));
            daemon.kill();
            stop.store(true, Ordering::Relaxed);
        });
        println!("round {round}: {} files acknowledged", notes.lock().unwrap().len());
    }
    let daemon = place.start(&["--no-s3"]);
    assert!(!notes.lock().unwrap().is_empty());
    daemon.stop();
}

/// A small file system of its own, in a file; unmounted whatever the test does.
struct SmallDisk<'a>(&'a Path);

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_is_told_in_time_and_removing_files_heals_it() {
    if !can_mount() || !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
        println!("skipped: needs root and a loop device");
        return;
    }
    let place = Place::new();
    fs::create_dir(place.path().join("disk")).unwrap();
    shell(place.path(), "truncate -s 96M image; mkfs.ext4 -q -F image; mount -o loop image disk");
    let disk = place.path().join("disk");
    let _disk = SmallDisk(&disk);
    fs::create_dir(disk.join("store")).unwrap();
    std::os::unix::fs::symlink("disk/store", place.store()).unwrap();
    let daemon = place.start(&["--no-s3"]);
    let bucket = place.mnt().join("bucket");
    fs::create_dir(&bucket).unwrap();
    let mut saved = Vec::new();
    let mut told = None;
    for index in 0..200_u64 {
        let path = bucket.join(format!("file{index}"));
        let result = File::create(&path).and_then(|mut file| {
            file.write_all(&noise(index, 1_000_000))?;
            file.sync_all()
        });
        match result {
            Ok(()) => saved.push((path, index)),
            Err(error) => {
                told = error.raw_os_error().map(Errno::from_raw);
                break;
            }
        }
    }
    assert_eq!(told, Some(Errno::ENOSPC), "after {} files", saved.len());
    assert!(saved.len() > 20, "{}", saved.len());
    let kept = saved.split_off(saved.len() / 2);
    for (path, _) in &saved {
        fs::remove_file(path).unwrap();
    }
    // Space comes back behind the removal.
    let again = bucket.join("again");
    let healed = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        let result = File::create(&again).and_then(|mut file| {
            file.write_all(&noise(999, 5_000_000))?;
            file.sync_all()
        });
        result.is_ok()
    });
    assert!(healed, "space does not come back");
    for (path, index) in &kept {
        assert!(fs::read(path).unwrap() == noise(*index, 1_000_000), "{}", path.display());
    }
    daemon.stop();
    let daemon = place.start(&["--no-s3"]);
    assert!(fs::read(&again).unwrap() == noise(999, 5_000_000));
    for (path, index) in &kept {
        assert!(fs::read(path).unwrap() == noise(*index, 1_000_000), "{}", path.display());
    }
    daemon.stop();
}
