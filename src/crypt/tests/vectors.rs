//! The stored vectors, `tests/vectors/crypt.json`: made from a seed, and reproduced by `check_crypt.py` alone.
//!
//! `STRONGROOM_WRITE_VECTORS=1 cargo test -p strongroom --lib crypt::tests::vectors` writes the file anew; a change of
//! it is a change of the format.

use super::super::{
    derive::{Info, Label},
    *,
};
use super::fixture::{BUCKET, Fixture, STORE, dek, pattern};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const CATALOG: BucketId = BucketId::from_bytes([0xca; 16]);

fn bucket_key(keys: &BucketKeys, slot: Slot, generation: Generation) -> String {
    keys.with_key(slot, Some(generation), |_, key| Ok(hex::encode(key))).unwrap()
}

fn entropy_vectors() -> Value {
    let entropy = SeededEntropy::new(0x0123_4567_89ab_cdef);
    let calls = [16usize, 32, 70].map(|len| {
        let mut bytes = vec![0; len];
        entropy.fill(&mut bytes).unwrap();
        hex::encode(bytes)
    });
    json!({ "seed": "0123456789abcdef", "calls": calls })
}

fn derivations() -> Value {
    let parent = [0x17; 32];
    let all = Label::ALL.map(|label| {
        let info = Info {
            bucket: BUCKET,
            slot: Slot(0x0102),
            generation: Generation(0x0304_0506),
            subject: [0x5b; 16],
            salt: Salt::from_bytes([0x5a; 16]),
            ..Info::of(label)
        };
        let (key, commitment) = info.committed_key(&parent).unwrap();
        json!({
            "label": String::from_utf8_lossy(label.bytes()).trim_end_matches('\0'),
            "parent": hex::encode(parent), "suite": 1, "bucket": BUCKET.to_string(), "slot": 0x0102,
            "generation": 0x0304_0506, "subject": hex::encode([0x5b; 16]), "salt": hex::encode([0x5a; 16]),
            "key": hex::encode(key.expose()), "commitment": hex::encode(commitment),
        })
    });
    Value::from(all.to_vec())
}

fn sealed_keys(of: &Fixture, slot: Slot) -> Value {
    let entropy = &of.entropy;
    let record = |label: &str, parent: String, key: &[u8; 32], record: Vec<u8>| {
        json!({
            "label": label, "parent": parent, "bucket": BUCKET.to_string(), "key": hex::encode(key),
            "record": hex::encode(record),
        })
    };
    let newest = |slot| bucket_key(&of.keys, slot, of.keys.newest(slot).unwrap());
    let (own, sealed_own) = of.keys.new_oek(Slot::OWN, entropy).unwrap();
    let (named, sealed_named) = of.keys.new_oek(slot, entropy).unwrap();
    let (_, file, sealed_file) = of.keys.new_file_key(entropy).unwrap();
    let object = ObjectDek::new(Zeroizing::new([0x0d; 32]));
    let (by_object, sealed_object) = object.new_oek(BUCKET, entropy).unwrap();
    let (by_customer, sealed_customer) = CustomerKey::extract(&[0xc5; 32]).new_oek(BUCKET, entropy).unwrap();
    json!([
        record("oek", newest(Slot::OWN), own.key.expose(), sealed_own.to_bytes()),
        record("oek", newest(slot), named.key.expose(), sealed_named.to_bytes()),
        record("file-key", newest(Slot::OWN), file.key.expose(), sealed_file.to_bytes()),
        record("object-oek", hex::encode([0x0d; 32]), by_object.key.expose(), sealed_object.to_bytes()),
        record("customer-oek", hex::encode([0xc5; 32]), by_customer.key.expose(), sealed_customer.to_bytes()),
    ])
}

fn keyring_file(of: &Fixture, catalog: &Fixture, deks: &Value) -> Value {
    let mac = catalog.keys.keyring_mac_key(of.keyring.bucket()).unwrap();
    let (bytes, tag) = of.keyring.encode(&mac).unwrap();
    let keys: Vec<Value> = of
        .keyring
        .generations()
        .map(|(slot, generation, state)| {
            json!({
                "slot": slot.0, "generation": generation.0, "active": state == GenerationState::Active,
                "key": bucket_key(&of.keys, slot, generation),
            })
        })
        .collect();
    let slots: Vec<Value> = of
        .keyring
        .slots()
        .map(|(slot, entry)| {
            json!({ "slot": slot.0, "ek_name": entry.ek_name(), "sealed_dek": hex::encode(entry.sealed_dek()) })
        })
        .collect();
    json!({
        "store": STORE.to_string(), "bucket": of.keyring.bucket().to_string(), "version": of.keyring.version(),
        "epoch": of.keyring.epoch(), "deks": deks, "slots": slots, "bucket_keys": keys,
        "catalog": catalog.keyring.bucket().to_string(), "mac_generation": mac.generation.0,
        "catalog_key": bucket_key(&catalog.keys, Slot::OWN, mac.generation), "tag": hex::encode(tag.0),
        "file": hex::encode(bytes),
    })
}

fn content(of: &Fixture) -> Value {
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let id = oek.id();
    let segments = [1usize, 100, 65_536, 65_537, 140_000].map(|len| {
        let mut sealed = Vec::new();
        let salt = seal_segment(&oek, id, &[&pattern(len)], &of.entropy, &mut sealed).unwrap();
        // Long ones by their hash and by the tag of each chunk, to keep the file small.
        let tags: Vec<String> = (0..chunk_count(len))
            .map(|index| {
                let (offset, sealed_len) = chunk_range(index, len).unwrap();
                hex::encode(&sealed[offset + sealed_len - TAG_LEN_BYTES..offset + sealed_len])
            })
            .collect();
        let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&sealed));
        json!({ "pattern_len": len, "salt": salt.to_string(), "sealed_sha256": hash, "tags": tags })
    });
    let inline = [0usize, 5, 256].map(|len| {
        let sealed = seal_inline(&oek, id, &pattern(len), &of.entropy).unwrap();
        json!({ "label": "inline", "pattern_len": len, "sealed": hex::encode(sealed) })
    });
    let attributes = seal_attributes(&oek, id, &pattern(300), &of.entropy).unwrap();
    let attributes = json!({ "label": "attributes", "pattern_len": 300, "sealed": hex::encode(attributes) });
    json!({
        "oek": hex::encode(oek.key.expose()), "oek_id": id.to_string(), "segments": segments.to_vec(),
        "in_record": inline.into_iter().chain([attributes]).collect::<Vec<_>>(),
    })
}

fn records(of: &Fixture) -> Value {
    let (id, key, _) = of.keys.new_file_key(&of.entropy).unwrap();
    let sealers = [
        ("log-batch", key.batch_sealer().unwrap(), 1u64),
        ("table-block", key.block_sealer().unwrap(), 0),
        ("table-index", key.index_sealer().unwrap(), 0x0102_0304_0506_0708),
    ];
    let records: Vec<Value> = sealers
        .iter()
        .map(|(label, sealer, number)| {
            let mut record = pattern(200);
            sealer.seal_in_place(*number, b"what it is bound to", &mut record).unwrap();
            json!({
                "label": label, "number": number.to_string(), "aad": hex::encode(b"what it is bound to"),
                "pattern_len": 200, "sealed": hex::encode(record),
            })
        })
        .collect();
    json!({
        "bucket": BUCKET.to_string(), "file_id": id.to_string(), "file_key": hex::encode(key.key.expose()),
        "records": records,
        "header": { "pattern_len": 64, "mac": hex::encode(key.header_mac(&pattern(64)).unwrap()) },
    })
}

fn manifest(of: &Fixture) -> Value {
    let generation = of.keys.newest(Slot::OWN).unwrap();
    let salt = Salt::random(&of.entropy).unwrap();
    let mut sealed = pattern(333);
    of.keys.manifest_key(generation, salt).unwrap().seal_in_place(b"bound", &mut sealed).unwrap();
    json!({
        "bucket": BUCKET.to_string(), "generation": generation.0,
        "bucket_key": bucket_key(&of.keys, Slot::OWN, generation), "salt": salt.to_string(),
        "aad": hex::encode(b"bound"), "pattern_len": 333, "sealed": hex::encode(sealed),
    })
}

fn secret(catalog: &Fixture) -> Value {
    let sealed = catalog.keys.seal_secret("root-credentials", b"user:password", &catalog.entropy).unwrap();
    json!({
        "catalog": CATALOG.to_string(), "bucket_key": bucket_key(&catalog.keys, Slot::OWN, Generation(1)),
        "context": "root-credentials", "plain": hex::encode(b"user:password"), "sealed": hex::encode(sealed),
    })
}

fn all() -> String {
    let mut of = Fixture::new(1000);
    let catalog = Fixture::of(CATALOG, 2000);
    let slot = of.add_slot();
    of.add_generation(Slot::OWN);
    of.keyring = of.keyring.with_epoch(3).unwrap();
    let new = dek(0x22);
    let rewrapped = Fixture {
        entropy: SeededEntropy::new(3000),
        dek: dek(1),
        keyring: of.keyring.rewrap(Slot::OWN, "new-ek", b"new sealed dek", &of.keys, &new, &of.entropy).unwrap(),
        keys: of.keys.clone(),
    };
    let (one, two) = (hex::encode([1; 32]), hex::encode([0x22; 32]));
    let vectors = json!({
        "format_version": 1,
        "pattern": "byte i is (7 * i + i / 256) mod 251",
        "seeded_entropy": entropy_vectors(),
        "derivation": derivations(),
        "sealed_keys": sealed_keys(&of, slot),
        "keyrings": [
            keyring_file(&of, &catalog, &json!({ "0": one, "1": one })),
            keyring_file(&rewrapped, &catalog, &json!({ "0": two, "1": one })),
            keyring_file(&catalog, &catalog, &json!({ "0": one })),
        ],
        "content": content(&of),
        "records": records(&of),
        "manifest": manifest(&of),
        "secret": secret(&catalog),
    });
    serde_json::to_string_pretty(&vectors).unwrap() + "\n"
}

#[test]
fn the_stored_vectors_are_what_this_code_makes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/crypt.json");
    let made = all();
    if std::env::var_os("STRONGROOM_WRITE_VECTORS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap();
    let differing = made.lines().zip(stored.lines()).find(|(made, stored)| made != stored);
    assert!(made == stored, "docs/FORMAT.md is no longer kept: {differing:?}");
}
