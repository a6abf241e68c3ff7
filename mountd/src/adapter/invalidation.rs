//! Telling the kernel to forget what changed behind its back.
//!
//! Changes are queued by whoever made them, after their commit, and sent by threads of their own: sent from a handler
//! they would wait for the very request that the handler answers. `inval_entry` waits for operations that are under
//! way in its directory, so directories are spread over several threads, each of which keeps its order.
//!
//! Whoever made a change outside of the mount waits until the kernel was told, [`PATIENCE`] at most, so that what S3
//! was told is done is seen by programs too. Readers of requests never wait: their answer may be what is waited for.

use super::number::number;
use fuser::{INodeNo, Notifier};
use std::{
    cell::Cell,
    collections::{HashSet, VecDeque},
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use strongroom::fs::{Change, Watcher};

const QUEUES: usize = 4;
/// How long a change waits for the kernel. It takes microseconds unless a directory is busy.
const PATIENCE: Duration = Duration::from_millis(50);

thread_local! {
    static READER: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that answers the kernel.
pub(super) fn mark_reader() {
    READER.set(true);
}

/// One thing for the kernel to forget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stale {
    /// What a name means.
    Entry(u64, Vec<u8>),
    /// Attributes and cached pages of an inode.
    Inode(u64),
}

impl Stale {
    /// What its queue is chosen by: an inode goes to the queue of the entries in it.
    fn directory(&self) -> u64 {
        match self {
            Self::Entry(parent, _) => *parent,
            Self::Inode(ino) => *ino,
        }
    }
}

#[derive(Default)]
struct Waiting {
    order: VecDeque<Stale>,
    /// What is in `order`, or being sent: queued once however often it changes meanwhile.
    known: HashSet<Stale>,
    /// How many were queued and sent so far.
    queued: u64,
    sent: u64,
    started: bool,
    closed: bool,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues it, and returns how many will have been sent when it is.
    fn push(&self, stale: Stale) -> u64 {
        let mut waiting = self.lock();
        if !waiting.closed && waiting.known.insert(stale.clone()) {
            waiting.order.push_back(stale);
            waiting.queued += 1;
            self.changed.notify_all();
        }
        waiting.queued
    }

    fn wait(&self, sent: u64, until: Instant) {
        let mut waiting = self.lock();
        while waiting.started && !waiting.closed && waiting.sent < sent {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(&self, notifier: &Notifier) {
        let mut waiting = self.lock();
        waiting.started = true;
        loop {
            if waiting.closed {
                return;
            }
            let Some(stale) = waiting.order.pop_front() else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            // Out of `known` before it is sent: a change that comes while the kernel forgets must be sent again.
            waiting.known.remove(&stale);
            drop(waiting);
            send(notifier, &stale);
            waiting = self.lock();
            waiting.sent += 1;
            self.changed.notify_all();
        }
    }
}

fn send(notifier: &Notifier, stale: &Stale) {
    let sent = match stale {
        Stale::Entry(parent, name) => notifier.inval_entry(INodeNo(*parent), OsStr::from_bytes(name)),
        Stale::Inode(ino) => notifier.inval_inode(INodeNo(*ino), 0, 0),
    };
    match sent {
        // The kernel does not know it, so there is nothing to forget; or the mount is gone.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotConnected) => {}
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ENODEV as i32) => {}
        Err(error) => tracing::warn!("the kernel did not take an invalidation: {error}"),
        Ok(()) => {}
    }
}

/// The queues of what the kernel must forget. Cheap to clone.
#[derive(Clone, Default)]
pub struct Invalidations {
    queues: Arc<[Queue; QUEUES]>,
}

impl Invalidations {
    /// Starts to send what is queued. The threads end with [`Self::close`].
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(&self, notifier: &Notifier) -> io::Result<Vec<JoinHandle<()>>> {
        (0..self.queues.len())
            .map(|index| {
                let (all, notifier) = (self.clone(), notifier.clone());
                thread::Builder::new().name(format!("invalidate-{index}")).spawn(move || {
                    if let Some(queue) = all.queues.get(index) {
                        queue.run(&notifier);
                    }
                })
            })
            .collect()
    }

    /// Drops what is queued, and ends the threads.
    pub fn close(&self) {
        for queue in self.queues.iter() {
            let mut waiting = queue.lock();
            waiting.closed = true;
            waiting.order.clear();
            waiting.known.clear();
            queue.changed.notify_all();
        }
    }

    /// The list of buckets changed under `name`.
    pub fn bucket(&self, name: &[u8]) {
        self.push([Stale::Entry(INodeNo::ROOT.0, name.to_vec()), Stale::Inode(INodeNo::ROOT.0)]);
    }

    /// Whether the kernel has yet to be told of an inode: its cached pages must not be kept then.
    #[must_use]
    pub fn is_pending(&self, ino: INodeNo) -> bool {
        let stale = Stale::Inode(ino.0);
        self.queues.get(queue_of(&stale)).is_some_and(|queue| queue.lock().known.contains(&stale))
    }

    /// Who tells of the changes of the bucket with this slot.
    #[must_use]
    pub fn watcher(&self, slot: u32) -> Arc<dyn Watcher> {
        Arc::new(BucketWatcher { slot, all: self.clone() })
    }

    fn push(&self, all: impl IntoIterator<Item = Stale>) {
        let mut last: [Option<u64>; QUEUES] = [None; QUEUES];
        for stale in all {
            let index = queue_of(&stale);
            if let (Some(queue), Some(last)) = (self.queues.get(index), last.get_mut(index)) {
                *last = Some(queue.push(stale));
            }
        }
        if READER.get() {
            return;
        }
        let until = Instant::now() + PATIENCE;
        for (queue, sent) in self.queues.iter().zip(last) {
            if let Some(sent) = sent {
                queue.wait(sent, until);
            }
        }
    }
}

fn queue_of(stale: &Stale) -> usize {
    usize::try_from(stale.directory()).unwrap_or_default() % QUEUES
}

struct BucketWatcher {
    slot: u32,
    all: Invalidations,
}

impl Watcher for BucketWatcher {
    fn changed(&self, changes: &[Change]) {
        let stale = changes.iter().flat_map(|change| match change {
            Change::Entry { parent, name, came_or_went } => {
                let parent = number(self.slot, *parent).0;
                [Some(Stale::Entry(parent, name.clone())), came_or_went.then_some(Stale::Inode(parent))]
            }
            Change::Inode { ino } => [Some(Stale::Inode(number(self.slot, *ino).0)), None],
        });
        self.all.push(stale.flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom::fs::Ino;

    #[test]
    fn a_name_that_comes_invalidates_its_directory_too() {
        let all = Invalidations::default();
        let parent = number(3, Ino(9));
        all.watcher(3).changed(&[
            Change::Entry { parent: Ino(9), name: b"a".to_vec(), came_or_went: true },
            Change::Entry { parent: Ino(8), name: b"b".to_vec(), came_or_went: false },
        ]);
        assert!(all.is_pending(parent));
        assert!(!all.is_pending(number(3, Ino(8))));
    }

    #[test]
    fn the_same_change_is_queued_once() {
        let all = Invalidations::default();
        all.push([Stale::Inode(7), Stale::Inode(7)]);
        all.push([Stale::Inode(7)]);
        let queued: usize = all.queues.iter().map(|queue| queue.lock().order.len()).sum();
        assert_eq!(queued, 1);
    }
}
