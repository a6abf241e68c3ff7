//! Opens a store, or makes one at the first start.

use super::{
    FirstStart, OpenError, RootCredentials, Store, StoreFile, StoreOptions,
    host::{BUCKETS, DiskHost, dek_of, remove_tree},
    keeper::{Bell, Keeper},
    key_file::{check_outside, key_directory, key_path, open_key_file},
    keyring_files::{read_keyrings, repair_keyrings, write_keyring},
    ledger::Ledger,
};
use crate::{
    bucket::{Env, Limits, LocalBucket, NotRecorded, StoreError},
    clock::{Clock, SystemClock},
    crypt::{
        BucketId, BucketKeys, CryptError, Entropy, InstanceId, KernelEntropy, Keyring, Slot, StoreId, UnverifiedKeyring,
    },
    disk::{Disk, RealDisk, StoreLock},
    format::FormatError,
    fs::{Catalog, CatalogParts},
    kms::{Context, KeyName, Kms, KmsConfig, KmsError, StaticSource},
    space::Reserve,
    tree::{BlockCache, FileCache, TreeShape},
};
use std::{
    io,
    path::Path,
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

/// The directory of the catalog.
pub(super) const CATALOG: &str = "catalog";
/// What a store directory holds before the store file says that it is one.
const BEGUN: [&str; 4] = ["lock", "reserve", CATALOG, BUCKETS];

/// What a store is opened on; the programs take the defaults of the running system.
pub struct Foundation {
    /// The store directory.
    pub disk: Arc<dyn Disk>,
    /// The KMS.
    pub kms: Arc<dyn Kms>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Sizes of buckets.
    pub limits: Limits,
    /// Shape of tables.
    pub shape: TreeShape,
    /// Memory for blocks of tables, in bytes.
    pub cache_bytes: u64,
    /// Memory for writes of one bucket that are not committed, in bytes.
    pub window_bytes: usize,
    /// Bytes kept for freeing space.
    pub reserve_bytes: u64,
    /// Whether buckets that lost something durable may be written again.
    pub accept_loss: bool,
    /// Whether the threads of the keeper run; without them, the caller syncs and works.
    pub with_threads: bool,
}

impl Store {
    /// Opens the store at `options.path`, or makes one.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed, except that an attempt at a first start may leave a directory without a
    /// store file, which the next attempt takes over.
    pub fn open(options: StoreOptions) -> Result<(Arc<Self>, Option<FirstStart>), OpenError> {
        let path = options.path.clone();
        let exists = check_directory(&path, options.create)?;
        let kms = configured_kms(options.kms, &path)?;
        if !exists {
            std::fs::create_dir_all(&path).map_err(|e| OpenError::io(format!("making {}", path.display()), e))?;
        }
        let disk = RealDisk::new(&path).map_err(|e| OpenError::io(format!("opening {}", path.display()), e))?;
        let lock = disk.lock()?;
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let found = read_store_file(disk.as_ref(), &path)?;
        let first = found.is_none();
        let entropy: Arc<dyn Entropy> = Arc::new(KernelEntropy);
        let store = match found {
            Some(file) => file,
            None => StoreFile::new(StoreId::random(entropy.as_ref())?, InstanceId::random(entropy.as_ref())?),
        };
        let (kms, key_file) = match kms {
            Some(kms) => (kms, None),
            None => {
                let key_file = key_path(&key_directory(&options.lookup)?, store.store);
                check_outside(&key_file, &path)?;
                let (kms, made) = open_key_file(&key_file, first)?;
                (kms, made.then_some(key_file))
            }
        };
        let space = disk.space().map_err(|e| OpenError::io("asking for free space", e))?;
        let foundation = Foundation {
            disk,
            kms,
            entropy,
            clock: Arc::new(SystemClock),
            limits: Limits::within(options.memory_bytes, space.total_bytes),
            shape: TreeShape::default(),
            cache_bytes: options.memory_bytes / 4,
            window_bytes: usize::try_from(options.memory_bytes / 4).unwrap_or(usize::MAX),
            reserve_bytes: Reserve::default_bytes(space.total_bytes),
            accept_loss: options.accept_loss,
            with_threads: true,
        };
        let (opened, credentials_are_new) = Self::open_on(foundation, store, first, options.credentials, Some(lock))?;
        opened.host.accept_no_loss();
        let _ = opened.memory_bytes.set(options.memory_bytes);
        let first_start = first.then_some(FirstStart { key_file, credentials_are_new });
        Ok((opened, first_start))
    }

    /// Opens or makes a store on a foundation: what [`Self::open`] does after it has found a disk and a KMS. Returns
    /// whether credentials were made up.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_on(
        foundation: Foundation,
        file: StoreFile,
        first: bool,
        credentials: Option<RootCredentials>,
        lock: Option<StoreLock>,
    ) -> Result<(Arc<Self>, bool), OpenError> {
        let bell = Arc::new(Bell::default());
        let reserve = Reserve::open(Arc::clone(&foundation.disk), foundation.reserve_bytes)
            .map_err(|e| OpenError::io("opening the reserve", e))?;
        let wake = Arc::clone(&bell);
        let env = Env {
            disk: Arc::clone(&foundation.disk),
            entropy: Arc::clone(&foundation.entropy),
            clock: Arc::clone(&foundation.clock),
            blocks: Arc::new(BlockCache::new(usize::try_from(foundation.cache_bytes).unwrap_or(usize::MAX))),
            descriptors: Arc::new(FileCache::default()),
            reserve: Arc::new(reserve),
            limits: foundation.limits,
            shape: foundation.shape,
            wake: Arc::new(move || wake.ring()),
        };
        if first {
            make_catalog(&env, &foundation, &file)?;
        }
        let (own, keys) = open_catalog(&env, &foundation, &file)?;
        let ledger = Ledger::new(Arc::clone(&own) as _);
        let host =
            Arc::new(DiskHost::new(env, file.store, Arc::clone(&foundation.kms), keys, ledger, foundation.accept_loss));
        let catalog = Catalog::open(CatalogParts {
            meta: Arc::clone(&own) as _,
            host: Arc::clone(&host) as _,
            clock: Arc::clone(&foundation.clock),
            entropy: Arc::clone(&foundation.entropy),
            window_pool_bytes: foundation.window_bytes,
        })?;
        let (credentials, new) = RootCredentials::settle(credentials, &catalog, foundation.entropy.as_ref())?;
        if first {
            // From here on it is a store: everything that a start needs is durable.
            own.sync_now()?;
            file.write(foundation.disk.as_ref()).map_err(|e| OpenError::io("writing the store file", e))?;
        } else if let Err(error) = file.repair(foundation.disk.as_ref()) {
            tracing::warn!(%error, "the second copy of the store file could not be repaired");
        }
        let keeper = match foundation.with_threads {
            true => Some(
                Keeper::start(&bell, Arc::clone(&host), &catalog, Arc::clone(&own))
                    .map_err(|e| OpenError::io("starting threads", e))?,
            ),
            false => None,
        };
        let store = Self {
            catalog,
            credentials,
            file,
            host,
            own,
            keeper: Mutex::new(keeper),
            lock: Mutex::new(lock),
            opened_at: Instant::now(),
            memory_bytes: OnceLock::new(),
        };
        Ok((Arc::new(store), new))
    }
}

/// Whether the directory exists; an error when it can be neither a store nor become one.
fn check_directory(path: &Path, create: bool) -> Result<bool, OpenError> {
    let not_a_store = |why: &str| OpenError::NotAStore { path: path.to_owned(), why: why.to_owned() };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(OpenError::Missing(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Err(not_a_store("it is not a directory")),
        Err(error) => return Err(OpenError::io(format!("reading {}", path.display()), error)),
    };
    let names: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
    let is_store = names.iter().any(|name| name == "store.a" || name == "store.b");
    if is_store {
        return Ok(true);
    }
    if let Some(foreign) = names.iter().find(|name| !BEGUN.iter().any(|known| *name == *known)) {
        return Err(not_a_store(&format!("it has no store file, and holds {}", foreign.to_string_lossy())));
    }
    if !create {
        return Err(not_a_store("it has no store file"));
    }
    Ok(true)
}

fn read_store_file(disk: &dyn Disk, path: &Path) -> Result<Option<StoreFile>, OpenError> {
    let file = StoreFile::read(disk).map_err(|error| {
        let format = error.get_ref().and_then(|inner| inner.downcast_ref::<FormatError>()).copied();
        match format {
            Some(source) => OpenError::Format { path: path.to_owned(), source },
            None => OpenError::io(format!("reading the store file of {}", path.display()), error),
        }
    })?;
    match file {
        Some(file) if !file.features.is_writable() => Err(OpenError::ReadOnlyFeatures(path.to_owned())),
        file => Ok(file),
    }
}

fn configured_kms(config: KmsConfig, store: &Path) -> Result<Option<Arc<dyn Kms>>, OpenError> {
    if let KmsConfig::Static(StaticSource::File(path)) = &config {
        check_outside(path, store)?;
    }
    Ok(config.open()?)
}

/// Makes the catalog: its keyring under the default EK, its first manifest. Remains of an interrupted first start go.
fn make_catalog(env: &Env, foundation: &Foundation, file: &StoreFile) -> Result<(), OpenError> {
    let disk = foundation.disk.as_ref();
    let io = |what: &str, e: io::Error| OpenError::io(format!("{what} the catalog"), e);
    remove_tree(disk, CATALOG).map_err(|e| io("clearing", e))?;
    let name = foundation.kms.default_key().clone();
    let refused = |source| OpenError::Kms { key: name.to_string(), source };
    let context = Context::store(file.store.as_bytes());
    let generated = match foundation.kms.generate(&name, &context) {
        // The default key of a new store is made when the KMS does not have it yet.
        Err(KmsError::NotFound { .. }) => {
            foundation.kms.create_key(&name).map_err(refused)?;
            foundation.kms.generate(&name, &context)
        }
        generated => generated,
    };
    let generated = generated.map_err(refused)?;
    let dek = dek_of(&generated.plain);
    let bucket = BucketId::random(foundation.entropy.as_ref())?;
    let keyring =
        Keyring::create(file.store, bucket, name.as_str(), &generated.sealed, &dek, foundation.entropy.as_ref())?;
    let keys = keyring.unlock(|slot| (slot == Slot::OWN).then_some(&dek))?;
    disk.create_dir(CATALOG).map_err(|e| io("making", e))?;
    disk.sync_dir("").map_err(|e| io("making", e))?;
    LocalBucket::create(env, CATALOG, bucket, &keys)?;
    let (bytes, _) = keyring.encode(&keys.keyring_mac_key(bucket)?)?;
    write_keyring(disk, CATALOG, &bytes).map_err(|e| io("writing the keyring of", e))
}

/// Opens the catalog by whichever copy of its keyring is intact.
fn open_catalog(
    env: &Env,
    foundation: &Foundation,
    file: &StoreFile,
) -> Result<(Arc<LocalBucket>, BucketKeys), OpenError> {
    let mut failure = OpenError::CatalogKeyring(CryptError::Damaged("the catalog's keyring"));
    for (copy, bytes) in read_keyrings(foundation.disk.as_ref(), CATALOG) {
        let Some(bytes) = bytes else { continue };
        match unlock_catalog(foundation, file, &bytes) {
            Ok((keyring, keys)) => {
                if let Err(error) = repair_keyrings(foundation.disk.as_ref(), CATALOG, &bytes) {
                    tracing::warn!(copy, %error, "the catalog's keyring could not be repaired");
                }
                let own = LocalBucket::open(
                    env.clone(),
                    CATALOG,
                    keyring.bucket(),
                    keys.clone(),
                    None,
                    Arc::new(NotRecorded),
                    foundation.accept_loss,
                )?;
                if let Some(reason) = own.read_only_reason() {
                    tracing::error!(%reason, "the catalog lost something durable; the store is read-only");
                }
                return Ok((own, keys));
            }
            // What the KMS does not open may be one damaged copy; anything else that it says holds for both.
            Err(error @ OpenError::Kms { source: KmsError::InvalidCiphertext { .. }, .. }) => failure = error,
            Err(error @ OpenError::Kms { .. }) => return Err(error),
            // A wrong key says more than what is wrong with the other copy.
            Err(_) if matches!(failure, OpenError::Kms { .. }) => {}
            Err(OpenError::Keys(error)) => failure = OpenError::CatalogKeyring(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn unlock_catalog(foundation: &Foundation, file: &StoreFile, bytes: &[u8]) -> Result<(Keyring, BucketKeys), OpenError> {
    let unverified = UnverifiedKeyring::decode(bytes)?;
    let claimed = unverified.claimed();
    if claimed.store() != file.store {
        return Err(OpenError::Catalog(StoreError::damaged("the catalog's keyring is another store's")));
    }
    let slot = claimed.slot(Slot::OWN)?;
    let name = KeyName::new(slot.ek_name()).map_err(|_| CryptError::Damaged("the name of an EK"))?;
    let bytes = foundation
        .kms
        .unwrap(&name, slot.sealed_dek(), &Context::store(file.store.as_bytes()))
        .map_err(|source| OpenError::Kms { key: name.to_string(), source })?;
    let dek = dek_of(&bytes);
    let keys = claimed.unlock(|slot| (slot == Slot::OWN).then_some(&dek))?;
    let mac = keys.keyring_mac_key_at(unverified.mac_generation(), claimed.bucket())?;
    let (keyring, _) = unverified.verify(&mac)?;
    Ok((keyring, keys))
}
