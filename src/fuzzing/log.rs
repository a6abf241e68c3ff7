//! Headers and frames of log files, and the scan for frames in a file of any bytes.

use super::{
    Checked, Target,
    fixture::{BUCKET, fixture},
    with_crc,
};
use crate::{
    crypt::{EpochId, FileId},
    disk::DiskFile,
    format::Decoder,
    log::{
        Cut, FRAME_HEADER_BYTES, FrameHeader, FrameKind, FrameMagic, FrameScan, HEADER_BYTES, LogFile, LogHeader,
        PREAMBLE_BYTES, open_batch,
    },
};
use std::{io, sync::Arc};

pub(super) const TARGETS: &[Target] = &[
    Target { name: "log-header", run: header, seeds: header_seeds },
    Target { name: "log-frame", run: frame, seeds: frame_seeds },
    Target { name: "log-scan", run: scan, seeds: scan_seeds },
];

const CHECK_OFFSET: usize = HEADER_BYTES - 36;

fn header(input: &[u8]) {
    // The header is 4 KiB, most of it zeros: the input is what stands in front of them.
    let input = Checked::of(input, CHECK_OFFSET);
    let mut bytes = input.bytes().to_vec();
    if let Checked::Fitted(_) = input {
        bytes.resize(HEADER_BYTES, 0);
        bytes = with_crc(&bytes, CHECK_OFFSET);
    }
    let (Ok(header), Some(fixture)) = (LogHeader::decode(&bytes), fixture()) else { return };
    let again = header.encode(&fixture.file_key).unwrap_or_default();
    assert_eq!(again.get(..CHECK_OFFSET), bytes.get(..CHECK_OFFSET));
    assert!(LogHeader::verify(&again, &fixture.file_key));
}

fn seed_header() -> Option<LogHeader> {
    let fixture = fixture()?;
    Some(LogHeader {
        bucket: BUCKET,
        file: fixture.file,
        number: 4,
        epoch: 2,
        epoch_id: EpochId::from_bytes([3; 16]),
        previous: FileId::from_bytes([0; 16]),
        cut: Cut { number: 9, offset: 8192, tag: [5; 16] },
        sealed_key: fixture.sealed_file_key,
    })
}

fn header_seeds() -> Vec<Vec<u8>> {
    let encoded = seed_header().zip(fixture()).and_then(|(header, fixture)| header.encode(&fixture.file_key).ok());
    let Some(bytes) = encoded else { return Vec::new() };
    let used = bytes.get(..320).unwrap_or_default();
    vec![Checked::seed(used), [&[0], bytes.as_slice()].concat()]
}

fn frame(input: &[u8]) {
    let magic = FrameMagic::of(FileId::from_bytes([9; 16]));
    let input = Checked::of(input, FRAME_HEADER_BYTES - 4);
    if let Some(bytes) = input.bytes().first_chunk::<FRAME_HEADER_BYTES>()
        && let Some(header) = FrameHeader::decode(bytes, magic)
    {
        assert_eq!(header.encode(magic), *bytes);
    }
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let magic = FrameMagic::of(FileId::from_bytes([9; 16]));
    [FrameKind::Batch, FrameKind::Content]
        .map(|kind| FrameHeader { kind, payload_bytes: 70_000, number: 12, payload_crc: 3 }.encode(magic))
        .map(|bytes| Checked::seed(&bytes))
        .to_vec()
}

/// A log file that is nothing but bytes.
struct Bytes(Vec<u8>);

impl DiskFile for Bytes {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = self.0.get(at..).and_then(|rest| rest.get(..buf.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(found);
        Ok(())
    }
    fn write_at(&self, _: u64, _: &[&[u8]]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
    fn forget_cache(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The input is a script: frames with intact headers, of whatever numbers and lengths, and bytes between them.
fn scan(input: &[u8]) {
    let (Some(header), Some(fixture)) = (seed_header(), fixture()) else { return };
    let magic = FrameMagic::of(header.file);
    let mut from = Decoder::new(input);
    let mut file = vec![0; usize::try_from(PREAMBLE_BYTES).unwrap_or_default()];
    while let Ok(step) = from.u8("step") {
        if step & 1 == 0 {
            let len = from.remaining().min(usize::from(step));
            file.extend_from_slice(from.raw(len, "bytes").unwrap_or_default());
        } else {
            let (Ok(payload_bytes), Ok(number)) = (from.u32("length"), from.varint("number")) else { break };
            let kind = if step & 2 == 0 { FrameKind::Batch } else { FrameKind::Content };
            let payload = from.clone().raw(from.remaining().min(payload_bytes as usize), "payload").unwrap_or_default();
            file.resize(file.len().next_multiple_of(64), 0);
            let header = FrameHeader { kind, payload_bytes, number, payload_crc: crc32c::crc32c(payload) };
            file.extend_from_slice(&header.encode(magic));
        }
        if file.len() > 1 << 20 {
            break;
        }
    }
    file.resize(file.len().next_multiple_of(4096), 0);
    let capacity = file.len() as u64;
    let Ok(log) = LogFile::new(&header, &fixture.file_key, capacity, Arc::new(Bytes(file))) else { return };
    let mut scan = FrameScan::new(&log, 0, capacity);
    let mut last = PREAMBLE_BYTES;
    while let Some(found) = scan.next_frame() {
        assert!(found.offset >= last && found.end() <= capacity, "frames lie in order, within the file");
        last = found.end();
        let opened = open_batch(&log, &found);
        assert!(matches!(opened, Ok(None)), "nothing here was sealed under the file's key");
    }
}

fn scan_seeds() -> Vec<Vec<u8>> {
    let mut script = vec![1, 40, 0, 0, 0, 1, 40];
    script.extend([6; 40]);
    script.extend([3, 100, 0, 0, 0, 9, 100]);
    script.extend([8; 100]);
    vec![script]
}
