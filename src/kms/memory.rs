//! [`MemoryKms`]: many keys in memory, each of which can be disabled, deleted and brought back. A test instrument.
//!
//! Part of the library, not of its tests, so that every room can use it; no configuration leads to it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    Context, DataKey, DekBytes, EndpointState, EndpointStatus, KeyInfo, KeyName, Kms, KmsDescription, KmsError,
    KmsKind, KmsStatus, SealedDek, SecretKey,
};

const ENDPOINT: &str = "memory";

/// A KMS whose keys are gone with the process.
pub struct MemoryKms {
    default_key: KeyName,
    state: Mutex<State>,
}

struct State {
    keys: BTreeMap<KeyName, Entry>,
    deleted: BTreeMap<KeyName, Entry>,
    reachable: bool,
}

struct Entry {
    key: SecretKey,
    enabled: bool,
}

impl MemoryKms {
    /// A KMS that holds `default_key` and nothing else.
    ///
    /// # Errors
    /// [`KmsError::Unreachable`] if the kernel gives no random bytes.
    pub fn new(default_key: KeyName) -> Result<Self, KmsError> {
        let state = State { keys: BTreeMap::new(), deleted: BTreeMap::new(), reachable: true };
        let kms = Self { default_key: default_key.clone(), state: Mutex::new(state) };
        kms.create_key(&default_key)?;
        Ok(kms)
    }

    /// Disables or enables a key. An unknown name is ignored.
    pub fn set_enabled(&self, name: &KeyName, enabled: bool) {
        self.with_state(|state| state.keys.get_mut(name).into_iter().for_each(|entry| entry.enabled = enabled));
    }

    /// Deletes a key; [`MemoryKms::restore`] brings it back. An unknown name is ignored.
    pub fn delete(&self, name: &KeyName) {
        self.with_state(|state| {
            let entry = state.keys.remove(name);
            state.deleted.extend(entry.map(|entry| (name.clone(), entry)));
        });
    }

    /// Brings back a deleted key, as from a backup, over one made anew under its name.
    pub fn restore(&self, name: &KeyName) {
        self.with_state(|state| {
            let entry = state.deleted.remove(name);
            state.keys.extend(entry.map(|entry| (name.clone(), entry)));
        });
    }

    /// Cuts or restores the connection: while cut, every call is [`KmsError::Unreachable`].
    pub fn set_reachable(&self, reachable: bool) {
        self.with_state(|state| state.reachable = reachable);
    }

    fn with_state<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_reachable<T>(&self, key: &str, run: impl FnOnce(&mut State) -> Result<T, KmsError>) -> Result<T, KmsError> {
        self.with_state(|state| if state.reachable { run(state) } else { Err(unreachable(key, "cut by the test")) })
    }

    fn with_key<T>(
        &self,
        name: &KeyName,
        use_key: impl FnOnce(&SecretKey) -> Result<T, KmsError>,
    ) -> Result<T, KmsError> {
        let (key, endpoint) = (name.to_string(), ENDPOINT.to_owned());
        self.with_reachable(name.as_str(), |state| match state.keys.get(name) {
            None => Err(KmsError::NotFound { key, endpoint }),
            Some(entry) if !entry.enabled => {
                Err(KmsError::Denied { key, endpoint, detail: "the key is disabled; enable it".into() })
            }
            Some(entry) => use_key(&entry.key),
        })
    }
}

fn unreachable(key: &str, why: &str) -> KmsError {
    KmsError::Unreachable { key: key.into(), endpoint: ENDPOINT.into(), detail: why.into() }
}

impl Kms for MemoryKms {
    fn create_key(&self, name: &KeyName) -> Result<(), KmsError> {
        self.with_reachable(name.as_str(), |state| {
            if state.keys.contains_key(name) {
                return Err(KmsError::AlreadyExists { key: name.to_string(), endpoint: ENDPOINT.into() });
            }
            let key =
                SecretKey::random(name.clone()).map_err(|error| unreachable(name.as_str(), &error.to_string()))?;
            state.keys.insert(name.clone(), Entry { key, enabled: true });
            Ok(())
        })
    }

    fn generate(&self, name: &KeyName, context: &Context) -> Result<DataKey, KmsError> {
        self.with_key(name, |key| {
            let plain = DekBytes::random().map_err(|error| unreachable(name.as_str(), &error.to_string()))?;
            let sealed =
                SealedDek::seal_random(key, &plain, context).map_err(|error| unreachable(name.as_str(), &error))?;
            Ok(DataKey { plain, sealed: sealed.to_bytes() })
        })
    }

    fn unwrap(&self, name: &KeyName, sealed: &[u8], context: &Context) -> Result<DekBytes, KmsError> {
        self.with_key(name, |key| {
            SealedDek::parse(sealed)
                .and_then(|sealed| sealed.open(key, context))
                .map_err(|_| KmsError::InvalidCiphertext { key: name.to_string(), endpoint: ENDPOINT.into() })
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<KeyInfo>, KmsError> {
        self.with_reachable(prefix, |state| {
            let names = state.keys.keys().filter(|name| name.as_str().starts_with(prefix));
            Ok(names.map(|name| KeyInfo { name: name.clone() }).collect())
        })
    }

    fn status(&self) -> Result<KmsStatus, KmsError> {
        let state = if self.with_state(|state| state.reachable) {
            EndpointState::Online { version: None }
        } else {
            EndpointState::Offline { reason: "cut by the test".into() }
        };
        let endpoints = vec![EndpointStatus { endpoint: ENDPOINT.into(), state }];
        Ok(KmsStatus { kind: KmsKind::Memory, default_key: self.default_key.clone(), endpoints })
    }

    fn default_key(&self) -> &KeyName {
        &self.default_key
    }

    fn describe(&self) -> KmsDescription {
        KmsDescription { kind: KmsKind::Memory, endpoints: vec![ENDPOINT.into()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_be_disabled_deleted_made_anew_and_restored() {
        let name = KeyName::new("k").unwrap();
        let kms = MemoryKms::new(name.clone()).unwrap();
        let made = kms.generate(&name, &Context::new()).ok().unwrap();
        let unwrap = || kms.unwrap(&name, &made.sealed, &Context::new()).err();
        assert_eq!(unwrap(), None);

        kms.set_enabled(&name, false);
        assert!(matches!(unwrap(), Some(KmsError::Denied { .. })));
        kms.set_enabled(&name, true);
        assert_eq!(unwrap(), None);

        kms.delete(&name);
        assert!(matches!(unwrap(), Some(KmsError::NotFound { .. })));
        kms.create_key(&name).unwrap();
        assert!(matches!(unwrap(), Some(KmsError::InvalidCiphertext { .. })));
        kms.restore(&name);
        assert_eq!(unwrap(), None);

        kms.set_reachable(false);
        assert!(matches!(unwrap(), Some(KmsError::Unreachable { .. })));
        assert!(!kms.status().unwrap().is_online());
    }
}
