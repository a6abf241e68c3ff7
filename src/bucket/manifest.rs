//! The manifest: which tables and logs of a bucket are in force (docs/FORMAT.md 6).

use crate::{
    crypt::{BucketId, BucketKeys, CryptError, EpochId, FileId, Generation, Salt, SealedFileKey},
    format::{Decoder, Encoder, FORMAT_VERSION, FormatError},
    log::{LogState, Tail},
    tree::TableMeta,
};

const MAGIC: &[u8; 8] = b"SRMANIF1";
const HEADER_BYTES: usize = 80;
const CHECK_OFFSET: usize = 72;
/// Largest manifest that is read, in bytes.
pub(super) const LIMIT_BYTES: usize = 256 << 20;
/// Longest record of a table: two keys and what stands around them.
const TABLE_LIMIT_BYTES: usize = 64 << 10;
/// Lines of earlier epochs that are kept.
pub(super) const LINES_LIMIT: usize = 1024;

const FLAG_CLEAN: u8 = 1;
const FLAG_HOLE: u8 = 2;

/// One epoch's line: how far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The epoch.
    pub epoch: u64,
    /// Its random id.
    pub epoch_id: EpochId,
    /// Its last batch.
    pub tail: Tail,
}

/// A log that is in force, and how much of it was in use at the flushed number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInForce {
    /// The file.
    pub state: LogState,
    /// Sealed bytes that extents referred to.
    pub live_bytes: u64,
}

/// A manifest's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Its number: one more than the one before.
    pub version: u64,
    /// The epoch in which it was written.
    pub epoch: u64,
    /// Whether the bucket was closed with it; `witness` then names the tail.
    pub clean: bool,
    /// Whether a hole in the history was accepted by the operator.
    pub hole_accepted: bool,
    /// Random id of the epoch.
    pub epoch_id: EpochId,
    /// Everything up to this batch is in the tables.
    pub flushed: Tail,
    /// Number of the log that holds the batch after it, and an offset not behind it.
    pub replay_from: (u64, u64),
    /// Newest number known durable.
    pub witness: u64,
    /// Next free number of a log or table.
    pub next_number: u64,
    /// Next free segment id.
    pub next_segment: u64,
    /// Earlier epochs, oldest first.
    pub lines: Vec<Line>,
    /// Logs in force, in the order in which they were written.
    pub logs: Vec<LogInForce>,
    /// Tables in force.
    pub tables: Vec<TableMeta>,
}

/// What the catalog records of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestRef {
    /// Its number.
    pub version: u64,
    /// Tag of its sealed body.
    pub tag: [u8; 16],
}

/// Why a manifest was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ManifestError {
    /// It does not decode.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It does not open under the bucket's keys.
    #[error(transparent)]
    Crypt(#[from] CryptError),
}

impl Manifest {
    /// The file's bytes, and what the catalog is to record.
    ///
    /// # Errors
    /// [`CryptError`] when the keys are gone.
    pub fn seal(
        &self,
        bucket: BucketId,
        keys: &BucketKeys,
        generation: Generation,
        salt: Salt,
    ) -> Result<(Vec<u8>, ManifestRef), CryptError> {
        let mut body = self.encode_body();
        let sealed_bytes = u32::try_from(body.len() + 16).unwrap_or(u32::MAX);
        let mut header = Encoder::with_capacity(HEADER_BYTES);
        header.raw(MAGIC).u16(FORMAT_VERSION).u16(0).u32(sealed_bytes).raw(bucket.as_bytes());
        header.u64(self.version).u64(self.epoch).u32(generation.0).u32(0).raw(salt.as_bytes());
        let check = crc32c::crc32c(header.as_slice());
        header.u32(check).u32(0);
        let tag = keys.manifest_key(generation, salt)?.seal_in_place(header.as_slice(), &mut body)?;
        let mut bytes = header.finish();
        bytes.append(&mut body);
        Ok((bytes, ManifestRef { version: self.version, tag }))
    }

    /// Opens a manifest file.
    ///
    /// # Errors
    /// [`ManifestError`] when it is not an intact manifest of this bucket.
    pub fn open(bytes: &[u8], bucket: BucketId, keys: &BucketKeys) -> Result<(Self, ManifestRef), ManifestError> {
        let (header, sealed) = bytes.split_at_checked(HEADER_BYTES).ok_or(FormatError::Truncated("manifest"))?;
        let mut from = Decoder::new(header);
        if from.array::<8>("manifest")? != *MAGIC {
            return Err(FormatError::Magic("manifest").into());
        }
        let stored = header.get(CHECK_OFFSET..CHECK_OFFSET + 4).ok_or(FormatError::Truncated("manifest"))?;
        if stored != crc32c::crc32c(header.get(..CHECK_OFFSET).unwrap_or_default()).to_le_bytes() {
            return Err(FormatError::Checksum("manifest header").into());
        }
        let version = from.u16("manifest version")?;
        if version != FORMAT_VERSION {
            return Err(FormatError::Newer { what: "a manifest", version, features: 0 }.into());
        }
        from.u16("manifest")?;
        let sealed_bytes = from.u32("manifest length")?;
        if from.array::<16>("bucket id")? != *bucket.as_bytes() {
            return Err(FormatError::Invalid("bucket id of a manifest").into());
        }
        let number = from.u64("manifest number")?;
        let epoch = from.u64("epoch")?;
        let generation = Generation(from.u32("generation")?);
        from.u32("manifest")?;
        let salt = Salt::from_bytes(from.array("salt")?);
        if sealed.len() as u64 != u64::from(sealed_bytes) {
            return Err(FormatError::Truncated("manifest body").into());
        }
        let plain = keys.manifest_key(generation, salt)?.open(header, sealed)?;
        let tag = *sealed.last_chunk::<16>().ok_or(FormatError::Truncated("manifest body"))?;
        Ok((Self::decode_body(&plain, number, epoch)?, ManifestRef { version: number, tag }))
    }

    pub(super) fn encode_body(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.u8(u8::from(self.clean) * FLAG_CLEAN + u8::from(self.hole_accepted) * FLAG_HOLE);
        out.raw(self.epoch_id.as_bytes()).varint(self.flushed.number).raw(&self.flushed.tag);
        out.varint(self.replay_from.0).varint(self.replay_from.1).varint(self.witness);
        out.varint(self.next_number).varint(self.next_segment);
        out.varint(self.lines.len() as u64);
        for line in &self.lines {
            out.varint(line.epoch).raw(line.epoch_id.as_bytes()).varint(line.tail.number).raw(&line.tail.tag);
        }
        out.varint(self.logs.len() as u64);
        for log in &self.logs {
            let state = &log.state;
            out.varint(state.number).raw(state.file.as_bytes()).varint(state.epoch);
            state.sealed_key.encode(&mut out);
            out.varint(state.capacity)
                .varint(state.end)
                .varint(state.last_number)
                .raw(&state.last_tag)
                .varint(log.live_bytes);
        }
        out.varint(self.tables.len() as u64);
        for table in &self.tables {
            let mut record = Vec::new();
            table.encode(&mut record);
            out.bytes(&record);
        }
        out.finish()
    }

    pub(super) fn decode_body(bytes: &[u8], version: u64, epoch: u64) -> Result<Self, FormatError> {
        let mut from = Decoder::new(bytes);
        let flags = from.u8("manifest flags")?;
        if flags & !(FLAG_CLEAN | FLAG_HOLE) != 0 {
            return Err(FormatError::Invalid("manifest flags"));
        }
        let mut manifest = Self {
            version,
            epoch,
            clean: flags & FLAG_CLEAN != 0,
            hole_accepted: flags & FLAG_HOLE != 0,
            epoch_id: EpochId::from_bytes(from.array("epoch id")?),
            flushed: tail(&mut from)?,
            replay_from: (from.varint("replay log")?, from.varint("replay offset")?),
            witness: from.varint("witness")?,
            next_number: from.varint("next number")?,
            next_segment: from.varint("next segment")?,
            lines: Vec::new(),
            logs: Vec::new(),
            tables: Vec::new(),
        };
        for _ in 0..from.count(34, "lines")? {
            let epoch = from.varint("line epoch")?;
            let epoch_id = EpochId::from_bytes(from.array("line epoch id")?);
            manifest.lines.push(Line { epoch, epoch_id, tail: tail(&mut from)? });
        }
        for _ in 0..from.count(50, "logs")? {
            let number = from.varint("log number")?;
            let file = FileId::from_bytes(from.array("log id")?);
            let epoch = from.varint("log epoch")?;
            let sealed_key = SealedFileKey::decode(&mut from).map_err(|_| FormatError::Invalid("sealed log key"))?;
            let (capacity, end) = (from.varint("log capacity")?, from.varint("log end")?);
            let last = tail(&mut from)?;
            let state = LogState {
                number,
                file,
                epoch,
                sealed_key,
                capacity,
                end,
                last_number: last.number,
                last_tag: last.tag,
            };
            manifest.logs.push(LogInForce { state, live_bytes: from.varint("live bytes")? });
        }
        for _ in 0..from.count(50, "tables")? {
            match TableMeta::decode(from.bytes(TABLE_LIMIT_BYTES, "table record")?) {
                Ok((table, [])) => manifest.tables.push(table),
                _ => return Err(FormatError::Invalid("table record")),
            }
        }
        from.finish("a manifest")?;
        Ok(manifest)
    }
}

fn tail(from: &mut Decoder<'_>) -> Result<Tail, FormatError> {
    Ok(Tail { number: from.varint("batch number")?, tag: from.array("batch tag")? })
}
