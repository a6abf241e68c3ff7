//! Keeps the process itself from being dumped or traced.

use super::CryptError;
use nix::sys::{
    prctl,
    resource::{Resource, setrlimit},
};

/// Makes this process not dumpable, and its core files empty. Call it first in `main`, before any key is there.
///
/// A process that is not dumpable cannot be traced by others of the same user, and its `/proc` files belong to root.
///
/// # Errors
/// [`CryptError::Harden`] when the kernel refuses.
pub fn harden_process() -> Result<(), CryptError> {
    prctl::set_dumpable(false).map_err(CryptError::Harden)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(CryptError::Harden)
}
