//! Whether the simulated machine runs, and the error that calls get when it does not.

use std::io;

/// What holds for all handles of one disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    /// Cut, by plan or by the harness.
    Off,
    /// The process was killed; the machine runs on, for others.
    Killed,
}

#[derive(Debug, thiserror::Error)]
enum NoPower {
    #[error("the power of the simulated disk is off")]
    Off,
    #[error("the process that held this handle of the simulated disk was killed")]
    Killed,
}

impl Power {
    pub(super) fn check(self) -> io::Result<()> {
        match self {
            Self::On => Ok(()),
            Self::Off => Err(power_off()),
            Self::Killed => Err(io::Error::other(NoPower::Killed)),
        }
    }
}

pub(super) fn power_off() -> io::Error {
    io::Error::other(NoPower::Off)
}

/// Whether an error is that of a simulated disk that was cut or whose process was killed, rather than a fault.
#[must_use]
pub fn is_power_off(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NoPower>())
}
