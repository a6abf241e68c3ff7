//! An open file of the real disk.
//!
//! Interrupted calls are made again and short ones continued; a failed sync is never made again here, since the
//! kernel reports a lost page once and calls it clean afterwards.

use std::{
    fs::File,
    io::{self, ErrorKind, IoSlice},
    os::unix::fs::FileExt,
};

use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, PosixFadviseAdvice, fallocate, posix_fadvise},
    sys::uio::pwritev,
};

use super::{DiskFile, real::storage_full};

/// Parts that one `pwritev` takes on Linux (`IOV_MAX`).
const PARTS_PER_CALL: usize = 1024;
/// Zeros written by one call where the file system cannot allocate.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A regular file, open.
#[derive(Debug)]
pub(super) struct RealFile {
    file: File,
}

impl RealFile {
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    /// What `allocate` does where there is no `fallocate`: zeros behind the old end. Holes before it stay holes,
    /// because filling them would race with writers.
    fn extend_with_zeros(&self, end: u64) -> io::Result<()> {
        let mut at = self.len()?;
        while at < end {
            let take = usize::try_from(end - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            let zeros = ZEROS.get(..take).unwrap_or(&ZEROS);
            self.file.write_all_at(zeros, at).map_err(storage_full)?;
            at = at.saturating_add(zeros.len() as u64);
        }
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        signed(offset, buf.len() as u64)?;
        self.file.read_exact_at(buf, offset)
    }

    fn write_at(&self, offset: u64, parts: &[&[u8]]) -> io::Result<()> {
        let total = parts.iter().map(|part| part.len() as u64).sum();
        signed(offset, total)?;
        if let [part] = parts {
            return self.file.write_all_at(part, offset).map_err(storage_full);
        }
        let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut left = slices.as_mut_slice();
        let mut at = offset;
        loop {
            // Empty slices go first: a call of nothing but them writes 0 bytes, which would look like a full disk.
            IoSlice::advance_slices(&mut left, 0);
            if left.is_empty() {
                return Ok(());
            }
            let call = left.get(..PARTS_PER_CALL).unwrap_or(left);
            match pwritev(&self.file, call, signed(at, 0)?.0) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut left, written);
                    at = at.saturating_add(written as u64);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(storage_full(errno.into())),
            }
        }
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        let (at, signed_len) = signed(offset, len)?;
        if len == 0 {
            return Ok(());
        }
        loop {
            return match fallocate(&self.file, FallocateFlags::empty(), at, signed_len) {
                Ok(()) => Ok(()),
                Err(Errno::EINTR) => continue,
                Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => self.extend_with_zeros(offset.saturating_add(len)),
                Err(errno) => Err(storage_full(errno.into())),
            };
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        signed(len, 0)?;
        self.file.set_len(len).map_err(storage_full)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(storage_full)
    }

    fn forget_cache(&self) -> io::Result<()> {
        Ok(posix_fadvise(&self.file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?)
    }
}

/// Offset and length as the kernel takes them.
///
/// # Errors
/// `InvalidInput` when the range ends beyond what a file can be long.
fn signed(offset: u64, len: u64) -> io::Result<(i64, i64)> {
    let end = offset.checked_add(len).and_then(|end| i64::try_from(end).ok());
    match (i64::try_from(offset), i64::try_from(len), end) {
        (Ok(offset), Ok(len), Some(_)) => Ok((offset, len)),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "range beyond the greatest length of a file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> RealFile {
        RealFile::new(tempfile::tempfile().unwrap())
    }

    #[test]
    fn many_parts_and_empty_ones_are_written_in_order() {
        let file = file();
        let bytes: Vec<u8> = (0..5000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut parts: Vec<&[u8]> = vec![&[], &[]];
        for piece in bytes.chunks(3) {
            parts.extend([piece, &[]]);
        }
        assert!(parts.len() > 2 * PARTS_PER_CALL);
        file.write_at(7, &parts).unwrap();
        let mut back = vec![0; bytes.len()];
        file.read_at(7, &mut back).unwrap();
        assert_eq!(back, bytes);
        assert_eq!(file.len().unwrap(), 7 + 5000);
        file.write_at(9000, &[]).unwrap();
        file.write_at(9000, &[&[], &[]]).unwrap();
        file.write_at(9000, &[&[]]).unwrap();
        assert_eq!(file.len().unwrap(), 7 + 5000);
    }

    #[test]
    fn zeros_stand_in_for_an_allocation_and_keep_what_is_there() {
        let file = file();
        file.write_at(0, &[b"abc"]).unwrap();
        file.extend_with_zeros(2).unwrap();
        assert_eq!(file.len().unwrap(), 3);
        file.extend_with_zeros(200_000).unwrap();
        assert_eq!(file.len().unwrap(), 200_000);
        let mut back = [1; 5];
        file.read_at(0, &mut back).unwrap();
        assert_eq!(&back, b"abc\0\0");
    }

    #[test]
    fn a_read_behind_the_end_says_so() {
        let file = file();
        file.write_at(0, &[b"abc"]).unwrap();
        assert_eq!(file.read_at(1, &mut [0; 3]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        file.read_at(3, &mut []).unwrap();
    }

    #[test]
    fn ranges_beyond_the_greatest_file_are_refused() {
        let file = file();
        for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
            assert_eq!(file.write_at(offset, &[b"ab"]).unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(file.read_at(offset, &mut [0; 2]).unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(file.allocate(offset, 2).unwrap_err().kind(), ErrorKind::InvalidInput);
            assert_eq!(file.set_len(offset).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    }
}
