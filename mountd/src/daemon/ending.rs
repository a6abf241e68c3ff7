//! What ends the daemon.

use super::DaemonError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end it.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From now on the signals are taken here. Needs a runtime.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(super) fn install() -> Result<Self, DaemonError> {
        let take = |kind| signal(kind).map_err(DaemonError::system("signal handlers"));
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one and names it.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
