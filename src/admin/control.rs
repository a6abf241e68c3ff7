//! The control socket: where it is, and what is said over it.
//!
//! A daemon that holds a store serves HTTP with JSON bodies on a Unix socket; the command-line tool is its client. Both
//! ends find the socket by [`socket_path`]. The calls:
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /v1/status` | | the store's status |
//! | `GET /v1/buckets` | | [`BucketList`] |
//! | `POST /v1/buckets` | [`NewBucket`] | 201, [`BucketLine`] |
//! | `DELETE /v1/buckets/NAME` | | 204 |
//! | `POST /v1/fsck` | [`FsckRequest`] | the report |
//!
//! Every error is an [`ErrorReply`] with a status of 400 or more.

use crate::fs::BucketInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    ffi::OsString,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Most bytes of a request's body.
pub const REQUEST_LIMIT_BYTES: usize = 64 * 1024;

/// Where the socket of the store at `store` is: in `strongroom/` under `$XDG_RUNTIME_DIR`, else under `/run` for root,
/// and `/run/user/UID` for everybody else. It is named by a hash of the store's real path, so that several stores have
/// one each. `variable` looks up the environment.
///
/// # Errors
/// When the store's path cannot be resolved.
pub fn socket_path(store: &Path, variable: &dyn Fn(&str) -> Option<OsString>) -> io::Result<PathBuf> {
    let uid = nix::unistd::geteuid();
    let parent = match variable("XDG_RUNTIME_DIR").filter(|directory| Path::new(directory).is_absolute()) {
        Some(directory) => PathBuf::from(directory),
        None if uid.is_root() => PathBuf::from("/run"),
        None => PathBuf::from(format!("/run/user/{uid}")),
    };
    let digest = Sha256::digest(store.canonicalize()?.as_os_str().as_bytes());
    let name = digest.get(..8).map(hex::encode).unwrap_or_default();
    Ok(parent.join("strongroom").join(format!("{name}.sock")))
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketLine {
    /// Its name in both views.
    pub name: String,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_unix_nanos: i64,
    /// Name of its EK.
    pub key_name: String,
    /// Owner of its root.
    pub uid: u32,
    /// Group of its root.
    pub gid: u32,
}

impl From<BucketInfo> for BucketLine {
    fn from(info: BucketInfo) -> Self {
        Self {
            name: info.name,
            created_unix_nanos: info.created.0,
            key_name: info.key_name,
            uid: info.root.uid,
            gid: info.root.gid,
        }
    }
}

/// All buckets, in order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketList {
    /// The buckets.
    pub buckets: Vec<BucketLine>,
}

/// Asks for a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBucket {
    /// Its name.
    pub name: String,
}

/// Asks for a check of the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FsckRequest {
    /// Buckets whose losses are accepted, so that they can be written again.
    #[serde(default)]
    pub accept_loss: Vec<String>,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// What happened to what, and what the operator can do.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_socket_by_whatever_path_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("store");
        std::fs::create_dir(&store).unwrap();
        let variable = |name: &str| (name == "XDG_RUNTIME_DIR").then(|| OsString::from("/somewhere"));
        let path = socket_path(&store, &variable).unwrap();
        assert!(path.starts_with("/somewhere/strongroom"));
        assert_eq!(path, socket_path(&store.join("../store"), &variable).unwrap());
        assert_ne!(path, socket_path(directory.path(), &variable).unwrap());
        assert!(socket_path(&store, &|_| None).unwrap().starts_with("/run"));
        assert!(socket_path(&directory.path().join("missing"), &variable).is_err());
    }
}
