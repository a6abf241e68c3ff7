//! Buffers for content on its way out, used again; wiped when they are given up.

use bytes::Bytes;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroize;

/// Length of a piece of a GET.
pub(crate) const PIECE_BYTES: usize = 512 * 1024;
/// Buffers kept for later.
const KEPT: usize = 16;

static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer of [`PIECE_BYTES`] that goes back to the pool.
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    pub(crate) fn take() -> Self {
        let kept = FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { bytes: kept.unwrap_or_else(|| vec![0; PIECE_BYTES]), filled: 0 }
    }

    /// The first `len` bytes, to be written.
    pub(crate) fn room(&mut self, len: usize) -> &mut [u8] {
        let len = len.min(self.bytes.len());
        self.bytes.get_mut(..len).unwrap_or_default()
    }

    /// The first `filled` bytes, shared without a copy.
    pub(crate) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.bytes.len());
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(bytes);
        } else {
            drop(free);
            bytes.zeroize();
        }
    }
}
