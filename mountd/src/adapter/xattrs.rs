//! Extended attributes.

use super::{Adapter, Answer, number::Place};
use fuser::{Errno, INodeNo, ReplyXattr};
use strongroom::fs::SetMode;

/// The namespace of access control lists. Kept like others they would be shown and never enforced.
const SYSTEM: &[u8] = b"system.";

fn supported(name: &[u8]) -> Answer<()> {
    if name.starts_with(SYSTEM) { Err(Errno::EOPNOTSUPP.into()) } else { Ok(()) }
}

impl Adapter {
    pub(super) fn xattr(&self, ino: INodeNo, name: &[u8]) -> Answer<Vec<u8>> {
        supported(name)?;
        let (slot, ino) = Place::of(ino).within(Errno::ENODATA)?;
        Ok(self.namespace(slot)?.getxattr(ino, name)?)
    }

    /// The names, each with a NUL behind it.
    pub(super) fn xattr_names(&self, ino: INodeNo) -> Answer<Vec<u8>> {
        let Place::In(slot, ino) = Place::of(ino) else { return Ok(Vec::new()) };
        let names = self.namespace(slot)?.listxattr(ino)?;
        Ok(names.into_iter().flat_map(|name| name.into_iter().chain([0])).collect())
    }

    pub(super) fn set_xattr(&self, ino: INodeNo, name: &[u8], value: &[u8], flags: i32) -> Answer<()> {
        supported(name)?;
        let (slot, ino) = Place::of(ino).within(Errno::EPERM)?;
        let mode = match flags {
            0 => SetMode::Either,
            nix::libc::XATTR_CREATE => SetMode::Create,
            nix::libc::XATTR_REPLACE => SetMode::Replace,
            _other => return Err(Errno::EINVAL.into()),
        };
        self.namespace(slot)?.setxattr(ino, name, value, mode)?;
        Ok(())
    }

    pub(super) fn remove_xattr(&self, ino: INodeNo, name: &[u8]) -> Answer<()> {
        supported(name)?;
        let (slot, ino) = Place::of(ino).within(Errno::EPERM)?;
        self.namespace(slot)?.removexattr(ino, name)?;
        Ok(())
    }
}

/// Answers with a value, or its length when the caller only asks for that.
pub(super) fn reply_value(value: Answer<Vec<u8>>, size: u32, reply: ReplyXattr) {
    match value {
        Err(refusal) => reply.error(refusal.0),
        Ok(value) => match u32::try_from(value.len()) {
            Ok(len) if size == 0 => reply.size(len),
            Ok(len) if len <= size => reply.data(&value),
            Ok(_) => reply.error(Errno::ERANGE),
            Err(_) => reply.error(Errno::E2BIG),
        },
    }
}
