//! Space that is kept, so that unlink and compaction work on a full disk (promise D6).

use crate::disk::Disk;
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// The file that holds the space.
const PATH: &str = "reserve";

/// An allocated file that is given up piece by piece when the disk is full, and grown again when it is not.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    wanted_bytes: u64,
    held_bytes: Mutex<u64>,
}

impl Reserve {
    /// Takes `wanted_bytes` of the store's file system, as far as they are to be had.
    ///
    /// # Errors
    /// The error of the disk, other than a full one.
    pub fn open(disk: Arc<dyn Disk>, wanted_bytes: u64) -> io::Result<Self> {
        let held = match disk.open(PATH) {
            Ok(file) => file.len()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.create(PATH)?;
                disk.sync_dir("")?;
                0
            }
            Err(error) => return Err(error),
        };
        let reserve = Self { disk, wanted_bytes, held_bytes: Mutex::new(held) };
        reserve.refill()?;
        Ok(reserve)
    }

    /// A reserve of this size for a file system of `total_bytes`: a sixteenth, between 4 MiB and 128 MiB.
    #[must_use]
    pub fn default_bytes(total_bytes: u64) -> u64 {
        (total_bytes / 16).clamp(4 << 20, 128 << 20)
    }

    /// Gives up at least `bytes` of the held space, or all of it; whether anything was given up.
    pub fn release(&self, bytes: u64) -> bool {
        let mut held = self.held_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if *held == 0 {
            return false;
        }
        let left = held.saturating_sub(bytes.max(1 << 20));
        let done = self.disk.open(PATH).and_then(|file| file.set_len(left));
        if done.is_ok() {
            *held = left;
        }
        done.is_ok()
    }

    /// Takes back what was given up, when twice as much is free. A full disk is no error: it is tried again later.
    ///
    /// # Errors
    /// The error of the disk.
    pub fn refill(&self) -> io::Result<()> {
        let mut held = self.held_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.wanted_bytes.saturating_sub(*held);
        if missing == 0 || self.disk.space()?.available_bytes < missing.saturating_mul(2) {
            return Ok(());
        }
        match self.disk.open(PATH)?.allocate(*held, missing) {
            Ok(()) => *held = self.wanted_bytes,
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Bytes held now.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        *self.held_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all of the wanted space is held.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.held_bytes() >= self.wanted_bytes
    }
}
