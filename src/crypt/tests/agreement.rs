//! The two cipher libraries check each other.

use super::super::{
    cipher::Cipher,
    derive::{Info, Label},
    secret::SecretKey,
    wrap,
};
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Nonce, Payload},
};
use proptest::prelude::*;

fn nonce(number: u64) -> Nonce<Aes256Gcm> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 4]);
    Nonce::<Aes256Gcm>::try_from(bytes.as_slice()).unwrap()
}

proptest! {
    #[test]
    fn what_one_library_seals_the_other_opens(
        key in any::<[u8; 32]>(),
        number in any::<u64>(),
        aad in prop::collection::vec(any::<u8>(), 0..80),
        plain in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let ours = Cipher::new(&SecretKey::copy_of(&key)).unwrap();
        let theirs = Aes256Gcm::new(&key.into());
        let mut sealed = plain.clone();
        let tag = ours.seal(number, &aad, &mut sealed).unwrap();
        sealed.extend_from_slice(&tag);
        let again = theirs.encrypt(&nonce(number), Payload { msg: &plain, aad: &aad }).unwrap();
        prop_assert_eq!(&sealed, &again);
        prop_assert_eq!(ours.open_to_vec(number, &aad, &again, "x").unwrap(), plain.clone());
        prop_assert_eq!(theirs.decrypt(&nonce(number), Payload { msg: &sealed, aad: &aad }).unwrap(), plain);
    }

    #[test]
    fn a_sealed_key_is_what_the_other_library_seals(parent in any::<[u8; 32]>(), key in any::<[u8; 32]>()) {
        let info = Info::of(Label::Oek);
        let wrapped = wrap::wrap(&parent, &info, &SecretKey::copy_of(&key), "x").unwrap();
        let (wrapping, commitment) = info.committed_key(&parent).unwrap();
        prop_assert_eq!(wrapped.commitment, commitment);
        let version = crate::format::FORMAT_VERSION.to_le_bytes();
        let opened = Cipher::new(&wrapping).unwrap().open_to_vec(0, &version, &wrapped.sealed, "x").unwrap();
        prop_assert_eq!(opened, key.to_vec());
    }
}
