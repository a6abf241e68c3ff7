//! The thread on which KMS calls run.
//!
//! The core is synchronous; HTTP is not. One thread with a runtime of its own drives all connections of a KMS client,
//! so that a call may come from any thread, a worker of another runtime too, and a KMS that hangs holds up nobody but
//! who asked. Who calls waits; there are never more jobs than waiting threads, so the queue needs no bound.

use std::{future::Future, pin::Pin, sync::mpsc::sync_channel, thread::JoinHandle, time::Duration};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A thread that runs futures for callers that wait. Ends, and cancels what runs, when dropped.
pub(super) struct KmsRuntime {
    /// `None` only while being dropped.
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl KmsRuntime {
    /// Starts the thread.
    pub(super) fn start(name: &str) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, queue) = unbounded_channel();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || runtime.block_on(run_jobs(queue)))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `future` on the thread and waits for its result, at most for `limit`. `None` if it took longer or failed
    /// to run; it is cancelled then.
    pub(super) fn wait_for<T, F>(&self, limit: Duration, future: F) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let job = async move {
            if let Ok(value) = tokio::time::timeout(limit, future).await {
                // Nobody waits any more: the value is dropped, and wiped if it is a key.
                let _ = reply.send(value);
            }
        };
        self.jobs.as_ref()?.send(Box::pin(job)).ok()?;
        // The job ends by itself at the limit, which drops `reply`; the margin covers a thread that is late.
        answer.recv_timeout(limit.saturating_add(Duration::from_secs(1))).ok()
    }
}

async fn run_jobs(mut queue: UnboundedReceiver<Job>) {
    while let Some(job) = queue.recv().await {
        tokio::spawn(job);
    }
}

impl Drop for KmsRuntime {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic of the thread, which has been printed already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_from_many_threads_run_side_by_side() {
        let runtime = KmsRuntime::start("test-kms").unwrap();
        let begun = std::time::Instant::now();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let runtime = &runtime;
                scope.spawn(move || {
                    let future = async move {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        number
                    };
                    assert_eq!(runtime.wait_for(Duration::from_secs(5), future), Some(number));
                });
            }
        });
        assert!(begun.elapsed() < Duration::from_millis(1500));
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let runtime = KmsRuntime::start("test-kms").unwrap();
        assert_eq!(runtime.wait_for(Duration::from_millis(20), std::future::pending::<()>()), None);
    }

    #[test]
    fn a_worker_of_another_runtime_may_call() {
        let runtime = KmsRuntime::start("test-kms").unwrap();
        let outer = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer = outer.block_on(async { runtime.wait_for(Duration::from_secs(5), async { 7 }) });
        assert_eq!(answer, Some(7));
    }
}
