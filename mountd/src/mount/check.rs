//! What must hold of a mount point; looked at before the store is touched.

use super::{
    MountError, MountOptions,
    attach::{Detach, detach, may_allow_other, open_device},
    helper,
    table::{TYPE, table_path, type_on},
};
use nix::{errno::Errno, unistd::geteuid};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Dead mounts over each other that are cleared at most.
const STALE_LIMIT: u32 = 8;

/// A mount point that can be mounted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPoint(pub(super) PathBuf);

impl MountPoint {
    /// Its absolute path, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Checks that a store at `store` could be mounted on `point`, and clears what a killed daemon left there.
///
/// # Errors
/// [`MountError`]; nothing was changed, but for a dead mount of ours that was removed.
pub fn check(point: &Path, store: &Path, options: &MountOptions) -> Result<MountPoint, MountError> {
    let unusable = |source| MountError::Unusable { point: point.to_owned(), source };
    let path = match table_path(point) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(MountError::Missing(point.to_owned())),
        Err(error) => return Err(unusable(error)),
    };
    clear_stale(&path)?;
    let found = match fs::metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(MountError::Missing(point.to_owned())),
        Err(error) => return Err(unusable(error)),
    };
    if !found.is_dir() {
        return Err(MountError::NotDirectory(point.to_owned()));
    }
    // The last component may be a link to a directory.
    let path = path.canonicalize().map_err(unusable)?;
    if type_on(&path).map_err(unusable)?.as_deref() == Some(TYPE) {
        return Err(MountError::InUse(path));
    }
    if fs::read_dir(&path).map_err(unusable)?.next().is_some() {
        return Err(MountError::NotEmpty(point.to_owned()));
    }
    if let Some(store) = existing_part(store)
        && (store.starts_with(&path) || path.starts_with(&store))
    {
        return Err(MountError::Nested { store, point: path });
    }
    drop(open_device()?);
    if !geteuid().is_root() {
        helper::find()?;
    }
    if options.allow_other == Some(true) && !may_allow_other() {
        return Err(MountError::AllowOther);
    }
    Ok(MountPoint(path))
}

/// Removes mounts of ours whose daemon is gone: they answer every call with ENOTCONN.
fn clear_stale(path: &Path) -> Result<(), MountError> {
    for _ in 0..STALE_LIMIT {
        // Opened, not only looked at: the kernel still tells a dead mount's attributes from memory.
        match fs::read_dir(path) {
            Err(error) if error.raw_os_error() == Some(Errno::ENOTCONN as i32) => {}
            _ => return Ok(()),
        }
        // A link is followed by `metadata`; the dead mount is then on what it names.
        let path = fs::read_link(path).ok().and_then(|_| path.canonicalize().ok()).unwrap_or_else(|| path.to_owned());
        let stale = |source| MountError::Stale { point: path.clone(), source };
        match type_on(&path).map_err(stale)? {
            Some(kind) if kind != TYPE => return Err(MountError::DeadMount { point: path, kind }),
            _ => {}
        }
        tracing::warn!("removing the mount that a killed daemon left on {}", path.display());
        detach(&path, Detach::Lazily).map_err(|error| stale(io::Error::other(error.to_string())))?;
    }
    Ok(())
}

/// The longest part of the store's path that exists, links resolved, with the rest behind it.
fn existing_part(store: &Path) -> Option<PathBuf> {
    let store = std::path::absolute(store).ok()?;
    store.ancestors().find_map(|part| {
        let rest = store.strip_prefix(part).ok()?;
        Some(part.canonicalize().ok()?.join(rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(point: &Path, store: &Path) -> MountError {
        check(point, store, &MountOptions::default()).unwrap_err()
    }

    #[test]
    fn what_is_no_empty_directory_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        assert!(matches!(refused(&folder.path().join("none"), &store), MountError::Missing(_)));
        assert!(matches!(refused(&folder.path().join("none/deeper"), &store), MountError::Missing(_)));
        assert!(matches!(refused(&file, &store), MountError::NotDirectory(_)));
        let error = refused(folder.path(), &store);
        assert!(matches!(error, MountError::NotEmpty(_)));
        assert!(error.to_string().contains(folder.path().to_str().unwrap()));
    }

    #[test]
    fn store_and_mount_point_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(refused(folder.path(), &folder.path().join("store")), MountError::Nested { .. }));
        assert!(matches!(refused(folder.path(), folder.path()), MountError::Nested { .. }));
        let inner = folder.path().join("store/mnt");
        fs::create_dir_all(&inner).unwrap();
        assert!(matches!(refused(&inner, &folder.path().join("store")), MountError::Nested { .. }));
    }
}
