//! What a store tells of itself. Opens nothing: a bucket that is closed stays closed.
//!
//! The fields are stable: scripts read them by `strongroom --json status`. Later versions add fields and take none away.

use crate::{
    crypt::{BucketId, Slot},
    fs::{BucketInfo, Namespace},
    kms::{EndpointState, Kms},
    store::Store,
};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

/// State of a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// Version of the program that holds the store.
    pub version: String,
    /// The store's id.
    pub store_id: String,
    /// Id of this copy of the store.
    pub instance_id: String,
    /// Format on the disk.
    pub format: FormatStatus,
    /// `open`, `read-only` or `locked`: the state of the catalog, and so of the store.
    pub state: String,
    /// Why it is not `open`.
    pub reason: Option<String>,
    /// The KMS.
    pub kms: KmsLine,
    /// Name of the EK that new buckets are sealed under.
    pub default_key: String,
    /// Space on the disk; absent when the disk does not tell.
    pub space: Option<SpaceStatus>,
    /// Memory.
    pub memory: MemoryStatus,
    /// Process that holds the store.
    pub process_id: u32,
    /// Seconds since the store was opened.
    pub uptime_secs: u64,
    /// The buckets, in order of their names.
    pub buckets: Vec<BucketStatus>,
}

/// Format of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormatStatus {
    /// Format version.
    pub version: u16,
    /// Compatible feature flags.
    pub compatible: u64,
    /// Read-only feature flags.
    pub read_only: u64,
    /// Incompatible feature flags.
    pub incompatible: u64,
}

/// The KMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KmsLine {
    /// `static key` or `KES`.
    pub kind: String,
    /// Whether any endpoint can be used.
    pub online: bool,
    /// Endpoints, in the order configured.
    pub endpoints: Vec<EndpointLine>,
}

/// An endpoint of the KMS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointLine {
    /// URL, or where the static key comes from.
    pub endpoint: String,
    /// `online`, `key-store-unreachable` or `offline`.
    pub state: String,
    /// The server's version, or why it is offline.
    pub detail: Option<String>,
}

/// Space, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceStatus {
    /// Size of the file system that the store lies on.
    pub total_bytes: u64,
    /// What may still be written.
    pub available_bytes: u64,
    /// Held by the store, so that unlink works on a full disk.
    pub reserve_bytes: u64,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatus {
    /// The budget for metadata and writes; absent when none was given.
    pub budget_bytes: Option<u64>,
    /// What the process has in memory; absent when the system does not tell.
    pub resident_bytes: Option<u64>,
}

/// State of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketStatus {
    /// Name.
    pub name: String,
    /// Id; names its directory under `buckets/`.
    pub id: String,
    /// Name of its EK.
    pub key_name: String,
    /// Newest generation of its bucket key; absent when its keyring is damaged.
    pub generation: Option<u32>,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_unix_nanos: i64,
    /// `unlocked`, `read-only`, `locked`, `damaged`, or `closed`: nobody has used it since the store was opened.
    pub state: String,
    /// Why it is read-only, locked or damaged.
    pub reason: Option<String>,
    /// Files, directories and links; absent when it is closed.
    pub inodes: Option<u64>,
    /// Bytes of content by the lengths of files; absent when it is closed.
    pub bytes: Option<u64>,
}

impl Store {
    /// What the store tells of itself. Asks the KMS's endpoints how they are, each for at most its time-out.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let file = self.store_file();
        let (own, _) = self.storage();
        let (state, reason) = if own.keys().is_revoked() {
            ("locked", Some("the keys of the catalog were taken away".to_owned()))
        } else if let Some(reason) = own.read_only_reason() {
            ("read-only", Some(reason.to_string()))
        } else {
            ("open", None)
        };
        let open = self.catalog().open_namespaces();
        let open: HashMap<u32, Arc<Namespace>> = open.into_iter().map(|bucket| (bucket.slot(), bucket)).collect();
        let buckets = self.catalog().buckets().into_iter().map(|info| self.bucket_status(&open, info)).collect();
        StoreStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store_id: file.store.to_string(),
            instance_id: file.instance.to_string(),
            format: FormatStatus {
                version: file.version,
                compatible: file.features.compatible,
                read_only: file.features.read_only,
                incompatible: file.features.incompatible,
            },
            state: state.to_owned(),
            reason,
            kms: kms_line(self.kms().as_ref()),
            default_key: self.default_key().to_owned(),
            space: self.space().ok().map(|space| SpaceStatus {
                total_bytes: space.disk.total_bytes,
                available_bytes: space.disk.available_bytes,
                reserve_bytes: space.reserve_bytes,
            }),
            memory: MemoryStatus { budget_bytes: self.memory_bytes(), resident_bytes: resident_bytes() },
            process_id: std::process::id(),
            uptime_secs: self.open_for().as_secs(),
            buckets,
        }
    }

    fn bucket_status(&self, open: &HashMap<u32, Arc<Namespace>>, info: BucketInfo) -> BucketStatus {
        let id = BucketId::from_bytes(info.id);
        let storage = self.bucket_storage(id);
        let namespace = open.get(&info.slot);
        let usage = namespace.and_then(|namespace| namespace.usage().ok());
        let keyring = self.keyring(id);
        let (state, reason) = match (&keyring, storage) {
            (Err(error), _) => ("damaged", Some(error.to_string())),
            (Ok(_), None) => ("closed", None),
            (Ok(_), Some(storage)) if storage.keys().is_revoked() => {
                ("locked", Some(format!("the KMS does not grant key {}", info.key_name)))
            }
            (Ok(_), Some(storage)) => match storage.read_only_reason() {
                Some(reason) => ("read-only", Some(reason.to_string())),
                None => ("unlocked", None),
            },
        };
        BucketStatus {
            id: id.to_string(),
            generation: keyring.ok().and_then(|(keyring, _)| keyring.newest(Slot::OWN).ok()).map(|newest| newest.0),
            created_unix_nanos: info.created.0,
            state: state.to_owned(),
            reason,
            inodes: usage.map(|usage| usage.inodes),
            bytes: usage.map(|usage| usage.bytes),
            name: info.name,
            key_name: info.key_name,
        }
    }
}

fn kms_line(kms: &dyn Kms) -> KmsLine {
    let described = kms.describe();
    let kind = described.kind.to_string();
    match kms.status() {
        Ok(status) => KmsLine {
            kind,
            online: status.is_online(),
            endpoints: status
                .endpoints
                .into_iter()
                .map(|endpoint| {
                    let (state, detail) = match endpoint.state {
                        EndpointState::Online { version } => ("online", version),
                        EndpointState::KeyStoreUnreachable => ("key-store-unreachable", None),
                        EndpointState::Offline { reason } => ("offline", Some(reason)),
                    };
                    EndpointLine { endpoint: endpoint.endpoint, state: state.to_owned(), detail }
                })
                .collect(),
        },
        Err(error) => {
            let offline =
                |endpoint| EndpointLine { endpoint, state: "offline".to_owned(), detail: Some(error.to_string()) };
            KmsLine { kind, online: false, endpoints: described.endpoints.into_iter().map(offline).collect() }
        }
    }
}

/// Memory of this process, as the system counts it.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_the_memory_of_this_process() {
        assert!(resident_bytes().unwrap() > 1 << 16);
    }
}
