//! The store file, twice (docs/FORMAT.md 3.1).

use crate::{
    crypt::{InstanceId, StoreId},
    disk::Disk,
    format::{Decoder, Encoder, FORMAT_VERSION, Features, FormatError},
};
use std::io;

const MAGIC: &[u8; 8] = b"STRONGRM";
pub(super) const COPIES: [&str; 2] = ["store.a", "store.b"];
/// Bytes of a store file.
pub const STORE_FILE_BYTES: usize = 76;

/// What a store says of itself in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFile {
    /// Format version.
    pub version: u16,
    /// Feature flags.
    pub features: Features,
    /// The store.
    pub store: StoreId,
    /// This copy of it.
    pub instance: InstanceId,
}

impl StoreFile {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_capacity(STORE_FILE_BYTES);
        out.raw(MAGIC).u16(self.version).u16(0).u32(0);
        self.features.encode(&mut out);
        out.raw(self.store.as_bytes()).raw(self.instance.as_bytes());
        let check = crc32c::crc32c(out.as_slice());
        out.u32(check);
        out.finish()
    }

    /// The reverse of `encode`.
    ///
    /// # Errors
    /// [`FormatError`]; `Newer` for a store that this version must not open.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut from = Decoder::new(bytes);
        if from.array::<8>("store file")? != *MAGIC {
            return Err(FormatError::Magic("store file"));
        }
        let version = from.u16("store version")?;
        let zeros = (from.u16("store file")?, from.u32("store file")?);
        let features = Features::decode(&mut from)?;
        let store = StoreId::from_bytes(from.array("store id")?);
        let instance = InstanceId::from_bytes(from.array("instance id")?);
        let covered = bytes.get(..STORE_FILE_BYTES - 4).unwrap_or_default();
        if from.u32("store check")? != crc32c::crc32c(covered) {
            return Err(FormatError::Checksum("the store file"));
        }
        if zeros != (0, 0) {
            return Err(FormatError::Invalid("store file"));
        }
        from.finish("the store file")?;
        features.check_readable("the store", version)?;
        Ok(Self { version, features, store, instance })
    }

    /// A store of this version.
    #[must_use]
    pub fn new(store: StoreId, instance: InstanceId) -> Self {
        Self { version: FORMAT_VERSION, features: Features::default(), store, instance }
    }

    /// Writes both copies, durably. The first one that is durable makes the store.
    ///
    /// # Errors
    /// The error of the disk.
    pub fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        for copy in COPIES {
            let file = disk.create(copy)?;
            file.write_at(0, &[&self.encode()])?;
            file.sync()?;
        }
        disk.sync_dir("")
    }

    /// Writes again whichever copy is missing or damaged, from the one that is intact.
    ///
    /// # Errors
    /// The error of the disk.
    pub fn repair(&self, disk: &dyn Disk) -> io::Result<Vec<&'static str>> {
        let mut repaired = Vec::new();
        for copy in COPIES {
            if !matches!(read_copy(disk, copy), Ok(Some(Ok(found))) if found == *self) {
                match disk.remove_file(copy) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                let file = disk.create(copy)?;
                file.write_at(0, &[&self.encode()])?;
                file.sync()?;
                disk.sync_dir("")?;
                repaired.push(copy);
            }
        }
        Ok(repaired)
    }

    /// Reads the store file: `None` when neither copy exists.
    ///
    /// # Errors
    /// The error of the disk; `InvalidData` with a [`FormatError`] when no copy is intact. A copy written by a newer
    /// version is believed before an older one.
    pub fn read(disk: &dyn Disk) -> io::Result<Option<Self>> {
        let mut failure = None;
        let mut intact = None;
        for copy in COPIES {
            match read_copy(disk, copy) {
                Ok(None) => {}
                Ok(Some(Ok(file))) => intact = intact.or(Some(file)),
                Ok(Some(Err(error @ FormatError::Newer { .. }))) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
                Ok(Some(Err(error))) => failure = Some(io::Error::new(io::ErrorKind::InvalidData, error)),
                Err(error) => failure = Some(error),
            }
        }
        match (intact, failure) {
            (Some(file), _) => Ok(Some(file)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

/// The bytes of one copy, whatever they are, as far as they may belong to it.
pub(super) fn read_bytes(disk: &dyn Disk, copy: &str) -> Option<Vec<u8>> {
    let file = disk.open_read(copy).ok()?;
    let len = usize::try_from(file.len().ok()?).ok()?.min(STORE_FILE_BYTES + 1);
    let mut bytes = vec![0; len];
    file.read_at(0, &mut bytes).ok()?;
    Some(bytes)
}

fn read_copy(disk: &dyn Disk, copy: &str) -> io::Result<Option<Result<StoreFile, FormatError>>> {
    let file = match disk.open_read(copy) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.len()? != STORE_FILE_BYTES as u64 {
        return Ok(Some(Err(FormatError::Truncated("the store file"))));
    }
    let mut bytes = [0; STORE_FILE_BYTES];
    file.read_at(0, &mut bytes)?;
    Ok(Some(StoreFile::decode(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    fn sample() -> StoreFile {
        StoreFile::new(StoreId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]))
    }

    #[test]
    fn every_flipped_byte_is_seen_and_repaired_from_the_other_copy() {
        let disk = SimDisk::new(1);
        sample().write(&disk).unwrap();
        for copy in COPIES {
            for offset in 0..STORE_FILE_BYTES as u64 {
                disk.flip_byte(copy, offset).unwrap();
                // A flipped version or feature bit breaks the checksum first, and is not taken for a newer store.
                assert_eq!(StoreFile::read(&disk).unwrap(), Some(sample()));
                assert_eq!(sample().repair(&disk).unwrap(), [copy]);
            }
        }
    }

    #[test]
    fn a_newer_store_is_refused_by_name() {
        let mut newer = sample();
        newer.features.incompatible = 4;
        let error = StoreFile::decode(&newer.encode()).unwrap_err();
        assert!(error.to_string().contains("use a newer Strongroom"), "{error}");
        let foreign = StoreFile { features: Features { read_only: 1, ..Features::default() }, ..sample() };
        assert!(!StoreFile::decode(&foreign.encode()).unwrap().features.is_writable());
    }
}
