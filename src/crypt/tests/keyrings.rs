//! Keyrings: their changes, their bytes, their MAC.

use super::super::*;
use super::fixture::{BUCKET, Fixture, STORE, dek, error, flips};
use proptest::prelude::*;

const CATALOG: BucketId = BucketId::from_bytes([0xca; 16]);

#[test]
fn rewrap_keeps_every_oek_and_shuts_the_old_dek_out() {
    let mut of = Fixture::new(20);
    let named = of.add_slot();
    let mut sealed = vec![of.keys.new_oek(Slot::OWN, &of.entropy).unwrap().1];
    of.add_generation(Slot::OWN);
    sealed.push(of.keys.new_oek(Slot::OWN, &of.entropy).unwrap().1);
    sealed.push(of.keys.new_oek(named, &of.entropy).unwrap().1);
    let (old, new) = (&of.dek, dek(2));
    let changed = of.keyring.rewrap(Slot::OWN, "new ek", b"new dek", &of.keys, &new, &of.entropy).unwrap();
    assert_eq!(changed.version(), of.keyring.version() + 1);
    assert_eq!(changed.slot(Slot::OWN).unwrap().ek_name(), "new ek");
    assert_eq!(changed.slot(Slot::OWN).unwrap().sealed_dek(), b"new dek");
    assert_eq!(changed.slot(named), of.keyring.slot(named), "the named slot is left alone");
    let states: Vec<_> = changed.generations().collect();
    assert_eq!(states, of.keyring.generations().collect::<Vec<_>>());

    assert_eq!(error(changed.unlock(|_| Some(old))), CryptError::WrongKey("a bucket key"));
    let reopened = changed.unlock(|slot| Some(if slot == Slot::OWN { &new } else { old })).unwrap();
    for sealed in &sealed {
        let (before, after) = (of.keys.open_oek(sealed).unwrap(), reopened.open_oek(sealed).unwrap());
        assert!(before.key.same_as(&after.key));
    }
}

#[test]
fn a_rewrap_with_the_keys_of_another_bucket_is_refused() {
    let (of, other) = (Fixture::new(21), Fixture::of(CATALOG, 21));
    let rewrap = of.keyring.rewrap(Slot::OWN, "e", b"d", &other.keys, &of.dek, &of.entropy);
    assert!(matches!(error(rewrap), CryptError::Refused(_)));
    assert!(matches!(error(of.keyring.apply(&other.keys, |_| None)), CryptError::Refused(_)));
}

#[test]
fn a_dropped_generation_is_named_by_the_error() {
    let mut of = Fixture::new(22);
    let (_, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    of.add_generation(Slot::OWN);
    let (one, two) = (Generation(1), Generation(2));
    let states: Vec<_> = of.keyring.generations().collect();
    assert_eq!(states, [(Slot::OWN, one, GenerationState::Retiring), (Slot::OWN, two, GenerationState::Active)]);
    assert!(matches!(error(of.keyring.drop_generation(Slot::OWN, two)), CryptError::Refused(_)));
    of.keyring = of.keyring.drop_generation(Slot::OWN, one).unwrap();
    of.keyring.apply(&of.keys, |_| None).unwrap();
    let gone = CryptError::UnknownGeneration { bucket: BUCKET, slot: Slot::OWN, generation: one };
    assert_eq!(error(of.keys.open_oek(&sealed)), gone);
    assert_eq!(error(of.keyring.unlock(|_| Some(&of.dek)).unwrap().open_oek(&sealed)), gone);
    assert_eq!(error(of.keyring.drop_generation(Slot::OWN, one)), gone);
    of.add_generation(Slot::OWN);
    assert_eq!(of.keys.newest(Slot::OWN), Ok(Generation(3)), "a number never returns");
}

#[test]
fn a_generation_is_never_added_under_another_dek() {
    let of = Fixture::new(23);
    let found = error(of.keyring.add_generation(Slot::OWN, &dek(2), &of.entropy));
    assert_eq!(found, CryptError::WrongKey("a bucket key"));
}

#[test]
fn a_handle_is_not_left_without_its_newest_key() {
    let of = Fixture::new(33);
    let changed = of.keyring.add_generation(Slot::OWN, &of.dek, &of.entropy).unwrap();
    let missing = CryptError::SlotLocked { bucket: BUCKET, slot: Slot::OWN };
    assert_eq!(error(changed.apply(&of.keys, |_| None)), missing);
    assert_eq!(of.keys.newest(Slot::OWN), Ok(Generation(1)), "the handle is as it was");
    assert!(of.keys.new_oek(Slot::OWN, &of.entropy).is_ok());
    changed.apply(&of.keys, |_| Some(&of.dek)).unwrap();
    assert_eq!(of.keys.newest(Slot::OWN), Ok(Generation(2)));
}

#[test]
fn a_slot_is_taken_once_and_found_by_its_ek() {
    let mut of = Fixture::new(24);
    assert_eq!(of.keyring.named_slot("ek"), None, "the own slot is not a named one");
    let slot = of.add_slot();
    assert_eq!((slot, of.keyring.named_slot("named")), (Slot(1), Some(Slot(1))));
    assert_eq!(of.keyring.free_slot(), Some(Slot(2)));
    for taken in [Slot::OWN, slot, Slot::OBJECT, Slot::CUSTOMER] {
        let added = of.keyring.add_slot(taken, "x", b"d", &of.dek, &of.entropy);
        assert!(matches!(error(added), CryptError::Refused(_)));
    }
}

#[test]
fn names_and_sealed_deks_are_bounded() {
    let of = Fixture::new(25);
    let create = |name: &str, sealed: &[u8]| Keyring::create(STORE, BUCKET, name, sealed, &of.dek, &of.entropy);
    assert!(create(&"n".repeat(EK_NAME_MAX_BYTES), &vec![0; SEALED_DEK_MAX_BYTES]).is_ok());
    assert!(matches!(error(create(&"n".repeat(EK_NAME_MAX_BYTES + 1), b"d")), CryptError::TooLarge { .. }));
    assert!(matches!(error(create("n", &vec![0; SEALED_DEK_MAX_BYTES + 1])), CryptError::TooLarge { .. }));
    assert!(matches!(error(create("", b"d")), CryptError::Refused(_)));
    assert!(matches!(error(create("n", b"")), CryptError::Refused(_)));
}

#[test]
fn a_full_keyring_fits_its_file_and_takes_no_more() {
    let mut of = Fixture::new(26);
    let (name, sealed) = ("n".repeat(EK_NAME_MAX_BYTES), vec![7; SEALED_DEK_MAX_BYTES]);
    while let Some(slot) = of.keyring.free_slot() {
        of.keyring = of.keyring.add_slot(slot, &name, &sealed, &of.dek, &of.entropy).unwrap();
    }
    let over = of.keyring.add_slot(Slot(5000), "n", b"d", &of.dek, &of.entropy);
    assert!(matches!(error(over), CryptError::TooLarge { .. }));
    let mac = Fixture::of(CATALOG, 1).keys.keyring_mac_key(BUCKET).unwrap();
    let (bytes, _) = of.keyring.encode(&mac).unwrap();
    assert_eq!(UnverifiedKeyring::decode(&bytes).unwrap().verify(&mac).unwrap().0, of.keyring);
}

#[test]
fn an_epoch_never_goes_back() {
    let of = Fixture::new(27);
    let later = of.keyring.with_epoch(7).unwrap();
    assert_eq!((later.epoch(), later.version()), (7, 2));
    assert!(matches!(error(later.with_epoch(6)), CryptError::Refused(_)));
}

/// A keyring with two slots and three generations.
fn rich() -> Fixture {
    let mut of = Fixture::new(28);
    of.add_slot();
    of.add_generation(Slot::OWN);
    of
}

#[test]
fn a_keyring_comes_back_and_its_mac_names_bucket_and_generation() {
    let of = rich();
    let mut catalog = Fixture::of(CATALOG, 29);
    let mac = catalog.keys.keyring_mac_key(BUCKET).unwrap();
    let (bytes, tag) = of.keyring.encode(&mac).unwrap();
    let read = UnverifiedKeyring::decode(&bytes).unwrap();
    assert_eq!((read.mac_generation(), read.claimed_tag()), (Generation(1), tag));
    assert_eq!(read.claimed(), &of.keyring);
    assert_eq!(read.verify(&mac).unwrap(), (of.keyring.clone(), tag));

    let wrong = CryptError::Mac("a keyring");
    let other_bucket = catalog.keys.keyring_mac_key(CATALOG).unwrap();
    assert_eq!(error(UnverifiedKeyring::decode(&bytes).unwrap().verify(&other_bucket)), wrong);
    catalog.add_generation(Slot::OWN);
    let newer = catalog.keys.keyring_mac_key(BUCKET).unwrap();
    assert_eq!(error(UnverifiedKeyring::decode(&bytes).unwrap().verify(&newer)), wrong);
    let older = catalog.keys.keyring_mac_key_at(Generation(1), BUCKET).unwrap();
    assert!(UnverifiedKeyring::decode(&bytes).unwrap().verify(&older).is_ok());
}

#[test]
fn the_catalogs_own_keyring_vouches_for_itself() {
    let catalog = Fixture::of(CATALOG, 30);
    let (bytes, _) = catalog.keyring.encode(&catalog.keys.keyring_mac_key(CATALOG).unwrap()).unwrap();
    let read = UnverifiedKeyring::decode(&bytes).unwrap();
    let keys = read.claimed().unlock(|_| Some(&catalog.dek)).unwrap();
    let mac = keys.keyring_mac_key_at(read.mac_generation(), read.claimed().bucket()).unwrap();
    assert_eq!(read.verify(&mac).unwrap().0, catalog.keyring);
}

#[test]
fn every_flipped_bit_of_a_keyring_is_an_error_and_gives_no_other_key() {
    let of = rich();
    let mac = Fixture::of(CATALOG, 31).keys.keyring_mac_key(BUCKET).unwrap();
    let (bytes, _) = of.keyring.encode(&mac).unwrap();
    let (oek, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    for (bit, flipped) in flips(&bytes) {
        let Ok(read) = UnverifiedKeyring::decode(&flipped) else { continue };
        if let Ok(keys) = read.claimed().unlock(|_| Some(&of.dek))
            && let Ok(opened) = keys.open_oek(&sealed)
        {
            assert!(opened.key.same_as(&oek.key), "bit {bit}");
        }
        assert_eq!(error(read.verify(&mac)), CryptError::Mac("a keyring"), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(UnverifiedKeyring::decode(&bytes[..len]).is_err(), "cut at {len}");
    }
    assert!(UnverifiedKeyring::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn a_keyring_that_breaks_a_rule_is_refused_whatever_its_mac() {
    let of = rich();
    let mac = Fixture::of(CATALOG, 32).keys.keyring_mac_key(BUCKET).unwrap();
    let broken: [fn(&mut Keyring); 6] = [
        |keyring| {
            keyring.slots.remove(&Slot::OWN);
        },
        |keyring| {
            keyring.slots.remove(&Slot(1));
        },
        |keyring| keyring.generations.retain(|(slot, _), _| *slot != Slot(1)),
        |keyring| keyring.generations.values_mut().for_each(|sealed| sealed.state = GenerationState::Active),
        |keyring| keyring.generations.values_mut().for_each(|sealed| sealed.state = GenerationState::Retiring),
        |keyring| keyring.version = 0,
    ];
    for (rule, breaks) in broken.into_iter().enumerate() {
        let mut keyring = of.keyring.clone();
        breaks(&mut keyring);
        let (bytes, _) = keyring.encode(&mac).unwrap();
        assert!(matches!(UnverifiedKeyring::decode(&bytes), Err(CryptError::Malformed(_))), "rule {rule}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(
        random in prop::collection::vec(any::<u8>(), 0..600),
        at in 0usize..400,
        len in 0usize..40,
    ) {
        let _ = UnverifiedKeyring::decode(&random);
        let _ = SealedOek::from_bytes(&random);
        let of = rich();
        let mac = of.keys.keyring_mac_key(BUCKET).unwrap();
        let (mut bytes, _) = of.keyring.encode(&mac).unwrap();
        let end = (at + len).min(bytes.len());
        bytes.splice(at.min(end)..end, random);
        if let Ok(read) = UnverifiedKeyring::decode(&bytes) {
            prop_assert!(read.claimed() == &of.keyring || read.verify(&mac).is_err());
        }
    }
}
