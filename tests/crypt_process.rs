//! What the kernel says of a hardened process and of the pages that hold its keys.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::print_stdout
)]

use nix::sys::{
    prctl,
    resource::{Resource, getrlimit},
};
use strongroom::crypt::{Dek, harden_process, locked_memory};
use zeroize::Zeroizing;

#[test]
fn a_hardened_process_is_not_dumped() {
    harden_process().unwrap();
    assert!(!prctl::get_dumpable().unwrap());
    assert_eq!(getrlimit(Resource::RLIMIT_CORE).unwrap(), (0, 0));
}

#[test]
fn deks_share_locked_pages_that_are_left_out_of_dumps() {
    let deks: Vec<Dek> = (0..200u8).map(|byte| Dek::new(Zeroizing::new([byte; 32]))).collect();
    let held = locked_memory();
    assert_eq!((held.keys, held.pages_locked + held.pages_not_locked), (200, 2));
    let may_lock_none = !nix::unistd::geteuid().is_root() && getrlimit(Resource::RLIMIT_MEMLOCK).unwrap().0 < 4096;
    assert!(!may_lock_none || held.pages_not_locked == 2, "keys are kept, and the pages counted, without locking");
    if held.pages_not_locked == 0 {
        // "lo": locked, "dd": left out of dumps; see proc(5).
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let kept = maps.lines().filter(|line| line.starts_with("VmFlags:"));
        let kept = kept.filter(|line| line.split(' ').any(|flag| flag == "lo") && line.contains(" dd")).count();
        assert!(kept >= 1, "no mapping is both locked and left out of dumps");
    }
    drop(deks);
    assert_eq!(locked_memory().keys, 0);
    assert_eq!(locked_memory().pages_locked + locked_memory().pages_not_locked, 0);
}
