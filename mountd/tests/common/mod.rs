//! A store in memory, mounted for one test, and taken away whatever the test does.

#![allow(dead_code)]

pub mod daemon;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};
use strongroom::{
    bucket::MemoryStore,
    clock::SystemClock,
    crypt::KernelEntropy,
    fs::{Catalog, CatalogParts, DEFAULT_WINDOW_POOL_BYTES, MemoryHost},
};
use strongroom_mountd::{
    adapter::{Adapter, Settings},
    mount::{MountOptions, Mounted, check, mount},
};
use tempfile::TempDir;

/// A mounted store in memory.
pub struct Mount {
    pub catalog: Arc<Catalog>,
    pub host: Arc<MemoryHost>,
    mounted: Option<Mounted>,
    folder: TempDir,
}

/// Whether tests that mount can run here. Where they must (`CI=true`), their failure to do so fails them.
pub fn can_mount() -> bool {
    let device = fs::File::options().read(true).write(true).open("/dev/fuse");
    match device {
        Ok(_) => true,
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("CI=true and /dev/fuse cannot be opened: {error}")
        }
        Err(error) => {
            println!("skipped: /dev/fuse cannot be opened: {error}");
            false
        }
    }
}

impl Mount {
    /// A fresh store with the bucket `b`; `None` where nothing can be mounted.
    pub fn new() -> Option<Self> {
        Self::with(MountOptions::default())
    }

    /// The same with mount options.
    pub fn with(options: MountOptions) -> Option<Self> {
        if !can_mount() {
            return None;
        }
        let host = Arc::new(MemoryHost::default());
        let catalog = Catalog::open(CatalogParts {
            meta: MemoryStore::new(),
            host: Arc::clone(&host) as _,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(KernelEntropy),
            window_pool_bytes: DEFAULT_WINDOW_POOL_BYTES,
        })
        .unwrap();
        let root = strongroom::fs::RootAttributes { mode: 0o755, ..Default::default() };
        catalog.create_bucket("bbb", root, "memory").unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mnt")).unwrap();
        let settings = Settings {
            default_key: "memory".to_owned(),
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
            store: None,
        };
        let adapter = Adapter::new(Arc::clone(&catalog), settings);
        let point = check(&folder.path().join("mnt"), &folder.path().join("store"), &options).unwrap();
        let mounted = mount(adapter, &point, options, || {}).unwrap();
        Some(Self { catalog, host, mounted: Some(mounted), folder })
    }

    /// The root of the mount.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("mnt")
    }

    /// A path in the bucket.
    pub fn at(&self, name: &str) -> PathBuf {
        self.root().join("bbb").join(name)
    }

    /// A folder outside of the mount.
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Dropping detaches at once, also when a failed test still has files open.
        drop(self.mounted.take());
    }
}

/// Runs a shell script in `folder` and returns what it prints; panics with its errors when it fails.
pub fn shell(folder: &Path, script: &str) -> String {
    let output = Command::new("sh").args(["-euc", script]).current_dir(folder).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{out}\n{err}");
    out.into_owned()
}

/// The errno of a result.
pub fn errno<T>(result: io::Result<T>) -> nix::errno::Errno {
    match result {
        Ok(_) => nix::errno::Errno::from_raw(0),
        Err(error) => nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(-1)),
    }
}

/// Bytes that look random and are the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
