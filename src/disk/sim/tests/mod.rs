//! The simulated disk against its specification.

mod contents;
mod faults;
mod names;
mod tampering;

use std::{io, sync::Arc};

use super::SimDisk;
use crate::disk::{Disk, DiskFile};

/// A disk with the durable file `f` of `pages` pages of `byte`.
fn disk_with_file(seed: u64, pages: usize, byte: u8) -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = SimDisk::new(seed);
    let file = disk.create("f").unwrap();
    file.write_at(0, &[&vec![byte; pages * 4096]]).unwrap();
    file.sync().unwrap();
    disk.sync_dir("").unwrap();
    (disk, file)
}

fn read(file: &Arc<dyn DiskFile>, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0xee; len];
    file.read_at(offset, &mut bytes).map(|()| bytes)
}
