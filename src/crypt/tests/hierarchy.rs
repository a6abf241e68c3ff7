//! DEK → bucket key → OEK and file key: what opens, what does not, and with which error.

use super::super::*;
use super::fixture::{BUCKET, Fixture, dek, error, flips};

#[test]
fn an_oek_opens_to_itself_after_decoding() {
    let mut of = Fixture::new(1);
    let named = of.add_slot();
    for slot in [Slot::OWN, named] {
        let (oek, sealed) = of.keys.new_oek(slot, &of.entropy).unwrap();
        let stored = SealedOek::from_bytes(&sealed.to_bytes()).unwrap();
        assert_eq!(stored, sealed);
        assert_eq!((stored.slot(), stored.generation(), stored.id()), (slot, Generation(1), oek.id()));
        let opened = of.keys.open_oek(&stored).unwrap();
        assert_eq!(opened.id(), oek.id());
        assert!(opened.key.same_as(&oek.key));
    }
    assert_eq!(of.keys.new_oek(Slot::OWN, &of.entropy).unwrap().1.to_bytes().len(), SealedOek::LEN);
}

#[test]
fn every_flipped_bit_of_a_sealed_oek_is_an_error() {
    let mut of = Fixture::new(2);
    of.add_slot();
    of.add_generation(Slot::OWN);
    let (_, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    for (bit, flipped) in flips(&sealed.to_bytes()) {
        let opened = SealedOek::from_bytes(&flipped).and_then(|sealed| of.keys.open_oek(&sealed));
        let found = error(opened);
        match bit / 8 {
            0 => assert!(matches!(found, CryptError::UnknownSuite(_)), "bit {bit}: {found}"),
            1..7 => assert!(
                matches!(
                    found,
                    CryptError::WrongKey(_) | CryptError::UnknownSlot { .. } | CryptError::UnknownGeneration { .. }
                ),
                "bit {bit}: {found}"
            ),
            7..71 => assert!(matches!(found, CryptError::WrongKey(_)), "bit {bit}: {found}"),
            _ => assert!(matches!(found, CryptError::Damaged(_)), "bit {bit}: {found}"),
        }
    }
}

#[test]
fn every_flipped_bit_of_a_sealed_file_key_is_an_error() {
    let mut of = Fixture::new(3);
    of.add_slot();
    of.add_generation(Slot::OWN);
    let (id, key, sealed) = of.keys.new_file_key(&of.entropy).unwrap();
    assert!(of.keys.open_file_key(id, &sealed).unwrap().key.same_as(&key.key));
    for (bit, flipped) in flips(&sealed.to_bytes()) {
        let opened = SealedFileKey::from_bytes(&flipped).and_then(|sealed| of.keys.open_file_key(id, &sealed));
        assert!(opened.is_err(), "bit {bit}");
    }
}

#[test]
fn a_record_of_another_length_is_refused() {
    let of = Fixture::new(4);
    let bytes = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap().1.to_bytes();
    for len in 0..bytes.len() {
        assert!(matches!(SealedOek::from_bytes(&bytes[..len]), Err(CryptError::Malformed(_))));
    }
    assert!(matches!(SealedOek::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(CryptError::Malformed(_))));
}

#[test]
fn an_oek_sealed_for_another_place_is_another_key() {
    let mut of = Fixture::new(5);
    let named = of.add_slot();
    of.add_generation(Slot::OWN);
    let (_, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let elsewhere = [
        SealedOek { slot: named, generation: Generation(1), ..sealed },
        SealedOek { generation: Generation(1), ..sealed },
        SealedOek { id: OekId::from_bytes([0; 16]), ..sealed },
        SealedOek { salt: Salt::from_bytes([0; 16]), ..sealed },
    ];
    for moved in elsewhere {
        assert_eq!(error(of.keys.open_oek(&moved)), CryptError::WrongKey("SealedOek"));
    }
    let (bucket, slot) = (BUCKET, Slot(9));
    assert_eq!(error(of.keys.open_oek(&SealedOek { slot, ..sealed })), CryptError::UnknownSlot { bucket, slot });
}

#[test]
fn the_same_bucket_key_in_another_bucket_does_not_open_an_oek() {
    // The same seed and DEK give the same bucket key; only the bucket id differs.
    let (one, two) = (Fixture::new(6), Fixture::of(BucketId::from_bytes([0xb1; 16]), 6));
    let same =
        one.keys.with_key(Slot::OWN, None, |_, key| Ok(*key)) == two.keys.with_key(Slot::OWN, None, |_, key| Ok(*key));
    assert!(same);
    let (_, sealed) = one.keys.new_oek(Slot::OWN, &one.entropy).unwrap();
    assert_eq!(error(two.keys.open_oek(&sealed)), CryptError::WrongKey("SealedOek"));
    let (id, _, sealed) = one.keys.new_file_key(&one.entropy).unwrap();
    assert_eq!(error(two.keys.open_file_key(id, &sealed)), CryptError::WrongKey("SealedFileKey"));
}

#[test]
fn a_file_key_is_not_an_oek_and_not_that_of_another_file() {
    let of = Fixture::new(7);
    let (id, _, sealed) = of.keys.new_file_key(&of.entropy).unwrap();
    let as_oek = SealedOek::from_bytes(&sealed.to_bytes()).unwrap();
    assert_eq!(error(of.keys.open_oek(&as_oek)), CryptError::WrongKey("SealedOek"));
    let other = FileId::random(&of.entropy).unwrap();
    assert!(matches!(error(of.keys.open_file_key(other, &sealed)), CryptError::WrongKey(_)));
    let renamed = SealedFileKey { id: other, ..sealed };
    assert!(matches!(error(of.keys.open_file_key(other, &renamed)), CryptError::WrongKey(_)));
    assert!(of.keys.open_file_key(id, &sealed).is_ok());
}

#[test]
fn reseal_moves_the_same_oek_to_the_newest_generation() {
    let mut of = Fixture::new(8);
    let (oek, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let (file, key, sealed_file) = of.keys.new_file_key(&of.entropy).unwrap();
    of.add_generation(Slot::OWN);
    let moved = of.keys.reseal_oek(&sealed, &of.entropy).unwrap();
    assert_eq!((moved.id(), moved.generation()), (oek.id(), Generation(2)));
    assert!(of.keys.open_oek(&moved).unwrap().key.same_as(&oek.key));
    let moved_file = of.keys.reseal_file_key(file, &sealed_file, &of.entropy).unwrap();
    assert_eq!(moved_file.generation(), Generation(2));
    assert!(of.keys.open_file_key(file, &moved_file).unwrap().key.same_as(&key.key));
    assert!(of.keys.open_oek(&sealed).is_ok(), "the old record opens until its generation is dropped");
}

#[test]
fn revoke_locks_every_clone_and_every_call() {
    let of = Fixture::new(9);
    let (_, oek) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let (id, _, file) = of.keys.new_file_key(&of.entropy).unwrap();
    let secret = of.keys.seal_secret("s", b"x", &of.entropy).unwrap();
    let clone = of.keys.clone();
    clone.revoke();
    assert!(of.keys.is_revoked());
    let one = Generation(1);
    for keys in [&of.keys, &clone] {
        let errors = [
            error(keys.new_oek(Slot::OWN, &of.entropy)),
            error(keys.open_oek(&oek)),
            error(keys.reseal_oek(&oek, &of.entropy)),
            error(keys.new_file_key(&of.entropy)),
            error(keys.open_file_key(id, &file)),
            error(keys.reseal_file_key(id, &file, &of.entropy)),
            error(keys.manifest_key(one, Salt::from_bytes([0; 16]))),
            error(keys.newest(Slot::OWN)),
            error(keys.keyring_mac_key(BUCKET)),
            error(keys.keyring_mac_key_at(one, BUCKET)),
            error(keys.seal_secret("s", b"x", &of.entropy)),
            error(keys.open_secret("s", &secret)),
            error(keys.revoke_slot(Slot(1))),
            error(of.keyring.apply(keys, |_| Some(&of.dek))),
            error(of.keyring.rewrap(Slot::OWN, "e", b"d", keys, &of.dek, &of.entropy)),
        ];
        assert!(errors.iter().all(|error| *error == CryptError::Locked), "{errors:?}");
    }
    let again = of.keyring.unlock(|_| Some(&of.dek)).unwrap();
    assert!(again.open_oek(&oek).is_ok(), "a new handle opens what the old one sealed");
}

#[test]
fn a_locked_named_slot_darkens_its_own_oeks_only() {
    let mut of = Fixture::new(10);
    let slot = of.add_slot();
    let (_, own) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let (_, named) = of.keys.new_oek(slot, &of.entropy).unwrap();
    of.keys.revoke_slot(slot).unwrap();
    let locked = CryptError::SlotLocked { bucket: BUCKET, slot };
    assert_eq!(error(of.keys.open_oek(&named)), locked);
    assert_eq!(error(of.keys.new_oek(slot, &of.entropy)), locked);
    assert!(of.keys.open_oek(&own).is_ok());
    of.keyring.apply(&of.keys, |of_slot| (of_slot == slot).then_some(&of.dek)).unwrap();
    assert!(of.keys.open_oek(&named).is_ok());
    let partly = of.keyring.unlock(|of_slot| (of_slot == Slot::OWN).then_some(&of.dek)).unwrap();
    assert_eq!(error(partly.open_oek(&named)), locked);
    assert!(matches!(error(of.keys.revoke_slot(Slot::OWN)), CryptError::Refused(_)));
}

#[test]
fn handles_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<BucketKeys>();
    crosses::<Dek>();
    crosses::<Oek>();
    crosses::<FileKey>();
    crosses::<RecordSealer>();
    crosses::<SegmentKey>();
}

#[test]
fn revoke_during_use_gives_a_key_or_locked_and_nothing_else() {
    let of = Fixture::new(11);
    let (_, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    match of.keys.open_oek(&sealed) {
                        Ok(_) => {}
                        Err(found) => {
                            assert_eq!(found, CryptError::Locked);
                            return;
                        }
                    }
                }
            });
        }
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            of.keys.revoke();
        });
    });
}

#[test]
fn an_object_dek_and_a_customers_key_open_their_own_oeks_only() {
    let of = Fixture::new(12);
    let plain = zeroize::Zeroizing::new([5; 32]);
    let object = ObjectDek::new(plain);
    let customer = CustomerKey::extract(&[5; 32]);
    let (oek, by_object) = object.new_oek(BUCKET, &of.entropy).unwrap();
    let (_, by_customer) = customer.new_oek(BUCKET, &of.entropy).unwrap();
    assert!(object.open_oek(BUCKET, &by_object).unwrap().key.same_as(&oek.key));
    assert!(customer.open_oek(BUCKET, &by_customer).is_ok());
    assert_eq!((by_object.slot(), by_customer.slot()), (Slot::OBJECT, Slot::CUSTOMER));
    assert!(matches!(error(object.open_oek(BUCKET, &by_customer)), CryptError::UnknownSlot { .. }));
    assert!(matches!(error(of.keys.open_oek(&by_customer)), CryptError::UnknownSlot { .. }));
    let elsewhere = BucketId::from_bytes([1; 16]);
    assert!(matches!(error(object.open_oek(elsewhere, &by_object)), CryptError::WrongKey(_)));
    let another = CustomerKey::extract(&[6; 32]);
    assert!(matches!(error(another.open_oek(BUCKET, &by_customer)), CryptError::WrongKey(_)));
    let again = object.seal_oek(BUCKET, &oek, &of.entropy).unwrap();
    assert!(object.open_oek(BUCKET, &again).unwrap().key.same_as(&oek.key));
}

#[test]
fn a_wrong_dek_is_another_key_and_a_damaged_one_is_damage() {
    let of = Fixture::new(13);
    let other = dek(2);
    assert_eq!(error(of.keyring.unlock(|_| Some(&other))), CryptError::WrongKey("a bucket key"));
    let mut damaged = of.keyring.clone();
    for sealed in damaged.generations.values_mut() {
        sealed.wrapped.sealed[0] ^= 1;
    }
    assert_eq!(error(damaged.unlock(|_| Some(&of.dek))), CryptError::Damaged("a bucket key"));
    let missing = CryptError::SlotLocked { bucket: BUCKET, slot: Slot::OWN };
    assert_eq!(error(of.keyring.unlock(|_| None)), missing);
}
