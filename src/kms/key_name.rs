//! Names of external keys.

use std::{fmt, str::FromStr};

/// Longest name that KES takes, in bytes.
pub(crate) const KEY_NAME_MAX_LEN_BYTES: usize = 80;

/// The name of an external key: 1 to 80 of `0-9 A-Z a-z _ -`, not beginning or ending with `-`, and not `_` alone.
///
/// These are the names that KES accepts; the same rule holds for every KMS, so that a key can move from one to another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Box<str>);

/// Why a text is not a [`KeyName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no key name: use 1 to 80 letters, digits, `_` or `-`, not beginning or ending with `-`, and not `_` alone"
)]
pub struct InvalidKeyName {
    /// What was given, shortened and without control characters.
    pub name: String,
}

impl KeyName {
    /// Checks `name`.
    ///
    /// # Errors
    /// [`InvalidKeyName`] if it breaks the rule above.
    pub fn new(name: &str) -> Result<Self, InvalidKeyName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let ok = (1..=KEY_NAME_MAX_LEN_BYTES).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with('-')
            && !name.ends_with('-')
            && name != "_";
        if !ok {
            return Err(InvalidKeyName { name: printable(name) });
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands in an error message for a text that came from outside: at most 96 characters, none of them control.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(96).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(name: &str) -> Result<Self, InvalidKeyName> {
        Self::new(name)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_kes() {
        for good in ["a", "A-9_z", "_a", "__", &"k".repeat(80)] {
            assert_eq!(KeyName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "_", "-a", "a-", "a.b", "a/b", "a b", "ü", "a\n", "..", &"k".repeat(81)] {
            assert!(KeyName::new(bad).is_err(), "{bad:?}");
        }
    }
}
