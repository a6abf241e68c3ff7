//! The disk of the running machine: a directory tree reached through system calls.
//!
//! Everything is opened relative to a descriptor of the root, and no symbolic link is followed. What is not a
//! regular file is not opened as one, so that a planted FIFO or device cannot stall or mislead a start.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::Path,
    sync::Arc,
};

use nix::{
    dir::{Dir, Type},
    errno::Errno,
    fcntl::{AtFlags, OFlag, renameat},
    sys::{
        stat::{Mode, SFlag, fstatat, mkdirat},
        statvfs::fstatvfs,
    },
    unistd::{UnlinkatFlags, unlinkat},
};

use super::{
    DirEntry, Disk, DiskFile, DiskSpace,
    beneath::open_beneath,
    fs_kind::FsKind,
    lock::{LockError, StoreLock},
    path::parent_and_name,
    real_file::RealFile,
};

/// File that the store lock is held on, beneath the root.
const LOCK_PATH: &str = "lock";

/// A directory tree of the file system, see the module's page.
#[derive(Debug)]
pub struct RealDisk {
    root: OwnedFd,
}

impl RealDisk {
    /// The disk whose root is the existing directory `root`. The root itself may be reached through links; what
    /// lies beneath may not.
    ///
    /// # Errors
    /// That of opening the directory.
    pub fn new(root: &Path) -> io::Result<Self> {
        let flags = (OFlag::O_DIRECTORY | OFlag::O_CLOEXEC).bits();
        Ok(Self { root: File::options().read(true).custom_flags(flags).open(root)?.into() })
    }

    /// The file system that the root lies on.
    ///
    /// # Errors
    /// That of `fstatfs`.
    pub fn fs_kind(&self) -> io::Result<FsKind> {
        FsKind::of(&self.root)
    }

    /// Takes the exclusive lock of the store, on its file `lock`; it is held until the value is dropped.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process, or this one, holds it already.
    pub fn lock(&self) -> Result<StoreLock, LockError> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NONBLOCK;
        let file = self.open_flags(LOCK_PATH, flags).map_err(|source| LockError::Io { source })?;
        StoreLock::take(file)
    }

    /// Opens a regular file. `O_NONBLOCK` means nothing to one, and keeps the open of a FIFO from waiting.
    fn open_flags(&self, path: &str, flags: OFlag) -> io::Result<File> {
        parent_and_name(path)?;
        let mode = if flags.contains(OFlag::O_CREAT) { Mode::S_IRUSR | Mode::S_IWUSR } else { Mode::empty() };
        let file = File::from(open_beneath(&self.root, path, flags, mode).map_err(storage_full)?);
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            Ok(file)
        } else if kind.is_dir() {
            Err(Errno::EISDIR.into())
        } else {
            Err(io::Error::new(ErrorKind::InvalidInput, format!("{path} is not a regular file")))
        }
    }

    /// The parent directory of `path`, to make a call on its last component in, and that component.
    fn parent<'path>(&self, path: &'path str) -> io::Result<(OwnedFd, &'path str)> {
        let (parent, name) = parent_and_name(path)?;
        Ok((open_beneath(&self.root, parent, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty())?, name))
    }

    fn file(&self, path: &str, flags: OFlag) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(RealFile::new(self.open_flags(path, flags | OFlag::O_NONBLOCK)?)))
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(path, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(path, OFlag::O_RDWR)
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.file(path, OFlag::O_RDONLY)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        renameat(&from_dir, from_name, &to_dir, to_name).map_err(|errno| storage_full(errno.into()))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(unlinkat(&dir, name, UnlinkatFlags::NoRemoveDir)?)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        mkdirat(&dir, name, Mode::S_IRWXU).map_err(|errno| storage_full(errno.into()))
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        Ok(unlinkat(&dir, name, UnlinkatFlags::RemoveDir)?)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        // A second descriptor, since the stream owns and drains the one it is made of.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        let dir = open_beneath(&self.root, path, flags, Mode::empty())?;
        let mut entries = Vec::new();
        for entry in Dir::from_fd(dir.try_clone()?)?.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let is_dir = match entry.file_type() {
                Some(kind) => kind == Type::Directory,
                // Some file systems tell no type with the name.
                None => {
                    let mode = fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode;
                    SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR
                }
            };
            // Strongroom's own names are ASCII; a foreign one is shown as well as it can be, and opens as nothing.
            entries.push(DirEntry { name: name.to_string_lossy().into_owned(), is_dir });
        }
        Ok(entries)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY;
        File::from(open_beneath(&self.root, path, flags, Mode::empty())?).sync_all().map_err(storage_full)
    }

    fn space(&self) -> io::Result<DiskSpace> {
        let stat = fstatvfs(&self.root)?;
        let fragment = stat.fragment_size();
        Ok(DiskSpace {
            total_bytes: stat.blocks().saturating_mul(fragment),
            available_bytes: stat.blocks_available().saturating_mul(fragment),
        })
    }
}

/// Gives an exhausted quota the kind that a full disk has: the operator's remedy is the same.
pub(super) fn storage_full(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(Errno::EDQUOT as i32) {
        return io::Error::new(ErrorKind::StorageFull, error);
    }
    error
}
