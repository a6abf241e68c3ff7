//! Extended attributes, and the ones that stand for S3 metadata and encryption (R13).

use super::{
    Done, FsError, FsResult, Ino, Inode, NAME_LIMIT_BYTES, Namespace, ObjectAttributes, records,
    txn::{self, Records, Txn},
};

/// Longest value in bytes, as the kernel has it.
const VALUE_LIMIT_BYTES: usize = 65_536;

/// What `setxattr` does when the attribute exists or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// Creates or replaces.
    Either,
    /// `XATTR_CREATE`: `AttrExists` when it exists.
    Create,
    /// `XATTR_REPLACE`: `NoAttr` when it does not.
    Replace,
}

impl SetMode {
    fn check(self, exists: bool) -> FsResult<()> {
        match self {
            Self::Create if exists => Err(FsError::AttrExists),
            Self::Replace if !exists => Err(FsError::NoAttr),
            _ => Ok(()),
        }
    }
}

/// What a name stands for.
enum Kind<'a> {
    /// A record of its own.
    Plain,
    /// `user.s3.meta.*`
    Metadata(&'a str),
    /// `user.s3.header.*`, and `user.mime_type` for the content type.
    Header(&'a str),
    /// The other `user.s3.*`, read only.
    Object(&'a str),
    /// `user.sse.*`
    Encryption(&'a str),
}

fn kind(name: &[u8]) -> FsResult<Kind<'_>> {
    if name.is_empty() || name.contains(&0) {
        return Err(FsError::InvalidArgument("the name of an attribute"));
    }
    if name.len() > NAME_LIMIT_BYTES {
        return Err(FsError::Range);
    }
    let Ok(text) = std::str::from_utf8(name) else { return Ok(Kind::Plain) };
    Ok(if let Some(rest) = text.strip_prefix("user.s3.meta.") {
        Kind::Metadata(rest)
    } else if let Some(rest) = text.strip_prefix("user.s3.header.") {
        Kind::Header(rest)
    } else if text == "user.mime_type" {
        Kind::Header("content-type")
    } else if let Some(rest) = text.strip_prefix("user.s3.") {
        Kind::Object(rest)
    } else if let Some(rest) = text.strip_prefix("user.sse.") {
        Kind::Encryption(rest)
    } else {
        Kind::Plain
    })
}

const HEADERS: [&str; 6] =
    ["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"];

fn header<'a>(object: &'a mut ObjectAttributes, name: &str) -> Option<&'a mut Option<String>> {
    Some(match name {
        "content-type" => &mut object.content_type,
        "cache-control" => &mut object.cache_control,
        "content-disposition" => &mut object.content_disposition,
        "content-encoding" => &mut object.content_encoding,
        "content-language" => &mut object.content_language,
        "expires" => &mut object.expires,
        _ => return None,
    })
}

impl Namespace {
    /// The value of an attribute. `user.s3.*` are made from the object's metadata, `user.sse.*` from the bucket's
    /// encryption.
    ///
    /// # Errors
    /// `NoAttr`, `NotFound`.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> FsResult<Vec<u8>> {
        let kind = kind(name)?;
        if let Kind::Encryption(which) = kind {
            return self.encryption_attribute(which);
        }
        if ino == Ino::ROOT {
            return self.parts.root.root().xattrs.remove(name).ok_or(FsError::NoAttr);
        }
        let snapshot = self.parts.meta.snapshot()?;
        let mut inode = txn::load(snapshot.as_ref(), ino)?.inode;
        match kind {
            Kind::Plain if inode.xattrs == 0 => Err(FsError::NoAttr),
            Kind::Plain => {
                let value = snapshot.record(&records::named_key(records::XATTR, ino, name))?;
                value.map(|value| value.to_vec()).ok_or(FsError::NoAttr)
            }
            Kind::Metadata(key) => inode.object.user.remove(key).map(String::into_bytes).ok_or(FsError::NoAttr),
            Kind::Header(key) => {
                let value = header(&mut inode.object, key).and_then(Option::take);
                value.map(String::into_bytes).ok_or(FsError::NoAttr)
            }
            Kind::Object(key) => object_attribute(&inode, key),
            Kind::Encryption(which) => self.encryption_attribute(which),
        }
    }

    fn encryption_attribute(&self, which: &str) -> FsResult<Vec<u8>> {
        let encryption = self.encryption();
        let value = match which {
            "algorithm" => encryption.algorithm.clone(),
            "key-id" => encryption.key_id.clone(),
            "status" => encryption.status.clone(),
            "generation" => encryption.generation.to_string(),
            _ => return Err(FsError::NoAttr),
        };
        Ok(value.into_bytes())
    }

    /// Sets an attribute.
    ///
    /// # Errors
    /// `AttrExists`, `NoAttr`, `TooLarge` (value over 64 KiB), `NotPermitted` (read-only ones), `InvalidArgument`,
    /// `Unsupported` (`user.sse.*` that start a rotation: not yet).
    pub fn setxattr(&self, ino: Ino, name: &[u8], value: &[u8], mode: SetMode) -> FsResult<Done<()>> {
        if value.len() > VALUE_LIMIT_BYTES {
            return Err(FsError::TooLarge("the value of an attribute"));
        }
        self.change_xattr(ino, name, Some(value), mode)
    }

    /// Names of the attributes, `user.s3.*` that can be set included, `user.sse.*` and read-only ones not, so that
    /// copying all attributes of a file to another changes no key and fails at none.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn listxattr(&self, ino: Ino) -> FsResult<Vec<Vec<u8>>> {
        if ino == Ino::ROOT {
            return Ok(self.parts.root.root().xattrs.into_keys().collect());
        }
        let snapshot = self.parts.meta.snapshot()?;
        let mut inode = txn::load(snapshot.as_ref(), ino)?.inode;
        let mut names = Vec::new();
        for key in HEADERS {
            if header(&mut inode.object, key).is_some_and(|value| value.is_some()) {
                names.push(format!("user.s3.header.{key}").into_bytes());
            }
        }
        names.extend(inode.object.user.keys().map(|key| format!("user.s3.meta.{key}").into_bytes()));
        if inode.xattrs > 0 {
            let prefix = records::id_key(records::XATTR, ino.0);
            let end = records::behind(&prefix);
            let mut cursor = snapshot.range(&prefix, end.as_deref());
            while let Some((key, _)) = cursor.next()? {
                if let Some((_, _, name)) = records::split(&key) {
                    names.push(name.to_vec());
                }
            }
        }
        Ok(names)
    }

    /// Removes an attribute.
    ///
    /// # Errors
    /// `NoAttr`, `NotFound`, `NotPermitted`.
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> FsResult<Done<()>> {
        self.change_xattr(ino, name, None, SetMode::Replace)
    }

    fn change_xattr(&self, ino: Ino, name: &[u8], value: Option<&[u8]>, mode: SetMode) -> FsResult<Done<()>> {
        let kind = kind(name)?;
        match kind {
            Kind::Object(_) => return Err(FsError::NotPermitted("this attribute is read-only")),
            Kind::Encryption(_) => return Err(FsError::Unsupported("changing keys by attribute")),
            _ => {}
        }
        if ino == Ino::ROOT {
            return self.change_root_xattr(name, value, mode);
        }
        let mut txn = self.begin()?;
        let mut located = txn::load(&txn, ino)?;
        match kind {
            Kind::Metadata(key) => {
                let user = &mut located.inode.object.user;
                mode.check(user.contains_key(key))?;
                match value {
                    Some(value) => drop(user.insert(key.to_owned(), text(value)?)),
                    None => drop(user.remove(key)),
                }
            }
            Kind::Header(key) => {
                let slot = header(&mut located.inode.object, key).ok_or(FsError::NotPermitted("no such header"))?;
                mode.check(slot.is_some())?;
                *slot = value.map(text).transpose()?;
            }
            Kind::Plain | Kind::Object(_) | Kind::Encryption(_) => {
                txn.change_plain_xattr(&mut located.inode, name, value, mode)?;
            }
        }
        located.inode.ctime = txn.now;
        txn.store(&located);
        Ok(Done { value: (), number: txn.commit()? })
    }

    fn change_root_xattr(&self, name: &[u8], value: Option<&[u8]>, mode: SetMode) -> FsResult<Done<()>> {
        let now = self.parts.clock.now();
        self.parts.root.update_root(&mut |root| {
            mode.check(root.xattrs.contains_key(name))?;
            match value {
                Some(value) => drop(root.xattrs.insert(name.to_vec(), value.to_vec())),
                None => drop(root.xattrs.remove(name)),
            }
            root.ctime = now;
            Ok(())
        })?;
        Ok(Done { value: (), number: self.committed() })
    }
}

fn text(value: &[u8]) -> FsResult<String> {
    String::from_utf8(value.to_vec()).map_err(|_| FsError::InvalidArgument("a header value that is not UTF-8"))
}

fn object_attribute(inode: &Inode, key: &str) -> FsResult<Vec<u8>> {
    let info = inode.object_info();
    if key == "etag" {
        return Ok(info.etag.to_string().into_bytes());
    }
    let checksum = key.strip_prefix("checksum.").ok_or(FsError::NoAttr)?;
    if checksum == "crc64nvme" {
        return info.crc64.map(|crc| hex::encode(crc.to_be_bytes()).into_bytes()).ok_or(FsError::NoAttr);
    }
    info.attributes.checksums.get(checksum).map(|value| hex::encode(value).into_bytes()).ok_or(FsError::NoAttr)
}

impl Txn<'_> {
    /// The attributes of an inode that have records, as names and values.
    pub fn xattr_records(&self, ino: Ino) -> FsResult<Vec<(Vec<u8>, Vec<u8>)>> {
        let prefix = records::id_key(records::XATTR, ino.0);
        let end = records::behind(&prefix);
        let mut cursor = self.snapshot.range(&prefix, end.as_deref());
        let mut found = Vec::new();
        while let Some((key, value)) = cursor.next()? {
            if let Some((_, _, name)) = records::split(&key) {
                found.push((name.to_vec(), value.to_vec()));
            }
        }
        Ok(found)
    }

    fn change_plain_xattr(
        &mut self,
        inode: &mut Inode,
        name: &[u8],
        value: Option<&[u8]>,
        mode: SetMode,
    ) -> FsResult<()> {
        let key = records::named_key(records::XATTR, inode.ino, name);
        let exists = inode.xattrs > 0 && self.record(&key)?.is_some();
        mode.check(exists)?;
        match value {
            Some(value) => {
                self.batch.put(key, value.to_vec());
                inode.xattrs = inode.xattrs.saturating_add(u32::from(!exists));
            }
            None => {
                self.batch.delete(key);
                inode.xattrs = inode.xattrs.saturating_sub(u32::from(exists));
            }
        }
        Ok(())
    }
}
