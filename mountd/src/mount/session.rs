//! A mounted file system and the threads that serve it.

use super::{
    MountError, MountOptions, MountPoint,
    attach::{Detach, attach, detach},
};
use crate::adapter::{Adapter, Invalidations, READERS};
use fuser::{Config, Session, SessionACL};
use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// A file system in the file tree. Dropping it takes it out, at once and whoever uses it.
pub struct Mounted {
    point: PathBuf,
    invalidations: Invalidations,
    invalidators: Vec<JoinHandle<()>>,
    ended: Receiver<io::Result<()>>,
    detached: bool,
}

/// Mounts `adapter` on `point` and serves it from threads of its own. `on_end` is called when the session ends, by
/// [`Mounted::unmount`] or because somebody else unmounted it.
///
/// # Errors
/// [`MountError`]; nothing is mounted then.
pub fn mount(
    adapter: Adapter,
    point: &MountPoint,
    options: MountOptions,
    on_end: impl FnOnce() + Send + 'static,
) -> Result<Mounted, MountError> {
    let device = attach(&point.0, options)?;
    let started = start(adapter, device, &point.0, on_end);
    if started.is_err() {
        let _ = detach(&point.0, Detach::Lazily);
    }
    started
}

fn start(
    adapter: Adapter,
    device: std::os::fd::OwnedFd,
    point: &Path,
    on_end: impl FnOnce() + Send + 'static,
) -> Result<Mounted, MountError> {
    let invalidations = adapter.invalidations();
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.n_threads = Some(READERS);
    config.clone_fd = true;
    // Who may enter is the kernel's matter (`allow_other`), so nobody is turned away a second time here.
    let session = Session::from_fd(adapter, device, SessionACL::All, config).map_err(MountError::Session)?;
    let notifier = session.notifier();
    let (end, ended) = channel();
    thread::Builder::new()
        .name("session".to_owned())
        .spawn(move || {
            let result = session.run();
            let _ = end.send(result);
            on_end();
        })
        .map_err(MountError::Session)?;
    let invalidators = invalidations.start(&notifier).map_err(MountError::Session)?;
    Ok(Mounted { point: point.to_owned(), invalidations, invalidators, ended, detached: false })
}

impl Mounted {
    /// Where it is.
    #[must_use]
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Takes the mount out of the file tree and waits until the last request is answered, `patience` at most. When it
    /// is in use, a warning names it, and its users keep it until they are done or the daemon ends.
    ///
    /// # Errors
    /// `Unmount` when it cannot be taken out at all, `Session` when the connection had failed.
    pub fn unmount(mut self, patience: Duration) -> Result<(), MountError> {
        let busy = match detach(&self.point, Detach::Unused) {
            Ok(()) => false,
            Err(MountError::Unmount { reason: error, .. }) => {
                let point = self.point.display();
                tracing::warn!("{point} is in use ({error}): detached, and its users are cut off when the daemon ends");
                detach(&self.point, Detach::Lazily)?;
                true
            }
            Err(other) => return Err(other),
        };
        self.detached = true;
        let result = match self.ended.recv_timeout(if busy { Duration::ZERO } else { patience }) {
            Ok(result) => result.map_err(MountError::Session),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(()),
        };
        self.stop_invalidating();
        result
    }

    /// Takes the mount out of the file tree now, in use or not, and waits for nothing.
    pub fn abandon(mut self) {
        self.detached = true;
        let _ = detach(&self.point, Detach::Lazily);
    }

    fn stop_invalidating(&mut self) {
        self.invalidations.close();
        for thread in self.invalidators.drain(..) {
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.invalidations.close();
        if !self.detached {
            let _ = detach(&self.point, Detach::Lazily);
        }
    }
}
