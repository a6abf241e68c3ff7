//! Errors of `fs` as errno.

use fuser::Errno;
use strongroom::fs::FsError;

/// The errno that a request is answered with.
#[derive(Clone, Copy, Debug)]
pub struct Refusal(pub Errno);

/// Result of a request.
pub type Answer<T> = Result<T, Refusal>;

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self(errno)
    }
}

impl From<FsError> for Refusal {
    fn from(error: FsError) -> Self {
        if matches!(error, FsError::Damaged(_) | FsError::Io { .. }) {
            tracing::error!("{error}");
        }
        Self(errno(&error))
    }
}

/// The errno of an error of `fs`.
#[must_use]
pub fn errno(error: &FsError) -> Errno {
    match error {
        FsError::NotFound | FsError::NoSuchBucket => Errno::ENOENT,
        FsError::Exists | FsError::BucketExists | FsError::AttrExists => Errno::EEXIST,
        FsError::NotDir => Errno::ENOTDIR,
        FsError::IsDir => Errno::EISDIR,
        FsError::NotEmpty | FsError::BucketNotEmpty => Errno::ENOTEMPTY,
        FsError::NameTooLong => Errno::ENAMETOOLONG,
        FsError::InvalidName(_) | FsError::InvalidArgument(_) | FsError::PreconditionFailed(_) => Errno::EINVAL,
        FsError::TooLarge(_) => Errno::EFBIG,
        FsError::NoSpace => Errno::ENOSPC,
        FsError::ReadOnly(_) => Errno::EROFS,
        FsError::Locked => Errno::from_i32(nix::errno::Errno::ENOKEY as i32),
        FsError::CrossBucket => Errno::EXDEV,
        FsError::TooManyLinks => Errno::EMLINK,
        FsError::NoAttr => Errno::ENODATA,
        FsError::Range => Errno::ENXIO,
        FsError::NotPermitted(_) => Errno::EPERM,
        FsError::Unsupported(_) => Errno::EOPNOTSUPP,
        FsError::Damaged(_) | FsError::Io { .. } => Errno::EIO,
        FsError::Busy(_) => Errno::EBUSY,
    }
}
