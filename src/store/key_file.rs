//! The key file of the embedded default: made at the first start, outside the store.

use super::OpenError;
use crate::{
    crypt::StoreId,
    kms::{KeyName, Kms, StaticKey, create_key_file},
};
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Name of the key that is made when no KMS is configured.
const DEFAULT_KEY_NAME: &str = "strongroom-default";

/// Where key files are kept: `/etc/strongroom` for root, else `$XDG_CONFIG_HOME/strongroom` or
/// `$HOME/.config/strongroom`.
///
/// # Errors
/// [`OpenError::NoKeyDirectory`].
pub fn key_directory(lookup: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf, OpenError> {
    let absolute = |name: &str| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(config) = absolute("XDG_CONFIG_HOME") {
        return Ok(config.join("strongroom"));
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/etc/strongroom"));
    }
    absolute("HOME").map(|home| home.join(".config/strongroom")).ok_or(OpenError::NoKeyDirectory)
}

/// The key file of a store.
#[must_use]
pub fn key_path(directory: &Path, store: StoreId) -> PathBuf {
    directory.join(format!("{store}.key"))
}

/// Opens the key file of a store, or makes it when `create` is set and there is none.
///
/// # Errors
/// [`OpenError::KeyFile`] when it is missing, loose or damaged.
pub fn open_key_file(path: &Path, create: bool) -> Result<(Arc<dyn Kms>, bool), OpenError> {
    let failed = |why: String| OpenError::KeyFile { path: path.to_owned(), why };
    let exists = path.try_exists().map_err(|e| failed(e.to_string()))?;
    if !exists && !create {
        return Err(failed("is missing".to_owned()));
    }
    if !exists {
        let directory = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory).map_err(|e| failed(format!("cannot be made: {e}")))?;
        // Only its owner lists it; an existing directory keeps its mode.
        if let Ok(meta) = std::fs::metadata(directory)
            && meta.permissions().mode() & 0o077 != 0
            && directory.ends_with("strongroom")
        {
            let _ = std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700));
        }
        let name = KeyName::new(DEFAULT_KEY_NAME).map_err(|e| failed(e.to_string()))?;
        create_key_file(path, &name).map_err(|e| failed(format!("cannot be made: {e}")))?;
    }
    let key = StaticKey::from_file(path.to_owned()).map_err(|e| failed(format!("cannot be used: {e}")))?;
    Ok((Arc::new(key), !exists))
}

/// Refuses a key file inside the store.
///
/// # Errors
/// [`OpenError::KeyInsideStore`].
pub fn check_outside(key_file: &Path, store: &Path) -> Result<(), OpenError> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = key_file.parent().map(real).unwrap_or_default();
    if directory.starts_with(real(store)) || real(key_file).starts_with(real(store)) {
        return Err(OpenError::KeyInsideStore(key_file.to_owned()));
    }
    Ok(())
}
