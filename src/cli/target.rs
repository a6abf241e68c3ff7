//! Whoever answers for a store: the daemon that holds it, or this process.

use super::{client::Client, failure::Failure};
use std::{path::Path, sync::Arc};
use strongroom::{
    admin::{
        StoreStatus,
        control::{BucketLine, BucketList, NewBucket},
    },
    disk::LockError,
    fs::{FsError, RootAttributes},
    store::{OpenError, Store, StoreOptions},
};

/// Mode of the root of a bucket that is made by command.
const ROOT_MODE: u16 = 0o755;

/// A store that can be asked.
pub enum Target {
    /// Held by a daemon.
    Daemon(Client),
    /// Held by this process.
    Own(Arc<Store>),
}

impl Target {
    /// Finds the daemon of a store, or opens the store.
    pub fn reach(store: &Path) -> Result<Self, Failure> {
        match Client::find(store)? {
            Some(client) => Ok(Self::Daemon(client)),
            None => {
                let options = StoreOptions::from_environment(store.to_owned(), false)?;
                Store::open(options).map(|(store, _)| Self::Own(store)).map_err(refused)
            }
        }
    }

    /// The store's status.
    pub fn status(&self) -> Result<StoreStatus, Failure> {
        match self {
            Self::Daemon(client) => client.get("/v1/status"),
            Self::Own(store) => Ok(store.status()),
        }
    }

    /// The buckets, in order of their names.
    pub fn buckets(&self) -> Result<BucketList, Failure> {
        match self {
            Self::Daemon(client) => client.get("/v1/buckets"),
            Self::Own(store) => {
                let mut buckets: Vec<BucketLine> = store.catalog().buckets().into_iter().map(Into::into).collect();
                buckets.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(BucketList { buckets })
            }
        }
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) -> Result<BucketLine, Failure> {
        match self {
            Self::Daemon(client) => client.post("/v1/buckets", &NewBucket { name: name.to_owned() }),
            Self::Own(store) => {
                let root = RootAttributes {
                    mode: ROOT_MODE,
                    uid: nix::unistd::geteuid().as_raw(),
                    gid: nix::unistd::getegid().as_raw(),
                    ..RootAttributes::default()
                };
                let made = store.catalog().create_bucket(name, root, store.default_key());
                made.map(Into::into).map_err(|error| about_bucket(name, &error))
            }
        }
    }

    /// Removes an empty bucket.
    pub fn remove_bucket(&self, name: &str) -> Result<(), Failure> {
        match self {
            Self::Daemon(client) => client.delete(&format!("/v1/buckets/{}", in_url(name))),
            Self::Own(store) => store.catalog().remove_bucket(name).map_err(|error| about_bucket(name, &error)),
        }
    }

    /// Gives the store up, if this process holds it.
    pub fn close(self) -> Result<(), Failure> {
        match self {
            Self::Daemon(_) => Ok(()),
            Self::Own(store) => Ok(store.close()?),
        }
    }
}

/// Why a store that no daemon answers for does not open.
pub fn refused(error: OpenError) -> Failure {
    match error {
        OpenError::Held(LockError::Held { pid }) => {
            let holder = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            Failure::said(format!(
                "the store is held by {holder}, and no control socket answers; run this command as the user of that \
                 process and with the same XDG_RUNTIME_DIR, or stop the process"
            ))
        }
        error => error.into(),
    }
}

fn about_bucket(name: &str, error: &FsError) -> Failure {
    Failure::said(format!("bucket {name}: {error}"))
}

/// A name as one component of a URL's path: whatever is no bucket name is refused by the daemon, not by the URL.
fn in_url(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_changes_the_path_of_a_call() {
        assert_eq!(in_url("my-bucket.1"), "my-bucket.1");
        assert_eq!(in_url("../fsck?x y"), "..%2Ffsck%3Fx%20y");
    }
}
