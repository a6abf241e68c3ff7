//! Builds the plaintext of a data block.

use super::RESTART_INTERVAL;
use crate::tree::{
    TreeError,
    codec::{narrow, put_bytes, put_varint},
    entry::{KEY_LEN_MAX, KeyRef, Operation, VALUE_LEN_MAX},
};

/// Collects entries in order.
#[derive(Default)]
pub(in crate::tree) struct BlockBuilder {
    out: Vec<u8>,
    restarts: Vec<u32>,
    last_key: Vec<u8>,
    entries: u32,
}

impl BlockBuilder {
    /// Adds the next entry; the caller keeps them in order.
    pub(in crate::tree) fn add(&mut self, key: KeyRef<'_>, value: Option<&[u8]>) -> Result<(), TreeError> {
        if key.user.len() > KEY_LEN_MAX {
            return Err(TreeError::TooLarge { what: "a key" });
        }
        if value.is_some_and(|value| value.len() > VALUE_LEN_MAX) {
            return Err(TreeError::TooLarge { what: "a value" });
        }
        let shared = if self.entries.is_multiple_of(RESTART_INTERVAL) {
            self.restarts.push(narrow(self.out.len())?);
            0
        } else {
            self.last_key.iter().zip(key.user).take_while(|(a, b)| a == b).count()
        };
        let suffix = key.user.get(shared..).unwrap_or_default();
        put_varint(&mut self.out, shared as u64);
        put_bytes(&mut self.out, suffix);
        put_varint(&mut self.out, key.seq);
        match value {
            Some(value) => {
                self.out.push(Operation::Put as u8);
                put_bytes(&mut self.out, value);
            }
            None => self.out.push(Operation::Delete as u8),
        }
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(suffix);
        self.entries += 1;
        Ok(())
    }

    /// Length that `finish` would give.
    pub(in crate::tree) fn len(&self) -> usize {
        self.out.len() + 4 * self.restarts.len() + 4
    }

    pub(in crate::tree) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The user key added last.
    pub(in crate::tree) fn last_key(&self) -> &[u8] {
        &self.last_key
    }

    /// The block; the builder begins the next one.
    pub(in crate::tree) fn finish(&mut self) -> Result<Vec<u8>, TreeError> {
        let mut block = std::mem::take(&mut self.out);
        for restart in &self.restarts {
            block.extend_from_slice(&restart.to_le_bytes());
        }
        block.extend_from_slice(&narrow(self.restarts.len())?.to_le_bytes());
        self.restarts.clear();
        self.entries = 0;
        self.last_key.clear();
        Ok(block)
    }
}
