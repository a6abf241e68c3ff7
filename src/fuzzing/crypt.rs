//! Keyrings and sealed keys.

use super::{
    Target,
    fixture::{BUCKET, fixture},
};
use crate::{
    crypt::{
        BucketKeys, CryptError, Dek, Keyring, SealedFileKey, SealedOek, SeededEntropy, Slot, StoreId,
        UnverifiedKeyring, open_inline,
    },
    format::Decoder,
};
use zeroize::Zeroizing;

pub(super) const TARGETS: &[Target] = &[
    Target { name: "crypt-keyring", run: keyring, seeds: keyring_seeds },
    Target { name: "crypt-sealed-oek", run: sealed_oek, seeds: sealed_oek_seeds },
    Target { name: "crypt-sealed-file-key", run: sealed_file_key, seeds: sealed_file_key_seeds },
    Target { name: "crypt-open", run: open, seeds: sealed_oek_seeds },
];

fn keyring(input: &[u8]) {
    let Some(fixture) = fixture() else { return };
    let Ok(mac_key) = fixture.keys.keyring_mac_key(BUCKET) else { return };
    if let Ok(read) = UnverifiedKeyring::decode(input) {
        let claimed = read.claimed().clone();
        let _ = claimed.unlock(|_| None);
        if let Ok((bytes, _)) = claimed.encode(&mac_key) {
            let covered = input.len() - 36;
            assert_eq!(bytes.get(..covered), input.get(..covered));
        }
    }
}

fn some_keyring() -> Result<(Keyring, BucketKeys), CryptError> {
    let entropy = SeededEntropy::new(2);
    let dek = Dek::new(Zeroizing::new([4; 32]));
    let first = Keyring::create(StoreId::from_bytes([1; 16]), BUCKET, "own-key", b"sealed", &dek, &entropy)?;
    let keyring = first.add_generation(Slot::OWN, &dek, &entropy)?;
    let slot = keyring.free_slot().unwrap_or(Slot::OWN);
    let keyring = keyring.add_slot(slot, "named-key", b"sealed too", &dek, &entropy)?;
    let keys = keyring.unlock(|_| Some(&dek))?;
    Ok((keyring, keys))
}

fn keyring_seeds() -> Vec<Vec<u8>> {
    let encoded = some_keyring().and_then(|(keyring, keys)| Ok(keyring.encode(&keys.keyring_mac_key(BUCKET)?)?.0));
    encoded.into_iter().collect()
}

fn sealed_oek(input: &[u8]) {
    let mut from = Decoder::new(input);
    if let Ok(record) = SealedOek::decode(&mut from) {
        let bytes = record.to_bytes();
        assert_eq!(input.get(..bytes.len()), Some(bytes.as_slice()));
        assert_eq!(from.remaining() + bytes.len(), input.len());
    }
}

fn sealed_oek_seeds() -> Vec<Vec<u8>> {
    fixture().map(|fixture| fixture.sealed_oek.to_bytes()).into_iter().collect()
}

fn sealed_file_key(input: &[u8]) {
    if let Ok(record) = SealedFileKey::from_bytes(input) {
        assert_eq!(record.to_bytes(), input);
    }
}

fn sealed_file_key_seeds() -> Vec<Vec<u8>> {
    fixture().map(|fixture| fixture.sealed_file_key.to_bytes()).into_iter().collect()
}

/// What does not come from the keys never opens.
fn open(input: &[u8]) {
    let Some(fixture) = fixture() else { return };
    let genuine = fixture.sealed_oek.to_bytes();
    let mut from = Decoder::new(input);
    let Ok(record) = SealedOek::decode(&mut from) else { return };
    match fixture.keys.open_oek(&record) {
        Ok(oek) => {
            assert_eq!(record.to_bytes(), genuine, "a sealed OEK that nobody sealed opened");
            let rest = from.raw(from.remaining(), "inline content").unwrap_or_default();
            assert!(open_inline(&oek, record.id(), rest).is_err(), "inline content that nobody sealed opened");
        }
        Err(_) => assert_ne!(record.to_bytes(), genuine),
    }
}
