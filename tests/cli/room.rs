//! A store in a directory of its own, its key file apart, and the tool run on it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};
use strongroom::{
    fs::{Conditions, PutOptions, RootAttributes},
    kms::KmsConfig,
    store::{DEFAULT_MEMORY_BYTES, Store, StoreOptions},
};

/// Directories of one test.
pub struct Room {
    directory: tempfile::TempDir,
}

/// What a run of the tool gave.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Asserts that it failed with 1, said all of `words` and nothing on standard output.
    pub fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 1, "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing: {self:?}");
        }
        assert!(!self.err.contains("panicked"), "{self:?}");
    }

    /// Asserts that it was done without a word on standard error.
    pub fn done(self) -> Self {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{self:?}");
        self
    }
}

impl Room {
    pub fn new() -> Self {
        let room = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(room.path("run")).unwrap();
        fs::set_permissions(room.path("run"), fs::Permissions::from_mode(0o700)).unwrap();
        room
    }

    /// A room with a new store in it, closed.
    pub fn with_store() -> Self {
        let room = Self::new();
        room.open(true).close().unwrap();
        room
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Opens the store in this process.
    pub fn open(&self, create: bool) -> Arc<Store> {
        let config = self.path("config").display().to_string();
        let options = StoreOptions {
            path: self.store(),
            kms: KmsConfig::None,
            credentials: None,
            create,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            accept_loss: false,
            lookup: Box::new(move |name| (name == "XDG_CONFIG_HOME").then(|| config.clone())),
        };
        Store::open(options).unwrap().0
    }

    /// A room with a store of one bucket, `photos`, with files of all sizes in it.
    pub fn with_files() -> Self {
        let room = Self::new();
        let store = room.open(true);
        store.catalog().create_bucket("photos", RootAttributes::default(), store.default_key()).unwrap();
        let bucket = store.catalog().namespace("photos").unwrap();
        for (key, len) in [("empty", 0), ("small", 200), ("2026/middle", 70_000), ("2026/large", 3 << 20)] {
            let mut put = bucket.begin_put(key.as_bytes(), PutOptions::default()).unwrap();
            put.write(&vec![len as u8 ^ 0x5a; len]).unwrap();
            let done = put.finish(&Conditions::default()).unwrap();
            bucket.sync(done.number).unwrap();
        }
        drop(bucket);
        store.close().unwrap();
        room
    }

    /// Every file of the store, by its path from there.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        files(&self.store(), "", &mut found);
        found.sort();
        found
    }

    /// The only file of the store whose path begins and ends so.
    pub fn file(&self, begin: &str, end: &str) -> PathBuf {
        let found: Vec<_> = self.files().into_iter().filter(|f| f.starts_with(begin) && f.ends_with(end)).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        self.store().join(&found[0])
    }

    /// A copy of this room as it is now.
    pub fn copy(&self) -> Self {
        let copy = Self { directory: tempfile::tempdir().unwrap() };
        copy_tree(self.directory.path(), copy.directory.path());
        copy
    }

    /// The store's key file.
    pub fn key_file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.path("config/strongroom")).unwrap().map(|entry| entry.unwrap().path());
        let file = files.next().unwrap();
        assert!(files.next().is_none());
        file
    }

    /// The tool with nothing of the test's own environment.
    pub fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command
            .env_clear()
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .current_dir(self.directory.path())
            .args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        run(&mut self.tool(arguments))
    }

    /// As [`Self::run`], with variables set.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        run(self.tool(arguments).envs(variables.iter().copied()))
    }

    /// Everything under the room but the lock file, which names its last holder: names, modes and contents.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        digest(self.directory.path(), &mut hash);
        hex::encode(hash.finalize())
    }
}

pub fn run(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().expect("an exit code"), out: text(stdout), err: text(stderr) }
}

fn files(directory: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else if entry.file_name() == "reserve" {
            // Its bytes mean nothing, and are many.
            fs::File::create(target).unwrap().set_len(entry.metadata().unwrap().len()).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn digest(directory: &Path, hash: &mut Sha256) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let meta = entry.metadata().unwrap();
        hash.update(entry.file_name().as_encoded_bytes());
        hash.update(meta.permissions().mode().to_le_bytes());
        if meta.is_dir() {
            digest(&entry.path(), hash);
        } else if meta.is_file() && entry.file_name() != "lock" {
            hash.update(meta.len().to_le_bytes());
            if entry.file_name() != "reserve" {
                hash.update(fs::read(entry.path()).unwrap());
            }
        }
    }
}
