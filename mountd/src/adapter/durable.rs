//! Waiting for the disk without running out of readers.
//!
//! Whoever comes first runs the sync for all on the thread that read his request, which saves a wake-up across
//! processors; when only two readers are left, the reply waits instead of the thread (DESIGN 5).

use super::{READERS, refusal::errno};
use fuser::ReplyEmpty;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use strongroom::{
    bucket::Number,
    fs::{FsResult, Namespace},
};

const FREE_READERS: usize = 2;

/// Readers that wait for the disk now.
#[derive(Default)]
pub(super) struct Waiters(AtomicUsize);

impl Waiters {
    /// Replies when everything up to `number` is durable, or with the reason why it is not.
    pub(super) fn reply(&self, namespace: &Arc<Namespace>, number: Number, reply: ReplyEmpty) {
        if self.0.fetch_add(1, Ordering::AcqRel) < READERS - FREE_READERS {
            let result = namespace.sync(number);
            self.0.fetch_sub(1, Ordering::AcqRel);
            answer(result, reply);
        } else {
            self.0.fetch_sub(1, Ordering::AcqRel);
            // A completion that is dropped drops the reply, which then answers EIO.
            namespace.when_durable(number, move |result| answer(result, reply));
        }
    }
}

fn answer(result: FsResult<()>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => {
            tracing::error!("not durable: {error}");
            reply.error(errno(&error));
        }
    }
}
