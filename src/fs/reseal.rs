//! Seals the keys of content anew under the newest generation (DESIGN 3.10): what a reseal does to a bucket's records.

use super::{
    FsResult, Namespace,
    records::{self, Entry},
};
use crate::crypt::{SealedOek, Slot};

/// Records looked at in one transaction.
const STEP_RECORDS: usize = 512;
/// The kinds of record that hold a sealed OEK.
const KINDS: [u8; 3] = [records::ENTRY, records::INODE, records::SHARED];

/// How far a reseal came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResealProgress {
    /// The key to go on from; `None` when the pass is complete.
    pub next: Option<Vec<u8>>,
    /// Keys sealed anew in this pass.
    pub resealed: u64,
}

impl Namespace {
    /// The sealed form of an OEK to be written now: under the newest generation of its slot. To be called under the
    /// writer lock, so that a pass that begins later finds nothing older.
    pub(super) fn current_seal(&self, sealed: SealedOek) -> FsResult<SealedOek> {
        let keys = &self.parts.keys;
        if keys.newest(sealed.slot())? == sealed.generation() {
            return Ok(sealed);
        }
        Ok(keys.reseal_oek(&sealed, self.parts.entropy.as_ref())?)
    }

    /// One bounded step of a pass over all records, from where `progress` stands. A pass that reseals nothing, begun
    /// after the new generation, proves that no record needs an older one.
    ///
    /// # Errors
    /// As a commit; `Damaged` of a record that does not decode.
    pub fn reseal_step(&self, progress: ResealProgress) -> FsResult<ResealProgress> {
        let mut txn = self.begin()?;
        let newest = self.parts.keys.newest(Slot::OWN)?;
        let start = progress.next.unwrap_or_else(|| vec![records::ENTRY]);
        let mut resealed = progress.resealed;
        let mut next = None;
        let mut changed = Vec::new();
        {
            let mut cursor = txn.snapshot.range(&start, records::behind(&[records::SHARED]).as_deref());
            let mut looked_at = 0;
            while let Some((key, value)) = cursor.next()? {
                if looked_at == STEP_RECORDS {
                    next = Some(key.to_vec());
                    break;
                }
                looked_at += 1;
                let kind = key.first().copied().unwrap_or_default();
                if !KINDS.contains(&kind) {
                    cursor.seek(&[kind.saturating_add(1)]);
                    continue;
                }
                let old = |sealed: &SealedOek| sealed.slot() == Slot::OWN && sealed.generation() != newest;
                if let Some(value) = self.resealed_record(kind, &value, &old)? {
                    changed.push((key.to_vec(), value));
                }
            }
        }
        for (key, value) in changed {
            resealed += 1;
            txn.batch.put(key, value);
        }
        txn.commit()?;
        Ok(ResealProgress { next, resealed })
    }

    /// The record with its OEK sealed anew, or `None` when it stays as it is.
    fn resealed_record(&self, kind: u8, value: &[u8], old: &dyn Fn(&SealedOek) -> bool) -> FsResult<Option<Vec<u8>>> {
        let entropy = self.parts.entropy.as_ref();
        let keys = &self.parts.keys;
        if kind == records::SHARED {
            let mut shared = records::decode_shared(value)?;
            if !old(&shared.sealed_oek) {
                return Ok(None);
            }
            shared.sealed_oek = keys.reseal_oek(&shared.sealed_oek, entropy)?;
            return Ok(Some(records::encode_shared(&shared)));
        }
        let mut inode = match kind {
            records::ENTRY => match records::decode_entry(value)? {
                Entry::Inode(inode) => *inode,
                Entry::Link(_) => return Ok(None),
            },
            _ => records::decode_inode(value)?,
        };
        match inode.content.sealed_oek {
            Some(sealed) if old(&sealed) => inode.content.sealed_oek = Some(keys.reseal_oek(&sealed, entropy)?),
            _ => return Ok(None),
        }
        let encoded =
            if kind == records::ENTRY { records::encode_inode_entry(&inode) } else { records::encode_inode(&inode) };
        Ok(Some(encoded))
    }
}
