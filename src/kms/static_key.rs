//! The static key: one external key that this process holds itself.

use std::path::PathBuf;

use super::{
    Context, DataKey, DekBytes, EndpointState, EndpointStatus, KeyInfo, KeyName, Kms, KmsDescription, KmsError,
    KmsKind, KmsStatus, SealedDek, SecretKey, read_key_file,
};

/// A [`Kms`] of exactly one key, from a value or a key file.
///
/// From a file, the key is read anew at every call and held no longer: removing the file locks what is sealed under
/// the key, as disabling a key in a KMS does, and putting it back unlocks.
pub struct StaticKey {
    name: KeyName,
    source: Source,
}

enum Source {
    Value(SecretKey),
    File(PathBuf),
}

impl StaticKey {
    /// The KMS of a key that was given as a value.
    #[must_use]
    pub fn from_key(key: SecretKey) -> Self {
        Self { name: key.name().clone(), source: Source::Value(key) }
    }

    /// The KMS of a key file, which must be there and right at the start.
    ///
    /// # Errors
    /// As [`read_key_file`], but a missing file is [`KmsError::Configuration`]: nothing starts without its key.
    pub fn from_file(path: PathBuf) -> Result<Self, KmsError> {
        let key = read_key_file(&path).map_err(|error| match error {
            KmsError::Denied { endpoint, detail, .. } => {
                KmsError::configuration(format!("key file {endpoint}: {detail}"))
            }
            other => other,
        })?;
        Ok(Self { name: key.name().clone(), source: Source::File(path) })
    }

    fn endpoint(&self) -> String {
        match &self.source {
            Source::Value(_) => "MINIO_KMS_SECRET_KEY".into(),
            Source::File(path) => path.display().to_string(),
        }
    }

    fn only(&self, name: &KeyName) -> Result<(), KmsError> {
        if *name == self.name {
            return Ok(());
        }
        Err(KmsError::NotFound { key: name.to_string(), endpoint: self.endpoint() })
    }

    fn with_key<T>(&self, use_key: impl FnOnce(&SecretKey) -> Result<T, KmsError>) -> Result<T, KmsError> {
        let path = match &self.source {
            Source::Value(key) => return use_key(key),
            Source::File(path) => path,
        };
        let key = read_key_file(path).map_err(|error| match error {
            KmsError::Denied { endpoint, detail, .. } => {
                KmsError::Denied { key: self.name.to_string(), endpoint, detail }
            }
            KmsError::Unreachable { endpoint, detail, .. } => {
                KmsError::Unreachable { key: self.name.to_string(), endpoint, detail }
            }
            other => other,
        })?;
        if *key.name() != self.name {
            return Err(KmsError::configuration(format!(
                "key file {} now holds key `{}`, not `{}`; put the old file back, or restart to use the new key",
                path.display(),
                key.name(),
                self.name
            )));
        }
        use_key(&key)
    }
}

impl Kms for StaticKey {
    fn create_key(&self, name: &KeyName) -> Result<(), KmsError> {
        let (key, endpoint) = (name.to_string(), self.endpoint());
        if *name == self.name {
            return Err(KmsError::AlreadyExists { key, endpoint });
        }
        let detail = "a static key is the only key there is; use it, or configure a KES server to have more".into();
        Err(KmsError::NotSupported { key, endpoint, detail })
    }

    fn generate(&self, name: &KeyName, context: &Context) -> Result<DataKey, KmsError> {
        self.only(name)?;
        let failed = |what: String| KmsError::Unreachable {
            key: name.to_string(),
            endpoint: self.endpoint(),
            detail: format!("no data key could be made: {what}"),
        };
        self.with_key(|key| {
            let plain = DekBytes::random().map_err(|error| failed(error.to_string()))?;
            let sealed = SealedDek::seal_random(key, &plain, context).map_err(failed)?.to_bytes();
            Ok(DataKey { plain, sealed })
        })
    }

    fn unwrap(&self, name: &KeyName, sealed: &[u8], context: &Context) -> Result<DekBytes, KmsError> {
        self.only(name)?;
        self.with_key(|key| {
            SealedDek::parse(sealed)
                .and_then(|sealed| sealed.open(key, context))
                .map_err(|_| KmsError::InvalidCiphertext { key: name.to_string(), endpoint: self.endpoint() })
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<KeyInfo>, KmsError> {
        let matching = self.name.as_str().starts_with(prefix);
        Ok(if matching { vec![KeyInfo { name: self.name.clone() }] } else { Vec::new() })
    }

    fn status(&self) -> Result<KmsStatus, KmsError> {
        let state = match self.with_key(|_| Ok(())) {
            Ok(()) => EndpointState::Online { version: Some("v1".into()) },
            Err(error) => EndpointState::Offline { reason: error.to_string() },
        };
        let endpoints = vec![EndpointStatus { endpoint: self.endpoint(), state }];
        Ok(KmsStatus { kind: KmsKind::StaticKey, default_key: self.name.clone(), endpoints })
    }

    fn default_key(&self) -> &KeyName {
        &self.name
    }

    fn describe(&self) -> KmsDescription {
        KmsDescription { kind: KmsKind::StaticKey, endpoints: vec![self.endpoint()] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::{create_key_file, parse_secret_key};

    const TEXT: &[u8] = b"my-key:eEm+JI9/q4JhH8QwKvf3LKo4DEBl6QbfvAl1CAbMIv8=";

    fn name(name: &str) -> KeyName {
        KeyName::new(name).unwrap()
    }

    #[test]
    fn what_is_generated_is_unwrapped_under_the_same_key_and_context_only() {
        let kms = StaticKey::from_key(parse_secret_key(TEXT).unwrap());
        let context = Context::bucket(&[3; 16]);
        let made = kms.generate(&name("my-key"), &context).ok().unwrap();
        assert_eq!(made.sealed.len(), 76);
        let opened = kms.unwrap(&name("my-key"), &made.sealed, &context).ok().unwrap();
        assert_eq!(opened.expose(), made.plain.expose());

        let moved = kms.unwrap(&name("my-key"), &made.sealed, &Context::bucket(&[4; 16])).err();
        assert!(matches!(moved, Some(KmsError::InvalidCiphertext { .. })));
        let other = kms.unwrap(&name("other"), &made.sealed, &context).err();
        assert!(matches!(other, Some(KmsError::NotFound { .. })));
        let short = kms.unwrap(&name("my-key"), &made.sealed[..20], &context).err();
        assert!(matches!(short, Some(KmsError::InvalidCiphertext { .. })));
    }

    #[test]
    fn there_is_one_key_and_no_other_can_be_made() {
        let kms = StaticKey::from_key(parse_secret_key(TEXT).unwrap());
        assert!(matches!(kms.create_key(&name("my-key")), Err(KmsError::AlreadyExists { .. })));
        assert!(matches!(kms.create_key(&name("other")), Err(KmsError::NotSupported { .. })));
        assert_eq!(kms.list("my").unwrap(), vec![KeyInfo { name: name("my-key") }]);
        assert_eq!(kms.list("my-*").unwrap(), vec![]);
        assert!(kms.status().unwrap().is_online());
    }

    #[test]
    fn removing_the_key_file_locks_and_putting_it_back_unlocks() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("k"), dir.path().join("aside"));
        create_key_file(&path, &name("default")).ok().unwrap();
        let kms = StaticKey::from_file(path.clone()).ok().unwrap();
        let made = kms.generate(&name("default"), &Context::new()).ok().unwrap();

        std::fs::rename(&path, &aside).unwrap();
        let denied = kms.unwrap(&name("default"), &made.sealed, &Context::new()).err();
        assert!(matches!(denied, Some(KmsError::Denied { .. })));
        assert!(!kms.status().unwrap().is_online());

        std::fs::rename(&aside, &path).unwrap();
        assert!(kms.unwrap(&name("default"), &made.sealed, &Context::new()).is_ok());
    }

    #[test]
    fn a_missing_key_file_stops_the_start() {
        let missing = StaticKey::from_file("no-such-directory/k".into()).err();
        assert!(matches!(missing, Some(KmsError::Configuration { .. })));
    }
}
