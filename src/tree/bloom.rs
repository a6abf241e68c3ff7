//! Bloom filter over user keys: about ten bits a key, seven probes, less than 1 % false answers.

use super::TreeError;

/// Bits that the filter has for each key.
const BITS_PER_KEY: usize = 10;
/// Probes for each key: `ln 2` times the bits, rounded.
const PROBES: u64 = 7;
/// Multiplier of the hash: an odd constant, 2^64 divided by the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a key, part of the format. Quality matters, secrecy does not: the filter stands in sealed blocks.
pub(super) fn hash(key: &[u8]) -> u64 {
    let mut state = MIX ^ (key.len() as u64);
    let (words, tail) = key.as_chunks::<8>();
    for word in words {
        state = mix(state ^ u64::from_le_bytes(*word));
    }
    let mut last = [0u8; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    state = mix(state ^ u64::from_le_bytes(last));
    state = (state ^ (state >> 32)).wrapping_mul(MIX);
    state ^ (state >> 29)
}

/// One round: the high half of the product comes back into the low one.
fn mix(value: u64) -> u64 {
    let product = u128::from(value).wrapping_mul(u128::from(MIX));
    let [low, high] = halves(product);
    value.rotate_left(23) ^ low ^ high
}

fn halves(product: u128) -> [u64; 2] {
    let mask = u128::from(u64::MAX);
    [u64::try_from(product & mask).unwrap_or(0), u64::try_from(product >> 64).unwrap_or(0)]
}

/// The bits that stand for `hash`, in a filter of `bits` bits.
fn probes(hash: u64, bits: u64) -> impl Iterator<Item = u64> {
    let step = hash.rotate_left(32) | 1;
    (0..PROBES).map(move |i| {
        let [_, place] = halves(u128::from(hash.wrapping_add(step.wrapping_mul(i))).wrapping_mul(u128::from(bits)));
        place
    })
}

/// Builds the filter of the keys with these hashes; empty for none.
pub(super) fn build(hashes: &[u64]) -> Vec<u8> {
    let len = (hashes.len().saturating_mul(BITS_PER_KEY)).div_ceil(64) * 8;
    let mut filter = vec![0u8; len];
    let bits = (len as u64) * 8;
    for hash in hashes {
        for bit in probes(*hash, bits) {
            if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| filter.get_mut(at)) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    filter
}

/// Whether a key with this hash may be there.
pub(super) fn may_contain(filter: &[u8], hash: u64) -> bool {
    let bits = (filter.len() as u64) * 8;
    probes(hash, bits).all(|bit| {
        usize::try_from(bit / 8).ok().and_then(|at| filter.get(at)).is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
    })
}

/// A filter has whole 64-bit words.
pub(super) fn check(filter: &[u8]) -> Result<(), TreeError> {
    if filter.len().is_multiple_of(8) { Ok(()) } else { Err(TreeError::Malformed("a filter has a broken length")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_added_and_refuses_most_others() {
        let key = |n: u32| format!("directory/{n}/name");
        let hashes: Vec<u64> = (0..20_000).map(|n| hash(key(n).as_bytes())).collect();
        let filter = build(&hashes);
        assert!(hashes.iter().all(|hash| may_contain(&filter, *hash)));
        let wrong = (20_000..60_000).filter(|n| may_contain(&filter, hash(key(*n).as_bytes()))).count();
        assert!(wrong < 600, "{wrong} of 40000 false answers");
    }

    #[test]
    fn the_hash_is_part_of_the_format() {
        assert_eq!(hash(b""), 0x8cdb549ab4720af5);
        assert_eq!(hash(b"strongroom"), 0x1d59ddd8f1a5003a);
    }
}
