//! [`FaultyKms`]: a test instrument that makes another KMS fail at a chosen call, and counts calls.
//!
//! Part of the library, not of its tests, so that every room can use it; nothing else does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Context, DataKey, DekBytes, KeyInfo, KeyName, Kms, KmsDescription, KmsError, KmsStatus};

/// A call of [`Kms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// [`Kms::create_key`].
    CreateKey,
    /// [`Kms::generate`].
    Generate,
    /// [`Kms::unwrap`].
    Unwrap,
    /// [`Kms::list`].
    List,
    /// [`Kms::status`].
    Status,
}

/// A KMS that fails when told to. Failed calls do not reach the KMS behind it; they count all the same.
pub struct FaultyKms {
    inner: Arc<dyn Kms>,
    faults: Mutex<Faults>,
}

#[derive(Default)]
struct Faults {
    calls: BTreeMap<CallKind, u64>,
    at_call: BTreeMap<(CallKind, u64), KmsError>,
    always: BTreeMap<CallKind, KmsError>,
}

impl FaultyKms {
    /// Wraps `inner`; nothing fails yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Kms>) -> Self {
        Self { inner, faults: Mutex::default() }
    }

    /// Makes the `nth` call of that kind from now fail with `error`, once; 1 is the next one.
    pub fn fail_nth(&self, kind: CallKind, nth: u64, error: KmsError) {
        self.with_faults(|faults| {
            let at = faults.calls.get(&kind).copied().unwrap_or(0).saturating_add(nth);
            faults.at_call.insert((kind, at), error);
        });
    }

    /// Makes every call of that kind fail with `error` until [`FaultyKms::heal`].
    pub fn fail_always(&self, kind: CallKind, error: KmsError) {
        self.with_faults(|faults| faults.always.insert(kind, error));
    }

    /// Nothing fails any more. Counts stay.
    pub fn heal(&self) {
        self.with_faults(|faults| {
            faults.at_call.clear();
            faults.always.clear();
        });
    }

    /// How many calls of that kind were made, failed ones too.
    #[must_use]
    pub fn calls(&self, kind: CallKind) -> u64 {
        self.with_faults(|faults| faults.calls.get(&kind).copied().unwrap_or(0))
    }

    fn with_faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts the call and tells whether it fails. The lock is not held over the call itself.
    fn enter(&self, kind: CallKind) -> Result<(), KmsError> {
        let error = self.with_faults(|faults| {
            let count = faults.calls.entry(kind).or_default();
            *count = count.saturating_add(1);
            let call = (kind, *count);
            faults.at_call.remove(&call).or_else(|| faults.always.get(&kind).cloned())
        });
        error.map_or(Ok(()), Err)
    }
}

impl Kms for FaultyKms {
    fn create_key(&self, name: &KeyName) -> Result<(), KmsError> {
        self.enter(CallKind::CreateKey)?;
        self.inner.create_key(name)
    }

    fn generate(&self, name: &KeyName, context: &Context) -> Result<DataKey, KmsError> {
        self.enter(CallKind::Generate)?;
        self.inner.generate(name, context)
    }

    fn unwrap(&self, name: &KeyName, sealed: &[u8], context: &Context) -> Result<DekBytes, KmsError> {
        self.enter(CallKind::Unwrap)?;
        self.inner.unwrap(name, sealed, context)
    }

    fn list(&self, prefix: &str) -> Result<Vec<KeyInfo>, KmsError> {
        self.enter(CallKind::List)?;
        self.inner.list(prefix)
    }

    fn status(&self) -> Result<KmsStatus, KmsError> {
        self.enter(CallKind::Status)?;
        self.inner.status()
    }

    fn default_key(&self) -> &KeyName {
        self.inner.default_key()
    }

    fn describe(&self) -> KmsDescription {
        self.inner.describe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::MemoryKms;

    fn outage() -> KmsError {
        KmsError::Unreachable { key: "k".into(), endpoint: "here".into(), detail: "cut by the test".into() }
    }

    #[test]
    fn the_chosen_call_fails_and_the_others_do_not() {
        let key = KeyName::new("k").unwrap();
        let kms = FaultyKms::new(Arc::new(MemoryKms::new(key.clone()).unwrap()));
        kms.fail_nth(CallKind::Generate, 2, outage());
        assert!(kms.generate(&key, &Context::new()).is_ok());
        assert_eq!(kms.generate(&key, &Context::new()).err(), Some(outage()));
        assert!(kms.generate(&key, &Context::new()).is_ok());
        assert_eq!(kms.calls(CallKind::Generate), 3);
        assert_eq!(kms.calls(CallKind::Unwrap), 0);
    }

    #[test]
    fn an_outage_lasts_until_it_is_healed() {
        let key = KeyName::new("k").unwrap();
        let kms = FaultyKms::new(Arc::new(MemoryKms::new(key.clone()).unwrap()));
        kms.fail_always(CallKind::List, outage());
        assert_eq!(kms.list("").err(), Some(outage()));
        assert_eq!(kms.list("").err(), Some(outage()));
        kms.heal();
        assert_eq!(kms.list("").unwrap().len(), 1);
    }
}
