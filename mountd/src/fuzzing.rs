//! What comes from the command line and the kernel's tables, for the package `strongroom-fuzz`.

use crate::mount::{MountOptions, last_on};
use std::path::Path;
use strongroom::fuzzing::Target;

/// The targets of the mount.
#[must_use]
pub fn targets() -> Vec<Target> {
    vec![
        Target { name: "mountd-options", run: options, seeds: option_seeds },
        Target { name: "mountd-mount-table", run: table, seeds: table_seeds },
    ]
}

fn options(input: &[u8]) {
    let Ok(list) = std::str::from_utf8(input) else { return };
    let mut options = MountOptions::default();
    if options.parse(list).is_ok() {
        let once = options;
        assert!(options.parse(list).is_ok() && options == once, "the same list twice changes nothing more");
    }
}

fn option_seeds() -> Vec<Vec<u8>> {
    [
        "ro,allow_other,nodev,nosuid,noexec,sync,dirsync,noatime",
        "rw,noallow_other,dev,suid,exec,async,x-systemd.automount",
    ]
    .map(|list| list.as_bytes().to_vec())
    .to_vec()
}

fn table(input: &[u8]) {
    let found = last_on(input, Path::new("/mnt/a b"));
    assert!(found.is_none_or(|kind| kind.len() <= 3 * input.len()));
}

fn table_seeds() -> Vec<Vec<u8>> {
    vec![b"90 22 0:50 / /mnt/a\\040b rw,nosuid - fuse.strongroom strongroom rw\n91 22 0:51 / /proc rw shared:5 - proc proc rw\n".to_vec()]
}
