//! The bytes of a keyring, and the MAC over them (docs/FORMAT.md 2.2 and 2.3).

use super::{
    BucketId, CryptError, Generation, GenerationState, Keyring, Salt, Slot, StoreId, Suite,
    keyring::{GENERATIONS_MAX, KeyringSlot, Purpose, SEALED_BUCKET_KEY_LEN, SLOTS_MAX, SealedBucketKey},
    record::hmac,
    secret::SecretKey,
    wrap::Wrapped,
};
use crate::format::{Decoder, Encoder, FORMAT_VERSION, FormatError};
use hmac::Mac;
use std::collections::BTreeMap;

/// Most bytes of an encoded keyring; a longer file is refused unread.
pub const KEYRING_MAX_BYTES: usize = 2 << 20;

const MAGIC: &[u8; 8] = b"SRKEYRNG";
const MAC_LEN: usize = 32;

/// The key for the MAC of one bucket's keyring, from the catalog's keys.
pub struct KeyringMacKey {
    pub(crate) generation: Generation,
    pub(crate) key: SecretKey,
}

/// The MAC of a keyring, by which the catalog and the anchor name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyringTag(pub [u8; MAC_LEN]);

impl Keyring {
    /// The bytes of the file, with the MAC under `mac_key`, and the MAC alone as the tag.
    ///
    /// # Errors
    /// [`CryptError::TooLarge`].
    pub fn encode(&self, mac_key: &KeyringMacKey) -> Result<(Vec<u8>, KeyringTag), CryptError> {
        let mut out = Encoder::with_capacity(512);
        out.raw(MAGIC).u16(FORMAT_VERSION).u8(Suite::Aes256Gcm.to_u8()).u8(0);
        out.raw(self.store.as_bytes()).raw(self.bucket.as_bytes()).u64(self.version).u64(self.epoch);
        out.u16(count("slots", self.slots.len(), SLOTS_MAX)?);
        out.u16(count("generations", self.generations.len(), GENERATIONS_MAX)?);
        for (slot, entry) in &self.slots {
            encode_slot(*slot, entry, &mut out)?;
        }
        for ((slot, generation), sealed) in &self.generations {
            let state = match sealed.state {
                GenerationState::Active => 1,
                GenerationState::Retiring => 2,
            };
            out.u16(slot.0).u32(generation.0).u8(state).raw(sealed.salt.as_bytes());
            out.raw(&sealed.wrapped.commitment).raw(&sealed.wrapped.sealed);
        }
        out.u32(mac_key.generation.0);
        let mac: [u8; MAC_LEN] = hmac(&mac_key.key, out.as_slice())?.finalize().into_bytes().into();
        out.raw(&mac);
        let (found, limit) = (out.len() as u64, KEYRING_MAX_BYTES as u64);
        if found > limit {
            return Err(CryptError::TooLarge { what: "an encoded keyring in bytes", found, limit });
        }
        Ok((out.finish(), KeyringTag(mac)))
    }
}

fn count(what: &'static str, found: usize, limit: usize) -> Result<u16, CryptError> {
    let too_large = CryptError::TooLarge { what, found: found as u64, limit: limit as u64 };
    if found > limit {
        return Err(too_large);
    }
    u16::try_from(found).map_err(|_| too_large)
}

fn encode_slot(slot: Slot, entry: &KeyringSlot, out: &mut Encoder) -> Result<(), CryptError> {
    let purpose = match Keyring::purpose(slot) {
        Purpose::Own => 1,
        Purpose::Named => 2,
    };
    let name_len = u8::try_from(entry.ek_name.len()).map_err(|_| FormatError::TooLarge("EK name"))?;
    let dek_len = u16::try_from(entry.sealed_dek.len()).map_err(|_| FormatError::TooLarge("sealed DEK"))?;
    out.u16(slot.0).u8(purpose).u8(name_len).raw(entry.ek_name.as_bytes()).u16(dek_len).raw(&entry.sealed_dek);
    Ok(())
}

/// A keyring as it was read: well-formed, but nobody has vouched for it yet.
#[derive(Debug)]
pub struct UnverifiedKeyring<'a> {
    keyring: Keyring,
    mac_generation: Generation,
    covered: &'a [u8],
    mac: [u8; MAC_LEN],
}

impl<'a> UnverifiedKeyring<'a> {
    /// Reads the bytes of a keyring file.
    ///
    /// # Errors
    /// [`CryptError::Malformed`], [`CryptError::UnknownSuite`], [`CryptError::TooLarge`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, CryptError> {
        if bytes.len() > KEYRING_MAX_BYTES {
            return Err(FormatError::TooLarge("keyring").into());
        }
        let (covered, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(FormatError::Truncated("keyring"))?;
        let mut from = Decoder::new(covered);
        let keyring = decode_keyring(&mut from)?;
        let mac_generation = Generation(from.u32("MAC generation")?);
        from.finish("keyring")?;
        Ok(Self { keyring, mac_generation, covered, mac: *mac })
    }

    /// What the bytes claim: to learn which EK to ask, and to open the catalog's own keyring before its MAC can be
    /// checked. Believe nothing else of it.
    #[must_use]
    pub const fn claimed(&self) -> &Keyring {
        &self.keyring
    }

    /// The generation of the catalog's bucket key that the MAC is under.
    #[must_use]
    pub const fn mac_generation(&self) -> Generation {
        self.mac_generation
    }

    /// The tag that the bytes claim.
    #[must_use]
    pub const fn claimed_tag(&self) -> KeyringTag {
        KeyringTag(self.mac)
    }

    /// Checks the MAC and gives the keyring.
    ///
    /// # Errors
    /// [`CryptError::Mac`], also when the key is of another generation or bucket.
    pub fn verify(self, mac_key: &KeyringMacKey) -> Result<(Keyring, KeyringTag), CryptError> {
        let wrong = CryptError::Mac("a keyring");
        if mac_key.generation != self.mac_generation {
            return Err(wrong);
        }
        hmac(&mac_key.key, self.covered)?.verify_slice(&self.mac).map_err(|_| wrong)?;
        Ok((self.keyring, KeyringTag(self.mac)))
    }
}

fn decode_keyring(from: &mut Decoder<'_>) -> Result<Keyring, CryptError> {
    if &from.array::<8>("magic")? != MAGIC {
        return Err(FormatError::Magic("keyring").into());
    }
    let version = from.u16("format version")?;
    if version != FORMAT_VERSION {
        return Err(FormatError::Newer { what: "the keyring", version, features: 0 }.into());
    }
    Suite::try_from(from.u8("suite")?)?;
    if from.u8("reserved")? != 0 {
        return Err(FormatError::Invalid("reserved byte of a keyring").into());
    }
    let mut keyring = Keyring {
        store: StoreId::from_bytes(from.array("store id")?),
        bucket: BucketId::from_bytes(from.array("bucket id")?),
        version: from.u64("version")?,
        epoch: from.u64("epoch")?,
        slots: BTreeMap::new(),
        generations: BTreeMap::new(),
    };
    let slots = usize::from(from.u16("slots")?);
    let generations = usize::from(from.u16("generations")?);
    if slots > SLOTS_MAX || generations > GENERATIONS_MAX {
        return Err(FormatError::TooLarge("keyring").into());
    }
    for _ in 0..slots {
        let (slot, entry) = decode_slot(from)?;
        if keyring.slots.last_key_value().is_some_and(|(last, _)| *last >= slot) {
            return Err(FormatError::Invalid("order of slots").into());
        }
        keyring.slots.insert(slot, entry);
    }
    for _ in 0..generations {
        let (place, sealed) = decode_generation(from)?;
        if keyring.generations.last_key_value().is_some_and(|(last, _)| *last >= place) {
            return Err(FormatError::Invalid("order of generations").into());
        }
        keyring.generations.insert(place, sealed);
    }
    check_rules(&keyring)?;
    Ok(keyring)
}

fn decode_slot(from: &mut Decoder<'_>) -> Result<(Slot, KeyringSlot), CryptError> {
    let slot = Slot(from.u16("slot")?);
    let purpose = match Keyring::purpose(slot) {
        Purpose::Own => 1,
        Purpose::Named => 2,
    };
    if slot > Slot::LAST_EXPLICIT || from.u8("purpose")? != purpose {
        return Err(FormatError::Invalid("slot").into());
    }
    let len = usize::from(from.u8("EK name length")?);
    let name = std::str::from_utf8(from.raw(len, "EK name")?).map_err(|_| FormatError::Invalid("EK name"))?;
    let len = usize::from(from.u16("sealed DEK length")?);
    let sealed_dek = from.raw(len, "sealed DEK")?;
    let entry = KeyringSlot::new(name, sealed_dek).map_err(|_| FormatError::Invalid("slot"))?;
    Ok((slot, entry))
}

fn decode_generation(from: &mut Decoder<'_>) -> Result<((Slot, Generation), SealedBucketKey), CryptError> {
    let place = (Slot(from.u16("slot")?), Generation(from.u32("generation")?));
    let state = match from.u8("state")? {
        1 => GenerationState::Active,
        2 => GenerationState::Retiring,
        _ => return Err(FormatError::Invalid("state of a generation").into()),
    };
    let salt = Salt::from_bytes(from.array("salt")?);
    let commitment = from.array("commitment")?;
    let sealed = from.array::<SEALED_BUCKET_KEY_LEN>("sealed key")?;
    Ok((place, SealedBucketKey { state, salt, wrapped: Wrapped { commitment, sealed } }))
}

/// The own slot exists, each slot has a generation and each generation a slot, and the newest of each slot, and no
/// other, is active.
fn check_rules(keyring: &Keyring) -> Result<(), FormatError> {
    if keyring.version == 0 || !keyring.slots.contains_key(&Slot::OWN) {
        return Err(FormatError::Invalid("keyring"));
    }
    if keyring.slots.keys().any(|slot| keyring.newest(*slot).is_err()) {
        return Err(FormatError::Invalid("slot without a generation"));
    }
    for (slot, generation, state) in keyring.generations() {
        let newest = keyring.newest(slot).is_ok_and(|newest| newest == generation);
        if !keyring.slots.contains_key(&slot) || generation.0 == 0 || newest != (state == GenerationState::Active) {
            return Err(FormatError::Invalid("generation"));
        }
    }
    Ok(())
}
