//! Renaming within a bucket: one commit, whatever is below (R18).

use super::{
    Component, Done, FileKind, FsError, FsResult, Ino, Namespace, Place, alias, records,
    txn::{self, ChildChange, Located, Txn},
};

/// What a rename does when the target exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replaces it, as POSIX says.
    Replace,
    /// Fails with `Exists` (`RENAME_NOREPLACE`).
    NoReplace,
    /// Swaps both (`RENAME_EXCHANGE`); not offered yet.
    Exchange,
}

/// Deepest directory that a rename looks up from.
const DEPTH_LIMIT: usize = 65_536;

impl Namespace {
    /// Moves a name. Content of the source that was written before is committed first (promise D3).
    ///
    /// # Errors
    /// `NotFound`, `Exists`, `NotDir`, `IsDir`, `NotEmpty`, `InvalidArgument` (a directory below itself),
    /// `Unsupported` (exchange), `NameTooLong`, `InvalidName`, `NoSpace`.
    pub fn rename(
        &self,
        from_parent: Ino,
        from: &[u8],
        to_parent: Ino,
        to: &[u8],
        mode: RenameMode,
    ) -> FsResult<Done<()>> {
        if mode == RenameMode::Exchange {
            return Err(FsError::Unsupported("exchange of two names"));
        }
        self.commit_source(from_parent, from)?;
        let mut txn = self.begin()?;
        let source_directory = txn::load_directory(&txn, from_parent)?;
        let source = alias::resolve(&txn, &source_directory, from)?;
        let moved = source.located.ok_or(FsError::NotFound)?;
        let target_directory = txn::load_directory(&txn, to_parent)?;
        let target = alias::resolve(&txn, &target_directory, to)?;
        let is_directory = moved.inode.kind == FileKind::Directory;
        if let Some(there) = &target.located {
            if mode == RenameMode::NoReplace {
                return Err(FsError::Exists);
            }
            if there.inode.ino == moved.inode.ino {
                return Ok(Done { value: (), number: self.committed() });
            }
            check_replace(&moved, there)?;
        }
        if is_directory {
            txn.check_not_below(moved.inode.ino, to_parent)?;
        }
        if target_directory.place.is_none() && to_parent != Ino::ROOT {
            return Err(FsError::NotFound);
        }
        let component = match &target.located {
            Some(_) => target.component.clone(),
            None => Component::of(target.component.base(), is_directory),
        };
        if let Some(there) = target.located {
            txn.remove_entry_in_place(to_parent, &component, &there)?;
            txn.drop_name(there)?;
        }
        txn.remove_entry(from_parent, &source.component, &moved)?;
        txn.put_moved(moved, Place { parent: to_parent, component })?;
        Ok(Done { value: (), number: txn.commit()? })
    }

    /// Commits what was written to the file that is about to be renamed.
    fn commit_source(&self, parent: Ino, name: &[u8]) -> FsResult<()> {
        if super::lock(&self.files).is_empty() {
            return Ok(());
        }
        let snapshot = self.parts.meta.snapshot()?;
        let directory = txn::load_directory(snapshot.as_ref(), parent)?;
        let Some(located) = alias::resolve(snapshot.as_ref(), &directory, name)?.located else {
            return Err(FsError::NotFound);
        };
        if let Some(file) = self.open_file_of(located.inode.ino) {
            self.commit_file(&file, &mut super::lock(&file.state))?;
        }
        Ok(())
    }
}

fn check_replace(moved: &Located, there: &Located) -> FsResult<()> {
    let from_directory = moved.inode.kind == FileKind::Directory;
    let to_directory = there.inode.kind == FileKind::Directory;
    match (from_directory, to_directory) {
        (true, false) => Err(FsError::NotDir),
        (false, true) => Err(FsError::IsDir),
        (true, true) if there.inode.directory.entries > 0 => Err(FsError::NotEmpty),
        _ => Ok(()),
    }
}

impl Txn<'_> {
    fn check_not_below(&self, directory: Ino, mut at: Ino) -> FsResult<()> {
        for _ in 0..DEPTH_LIMIT {
            if at == directory {
                return Err(FsError::InvalidArgument("a directory cannot be moved below itself"));
            }
            match txn::load(self, at)?.place {
                Some(place) => at = place.parent,
                None => return Ok(()),
            }
        }
        Err(FsError::TooLarge("the depth of the target"))
    }

    /// Takes an entry out whose component and POSIX name the next one keeps.
    pub fn remove_entry_in_place(&mut self, parent: Ino, component: &Component, there: &Located) -> FsResult<()> {
        self.batch.delete(records::entry_key(parent, component));
        self.change_children(
            parent,
            ChildChange {
                entries: -1,
                subdirs: -i32::from(component.is_directory()),
                listed: -i64::from(there.inode.bears()),
                ..ChildChange::default()
            },
        )
    }

    fn put_moved(&mut self, mut moved: Located, to: Place) -> FsResult<()> {
        moved.inode.ctime = self.now;
        if moved.inode.kind == FileKind::Directory {
            moved.inode.directory.explicit = true;
        }
        let listed = i64::from(moved.inode.bears());
        let (parent, subdirs) = (to.parent, i32::from(to.component.is_directory()));
        if moved.place.is_some() {
            self.store_at(to, moved.inode);
        } else {
            self.store(&moved);
            let key = records::entry_key(to.parent, &to.component);
            self.batch.put(key, records::encode_link_entry(moved.inode.ino));
        }
        self.change_children(
            parent,
            ChildChange { entries: 1, subdirs, listed, explicit: true, touch: true, ..ChildChange::default() },
        )
    }
}
