//! Attributes of `fs` as the kernel takes them, and back.

use super::number::number;
use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use strongroom::{
    clock::UnixNanos,
    fs::{Attributes, BucketInfo, FileKind, Ino, SetTime},
};

const BLOCK_LEN_BYTES: u32 = 4096;

/// The kernel's word for a kind of file.
#[must_use]
pub fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::File => FileType::RegularFile,
        FileKind::Directory => FileType::Directory,
        FileKind::Symlink => FileType::Symlink,
        FileKind::Fifo => FileType::NamedPipe,
        FileKind::Socket => FileType::Socket,
        FileKind::CharDevice => FileType::CharDevice,
        FileKind::BlockDevice => FileType::BlockDevice,
    }
}

/// Attributes of an inode of the bucket with this slot.
#[must_use]
pub fn file_attr(slot: u32, attributes: &Attributes) -> FileAttr {
    FileAttr {
        ino: number(slot, attributes.ino),
        size: attributes.size,
        blocks: attributes.blocks,
        atime: system_time(attributes.atime),
        mtime: system_time(attributes.mtime),
        ctime: system_time(attributes.ctime),
        crtime: system_time(attributes.btime),
        kind: file_type(attributes.kind),
        perm: attributes.mode & 0o7777,
        nlink: attributes.nlink,
        uid: attributes.uid,
        gid: attributes.gid,
        rdev: attributes.rdev,
        blksize: BLOCK_LEN_BYTES,
        flags: 0,
    }
}

/// What is known of a bucket's root without opening the bucket: all but its times and counts.
#[must_use]
pub fn bucket_attr(bucket: &BucketInfo) -> FileAttr {
    let created = system_time(bucket.created);
    FileAttr {
        ino: number(bucket.slot, Ino::ROOT),
        ctime: system_time(bucket.root.ctime),
        perm: bucket.root.mode & 0o7777,
        uid: bucket.root.uid,
        gid: bucket.root.gid,
        ..directory_attr(INodeNo(0), created)
    }
}

/// The root of the mount: 0755, the daemon's user's, one subdirectory for each bucket.
#[must_use]
pub fn root_attr(uid: u32, gid: u32, changed: SystemTime, buckets: usize) -> FileAttr {
    let nlink = u32::try_from(buckets).unwrap_or(u32::MAX).saturating_add(2);
    FileAttr { uid, gid, nlink, ..directory_attr(INodeNo::ROOT, changed) }
}

fn directory_attr(ino: INodeNo, time: SystemTime) -> FileAttr {
    FileAttr {
        ino,
        size: u64::from(BLOCK_LEN_BYTES),
        blocks: 8,
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: FileType::Directory,
        perm: 0o755,
        nlink: 2,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_LEN_BYTES,
        flags: 0,
    }
}

/// A time of the core as the kernel's.
#[must_use]
pub fn system_time(time: UnixNanos) -> SystemTime {
    let distance = Duration::from_nanos(time.0.unsigned_abs());
    let moved = if time.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    moved.unwrap_or(UNIX_EPOCH)
}

/// A time of the kernel as the core's; beyond the years 1677 to 2262 the nearest that fits.
#[must_use]
pub fn unix_nanos(time: SystemTime) -> UnixNanos {
    UnixNanos(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    })
}

/// A time to set.
#[must_use]
pub fn set_time(time: TimeOrNow) -> SetTime {
    match time {
        TimeOrNow::Now => SetTime::Now,
        TimeOrNow::SpecificTime(time) => SetTime::To(unix_nanos(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_before_and_after_1970() {
        for nanos in [0, 1, -1, 1_700_000_000_123_456_789, -5_000_000_000, i64::MAX] {
            assert_eq!(unix_nanos(system_time(UnixNanos(nanos))), UnixNanos(nanos));
        }
    }

    #[test]
    fn times_out_of_range_become_the_nearest() {
        let far = UNIX_EPOCH + Duration::from_secs(20_000_000_000);
        assert_eq!(unix_nanos(far), UnixNanos(i64::MAX));
    }
}
