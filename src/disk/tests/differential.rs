//! The two disks side by side: random calls without cuts and faults end alike, errors too.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
};

use crate::{
    disk::sim::dice::Dice,
    disk::{Disk, DiskFile, RealDisk, SimDisk},
};

/// What is compared of a result: the kind of an error, and its number where the real disk has one.
fn outcome<T>(result: io::Result<T>) -> Result<T, (ErrorKind, Option<i32>)> {
    result.map_err(|error| (error.kind(), error.raw_os_error()))
}

struct Pair {
    real: RealDisk,
    sim: SimDisk,
    /// The same file on both.
    open: Vec<[Arc<dyn DiskFile>; 2]>,
}

impl Pair {
    fn both<T: PartialEq + std::fmt::Debug>(&self, what: &str, run: impl Fn(&dyn Disk) -> io::Result<T>) {
        assert_eq!(outcome(run(&self.real)), outcome(run(&self.sim)), "{what}");
    }

    fn open(&mut self, what: &str, run: impl Fn(&dyn Disk) -> io::Result<Arc<dyn DiskFile>>) {
        match (outcome(run(&self.real)), outcome(run(&self.sim))) {
            (Ok(real), Ok(sim)) => self.open.push([real, sim]),
            (real, sim) => assert_eq!(real.map(drop), sim.map(drop), "{what}"),
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        what: &str,
        at: usize,
        run: impl Fn(&dyn DiskFile) -> io::Result<T>,
    ) {
        if let Some([real, sim]) = self.open.get(at) {
            assert_eq!(outcome(run(real.as_ref())), outcome(run(sim.as_ref())), "{what}");
        }
    }
}

fn path(dice: &mut Dice) -> String {
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "."];
    let depth = 1 + dice.below(3);
    let name = |dice: &mut Dice| NAMES[usize::try_from(dice.below(41) / 10).unwrap()];
    (0..depth).map(|_| name(dice)).collect::<Vec<_>>().join("/")
}

fn sorted(mut entries: Vec<crate::disk::DirEntry>) -> Vec<crate::disk::DirEntry> {
    entries.sort();
    entries
}

fn step(pair: &mut Pair, dice: &mut Dice, what: &str) {
    let (one, other) = (path(dice), path(dice));
    let at = usize::try_from(dice.below(pair.open.len() as u64)).unwrap();
    let (offset, len) = (dice.below(20_000), dice.below(10_000));
    let what = &format!("{what}: {one} {other} file {at}, {offset}+{len}");
    match dice.below(19) {
        0..=2 => pair.open(&format!("create {what}"), |disk| disk.create(&one)),
        3 => pair.open(&format!("open {what}"), |disk| disk.open(&one)),
        4 => pair.open(&format!("open_read {what}"), |disk| disk.open_read(&one)),
        5 => pair.both(&format!("create_dir {what}"), |disk| disk.create_dir(&one)),
        6 => pair.both(&format!("remove_file {what}"), |disk| disk.remove_file(&one)),
        7 => pair.both(&format!("remove_dir {what}"), |disk| disk.remove_dir(&one)),
        8 => pair.both(&format!("rename {what}"), |disk| disk.rename(&one, &other)),
        9 => pair.both(&format!("list {what}"), |disk| disk.list(&one).map(sorted)),
        10 => pair.both(&format!("sync_dir {what}"), |disk| disk.sync_dir(&one)),
        11..=13 => {
            let bytes: Vec<u8> = (0..len).map(|_| dice.draw().to_le_bytes()[0]).collect();
            let (head, tail) = bytes.split_at(bytes.len() / 3);
            pair.same(&format!("write {what}"), at, |file| file.write_at(offset, &[head, &[], tail]));
        }
        14 => pair.same(&format!("allocate {what}"), at, |file| file.allocate(offset, len)),
        15 => pair.same(&format!("set_len {what}"), at, |file| file.set_len(offset)),
        16 => pair.same(&format!("sync {what}"), at, |file| if len < 2000 { file.sync() } else { file.forget_cache() }),
        17 => {
            if at < pair.open.len() && pair.open.len() > 3 {
                pair.open.swap_remove(at);
            }
        }
        _ => {
            pair.same(&format!("len {what}"), at, |file| file.len());
            pair.same(&format!("read {what}"), at, |file| {
                let mut bytes = vec![0; usize::try_from(len).unwrap()];
                file.read_at(offset, &mut bytes).map(|()| bytes)
            });
        }
    }
}

/// Lists and contents of everything, depth first.
fn tree(disk: &dyn Disk, dir: &str, found: &mut Vec<(String, Option<Vec<u8>>)>) {
    for entry in sorted(disk.list(dir).unwrap()) {
        let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
        if entry.is_dir {
            found.push((path.clone(), None));
            tree(disk, &path, found);
        } else {
            let file = disk.open_read(&path).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            file.read_at(0, &mut bytes).unwrap();
            found.push((path, Some(bytes)));
        }
    }
}

#[test]
fn random_calls_end_alike_on_the_real_and_the_simulated_disk() {
    for seed in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        let real = RealDisk::new(dir.path()).unwrap();
        let mut pair = Pair { real, sim: SimDisk::new(seed), open: Vec::new() };
        let mut dice = Dice::new(seed);
        for nth in 0..250 {
            step(&mut pair, &mut dice, &format!("seed {seed} call {nth}"));
        }
        let (mut real, mut sim) = (Vec::new(), Vec::new());
        tree(&pair.real, "", &mut real);
        tree(&pair.sim, "", &mut sim);
        assert!(real == sim, "seed {seed}: the trees differ");
    }
}
