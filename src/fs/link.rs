//! Giving names to files, and taking them away.

use super::{
    Attributes, Done, FileKind, FsError, FsResult, Ino, Namespace, alias, records,
    txn::{self, ChildChange},
};

/// Names that an inode may have.
const LINKS_LIMIT: u32 = 1 << 20;

impl Namespace {
    /// Gives `ino` one more name.
    ///
    /// # Errors
    /// `NotFound` (also for an orphan), `NotPermitted` (a directory), `Exists`, `TooManyLinks`, and as [`Self::mknod`].
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> FsResult<Done<Attributes>> {
        let mut txn = self.begin()?;
        let directory = txn::load_directory(&txn, parent)?;
        let named = alias::resolve(&txn, &directory, name)?;
        if named.located.is_some() {
            return Err(FsError::Exists);
        }
        let mut located = txn::load(&txn, ino)?;
        let inode = &mut located.inode;
        if inode.kind == FileKind::Directory {
            return Err(FsError::NotPermitted("a directory has one name"));
        }
        if inode.nlink == 0 {
            return Err(FsError::NotFound);
        }
        if inode.nlink >= LINKS_LIMIT {
            return Err(FsError::TooManyLinks);
        }
        inode.nlink = inode.nlink.saturating_add(1);
        inode.ctime = txn.now;
        if let Some(place) = located.place.take() {
            txn.batch.delete(records::id_key(records::PLACE, ino.0));
            txn.batch.put(records::entry_key(place.parent, &place.component), records::encode_link_entry(ino));
        }
        txn.store(&located);
        txn.batch.put(records::entry_key(parent, &named.component), records::encode_link_entry(ino));
        txn.change_children(
            parent,
            ChildChange {
                entries: 1,
                listed: i64::from(located.inode.bears()),
                explicit: true,
                touch: true,
                ..ChildChange::default()
            },
        )?;
        let number = txn.commit()?;
        Ok(Done { value: self.attributes_with_writes(&located.inode), number })
    }

    /// Removes a name of anything but a directory. The inode goes with its last name, or when it is closed.
    ///
    /// # Errors
    /// `NotFound`, `NotDir` (the parent), `IsDir`.
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> FsResult<Done<()>> {
        self.remove(parent, name, false)
    }

    /// Removes an empty directory, its facet (R4) with it.
    ///
    /// # Errors
    /// `NotFound`, `NotDir`, `NotEmpty`, `InvalidArgument` for `.`.
    pub fn rmdir(&self, parent: Ino, name: &[u8]) -> FsResult<Done<()>> {
        match name {
            b"." => return Err(FsError::InvalidArgument("`.` cannot be removed")),
            b".." => return Err(FsError::NotEmpty),
            _ => {}
        }
        self.remove(parent, name, true)
    }

    fn remove(&self, parent: Ino, name: &[u8], want_directory: bool) -> FsResult<Done<()>> {
        let mut txn = self.begin()?;
        let directory = txn::load_directory(&txn, parent)?;
        let named = alias::resolve(&txn, &directory, name)?;
        let located = named.located.ok_or(FsError::NotFound)?;
        let is_directory = located.inode.kind == FileKind::Directory;
        if is_directory != want_directory {
            return Err(if is_directory { FsError::IsDir } else { FsError::NotDir });
        }
        if is_directory && located.inode.directory.entries > 0 {
            return Err(FsError::NotEmpty);
        }
        txn.remove_entry(parent, &named.component, &located)?;
        txn.drop_name(located)?;
        txn.batch.frees_space();
        Ok(Done { value: (), number: txn.commit()? })
    }
}
