//! Bucket records of the catalog.

use super::{VERSION, version};
use crate::{
    clock::UnixNanos,
    format::{Decoder, Encoder},
    fs::{BucketRecord, BucketState, FsError, FsResult, RootAttributes},
};
use std::collections::BTreeMap;

const NAME_LIMIT: usize = 255;
const XATTR_LIMIT: usize = 65_536;
const KEYRING_LIMIT: usize = 1 << 20;

/// Encodes a bucket record.
pub fn encode_bucket(bucket: &BucketRecord) -> Vec<u8> {
    let mut out = Encoder::with_capacity(256);
    let state = match bucket.state {
        BucketState::Making => 1,
        BucketState::Ready => 2,
        BucketState::Removing => 3,
    };
    out.u8(VERSION).raw(&bucket.id).u32(bucket.slot).u8(state).bytes(bucket.name.as_bytes()).i64(bucket.created.0);
    out.u16(bucket.root.mode).u32(bucket.root.uid).u32(bucket.root.gid).i64(bucket.root.ctime.0);
    out.varint(bucket.root.xattrs.len() as u64);
    for (name, value) in &bucket.root.xattrs {
        out.bytes(name).bytes(value);
    }
    out.bytes(bucket.key_name.as_bytes()).varint(bucket.first_ino);
    out.varint(bucket.manifest.0).raw(&bucket.manifest.1).bytes(&bucket.keyring);
    // Reserved: versioning state and flags of the bucket.
    out.u8(0).u32(0);
    out.finish()
}

fn text(from: &mut Decoder<'_>, field: &'static str) -> FsResult<String> {
    let bytes = from.bytes(NAME_LIMIT, field)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| FsError::damaged(format!("{field} is not UTF-8")))
}

/// Decodes a bucket record.
pub fn decode_bucket(bytes: &[u8]) -> FsResult<BucketRecord> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let id = from.array("bucket id")?;
    let slot = from.u32("slot")?;
    let state = match from.u8("state")? {
        1 => BucketState::Making,
        2 => BucketState::Ready,
        3 => BucketState::Removing,
        state => return Err(FsError::damaged(format!("a bucket in state {state}"))),
    };
    let name = text(&mut from, "bucket name")?;
    let created = UnixNanos(from.i64("created")?);
    let mut root = RootAttributes {
        mode: from.u16("mode")?,
        uid: from.u32("uid")?,
        gid: from.u32("gid")?,
        ctime: UnixNanos(from.i64("ctime")?),
        xattrs: BTreeMap::new(),
    };
    for _ in 0..from.count(2, "xattrs")? {
        let name = from.bytes(NAME_LIMIT, "xattr name")?.to_vec();
        root.xattrs.insert(name, from.bytes(XATTR_LIMIT, "xattr value")?.to_vec());
    }
    let key_name = text(&mut from, "EK name")?;
    let first_ino = from.varint("first ino")?;
    let manifest = (from.varint("manifest")?, from.array("manifest tag")?);
    let keyring = from.bytes(KEYRING_LIMIT, "keyring")?.to_vec();
    if from.u8("versioning")? != 0 || from.u32("bucket flags")? != 0 {
        return Err(FsError::damaged("a bucket record of a newer version"));
    }
    from.finish("bucket")?;
    Ok(BucketRecord { id, slot, name, state, created, root, key_name, first_ino, manifest, keyring })
}
