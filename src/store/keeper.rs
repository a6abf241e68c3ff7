//! The threads behind everybody's back: one syncs (so that nothing un-synced is older than a second), one flushes,
//! compacts and tidies. Both look after all open buckets; idle ones cost nothing.
//!
//! Neither holds a lock of its own while it works.

use super::host::DiskHost;
use crate::{
    bucket::{LocalBucket, MetaStore},
    fs::Catalog,
};
use std::{
    sync::{Arc, Condvar, Mutex, PoisonError, Weak},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How old a change may be that is not durable, and a write that is not committed.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long a bucket stays open that nobody asks for.
const IDLE_TIME: Duration = Duration::from_secs(300);
/// Buckets that stay open although nobody has them in hand.
const OPEN_LIMIT: usize = 64;

#[derive(Default)]
struct Signals {
    sync: bool,
    work: bool,
    stop: bool,
}

/// Wakes the threads; made before them, because buckets hold it.
#[derive(Default)]
pub(super) struct Bell {
    signals: Mutex<Signals>,
    rung: Condvar,
}

impl Bell {
    /// Somebody waits for a sync, or a table in memory is full.
    pub fn ring(&self) {
        self.change(|signals| {
            signals.sync = true;
            signals.work = true;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Signals)) {
        change(&mut self.signals.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    /// Waits until `wanted` takes a signal, at most `limit`. Returns whether to stop.
    fn wait(&self, limit: Duration, wanted: fn(&mut Signals) -> bool) -> bool {
        let end = Instant::now() + limit;
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if signals.stop || wanted(&mut signals) {
                return signals.stop;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            signals = self.rung.wait_timeout(signals, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The running threads.
pub(super) struct Keeper {
    bell: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

struct Care {
    host: Arc<DiskHost>,
    catalog: Weak<Catalog>,
    own: Arc<LocalBucket>,
}

impl Care {
    fn buckets(&self) -> Vec<Arc<LocalBucket>> {
        let mut buckets = self.host.open_buckets();
        buckets.push(Arc::clone(&self.own));
        buckets
    }

    fn sync_all(&self) {
        for bucket in self.buckets() {
            let committed = bucket.committed();
            if bucket.durable() < committed
                && let Err(error) = bucket.sync(committed)
            {
                tracing::error!(bucket = %bucket.id(), %error, "a sync failed; the bucket is read-only");
            }
        }
    }

    fn commit_writes(&self) {
        let Some(catalog) = self.catalog.upgrade() else { return };
        for namespace in catalog.open_namespaces() {
            if let Err(error) = namespace.commit_writes(SYNC_INTERVAL) {
                tracing::warn!(slot = namespace.slot(), %error, "writes could not be committed");
            }
        }
    }

    fn work(&self) {
        for bucket in self.buckets() {
            // A bounded number of rounds, so that one busy bucket does not keep the others waiting.
            for _ in 0..8 {
                match bucket.work() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(bucket = %bucket.id(), %error, "background work stopped");
                        break;
                    }
                }
            }
        }
        if let Some(catalog) = self.catalog.upgrade() {
            for namespace in catalog.open_namespaces() {
                if let Err(error) = namespace.work() {
                    tracing::warn!(slot = namespace.slot(), %error, "background work of a bucket's files stopped");
                }
            }
        }
        if let Some(catalog) = self.catalog.upgrade()
            && let Err(error) = catalog.close_idle(IDLE_TIME, OPEN_LIMIT)
        {
            tracing::warn!(%error, "an idle bucket could not be closed cleanly");
        }
        if let Err(error) = self.host.env.reserve.refill() {
            tracing::warn!(%error, "the reserve could not be filled");
        }
    }
}

impl Keeper {
    /// Starts the threads.
    ///
    /// # Errors
    /// The error of the system when a thread cannot be made.
    pub fn start(
        bell: &Arc<Bell>,
        host: Arc<DiskHost>,
        catalog: &Arc<Catalog>,
        own: Arc<LocalBucket>,
    ) -> std::io::Result<Self> {
        let care = Arc::new(Care { host, catalog: Arc::downgrade(catalog), own });
        let syncer = {
            let (bell, care) = (Arc::clone(bell), Arc::clone(&care));
            std::thread::Builder::new().name("syncer".to_owned()).spawn(move || {
                let mut committed_at = Instant::now();
                while !bell.wait(SYNC_INTERVAL, |signals| std::mem::take(&mut signals.sync)) {
                    if committed_at.elapsed() >= SYNC_INTERVAL {
                        care.commit_writes();
                        committed_at = Instant::now();
                    }
                    care.sync_all();
                }
            })?
        };
        let worker = {
            let bell = Arc::clone(bell);
            std::thread::Builder::new().name("worker".to_owned()).spawn(move || {
                while !bell.wait(SYNC_INTERVAL, |signals| std::mem::take(&mut signals.work)) {
                    care.work();
                }
            })?
        };
        Ok(Self { bell: Arc::clone(bell), threads: vec![syncer, worker] })
    }

    /// Stops the threads and waits for them.
    pub fn stop(&mut self) {
        self.bell.change(|signals| signals.stop = true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}
