//! Inodes, alone or within the entry that is their only name.

use super::{
    VERSION,
    content::{put_extent, take_extent},
    version,
};
use crate::{
    clock::UnixNanos,
    crypt::SealedOek,
    format::{Decoder, Encoder},
    fs::{
        Content, ContentId, DirectoryFacts, ETag, FileKind, FsError, FsResult, INLINE_EXTENTS, Ino, Inode,
        ObjectAttributes, Piece,
    },
};
use std::collections::BTreeMap;

const INLINE_INODE: u8 = 1;
const LINK: u8 = 2;
const TEXT_LIMIT: usize = 65_536;
const TARGET_LIMIT: usize = 4_095;
const SEALED_INLINE_LIMIT: usize = 512;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The inode, which has this one name.
    Inode(Box<Inode>),
    /// The number of an inode with several names.
    Link(Ino),
}

/// Encodes an entry that holds its inode.
pub fn encode_inode_entry(inode: &Inode) -> Vec<u8> {
    let mut out = Encoder::with_capacity(320);
    out.u8(VERSION).u8(INLINE_INODE);
    put_inode(&mut out, inode);
    out.finish()
}

/// Encodes an entry that names its inode.
pub fn encode_link_entry(ino: Ino) -> Vec<u8> {
    let mut out = Encoder::new();
    out.u8(VERSION).u8(LINK).varint(ino.0);
    out.finish()
}

/// Decodes an entry.
pub fn decode_entry(bytes: &[u8]) -> FsResult<Entry> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let entry = match from.u8("entry form")? {
        INLINE_INODE => Entry::Inode(Box::new(take_inode(&mut from)?)),
        LINK => Entry::Link(Ino(from.varint("link")?)),
        form => return Err(FsError::damaged(format!("an entry of form {form}"))),
    };
    from.finish("entry")?;
    Ok(entry)
}

/// Encodes an inode's own record.
pub fn encode_inode(inode: &Inode) -> Vec<u8> {
    let mut out = Encoder::with_capacity(320);
    out.u8(VERSION);
    put_inode(&mut out, inode);
    out.finish()
}

/// Decodes an inode's own record.
pub fn decode_inode(bytes: &[u8]) -> FsResult<Inode> {
    let mut from = Decoder::new(bytes);
    version(&mut from)?;
    let inode = take_inode(&mut from)?;
    from.finish("inode")?;
    Ok(inode)
}

const fn kind_number(kind: FileKind) -> u8 {
    match kind {
        FileKind::File => 1,
        FileKind::Directory => 2,
        FileKind::Symlink => 3,
        FileKind::Fifo => 4,
        FileKind::Socket => 5,
        FileKind::CharDevice => 6,
        FileKind::BlockDevice => 7,
    }
}

fn kind_of(number: u8) -> FsResult<FileKind> {
    Ok(match number {
        1 => FileKind::File,
        2 => FileKind::Directory,
        3 => FileKind::Symlink,
        4 => FileKind::Fifo,
        5 => FileKind::Socket,
        6 => FileKind::CharDevice,
        7 => FileKind::BlockDevice,
        _ => return Err(FsError::damaged(format!("an inode of kind {number}"))),
    })
}

fn put_inode(out: &mut Encoder, inode: &Inode) {
    out.varint(inode.ino.0).u8(kind_number(inode.kind)).u16(inode.mode);
    for number in [inode.uid, inode.gid, inode.nlink, inode.rdev] {
        out.varint(u64::from(number));
    }
    out.i64(inode.btime.0);
    for time in [inode.atime, inode.mtime, inode.ctime, inode.content_time] {
        out.signed(time.0.wrapping_sub(inode.btime.0));
    }
    out.varint(inode.size);
    match inode.etag {
        ETag::Md5(bytes) => out.u8(1).raw(&bytes),
        ETag::Random(bytes) => out.u8(2).raw(&bytes),
    };
    match inode.crc64 {
        None => out.u8(0),
        Some(crc) => out.u8(1).u64(crc),
    };
    match inode.kind {
        FileKind::Directory => put_directory(out, &inode.directory),
        FileKind::Symlink => {
            out.bytes(&inode.target);
        }
        _ => {}
    }
    put_content(out, &inode.content);
    put_object(out, &inode.object);
    out.varint(u64::from(inode.xattrs));
}

fn narrow(value: u64, field: &str) -> FsResult<u32> {
    u32::try_from(value).map_err(|_| FsError::damaged(format!("{field} of an inode")))
}

fn take_inode(from: &mut Decoder<'_>) -> FsResult<Inode> {
    let ino = Ino(from.varint("ino")?);
    let kind = kind_of(from.u8("kind")?)?;
    let mode = from.u16("mode")?;
    let uid = narrow(from.varint("uid")?, "uid")?;
    let gid = narrow(from.varint("gid")?, "gid")?;
    let nlink = narrow(from.varint("nlink")?, "nlink")?;
    let rdev = narrow(from.varint("rdev")?, "rdev")?;
    let btime = from.i64("btime")?;
    let mut time = |field| Ok::<_, FsError>(UnixNanos(btime.wrapping_add(from.signed(field)?)));
    let (atime, mtime, ctime, content_time) = (time("atime")?, time("mtime")?, time("ctime")?, time("content time")?);
    let size = from.varint("size")?;
    let etag = match from.u8("etag form")? {
        1 => ETag::Md5(from.array("etag")?),
        2 => ETag::Random(from.array("etag")?),
        form => return Err(FsError::damaged(format!("an entity tag of form {form}"))),
    };
    let crc64 = match from.u8("crc form")? {
        0 => None,
        1 => Some(from.u64("crc")?),
        form => return Err(FsError::damaged(format!("a checksum of form {form}"))),
    };
    let directory = if kind == FileKind::Directory { take_directory(from)? } else { DirectoryFacts::default() };
    let target = if kind == FileKind::Symlink { from.bytes(TARGET_LIMIT, "target")?.to_vec() } else { Vec::new() };
    let content = take_content(from)?;
    let object = take_object(from)?;
    let xattrs = narrow(from.varint("xattrs")?, "xattrs")?;
    let btime = UnixNanos(btime);
    Ok(Inode {
        ino,
        kind,
        mode,
        uid,
        gid,
        nlink,
        rdev,
        atime,
        mtime,
        ctime,
        btime,
        content_time,
        size,
        etag,
        crc64,
        target,
        content,
        object,
        xattrs,
        directory,
    })
}

fn put_directory(out: &mut Encoder, facts: &DirectoryFacts) {
    out.u8(u8::from(facts.explicit) | u8::from(facts.facet) << 1);
    out.varint(facts.entries).varint(u64::from(facts.subdirs)).varint(facts.listed).varint(u64::from(facts.aliases));
}

fn take_directory(from: &mut Decoder<'_>) -> FsResult<DirectoryFacts> {
    let flags = from.u8("directory flags")?;
    if flags > 3 {
        return Err(FsError::damaged("flags of a directory"));
    }
    Ok(DirectoryFacts {
        explicit: flags & 1 != 0,
        facet: flags & 2 != 0,
        entries: from.varint("entries")?,
        subdirs: narrow(from.varint("subdirs")?, "subdirs")?,
        listed: from.varint("listed")?,
        aliases: narrow(from.varint("aliases")?, "aliases")?,
    })
}

fn put_content(out: &mut Encoder, content: &Content) {
    let oek = u8::from(content.sealed_oek.is_some());
    out.u8(oek | u8::from(content.spilled) << 1);
    if let Some(sealed) = &content.sealed_oek {
        sealed.encode(out);
    }
    out.bytes(&content.inline).varint(content.own).varint(content.extents.len() as u64);
    for extent in &content.extents {
        out.varint(extent.offset);
        put_extent(out, extent);
    }
    out.varint(content.pieces.len() as u64);
    for piece in &content.pieces {
        out.varint(piece.offset).varint(piece.len).varint(piece.content.0).varint(piece.content_offset);
    }
}

fn take_content(from: &mut Decoder<'_>) -> FsResult<Content> {
    let flags = from.u8("content flags")?;
    if flags > 3 {
        return Err(FsError::damaged("flags of a content"));
    }
    let sealed_oek = if flags & 1 != 0 { Some(SealedOek::decode(from)?) } else { None };
    let inline = from.bytes(SEALED_INLINE_LIMIT, "inline content")?.to_vec();
    let own = from.varint("content id")?;
    let count = from.count(22, "extents")?;
    if count > INLINE_EXTENTS {
        return Err(FsError::damaged("too many extents in an inode"));
    }
    let mut extents = Vec::with_capacity(count);
    for _ in 0..count {
        let offset = from.varint("extent offset")?;
        extents.push(take_extent(from, offset)?);
    }
    let count = from.count(4, "pieces")?;
    let mut pieces = Vec::with_capacity(count);
    for _ in 0..count {
        let piece = Piece {
            offset: from.varint("piece offset")?,
            len: from.varint("piece length")?,
            content: ContentId(from.varint("piece content")?),
            content_offset: from.varint("piece content offset")?,
        };
        if piece.len == 0
            || piece.offset.checked_add(piece.len).is_none()
            || piece.content_offset.checked_add(piece.len).is_none()
        {
            return Err(FsError::damaged("a piece whose numbers contradict each other"));
        }
        pieces.push(piece);
    }
    Ok(Content { sealed_oek, inline, own, extents, spilled: flags & 2 != 0, pieces })
}

fn put_object(out: &mut Encoder, object: &ObjectAttributes) {
    let headers = [
        &object.content_type,
        &object.cache_control,
        &object.content_disposition,
        &object.content_encoding,
        &object.content_language,
        &object.expires,
    ];
    let present = headers.iter().enumerate().fold(0u8, |mask, (bit, header)| mask | u8::from(header.is_some()) << bit);
    out.u8(present);
    for header in headers.into_iter().flatten() {
        out.bytes(header.as_bytes());
    }
    out.varint(object.user.len() as u64);
    for (name, value) in &object.user {
        out.bytes(name.as_bytes()).bytes(value.as_bytes());
    }
    out.varint(object.checksums.len() as u64);
    for (name, value) in &object.checksums {
        out.bytes(name.as_bytes()).bytes(value);
    }
}

fn text(from: &mut Decoder<'_>, field: &'static str) -> FsResult<String> {
    let bytes = from.bytes(TEXT_LIMIT, field)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| FsError::damaged(format!("{field} is not UTF-8")))
}

fn take_object(from: &mut Decoder<'_>) -> FsResult<ObjectAttributes> {
    let present = from.u8("headers")?;
    if present > 0x3f {
        return Err(FsError::damaged("headers of an object"));
    }
    let mut header = |bit: u8| if present >> bit & 1 == 1 { text(from, "header").map(Some) } else { Ok(None) };
    let mut object = ObjectAttributes {
        content_type: header(0)?,
        cache_control: header(1)?,
        content_disposition: header(2)?,
        content_encoding: header(3)?,
        content_language: header(4)?,
        expires: header(5)?,
        user: BTreeMap::new(),
        checksums: BTreeMap::new(),
    };
    for _ in 0..from.count(2, "user metadata")? {
        let name = text(from, "metadata name")?;
        object.user.insert(name, text(from, "metadata value")?);
    }
    for _ in 0..from.count(2, "checksums")? {
        let name = text(from, "checksum name")?;
        object.checksums.insert(name, from.bytes(TEXT_LIMIT, "checksum")?.to_vec());
    }
    Ok(object)
}
