//! POSIX names for components that have none of their own, or whose plain name is taken (R3).
//!
//! An alias is allocated: a POSIX name that merely looks like one is a normal name. The first holder keeps the plain
//! name; when it goes, the other is promoted. A directory counts its aliases, so that one without pays nothing.

use super::{
    Change, Component, FsError, FsResult, Ino, NAME_LIMIT_BYTES, base_of_name, records,
    txn::{self, ChildChange, Located, Records, Txn},
};
use sha2::{Digest, Sha256};

const PREFIX: &str = ".s3~";
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Longest alias before a suffix.
const READABLE_BYTES: usize = 200;

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut held, mut bits) = (0u32, 0u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(digit(held >> bits));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(digit(held << (5 - bits)));
    }
    out
}

fn digit(value: u32) -> char {
    BASE32.get((value & 31) as usize).map_or('a', |digit| char::from(*digit))
}

/// The alias that a component would like: kind, then the base in base32, or its readable front and a hash.
fn wanted(component: &Component) -> String {
    let base = component.base();
    let exact = base32(base);
    if exact.len() <= READABLE_BYTES {
        let kind = if component.is_directory() { 'd' } else { 'f' };
        return format!("{PREFIX}{kind}{exact}");
    }
    let kind = if component.is_directory() { 'D' } else { 'L' };
    let front: String = String::from_utf8_lossy(base).chars().filter(|c| c.is_alphanumeric()).take(32).collect();
    let hash = Sha256::digest(base);
    format!("{PREFIX}{kind}{front}-{}", hex::encode(hash.get(..16).unwrap_or_default()))
}

/// The component that has the alias `name`, if it is one.
fn component_of<R: Records + ?Sized>(from: &R, directory: Ino, name: &[u8]) -> FsResult<Option<Component>> {
    let Some(bytes) = from.record(&records::named_key(records::ALIAS, directory, name))? else {
        return Ok(None);
    };
    Component::parse(&bytes).map(Some).ok_or_else(|| FsError::damaged("an alias's component"))
}

/// The alias of a component, if it has one.
pub(super) fn alias_of<R: Records + ?Sized>(
    from: &R,
    directory: Ino,
    component: &Component,
) -> FsResult<Option<Vec<u8>>> {
    let key = records::named_key(records::ALIAS_OF, directory, component.as_bytes());
    Ok(from.record(&key)?.map(|name| name.to_vec()))
}

/// The POSIX name of an entry; `aliases` is the directory's count.
pub(super) fn posix_name<R: Records + ?Sized>(
    from: &R,
    directory: Ino,
    aliases: u32,
    component: &Component,
) -> FsResult<Vec<u8>> {
    if aliases > 0
        && let Some(alias) = alias_of(from, directory, component)?
    {
        return Ok(alias);
    }
    component.plain_name().ok_or_else(|| FsError::damaged("an entry that no name maps to has no alias"))
}

/// What a POSIX name means in a directory.
pub(super) struct Named {
    /// The component it stands for, or that an entry of this base would get.
    pub component: Component,
    /// What is there.
    pub located: Option<Located>,
}

/// Resolves a POSIX name; of a name that is free, the component is a file's.
pub(super) fn resolve<R: Records + ?Sized>(from: &R, directory: &Located, name: &[u8]) -> FsResult<Named> {
    let base = base_of_name(name)?;
    let (ino, aliases) = (directory.inode.ino, directory.inode.directory.aliases);
    if aliases > 0
        && let Some(component) = component_of(from, ino, name)?
    {
        let located = txn::locate(from, ino, &component)?;
        if located.is_none() {
            return Err(FsError::damaged("an alias of nothing"));
        }
        return Ok(Named { component, located });
    }
    for component in [Component::file(&base), Component::directory(&base)] {
        if let Some(located) = txn::locate(from, ino, &component)?
            && (aliases == 0 || alias_of(from, ino, &component)?.is_none())
        {
            return Ok(Named { component, located: Some(located) });
        }
    }
    Ok(Named { component: Component::file(&base), located: None })
}

impl Txn<'_> {
    /// Before an entry comes: gives its component an alias when it has no free plain name. Returns its POSIX name.
    pub fn name_component(&mut self, directory: Ino, component: &Component) -> FsResult<Vec<u8>> {
        let aliases = txn::load_directory(self, directory)?.inode.directory.aliases;
        if let Some(plain) = component.plain_name()
            && self.is_free(directory, aliases, component, &plain)?
        {
            return Ok(plain);
        }
        let wish = wanted(component);
        for attempt in 0..u32::MAX {
            let alias = if attempt == 0 { wish.clone() } else { format!("{wish}~{attempt}") };
            let alias = alias.into_bytes();
            if alias.len() > NAME_LIMIT_BYTES {
                break;
            }
            let free = Component::file(&base_of_name(&alias)?);
            let taken = component_of(self, directory, &alias)?.is_some()
                || txn::entry(self, directory, &free)?.is_some()
                || txn::entry(self, directory, &Component::directory(free.base()))?.is_some();
            if !taken {
                let key = records::named_key(records::ALIAS, directory, &alias);
                self.batch.put(key, component.as_bytes().to_vec());
                let key = records::named_key(records::ALIAS_OF, directory, component.as_bytes());
                self.batch.put(key, alias.clone());
                self.change_children(directory, ChildChange { aliases: 1, ..ChildChange::default() })?;
                return Ok(alias);
            }
        }
        Err(FsError::NameTooLong)
    }

    fn is_free(&self, directory: Ino, aliases: u32, component: &Component, plain: &[u8]) -> FsResult<bool> {
        if aliases > 0 && component_of(self, directory, plain)?.is_some() {
            return Ok(false);
        }
        let Some(rival) = component.rival() else {
            return Ok(true);
        };
        if txn::entry(self, directory, &rival)?.is_none() {
            return Ok(true);
        }
        Ok(aliases > 0 && alias_of(self, directory, &rival)?.is_some())
    }

    /// After an entry went: gives its POSIX name up, and the plain name to whoever waited for it. Returns the name.
    pub fn unname_component(&mut self, directory: Ino, component: &Component) -> FsResult<Vec<u8>> {
        let aliases = txn::load_directory(self, directory)?.inode.directory.aliases;
        let name = posix_name(self, directory, aliases, component)?;
        if aliases == 0 {
            return Ok(name);
        }
        self.drop_alias(directory, component)?;
        self.promote(directory, &name)?;
        Ok(name)
    }

    fn drop_alias(&mut self, directory: Ino, component: &Component) -> FsResult<Option<Vec<u8>>> {
        let alias = alias_of(self, directory, component)?;
        if let Some(alias) = &alias {
            self.batch.delete(records::named_key(records::ALIAS, directory, alias));
            self.batch.delete(records::named_key(records::ALIAS_OF, directory, component.as_bytes()));
            self.change_children(directory, ChildChange { aliases: -1, ..ChildChange::default() })?;
        }
        Ok(alias)
    }

    /// A name is free: an entry that had to take an alias because of it gets it back; its alias is free then.
    fn promote(&mut self, directory: Ino, name: &[u8]) -> FsResult<()> {
        let mut free = name.to_vec();
        loop {
            let Ok(base) = base_of_name(&free) else { return Ok(()) };
            let mut promoted = None;
            for component in [Component::file(&base), Component::directory(&base)] {
                if txn::entry(self, directory, &component)?.is_some() {
                    promoted = self.drop_alias(directory, &component)?;
                    break;
                }
            }
            let Some(alias) = promoted else { return Ok(()) };
            for name in [free, alias.clone()] {
                self.changes.push(Change::Entry { parent: directory, name, came_or_went: true });
            }
            free = alias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_the_common_one() {
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(b""), "");
    }

    #[test]
    fn aliases_fit_into_a_name() {
        for len in [0, 1, 125, 126, 255, 1024] {
            for directory in [false, true] {
                let alias = wanted(&Component::of(&vec![b'x'; len], directory));
                assert!(alias.len() < NAME_LIMIT_BYTES - 12, "{len}: {}", alias.len());
            }
        }
    }
}
