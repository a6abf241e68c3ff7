//! Open directories.

use super::{Adapter, Answer, KEEP, attributes::file_attr, buckets::RootEntry, handles::OpenDirectory, number::Place};
use fuser::{Errno, FileAttr, FileHandle, INodeNo, ReplyEmpty};
use std::{ops::ControlFlow, sync::Arc, time::Duration};
use strongroom::fs::Ino;

/// An entry, as the kernel is told of it.
pub(super) struct Entry {
    pub name: Vec<u8>,
    pub attr: FileAttr,
    /// How long the kernel may keep name and attributes.
    pub keep: Duration,
    /// Where the next read goes on.
    pub cookie: u64,
}

impl Adapter {
    pub(super) fn open_directory(&self, ino: INodeNo) -> Answer<FileHandle> {
        let open = match Place::of(ino) {
            Place::Root => OpenDirectory::Root,
            Place::In(slot, ino) => {
                let namespace = self.namespace(slot)?;
                let handle = namespace.open_dir(ino)?;
                OpenDirectory::In(namespace, handle)
            }
        };
        Ok(self.handles.directories.insert(open))
    }

    fn directory(&self, handle: FileHandle) -> Answer<Arc<OpenDirectory>> {
        Ok(self.handles.directories.get(handle).ok_or(Errno::EBADF)?)
    }

    /// Hands the entries behind `cookie` to `take` until it breaks.
    pub(super) fn read_directory(
        &self,
        handle: FileHandle,
        cookie: u64,
        take: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Answer<()> {
        match &*self.directory(handle)? {
            OpenDirectory::Root => {
                // Their attributes are not all known without opening every bucket, so none of this is kept.
                let mut take_root = |entry: RootEntry| {
                    let RootEntry { name, attr, cookie } = entry;
                    take(Entry { name, attr, keep: Duration::ZERO, cookie })
                };
                self.read_root(cookie, &mut take_root);
            }
            OpenDirectory::In(namespace, directory) => {
                let slot = namespace.slot();
                let at_bucket_root = directory.ino() == Ino::ROOT;
                namespace.read_dir(directory, cookie, &mut |entry| {
                    let attr = if at_bucket_root && entry.name == b".." {
                        self.root_attr()
                    } else {
                        file_attr(slot, &entry.attributes)
                    };
                    take(Entry { name: entry.name, attr, keep: KEEP, cookie: entry.cookie })
                })?;
            }
        }
        Ok(())
    }

    /// Replies when every change of the directory's bucket so far is durable. The list of buckets always is.
    pub(super) fn sync_directory(&self, handle: FileHandle, reply: ReplyEmpty) {
        match self.directory(handle).as_deref() {
            Ok(OpenDirectory::Root) => reply.ok(),
            Ok(OpenDirectory::In(namespace, _)) => self.durable.reply(namespace, namespace.committed(), reply),
            Err(refusal) => reply.error(refusal.0),
        }
    }
}
