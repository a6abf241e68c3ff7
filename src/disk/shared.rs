//! A shared disk is a disk, so that wrappers take one that others hold too.

use std::{io, sync::Arc};

use super::{DirEntry, Disk, DiskFile, DiskSpace};

impl<D: Disk + ?Sized> Disk for Arc<D> {
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        (**self).create(path)
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        (**self).open(path)
    }

    fn open_read(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        (**self).open_read(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        (**self).rename(from, to)
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        (**self).remove_file(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        (**self).create_dir(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        (**self).remove_dir(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirEntry>> {
        (**self).list(path)
    }

    fn sync_dir(&self, path: &str) -> io::Result<()> {
        (**self).sync_dir(path)
    }

    fn space(&self) -> io::Result<DiskSpace> {
        (**self).space()
    }
}
