//! What S3 keeps of an object, and what its calls give back.

use super::inode::{ETag, Inode};
use crate::clock::UnixNanos;
use std::collections::BTreeMap;

/// System headers, user metadata and client checksums of an object. Kept byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectAttributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as it came.
    pub expires: Option<String>,
    /// `x-amz-meta-*` by lower-case name without the prefix.
    pub user: BTreeMap<String, String>,
    /// Checksums other than CRC64NVME that the client gave and the gateway checked: name as in the header
    /// (`crc32`, `crc32c`, `sha1`, `sha256`), raw value. Dropped when POSIX changes the content (R9).
    pub checksums: BTreeMap<String, Vec<u8>>,
}

/// What HEAD, GET and LIST tell of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Length in bytes.
    pub size: u64,
    /// Entity tag, never missing.
    pub etag: ETag,
    /// When the content was last committed (R11).
    pub last_modified: UnixNanos,
    /// CRC64NVME of the whole content, when known.
    pub crc64: Option<u64>,
    /// Headers and metadata. For a symbolic link or an explicit directory, the content type says so.
    pub attributes: ObjectAttributes,
    /// The inode behind it.
    pub ino: super::Ino,
}

/// Conditions of a PUT or DELETE, checked in the transaction that changes the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `If-None-Match: *`: there must be no such object.
    pub must_not_exist: bool,
    /// `If-Match`: the object's tag must be one of these (without quotes); `*` for any. A missing object is `NotFound`.
    pub must_match: Option<Vec<String>>,
}

/// What a PUT stores beside the content.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// Headers, metadata, checksums. More may come with the trailer: [`super::PutWriter::attributes_mut`].
    pub attributes: ObjectAttributes,
    /// MD5 of the content, for an entity tag that is one; `None` gives a random tag.
    pub md5: Option<[u8; 16]>,
    /// POSIX mtime to set (`x-amz-meta-mtime`); `None` for the time of the commit.
    pub mtime: Option<UnixNanos>,
}

/// What a DELETE did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// There was such an object, and it is gone.
    Removed,
    /// There was none; S3 answers 204 all the same.
    Missing,
}

impl Inode {
    /// What S3 tells of this inode as an object.
    #[must_use]
    pub fn object_info(&self) -> ObjectInfo {
        let mut attributes = self.object.clone();
        let mut size = self.size;
        let mut etag = self.etag;
        let mut crc64 = self.crc64;
        match self.kind {
            super::FileKind::Symlink => {
                size = self.target.len() as u64;
                attributes.content_type.get_or_insert_with(|| "inode/symlink".to_owned());
                attributes.user.entry("mode".to_owned()).or_insert_with(|| (0o120_777).to_string());
            }
            super::FileKind::Directory if !self.directory.facet => {
                size = 0;
                etag = ETag::Md5(MD5_OF_NOTHING);
                crc64 = Some(0);
                attributes.content_type.get_or_insert_with(|| "application/x-directory".to_owned());
            }
            _ => {}
        }
        ObjectInfo { size, etag, last_modified: self.content_time, crc64, attributes, ino: self.ino }
    }
}

/// MD5 of the empty string: the tag of a directory that POSIX made (R4).
pub const MD5_OF_NOTHING: [u8; 16] =
    [0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04, 0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e];
