//! fusermount3, which mounts and unmounts for ordinary users.

use super::MountError;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use std::{
    ffi::OsStr,
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::PermissionsExt, net::UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use strongroom::kms::SECRET_VARIABLES;

const NAME: &str = "fusermount3";
/// The descriptor of the socket over which it hands the device back: its standard input, which is inherited without
/// the unsafe step between fork and exec that any other number takes.
const SOCKET_VARIABLE: (&str, &str) = ("_FUSE_COMMFD", "0");
/// Secrets beside those of the KMS, and what would let it speak to systemd in our name.
const OTHER_VARIABLES: [&str; 3] = ["MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "NOTIFY_SOCKET"];

/// Where the helper is.
///
/// # Errors
/// [`MountError::NoHelper`].
pub(super) fn find() -> Result<PathBuf, MountError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/bin", "/usr/bin", "/sbin", "/usr/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(NAME))
        .find(|file| file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0))
        .ok_or(MountError::NoHelper)
}

/// Mounts on `point` and returns the device.
///
/// # Errors
/// `NoHelper`, and `Refused` with the helper's own words.
pub(super) fn mount(point: &Path, words: &str) -> Result<OwnedFd, MountError> {
    let refused = |reason: String| MountError::Refused { point: point.to_owned(), reason };
    let (theirs, ours) = UnixStream::pair().map_err(MountError::Session)?;
    let mut command = command(&find()?);
    command.arg("-o").arg(words).arg("--").arg(point);
    command.env(SOCKET_VARIABLE.0, SOCKET_VARIABLE.1).stdin(Stdio::from(OwnedFd::from(theirs)));
    let child = command.spawn().map_err(|error| refused(error.to_string()))?;
    // The child's end must not stay open here, or a helper that dies would be waited for.
    drop(command);
    let device = receive(&ours);
    let output = child.wait_with_output().map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        return Err(refused(first_line(&output.stderr)));
    }
    device.map_err(|error| refused(error.to_string()))
}

/// Unmounts; `lazily` also when it is busy.
///
/// # Errors
/// `NoHelper`, and `Unmount` with the helper's own words.
pub(super) fn unmount(point: &Path, lazily: bool) -> Result<(), MountError> {
    let failed = |reason: String| MountError::Unmount { point: point.to_owned(), reason };
    let mut command = command(&find()?);
    command.arg("-u");
    if lazily {
        command.arg("-z");
    }
    let output =
        command.arg("--").arg(point).stdin(Stdio::null()).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() { Ok(()) } else { Err(failed(first_line(&output.stderr))) }
}

fn command(helper: &Path) -> Command {
    let mut command = Command::new(helper);
    for name in SECRET_VARIABLES.into_iter().chain(OTHER_VARIABLES) {
        command.env_remove(OsStr::new(name));
    }
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        })
        .ok_or_else(|| io::Error::other("fusermount3 ended without handing over the device"))
}

fn first_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().next().unwrap_or("fusermount3 failed without a word").to_owned()
}
