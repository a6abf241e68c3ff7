//! Walks all keys of a prefix, although KES can only list the first page of one.
//!
//! `continue_at` names the first key left out, but given back it is taken for a *prefix*, and everything that does
//! not begin with it is skipped. So the rest of a page is asked for as the set of prefixes that cover it: the name
//! itself, and, from its end to its beginning, every greater character in each place.

use std::collections::BTreeSet;

use super::wire::ListPage;
use crate::kms::{KeyInfo, KeyName, key_name::KEY_NAME_MAX_LEN_BYTES};

/// The characters of a key name.
const ALPHABET: &[u8; 64] = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
/// Most names of one listing.
const NAMES_MAX: usize = 65_536;
/// Most patterns that are asked for in one listing.
const PATTERNS_MAX: usize = 16_384;

/// Why a listing cannot be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListingError {
    /// There are more keys than a listing may hold.
    #[error("there are more than {NAMES_MAX} keys; ask for a longer prefix")]
    TooMany,
    /// The server continues with a name that it was not asked for.
    #[error("the listing continues outside of the prefix asked for")]
    Continuation,
}

/// A listing under way: what to ask next, and the names so far.
pub(super) struct Listing {
    prefix: String,
    /// Prefixes still to ask for, the next one last.
    pending: Vec<String>,
    asked: usize,
    names: BTreeSet<KeyInfo>,
}

impl Listing {
    /// A listing of all names that begin with `prefix`. A prefix that no name has needs no question.
    pub(super) fn new(prefix: &str) -> Self {
        let possible = prefix.len() <= KEY_NAME_MAX_LEN_BYTES
            && prefix.bytes().all(|byte| ALPHABET.contains(&byte))
            && !prefix.starts_with('-');
        // KES takes no pattern that ends with `-`, nor `_` alone: ask for less, and drop what does not belong.
        let pattern = match prefix.trim_end_matches('-') {
            "_" => "",
            pattern => pattern,
        };
        let pending = if possible { vec![pattern.to_owned()] } else { Vec::new() };
        Self { prefix: prefix.to_owned(), pending, asked: 0, names: BTreeSet::new() }
    }

    /// The next pattern to ask the server for; `None` when the listing is whole.
    pub(super) fn next_pattern(&mut self) -> Result<Option<String>, ListingError> {
        while let Some(pattern) = self.pending.pop() {
            if pattern.ends_with('-') || pattern == "_" {
                // No name ends there, and KES does not take it: one character more.
                self.push_longer(&pattern, b'-');
                continue;
            }
            self.asked += 1;
            if self.asked > PATTERNS_MAX {
                return Err(ListingError::TooMany);
            }
            return Ok(Some(pattern));
        }
        Ok(None)
    }

    /// Takes the page that the server gave for `pattern`. Names that are no key names are left out: they cannot be
    /// asked for.
    pub(super) fn take_page(&mut self, pattern: &str, page: ListPage) -> Result<(), ListingError> {
        let matching = page.names.iter().filter(|name| name.starts_with(&self.prefix));
        self.names.extend(matching.filter_map(|name| KeyName::new(name).ok()).map(|name| KeyInfo { name }));
        if self.names.len() > NAMES_MAX {
            return Err(ListingError::TooMany);
        }
        let Some(next) = page.continue_at else { return Ok(()) };
        if !next.starts_with(pattern) || next.len() <= pattern.len() || KeyName::new(&next).is_err() {
            return Err(ListingError::Continuation);
        }
        // The shortest first, so that the longest, which is the next in order, is popped first.
        for (place, byte) in next.bytes().enumerate().skip(pattern.len()) {
            let head = next.get(..place).ok_or(ListingError::Continuation)?;
            self.push_longer(head, byte.saturating_add(1));
        }
        self.pending.push(next);
        Ok(())
    }

    /// Pends `head` followed by each character from `least` on, where names of the prefix can be.
    fn push_longer(&mut self, head: &str, least: u8) {
        if head.len() >= KEY_NAME_MAX_LEN_BYTES {
            return;
        }
        for &byte in ALPHABET.iter().rev().filter(|&&byte| byte >= least) {
            let longer = format!("{head}{}", char::from(byte));
            if longer != "-" && (longer.starts_with(&self.prefix) || self.prefix.starts_with(&longer)) {
                self.pending.push(longer);
            }
        }
    }

    /// The names, sorted.
    pub(super) fn into_names(self) -> Vec<KeyInfo> {
        self.names.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists as KES v0.24 does: sorted, a page at a time, the pattern a prefix; refuses what KES refuses.
    fn list_page(keys: &BTreeSet<String>, pattern: &str, page_len: usize) -> ListPage {
        assert!(!pattern.ends_with('-') && !pattern.starts_with('-') && pattern != "_" && pattern.len() <= 80);
        let mut matching = keys.iter().filter(|key| key.starts_with(pattern)).cloned();
        let names = matching.by_ref().take(page_len).collect();
        ListPage { names, continue_at: matching.next() }
    }

    fn list(keys: &BTreeSet<String>, prefix: &str, page_len: usize) -> Vec<String> {
        let mut listing = Listing::new(prefix);
        while let Some(pattern) = listing.next_pattern().unwrap() {
            let page = list_page(keys, &pattern, page_len);
            listing.take_page(&pattern, page).unwrap();
        }
        listing.into_names().into_iter().map(|info| info.name.to_string()).collect()
    }

    #[test]
    fn a_prefix_that_no_name_has_asks_nobody() {
        for prefix in ["a/b", "x*", "-a", "ü", &"k".repeat(81)] {
            assert_eq!(Listing::new(prefix).next_pattern(), Ok(None), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_that_kes_refuses_is_asked_for_without_its_end() {
        assert_eq!(Listing::new("my-").next_pattern(), Ok(Some("my".into())));
        assert_eq!(Listing::new("_").next_pattern(), Ok(Some(String::new())));
        let keys = ["my-a", "myb", "_x"].map(String::from).into();
        assert_eq!(list(&keys, "my-", 10), ["my-a"]);
        assert_eq!(list(&keys, "_", 10), ["_x"]);
    }

    #[test]
    fn a_server_that_continues_elsewhere_is_refused() {
        let mut listing = Listing::new("a");
        let page = |next: &str| ListPage { names: vec![], continue_at: Some(next.into()) };
        assert_eq!(listing.take_page("a", page("b")), Err(ListingError::Continuation));
        assert_eq!(listing.take_page("a", page("a")), Err(ListingError::Continuation));
    }

    #[test]
    fn thousands_of_keys_are_listed() {
        let keys: BTreeSet<String> = (0..5000).map(|number| format!("tenant-{number}")).collect();
        assert_eq!(list(&keys, "tenant-", 1024).len(), 5000);
        assert_eq!(list(&keys, "tenant-12", 1024).len(), 111);
    }

    proptest::proptest! {
        #[test]
        fn every_key_of_the_prefix_is_listed_once(
            names in proptest::collection::btree_set("[ab_-]{1,6}", 0..60),
            prefix in "[ab_]?[ab_-]{0,2}",
            page_len in 1_usize..5,
        ) {
            let keys: BTreeSet<String> = names.into_iter().filter(|name| KeyName::new(name).is_ok()).collect();
            let expected: Vec<String> = keys.iter().filter(|key| key.starts_with(&prefix)).cloned().collect();
            let expected = if prefix.starts_with('-') { vec![] } else { expected };
            proptest::prop_assert_eq!(list(&keys, &prefix, page_len), expected);
        }
    }
}
