//! Content, records, manifests and secrets: round trips, and every change is an error.

use super::super::*;
use super::fixture::{BUCKET, Fixture, error, flips, pattern};
use proptest::prelude::*;

const CHUNK: CryptError = CryptError::Damaged("a chunk of file content");

fn sealed_segment(of: &Fixture, oek: &Oek, plain: &[u8]) -> (SegmentKey, Vec<u8>) {
    let mut out = Vec::new();
    let salt = seal_segment(oek, oek.id(), &[plain], &of.entropy, &mut out).unwrap();
    (SegmentKey::derive(oek, oek.id(), &salt).unwrap(), out)
}

#[test]
fn chunks_tile_the_segment() {
    for len in [1, 2, 65_535, 65_536, 65_537, 131_072, SEGMENT_MAX_BYTES - 1, SEGMENT_MAX_BYTES] {
        let count = chunk_count(len);
        let mut end = 0;
        for index in 0..count {
            let (offset, sealed) = chunk_range(index, len).unwrap();
            assert_eq!(offset, end);
            end = offset + sealed;
        }
        assert_eq!((end, chunk_range(count, len)), (sealed_len(len), None));
    }
    assert_eq!((chunk_count(0), chunk_range(0, 0), chunk_range(usize::MAX, 5)), (0, None, None));
    assert_eq!((chunks_of(0, 1), chunks_of(65_535, 65_537), chunks_of(65_536, 131_072)), (0..1, 0..2, 1..2));
}

#[test]
fn any_chunk_of_a_segment_opens_alone() {
    let of = Fixture::new(40);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    for len in [1, 65_535, 65_536, 65_537, 200_000, SEGMENT_MAX_BYTES] {
        let plain = pattern(len);
        let (key, sealed) = sealed_segment(&of, &oek, &plain);
        assert_eq!(sealed.len(), sealed_len(len));
        for (index, expected) in plain.chunks(CHUNK_LEN_BYTES).enumerate().rev() {
            let (offset, sealed_len) = chunk_range(index, len).unwrap();
            let mut out = vec![0; expected.len()];
            let last = index + 1 == chunk_count(len);
            let number = u32::try_from(index).unwrap();
            key.open_chunk(number, last, &sealed[offset..offset + sealed_len], &mut out).unwrap();
            assert_eq!(out, expected);
        }
        let mut whole = vec![0; len];
        key.open_segment(&sealed, &mut whole).unwrap();
        assert!(whole == plain);
    }
}

#[test]
fn parts_seal_as_if_they_were_one() {
    let of = Fixture::new(41);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let plain = pattern(150_000);
    let seal = |parts: &[&[u8]]| {
        let mut out = b"kept".to_vec();
        let salt = seal_segment(&oek, oek.id(), parts, &SeededEntropy::new(5), &mut out).unwrap();
        (salt, out)
    };
    let (a, b) = plain.split_at(3);
    let (b, c) = b.split_at(65_536);
    let (salt, whole) = seal(&[&plain]);
    assert!((salt, whole.clone()) == seal(&[a, b, &[], c, &[]]));
    assert_eq!(&whole[..4], b"kept");
    let mut out = vec![0; plain.len()];
    SegmentKey::derive(&oek, oek.id(), &salt).unwrap().open_segment(&whole[4..], &mut out).unwrap();
    assert!(out == plain);
}

#[test]
fn every_flipped_bit_of_a_chunk_is_an_error_and_leaves_no_plaintext() {
    let of = Fixture::new(42);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let plain = pattern(100);
    let (key, sealed) = sealed_segment(&of, &oek, &plain);
    for (bit, flipped) in flips(&sealed) {
        let mut out = [0xee; 100];
        assert_eq!(key.open_chunk(0, true, &flipped, &mut out), Err(CHUNK), "bit {bit}");
        assert_eq!(out, [0; 100]);
    }
}

#[test]
fn a_chunk_opens_at_its_own_place_only() {
    let of = Fixture::new(43);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let (other, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let plain = pattern(3 * CHUNK_LEN_BYTES);
    let mut sealed = Vec::new();
    let salt = seal_segment(&oek, oek.id(), &[&plain], &of.entropy, &mut sealed).unwrap();
    let key = SegmentKey::derive(&oek, oek.id(), &salt).unwrap();
    let (offset, len) = chunk_range(1, plain.len()).unwrap();
    let middle = &sealed[offset..offset + len];
    let mut out = vec![0; CHUNK_LEN_BYTES];
    key.open_chunk(1, false, middle, &mut out).unwrap();
    for (index, last) in [(0, false), (2, false), (2, true), (1, true)] {
        assert_eq!(key.open_chunk(index, last, middle, &mut out), Err(CHUNK));
    }
    assert_eq!(key.open_chunk(1, false, middle, &mut out[1..]), Err(CHUNK));
    assert_eq!(key.open_chunk(1, false, &middle[..10], &mut []), Err(CHUNK));
    let foreign = SegmentKey::derive(&oek, oek.id(), &Salt::from_bytes([3; 16])).unwrap();
    assert_eq!(foreign.open_chunk(1, false, middle, &mut out), Err(CHUNK));
    let foreign = SegmentKey::derive(&other, other.id(), &salt).unwrap();
    assert_eq!(foreign.open_chunk(1, false, middle, &mut out), Err(CHUNK));
    // A segment cut at a chunk's end is not a shorter segment.
    let mut shorter = vec![0; 2 * CHUNK_LEN_BYTES];
    assert_eq!(key.open_segment(&sealed[..2 * (CHUNK_LEN_BYTES + TAG_LEN_BYTES)], &mut shorter), Err(CHUNK));
    assert!(shorter.iter().all(|byte| *byte == 0));
}

#[test]
fn an_oek_that_is_not_the_named_one_is_refused() {
    let of = Fixture::new(44);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let expected = OekId::from_bytes([0; 16]);
    let mismatch = CryptError::OekMismatch { expected, found: oek.id() };
    assert_eq!(error(SegmentKey::derive(&oek, expected, &Salt::from_bytes([0; 16]))), mismatch);
    assert_eq!(error(seal_segment(&oek, expected, &[b"x"], &of.entropy, &mut Vec::new())), mismatch);
    assert_eq!(error(seal_inline(&oek, expected, b"x", &of.entropy)), mismatch);
}

#[test]
fn an_empty_and_a_too_long_segment_are_refused() {
    let of = Fixture::new(45);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let long = vec![0; SEGMENT_MAX_BYTES];
    for parts in [vec![], vec![[].as_slice()], vec![long.as_slice(), b"x"]] {
        let mut out = vec![1];
        let sealed = seal_segment(&oek, oek.id(), &parts, &of.entropy, &mut out);
        assert!(matches!(error(sealed), CryptError::TooLarge { .. }));
        assert_eq!(out, [1]);
    }
}

#[test]
fn inline_content_and_attributes_are_apart() {
    let of = Fixture::new(46);
    let (oek, _) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
    let id = oek.id();
    for len in [0, 1, INLINE_MAX_BYTES] {
        let sealed = seal_inline(&oek, id, &pattern(len), &of.entropy).unwrap();
        assert_eq!(sealed.len(), len + INLINE_OVERHEAD_BYTES);
        assert_eq!(open_inline(&oek, id, &sealed).unwrap(), pattern(len));
        assert!(open_attributes(&oek, id, &sealed).is_err());
    }
    let too_long = seal_inline(&oek, id, &pattern(INLINE_MAX_BYTES + 1), &of.entropy);
    assert!(matches!(error(too_long), CryptError::TooLarge { .. }));
    let sealed = seal_attributes(&oek, id, &pattern(300), &of.entropy).unwrap();
    assert_eq!(open_attributes(&oek, id, &sealed).unwrap(), pattern(300));
    for (bit, flipped) in flips(&seal_inline(&oek, id, b"hello", &of.entropy).unwrap()) {
        assert!(open_inline(&oek, id, &flipped).is_err(), "bit {bit}");
    }
    for len in 0..INLINE_OVERHEAD_BYTES {
        assert!(open_inline(&oek, id, &pattern(len)).is_err());
    }
}

#[test]
fn a_record_opens_under_its_kind_number_and_aad_only() {
    let of = Fixture::new(47);
    let (id, key, stored) = of.keys.new_file_key(&of.entropy).unwrap();
    let sealers = [key.batch_sealer().unwrap(), key.block_sealer().unwrap(), key.index_sealer().unwrap()];
    for (kind, sealer) in sealers.iter().enumerate() {
        let plain = pattern(300);
        let mut record = plain.clone();
        let tag = sealer.seal_in_place(7, b"aad", &mut record).unwrap();
        assert_eq!((record.len(), &record[300..]), (316, tag.as_slice()));
        assert_eq!(sealer.open(7, b"aad", &record).unwrap(), plain);
        assert!(sealer.open(8, b"aad", &record).is_err());
        assert!(sealer.open(7 | 1 << 63, b"aad", &record).is_err());
        assert!(sealer.open(7, b"aae", &record).is_err());
        assert!(sealer.open(7, b"aad", &record[..15]).is_err());
        for (other, sealer) in sealers.iter().enumerate() {
            assert_eq!(sealer.open(7, b"aad", &record).is_ok(), other == kind);
        }
        for (bit, flipped) in flips(&record) {
            assert!(sealer.open(7, b"aad", &flipped).is_err(), "bit {bit}");
        }
        let again = of.keys.open_file_key(id, &stored).unwrap();
        assert_eq!(again.batch_sealer().unwrap().open(7, b"aad", &record).is_ok(), kind == 0);
    }
    let mut framed = b"header plain".to_vec();
    sealers[0].seal_tail_in_place(1, b"", &mut framed, 7).unwrap();
    assert_eq!(&framed[..7], b"header ");
    let mut out = [0; 5];
    sealers[0].open_into(1, b"", &framed[7..], &mut out).unwrap();
    assert_eq!(&out, b"plain");
    assert!(sealers[0].seal_tail_in_place(2, b"", &mut vec![0; 3], 4).is_err());
}

#[test]
fn a_header_mac_covers_every_bit_of_header_and_mac() {
    let of = Fixture::new(48);
    let (_, key, _) = of.keys.new_file_key(&of.entropy).unwrap();
    let (_, other, _) = of.keys.new_file_key(&of.entropy).unwrap();
    let header = pattern(64);
    let mac = key.header_mac(&header).unwrap();
    key.verify_header(&header, &mac).unwrap();
    let wrong = Err(CryptError::Mac("the header of a file"));
    assert_eq!(other.verify_header(&header, &mac), wrong);
    for (_, flipped) in flips(&header) {
        assert_eq!(key.verify_header(&flipped, &mac), wrong);
    }
    for (_, flipped) in flips(&mac) {
        assert_eq!(key.verify_header(&header, &flipped.try_into().unwrap()), wrong);
    }
}

#[test]
fn a_manifest_opens_under_its_generation_salt_and_aad_only() {
    let mut of = Fixture::new(49);
    of.add_generation(Slot::OWN);
    let generation = of.keys.newest(Slot::OWN).unwrap();
    let salt = Salt::random(&of.entropy).unwrap();
    let mut manifest = pattern(500);
    of.keys.manifest_key(generation, salt).unwrap().seal_in_place(b"aad", &mut manifest).unwrap();
    let key = of.keys.manifest_key(generation, salt).unwrap();
    assert_eq!(key.open(b"aad", &manifest).unwrap(), pattern(500));
    assert!(key.open(b"ada", &manifest).is_err());
    for (bit, flipped) in flips(&manifest) {
        assert!(key.open(b"aad", &flipped).is_err(), "bit {bit}");
    }
    assert!(of.keys.manifest_key(Generation(1), salt).unwrap().open(b"aad", &manifest).is_err());
    let other = Salt::from_bytes([0; 16]);
    assert!(of.keys.manifest_key(generation, other).unwrap().open(b"aad", &manifest).is_err());
    assert!(of.keys.manifest_key(Generation(3), salt).is_err());
}

#[test]
fn a_secret_opens_in_its_own_context_only() {
    let of = Fixture::new(50);
    let sealed = of.keys.seal_secret("root-credentials", b"secret", &of.entropy).unwrap();
    assert_eq!(of.keys.open_secret("root-credentials", &sealed).unwrap().as_slice(), b"secret");
    assert!(matches!(error(of.keys.open_secret("other", &sealed)), CryptError::Damaged(_)));
    for (bit, flipped) in flips(&sealed) {
        assert!(of.keys.open_secret("root-credentials", &flipped).is_err(), "bit {bit}");
    }
    for len in 0..sealed.len() {
        assert!(of.keys.open_secret("root-credentials", &sealed[..len]).is_err());
    }
    let long = vec![0; SECRET_MAX_BYTES + 1];
    assert!(matches!(error(of.keys.seal_secret("s", &long, &of.entropy)), CryptError::TooLarge { .. }));
    let elsewhere = Fixture::of(BucketId::from_bytes([1; 16]), 50);
    assert_ne!(elsewhere.keys.bucket(), BUCKET);
    assert!(matches!(error(elsewhere.keys.open_secret("root-credentials", &sealed)), CryptError::WrongKey(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_content_in_any_parts_comes_back_and_any_damage_shows(
        lens in prop::collection::vec(0usize..90_000, 1..6),
        flip in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let of = Fixture::new(51);
        let (oek, stored) = of.keys.new_oek(Slot::OWN, &of.entropy).unwrap();
        let parts: Vec<Vec<u8>> = lens.iter().map(|len| pattern(*len)).collect();
        let plain = parts.concat();
        prop_assume!(!plain.is_empty());
        let refs: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mut sealed = Vec::new();
        let salt = seal_segment(&oek, oek.id(), &refs, &of.entropy, &mut sealed).unwrap();
        prop_assert_eq!(sealed.len(), sealed_len(plain.len()));
        let reopened = of.keys.open_oek(&stored).unwrap();
        let key = SegmentKey::derive(&reopened, stored.id(), &salt).unwrap();
        let mut out = vec![0; plain.len()];
        key.open_segment(&sealed, &mut out).unwrap();
        prop_assert!(out == plain);
        let at = flip.index(sealed.len());
        sealed[at] ^= 1 << bit;
        prop_assert_eq!(key.open_segment(&sealed, &mut out), Err(CHUNK));
        prop_assert!(out.iter().all(|byte| *byte == 0));
    }
}
