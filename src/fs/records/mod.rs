//! Keys and values of file records (docs/FORMAT.md 7). Decoders return an error on any bad input.

mod bucket;
mod content;
mod inode;
mod key;
mod state;

pub(super) use bucket::{decode_bucket, encode_bucket};
pub(super) use content::{
    SharedContent, decode_extent, decode_job, decode_shared, encode_extent, encode_job, encode_shared,
};
pub(super) use inode::{Entry, decode_entry, decode_inode, encode_inode, encode_inode_entry, encode_link_entry};
pub(super) use key::*;
pub(super) use state::{NamespaceState, decode_place, decode_state, encode_place, encode_state};

/// Version of every record; a reader refuses others (feature flags say beforehand which there may be).
const VERSION: u8 = 1;

fn version(from: &mut crate::format::Decoder<'_>) -> super::FsResult<()> {
    let found = from.u8("record version")?;
    if found == VERSION { Ok(()) } else { Err(super::FsError::damaged(format!("a file record of version {found}"))) }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use super::*;
    use crate::{
        bucket::SegmentId,
        clock::UnixNanos,
        crypt::{BucketId, KernelEntropy, Slot},
        fs::{
            BucketRecord, BucketState, Component, ContentId, ETag, Extent, FileKind, Ino, Inode, Piece, Place,
            RootAttributes, memory_keys,
        },
    };

    fn extent(offset: u64) -> Extent {
        Extent { offset, len: 7, segment: SegmentId(300), salt: [9; 16], segment_offset: 2, segment_len: 70_000 }
    }

    fn inode(kind: FileKind) -> Inode {
        let keys = memory_keys(BucketId::from_bytes([1; 16]), &KernelEntropy).unwrap();
        let mut inode = Inode::blank(Ino(77), kind, UnixNanos(-5));
        inode.etag = ETag::Random([3; 16]);
        inode.crc64 = None;
        inode.ctime = UnixNanos(i64::MAX);
        inode.content.sealed_oek = Some(keys.new_oek(Slot::OWN, &KernelEntropy).unwrap().1);
        inode.content.extents = vec![extent(0), extent(100)];
        let piece = Piece { offset: 200, len: 5, content: ContentId(8), content_offset: 1 };
        inode.content.pieces = vec![piece];
        inode.object.content_type = Some("text/plain".into());
        inode.object.expires = Some("never".into());
        inode.object.user.insert("k".into(), "v".into());
        inode.object.checksums.insert("crc32".into(), vec![1, 2, 3, 4]);
        if kind == FileKind::Symlink {
            inode.target = b"../x".to_vec();
        }
        if kind == FileKind::Directory {
            inode.directory.entries = 3;
            inode.directory.facet = true;
        }
        inode
    }

    fn samples() -> Vec<Vec<u8>> {
        let bucket = BucketRecord {
            id: [4; 16],
            slot: 9,
            name: "photos".into(),
            state: BucketState::Removing,
            created: UnixNanos(5),
            root: RootAttributes { xattrs: [(b"user.a".to_vec(), vec![1])].into(), ..RootAttributes::default() },
            key_name: "key".into(),
            first_ino: 12,
            manifest: (3, [8; 16]),
            keyring: vec![1; 40],
        };
        let sealed_oek = inode(FileKind::File).content.sealed_oek.unwrap();
        vec![
            encode_inode(&inode(FileKind::File)),
            encode_inode_entry(&inode(FileKind::Directory)),
            encode_inode_entry(&inode(FileKind::Symlink)),
            encode_link_entry(Ino(5)),
            encode_place(&Place { parent: Ino(6), component: Component::directory(b"d") }),
            encode_state(&NamespaceState { next: 5, inodes: 6, bytes: 7 }),
            encode_extent(&extent(0)),
            encode_shared(&SharedContent { refs: 2, sealed_oek }),
            encode_job(1 << 40),
            encode_bucket(&bucket),
        ]
    }

    fn decode_all(bytes: &[u8]) -> usize {
        let last = 100u64.to_be_bytes();
        usize::from(decode_inode(bytes).is_ok())
            + usize::from(decode_entry(bytes).is_ok())
            + usize::from(decode_place(bytes).is_ok())
            + usize::from(decode_state(bytes).is_ok())
            + usize::from(decode_extent(&last, bytes).is_ok())
            + usize::from(decode_shared(bytes).is_ok())
            + usize::from(decode_job(bytes).is_ok())
            + usize::from(decode_bucket(bytes).is_ok())
    }

    #[test]
    fn records_come_back() {
        for kind in [FileKind::File, FileKind::Directory, FileKind::Symlink, FileKind::BlockDevice] {
            let inode = inode(kind);
            assert_eq!(decode_inode(&encode_inode(&inode)).unwrap(), inode);
            assert_eq!(decode_entry(&encode_inode_entry(&inode)).unwrap(), Entry::Inode(Box::new(inode)));
        }
        assert_eq!(decode_entry(&encode_link_entry(Ino(5))).unwrap(), Entry::Link(Ino(5)));
        let at = extent(94);
        assert_eq!(decode_extent(&100u64.to_be_bytes(), &encode_extent(&at)).unwrap(), at);
        for sample in samples() {
            assert!(decode_all(&sample) > 0);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic() {
        let mut seed = 1u64;
        for sample in samples() {
            for len in 0..sample.len() {
                decode_all(&sample[..len]);
            }
            for at in 0..sample.len() {
                for flip in [1, 0x80, 0xff] {
                    let mut bytes = sample.clone();
                    bytes[at] ^= flip;
                    decode_all(&bytes);
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let other = seed as usize % bytes.len();
                    bytes[other] = (seed >> 40) as u8;
                    decode_all(&bytes);
                }
            }
        }
    }

    #[test]
    fn keys_keep_to_the_order_of_what_they_hold() {
        assert!(extent_key(ContentId(5), 255) < extent_key(ContentId(5), 256));
        assert!(extent_key(ContentId(5), u64::MAX) < extent_key(ContentId(6), 0));
        assert!(entry_key(Ino(5), &Component::file(b"zz")) < entry_key(Ino(256), &Component::file(b"a")));
        assert_eq!(split(&id_key(ORPHAN, 77)), Some((ORPHAN, 77, &b""[..])));
        assert_eq!(behind(&[1, 0xff]), Some(vec![2]));
        assert_eq!(behind(&[0xff]), None);
    }
}
