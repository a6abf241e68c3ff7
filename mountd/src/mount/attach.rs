//! The calls that attach a FUSE device to a directory and detach it: mount(2) for root, fusermount3 for others.

use super::{MountError, MountOptions, helper, table::TYPE};
use nix::{
    errno::Errno,
    mount::{MntFlags, umount2},
    unistd::{geteuid, getgid, getuid},
};
use std::{
    fs::{self, File},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
};

const DEVICE: &str = "/dev/fuse";
const SOURCE: &str = "strongroom";

/// Opens the device.
///
/// # Errors
/// [`MountError::NoDevice`].
pub(super) fn open_device() -> Result<File, MountError> {
    File::options().read(true).write(true).open(DEVICE).map_err(MountError::NoDevice)
}

/// Whether others than the daemon's user may be let in: root may always, others if `/etc/fuse.conf` says so.
pub(super) fn may_allow_other() -> bool {
    geteuid().is_root()
        || fs::read_to_string("/etc/fuse.conf")
            .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"))
}

/// Mounts on `point` (a directory, absolute) and returns the device to read requests from.
///
/// # Errors
/// `NoDevice`, `NoHelper`, `AllowOther`, `Refused`.
pub(super) fn attach(point: &Path, options: MountOptions) -> Result<OwnedFd, MountError> {
    let allow_other = match options.allow_other {
        Some(true) if !may_allow_other() => return Err(MountError::AllowOther),
        Some(chosen) => chosen,
        None => may_allow_other(),
    };
    let options = MountOptions { allow_other: Some(allow_other), ..options };
    if !geteuid().is_root() {
        let words = format!("{},fsname={SOURCE},subtype=strongroom", options.words().join(","));
        return helper::mount(point, &words);
    }
    let device = open_device()?;
    let data = format!(
        "fd={},rootmode=40755,user_id={},group_id={},default_permissions{}",
        device.as_raw_fd(),
        getuid(),
        getgid(),
        if allow_other { ",allow_other" } else { "" },
    );
    nix::mount::mount(Some(SOURCE), point, Some(TYPE), options.flags(), Some(data.as_str()))
        .map_err(|errno| MountError::Refused { point: point.to_owned(), reason: errno.desc().to_owned() })?;
    Ok(device.into())
}

/// How a mount is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detach {
    /// Only if nobody uses it.
    Unused,
    /// At once from the file tree, from its users when they are done.
    Lazily,
}

/// Unmounts.
///
/// # Errors
/// `Unmount`, `NoHelper`.
pub(super) fn detach(point: &Path, how: Detach) -> Result<(), MountError> {
    if !geteuid().is_root() {
        return helper::unmount(point, how == Detach::Lazily);
    }
    let flags = match how {
        Detach::Unused => MntFlags::UMOUNT_NOFOLLOW,
        Detach::Lazily => MntFlags::UMOUNT_NOFOLLOW | MntFlags::MNT_DETACH,
    };
    match umount2(point, flags) {
        // Somebody else unmounted it.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(MountError::Unmount { point: point.to_owned(), reason: errno.desc().to_owned() }),
    }
}
