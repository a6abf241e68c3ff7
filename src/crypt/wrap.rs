//! Seals one key under another: commitment first, AES-256-GCM behind it, opened again before use (docs/FORMAT.md 2.1).
//!
//! Knows nothing of which key is which; [`Info`] says.

use super::{
    CryptError,
    derive::{Commitment, Info},
    secret::SecretKey,
};
use crate::format::FORMAT_VERSION;
use aes_gcm::{
    AeadInOut, Aes256Gcm, KeyInit,
    aead::{Nonce, Tag},
};

/// Length of a sealed key: 32 bytes and the tag.
pub(crate) const SEALED_KEY_LEN: usize = 48;

/// What sealing a key gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) commitment: Commitment,
    pub(crate) sealed: [u8; SEALED_KEY_LEN],
}

/// Seals `key` under what `info` derives from `parent`, and opens it again.
///
/// `info.salt` must be fresh: the derived key then seals this one key only, so that nonce 0 is safe.
pub(crate) fn wrap(parent: &[u8; 32], info: &Info, key: &SecretKey, what: &'static str) -> Result<Wrapped, CryptError> {
    let (wrapping, commitment) = info.committed_key(parent)?;
    let mut sealed = [0; SEALED_KEY_LEN];
    {
        let (body, tag) = sealed.split_at_mut(32);
        body.copy_from_slice(key.expose());
        let made = Aes256Gcm::new(wrapping.expose().into())
            .encrypt_inout_detached(&Nonce::<Aes256Gcm>::default(), &FORMAT_VERSION.to_le_bytes(), body.into())
            .map_err(|_| CryptError::Cipher("AES-GCM"))?;
        tag.copy_from_slice(&made);
    }
    let wrapped = Wrapped { commitment, sealed };
    match unwrap(parent, info, &wrapped, what) {
        Ok(opened) if opened.same_as(key) => Ok(wrapped),
        _ => Err(CryptError::SelfCheck(what)),
    }
}

/// The reverse of [`wrap`]: [`CryptError::WrongKey`] by the commitment, [`CryptError::Damaged`] by the tag.
pub(crate) fn unwrap(
    parent: &[u8; 32],
    info: &Info,
    wrapped: &Wrapped,
    what: &'static str,
) -> Result<SecretKey, CryptError> {
    let wrapping = info.key_committed_to(parent, &wrapped.commitment, what)?;
    let (body, tag) = wrapped.sealed.split_at(32);
    let tag = Tag::<Aes256Gcm>::try_from(tag).map_err(|_| CryptError::Damaged(what))?;
    SecretKey::from_fn(|key| {
        key.copy_from_slice(body);
        Aes256Gcm::new(wrapping.expose().into())
            .decrypt_inout_detached(
                &Nonce::<Aes256Gcm>::default(),
                &FORMAT_VERSION.to_le_bytes(),
                key.as_mut_slice().into(),
                &tag,
            )
            .map_err(|_| CryptError::Damaged(what))
    })
}
