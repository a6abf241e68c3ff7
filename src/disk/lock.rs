//! The lock that makes one process the holder of a store.
//!
//! It is an exclusive `flock` on a file that is never removed: removing it would let two holders lock two different
//! files of the same name. The file carries the holder's process id, for the message only; the kernel releases the
//! lock when the holder ends, however it ends.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::FileExt,
};

/// Longest process id that is read back, in digits.
const PID_DIGITS: usize = 10;

/// Why a store could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another holder has it.
    #[error("the store is in use by {}; stop it, or talk to it through its socket", holder(.pid.as_ref()))]
    Held {
        /// Its process id, when the lock file tells one.
        pid: Option<u32>,
    },
    /// The lock file could not be made, locked or written.
    #[error("the store's lock file could not be locked")]
    Io {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn holder(pid: Option<&u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// The store's lock, held until this is dropped.
#[derive(Debug)]
pub struct StoreLock {
    /// Never read: closing it is what releases the lock.
    _file: File,
}

impl StoreLock {
    /// Locks `file`, open for reading and writing, and writes this process's id into it.
    pub(super) fn take(file: File) -> Result<Self, LockError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&file) }),
            Err(TryLockError::Error(source)) => return Err(LockError::Io { source }),
        }
        write_pid(&file).map_err(|source| LockError::Io { source })?;
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &File) -> io::Result<()> {
    let line = format!("{}\n", std::process::id());
    // Overwritten before it is cut, so that at every instant the file starts with some whole number.
    file.write_all_at(line.as_bytes(), 0)?;
    file.set_len(line.len() as u64)
}

fn read_pid(file: &File) -> Option<u32> {
    let mut bytes = [0; PID_DIGITS + 1];
    let read = file.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(bytes.get(..read)?).ok()?.lines().next()?.parse().ok()
}
