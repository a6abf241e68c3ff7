//! COPY within a bucket: both objects share the content, whatever the size.

use super::{
    Conditions, Content, Done, FileKind, FsError, FsResult, Inode, KEY_LIMIT_BYTES, KeyPath, Namespace,
    ObjectAttributes, ObjectInfo, PutOptions, get,
    put::{Fresh, as_object},
    txn::{Located, Txn},
};
use std::sync::Arc;

impl Namespace {
    /// Copies an object as S3 sees it. `replace` brings other headers and metadata. Tag and checksums stay, because the
    /// content does. A copy onto itself with `replace` changes headers, metadata and Last-Modified only.
    ///
    /// # Errors
    /// `NotFound` (the source), `InvalidArgument` (onto itself without `replace`), and as a PUT.
    pub fn copy_object(
        self: &Arc<Self>,
        source: &[u8],
        target: &[u8],
        replace: Option<ObjectAttributes>,
        conditions: &Conditions,
    ) -> FsResult<Done<ObjectInfo>> {
        if target.len() > KEY_LIMIT_BYTES {
            return Err(FsError::NameTooLong);
        }
        let (from, to) = (KeyPath::parse(source)?, KeyPath::parse(target)?);
        let mut txn = self.begin()?;
        let (_, located) = get::find(&txn, &from)?.ok_or(FsError::NotFound)?;
        let inode = as_object(&located).ok_or(FsError::NotFound)?;
        if source == target && replace.is_none() {
            return Err(FsError::InvalidArgument("a copy onto itself that changes nothing"));
        }
        if inode.kind == FileKind::Symlink {
            let body = inode.target.clone();
            let attributes = replace.unwrap_or_else(|| inode.object.clone());
            drop(txn);
            let mut put = self.begin_put(target, PutOptions { attributes, ..PutOptions::default() })?;
            put.write(&body)?;
            return put.finish(conditions);
        }
        let info = match replace {
            Some(attributes) if source == target => txn.replace_attributes(located, attributes, conditions)?,
            replace => {
                let fresh = txn.share(located, replace)?;
                txn.put_object(&to, fresh, conditions)?
            }
        };
        Ok(Done { value: info, number: txn.commit()? })
    }
}

impl Txn<'_> {
    fn replace_attributes(
        &mut self,
        mut located: Located,
        attributes: ObjectAttributes,
        conditions: &Conditions,
    ) -> FsResult<ObjectInfo> {
        super::put::check_conditions(conditions, Some(&located.inode))?;
        let inode = &mut located.inode;
        let checksums = std::mem::take(&mut inode.object.checksums);
        inode.object = ObjectAttributes { checksums, ..attributes };
        inode.content_time = self.now;
        inode.ctime = self.now;
        self.store(&located);
        self.changes.push(super::Change::Inode { ino: located.inode.ino });
        Ok(located.inode.object_info())
    }

    /// An object with the content of `located`, which is set aside for both.
    fn share(&mut self, mut located: Located, replace: Option<ObjectAttributes>) -> FsResult<Fresh> {
        let Inode { size, content, .. } = &mut located.inode;
        self.set_aside(content, *size)?;
        let shared = if content.inline.is_empty() {
            for piece in &content.pieces {
                self.retain_shared(piece.content)?;
            }
            Content { pieces: content.pieces.clone(), ..Content::default() }
        } else {
            // Sealed under a key and a salt of its own: the same bytes may stand twice.
            Content { sealed_oek: content.sealed_oek, inline: content.inline.clone(), ..Content::default() }
        };
        self.store(&located);
        let info = located.inode.object_info();
        let object = match replace {
            Some(replace) => ObjectAttributes { checksums: info.attributes.checksums, ..replace },
            None => located.inode.object,
        };
        Ok(Fresh { size: info.size, etag: info.etag, crc64: info.crc64, content: shared, object, mtime: None })
    }
}
