//! No key seals twice: every seal draws a salt of its own; and without randomness nothing is sealed.

use super::super::*;
use super::fixture::{Fixture, dek, error};
use std::collections::BTreeSet;

#[test]
fn every_seal_has_a_salt_of_its_own() {
    let mut of = Fixture::new(60);
    let mut salts: Vec<Salt> = of.keyring.generations.values().map(|sealed| sealed.salt).collect();
    let (oek, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let (file, _, sealed_file) = of.keys.new_file_key(&of.entropy).unwrap();
    salts.extend([sealed.salt, sealed_file.salt]);
    for round in 0..20 {
        salts.push(of.keys.reseal_oek(&sealed, &of.entropy).unwrap().salt);
        salts.push(of.keys.reseal_file_key(file, &sealed_file, &of.entropy).unwrap().salt);
        salts.push(seal_segment(&oek, oek.id(), &[b"same"], &of.entropy, &mut Vec::new()).unwrap());
        for sealed in [
            seal_inline(&oek, oek.id(), b"same", &of.entropy).unwrap(),
            seal_attributes(&oek, oek.id(), b"same", &of.entropy).unwrap(),
        ] {
            salts.push(Salt::from_bytes(sealed[..16].try_into().unwrap()));
        }
        let secret = of.keys.seal_secret("same", b"same", &of.entropy).unwrap();
        salts.push(Salt::from_bytes(secret[5..21].try_into().unwrap()));
        let of_round = dek(round);
        of.keyring = of.keyring.rewrap(Slot::OWN, "ek", b"dek", &of.keys, &of_round, &of.entropy).unwrap();
        salts.extend(of.keyring.generations.values().map(|sealed| sealed.salt));
    }
    assert_eq!(salts.iter().collect::<BTreeSet<_>>().len(), salts.len());
}

/// Lets each draw of randomness fail in turn, until `work` meets no failure; every failure must come out as such.
fn each_draw_fails(work: impl Fn(&SeededEntropy) -> Result<(), CryptError>) {
    for call in 0..20 {
        let entropy = SeededEntropy::failing_at(61, call);
        let done = work(&entropy);
        if entropy.calls() <= call {
            assert!(done.is_ok() && call > 0);
            return;
        }
        assert!(matches!(error(done), CryptError::Entropy(_)), "call {call}");
    }
    panic!("more draws than expected");
}

#[test]
fn without_randomness_nothing_is_sealed() {
    let of = Fixture::new(62);
    let (oek, sealed) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    each_draw_fails(|entropy| {
        Keyring::create(of.keyring.store(), of.keyring.bucket(), "e", b"d", &of.dek, entropy).map(drop)
    });
    each_draw_fails(|entropy| of.keyring.add_generation(Slot::OWN, &of.dek, entropy).map(drop));
    each_draw_fails(|entropy| of.keyring.add_slot(Slot(1), "e", b"d", &of.dek, entropy).map(drop));
    each_draw_fails(|entropy| of.keyring.rewrap(Slot::OWN, "e", b"d", &of.keys, &of.dek, entropy).map(drop));
    each_draw_fails(|entropy| of.keys.new_oek(Slot::OWN, entropy).map(drop));
    each_draw_fails(|entropy| of.keys.reseal_oek(&sealed, entropy).map(drop));
    each_draw_fails(|entropy| of.keys.new_file_key(entropy).map(drop));
    each_draw_fails(|entropy| of.keys.seal_secret("s", b"x", entropy).map(drop));
    each_draw_fails(|entropy| seal_inline(&oek, oek.id(), b"x", entropy).map(drop));
    each_draw_fails(|entropy| {
        let mut out = vec![9];
        let sealed = seal_segment(&oek, oek.id(), &[b"x"], entropy, &mut out);
        assert!(sealed.is_ok() || out == [9]);
        sealed.map(drop)
    });
}
