//! Opening what lies beneath a directory, and nothing else: no symbolic link is followed at any component.
//!
//! `openat2` does it in one call (Linux 5.6). Where a sandbox or an older kernel has none, the path is walked
//! component by component with `O_NOFOLLOW`, which keeps the same promise.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2},
    sys::stat::Mode,
};

use super::path;

/// Tries of one open before `EAGAIN` is taken for an answer.
const MAX_TRIES: u32 = 64;

/// Opens `path` (`""` is `root` itself) beneath `root`; the descriptor is closed on exec.
///
/// # Errors
/// That of the system call; `ELOOP` for a symbolic link on the way or at its end.
pub(super) fn open_beneath(root: &OwnedFd, path: &str, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
    let names = path::components(path)?;
    let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let target = if names.is_empty() { "." } else { path };
    let how =
        OpenHow::new().flags(flags).mode(mode).resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let mut tries = 0;
    loop {
        match openat2(root, target, how) {
            Err(Errno::EINTR) => {}
            // The kernel asks for another try when a rename elsewhere came between.
            Err(Errno::EAGAIN) if tries < MAX_TRIES => tries += 1,
            Err(Errno::ENOSYS | Errno::EPERM) => return walk(root, &names, flags, mode),
            other => return Ok(other?),
        }
    }
}

/// [`open_beneath`] one component at a time.
fn walk(root: &OwnedFd, names: &[&str], flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
    let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let Some((last, parents)) = names.split_last() else {
        return open_retrying(root, ".", flags, mode);
    };
    let mut held: Option<OwnedFd> = None;
    for name in parents {
        held = Some(match &held {
            Some(dir) => open_retrying(dir, name, step, Mode::empty())?,
            None => open_retrying(root, name, step, Mode::empty())?,
        });
    }
    open_retrying(held.as_ref().unwrap_or(root), last, flags, mode)
}

fn open_retrying<Fd: AsFd>(dir: &Fd, name: &str, flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
    loop {
        match openat(dir.as_fd(), name, flags, mode) {
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::unix::fs::symlink};

    #[test]
    fn both_ways_refuse_links_and_find_files() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("d/f"), b"x").unwrap();
        symlink("d", dir.path().join("dl")).unwrap();
        symlink("f", dir.path().join("d/fl")).unwrap();
        let root = OwnedFd::from(File::open(dir.path()).unwrap());
        for (path, found) in [("d/f", true), ("d", true), ("", true), ("dl/f", false), ("d/fl", false), ("no", false)] {
            let flags = OFlag::O_RDONLY;
            assert_eq!(open_beneath(&root, path, flags, Mode::empty()).is_ok(), found, "openat2 {path}");
            let names = path::components(path).unwrap();
            let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
            assert_eq!(walk(&root, &names, flags, Mode::empty()).is_ok(), found, "walk {path}");
        }
    }
}
