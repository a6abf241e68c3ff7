//! Calls of the core from the runtime: on the blocking pool, unless they answer from memory; and waiting for durability
//! without a thread.

use crate::error::{call_lost, s3_error_of};
use s3s::S3Result;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use strongroom::{
    bucket::Number,
    fs::{Catalog, Namespace},
};
use tokio::sync::oneshot;

/// How long after its last use a bucket is taken to be open still (the core closes idle ones after minutes).
const WARM: Duration = Duration::from_secs(30);
const WARM_COUNT_LIMIT: usize = 4096;

/// Runs `call` on the blocking pool.
///
/// # Errors
/// `InternalError` when the pool gave it up.
pub(crate) async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> S3Result<T> {
    tokio::task::spawn_blocking(call).await.map_err(|_| call_lost())
}

/// Waits until everything up to `number` is durable. Somebody else runs the sync; no thread waits here.
///
/// # Errors
/// The core's; `InternalError` when nobody answers any more.
pub(crate) async fn durable(namespace: &Namespace, number: Number) -> S3Result<()> {
    let (told, answer) = oneshot::channel();
    namespace.when_durable(number, move |result| {
        // Nobody listens any more when the client has hung up.
        let _ = told.send(result);
    });
    answer.await.map_err(|_| call_lost())?.map_err(|error| s3_error_of(&error))
}

/// Opens buckets: the first use, which reads the disk, on the blocking pool; then directly.
pub(crate) struct Buckets {
    catalog: Arc<Catalog>,
    used: Mutex<HashMap<String, Instant>>,
}

impl Buckets {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, used: Mutex::default() }
    }

    pub(crate) async fn namespace(&self, bucket: &str) -> S3Result<Arc<Namespace>> {
        let opened = if self.is_warm(bucket) {
            self.catalog.namespace(bucket)
        } else {
            let (catalog, name) = (Arc::clone(&self.catalog), bucket.to_owned());
            blocking(move || catalog.namespace(&name)).await?
        };
        let namespace = opened.map_err(|error| s3_error_of(&error))?;
        self.note_use(bucket);
        Ok(namespace)
    }

    fn is_warm(&self, bucket: &str) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.get(bucket).is_some_and(|last| last.elapsed() < WARM)
    }

    fn note_use(&self, bucket: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = used.get_mut(bucket) {
            *last = Instant::now();
            return;
        }
        if used.len() >= WARM_COUNT_LIMIT {
            used.clear();
        }
        used.insert(bucket.to_owned(), Instant::now());
    }
}
