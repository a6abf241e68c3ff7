//! Inodes without a name: kept while somebody has them open, reclaimed at the last close or at the next start.

use super::{
    Component, ContentId, FileKind, FsResult, Ino, Namespace,
    records::{self},
    txn::{self, Located, Records, Txn},
};
use std::sync::atomic::Ordering;

impl Txn<'_> {
    /// Takes one name away from an inode; its entry is already gone from the batch's point of view, or replaced.
    pub fn drop_name(&mut self, mut located: Located) -> FsResult<()> {
        let inode = &mut located.inode;
        inode.ctime = self.now;
        inode.nlink = inode.nlink.saturating_sub(1);
        if located.place.take().is_some() {
            self.batch.delete(records::id_key(records::PLACE, inode.ino.0));
        }
        if inode.nlink > 0 {
            self.store(&located);
            return Ok(());
        }
        self.state.inodes = self.state.inodes.saturating_sub(1);
        self.state.bytes = self.state.bytes.saturating_sub(inode.size);
        let ino = inode.ino;
        if inode.kind == FileKind::File && self.mark_orphan(ino) {
            self.batch.put(records::id_key(records::ORPHAN, ino.0), Vec::new());
            self.store(&located);
            return Ok(());
        }
        self.batch.delete(records::id_key(records::INODE, ino.0));
        self.free_inode(&mut located)
    }

    /// Whether somebody has it open; whoever closes it last will see the mark.
    fn mark_orphan(&self, ino: Ino) -> bool {
        let files = super::lock(&self.namespace.files);
        let open = files.get(&ino);
        if let Some((_, file)) = open {
            file.orphan.store(true, Ordering::Release);
        }
        open.is_some()
    }

    /// Frees content and attributes of an inode whose record goes.
    fn free_inode(&mut self, located: &mut Located) -> FsResult<()> {
        let inode = &mut located.inode;
        if inode.xattrs > 0 {
            for (name, _) in self.xattr_records(inode.ino)? {
                self.batch.delete(records::named_key(records::XATTR, inode.ino, &name));
            }
        }
        self.free_content(inode.ino, &mut inode.content)
    }

    /// Removes an entry, its place in the counts of its directory, and its POSIX name, which it returns.
    pub fn remove_entry(&mut self, parent: Ino, component: &Component, located: &Located) -> FsResult<Vec<u8>> {
        self.batch.delete(records::entry_key(parent, component));
        let name = self.unname_component(parent, component)?;
        self.change_children(
            parent,
            txn::ChildChange {
                entries: -1,
                subdirs: -i32::from(component.is_directory()),
                listed: -i64::from(located.inode.bears()),
                touch: true,
                ..txn::ChildChange::default()
            },
        )?;
        Ok(name)
    }
}

impl Namespace {
    /// Frees an inode without a name that nobody has open.
    pub(super) fn reclaim(&self, ino: Ino) -> FsResult<()> {
        let mut txn = self.begin()?;
        let key = records::id_key(records::ORPHAN, ino.0);
        if txn.record(&key)?.is_none() || super::lock(&self.files).contains_key(&ino) {
            return Ok(());
        }
        let mut located = txn::load(&txn, ino)?;
        txn.batch.delete(key);
        txn.batch.delete(records::id_key(records::INODE, ino.0));
        txn.free_inode(&mut located)?;
        txn.commit()?;
        Ok(())
    }

    /// At the start nobody has anything open.
    pub(super) fn reclaim_orphans(&self) -> FsResult<()> {
        let snapshot = self.parts.meta.snapshot()?;
        let end = records::behind(&[records::ORPHAN]);
        let mut cursor = snapshot.range(&[records::ORPHAN], end.as_deref());
        while let Some((key, _)) = cursor.next()? {
            if let Some((_, ino, _)) = records::split(&key) {
                self.reclaim(Ino(ino))?;
            }
        }
        Ok(())
    }

    /// Does a step of the first job there is; true when there was one.
    pub(super) fn next_job(&self) -> FsResult<bool> {
        let snapshot = self.parts.meta.snapshot()?;
        let end = records::behind(&[records::JOB]);
        let mut cursor = snapshot.range(&[records::JOB], end.as_deref());
        while let Some((key, _)) = cursor.next()? {
            let Some((_, content, _)) = records::split(&key) else { continue };
            let content = ContentId(content);
            if super::lock(&self.uploads).contains(&content) {
                continue;
            }
            let mut txn = self.begin()?;
            txn.step_job(content)?;
            txn.commit()?;
            return Ok(true);
        }
        Ok(false)
    }
}
