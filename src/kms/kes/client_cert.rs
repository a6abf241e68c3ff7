//! The client certificate: derived from an API key, or read from files, and made anew before it is old.

use std::{
    fmt, fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, SerialNumber,
};
use rustls::{SignatureScheme, client::ResolvesClientCert, crypto::CryptoProvider, sign::CertifiedKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{ApiKey, KesIdentity, private_key::parse_private_key, trust::load_certificates};
use crate::kms::KmsError;

/// How long a derived certificate is valid, and how long it is used.
const DERIVED_VALID_FOR: Duration = Duration::from_secs(90 * 86_400);
const DERIVED_USED_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How often certificate files are read again.
const FILES_USED_FOR: Duration = Duration::from_secs(15 * 60);
/// Largest private key file that is read.
const KEY_FILE_MAX_LEN_BYTES: u64 = 1 << 20;

/// Hands rustls the client certificate at each handshake.
pub(super) struct ClientCert {
    identity: KesIdentity,
    provider: Arc<CryptoProvider>,
    current: Mutex<Current>,
}

struct Current {
    certified: Arc<CertifiedKey>,
    renew_at: Instant,
}

impl ClientCert {
    /// Makes or loads the first certificate.
    pub(super) fn new(identity: KesIdentity, provider: Arc<CryptoProvider>) -> Result<Self, KmsError> {
        let certified = certify(&identity, &provider).map_err(KmsError::configuration)?;
        let current = Mutex::new(Current { certified, renew_at: renew_at(&identity) });
        Ok(Self { identity, provider, current })
    }

    /// The identity that a KES policy names: SHA-256 of the certificate's SubjectPublicKeyInfo, in hex.
    pub(super) fn identity(&self) -> String {
        if let KesIdentity::ApiKey(key) = &self.identity {
            return key.identity();
        }
        let certified = self.current();
        let parsed = certified.cert.first().and_then(|leaf| webpki::EndEntityCert::try_from(leaf).ok());
        parsed.map_or_else(
            || "unknown".into(),
            |leaf| hex::encode(Sha256::digest(leaf.subject_public_key_info().as_ref())),
        )
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if Instant::now() >= current.renew_at {
            current.renew_at = renew_at(&self.identity);
            match certify(&self.identity, &self.provider) {
                Ok(certified) => current.certified = certified,
                // The old one may serve for long yet; the server decides.
                Err(error) => tracing::warn!("the KES client certificate is kept, a new one cannot be had: {error}"),
            }
        }
        Arc::clone(&current.certified)
    }
}

impl ResolvesClientCert for ClientCert {
    fn resolve(&self, _root_hint_subjects: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for ClientCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCert")
    }
}

fn renew_at(identity: &KesIdentity) -> Instant {
    let now = Instant::now();
    let used_for = match identity {
        KesIdentity::ApiKey(_) => DERIVED_USED_FOR,
        KesIdentity::CertFiles { .. } => FILES_USED_FOR,
    };
    now.checked_add(used_for).unwrap_or(now)
}

fn certify(identity: &KesIdentity, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, String> {
    let certified = match identity {
        KesIdentity::ApiKey(key) => {
            derive(key, provider).map_err(|error| format!("no client certificate from the API key: {error}"))?
        }
        KesIdentity::CertFiles { cert, key, password } => {
            load(cert, key, password.as_ref().map(|password| password.as_str()), provider)?
        }
    };
    Ok(Arc::new(certified))
}

/// Self-signed Ed25519 certificate as KES clients make it: CN = identity, digitalSignature, clientAuth, no CA, no SAN.
fn derive(key: &ApiKey, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let pkcs8 = key.to_pkcs8_der();
    let der = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519).map_err(|error| error.to_string())?;
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|error| error.to_string())?;
    let now = SystemTime::now();

    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, key.identity());
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = now.into();
    params.not_after = now.checked_add(DERIVED_VALID_FOR).ok_or("the clock is out of range")?.into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&pair).map_err(|error| error.to_string())?;
    CertifiedKey::from_der(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(der.clone_key()), provider)
        .map_err(|error| error.to_string())
}

fn load(cert: &Path, key: &Path, password: Option<&str>, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let wrong = |variable: &str, path: &Path, what: &dyn fmt::Display| {
        format!("{variable} {}: {what}; a file in PEM form is wanted that this user can read", path.display())
    };
    let chain = load_certificates(cert).map_err(|error| wrong("MINIO_KMS_KES_CERT_FILE", cert, &error))?;
    if chain.is_empty() {
        return Err(wrong("MINIO_KMS_KES_CERT_FILE", cert, &"there is no certificate in it"));
    }
    let private_key = load_private_key(key, password).map_err(|error| wrong("MINIO_KMS_KES_KEY_FILE", key, &error))?;
    CertifiedKey::from_der(chain, private_key, provider).map_err(|error| {
        format!(
            "MINIO_KMS_KES_CERT_FILE {} and MINIO_KMS_KES_KEY_FILE {} do not go together: {error}; give the key that \
             the certificate was made for",
            cert.display(),
            key.display()
        )
    })
}

fn load_private_key(path: &Path, password: Option<&str>) -> Result<PrivateKeyDer<'static>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > KEY_FILE_MAX_LEN_BYTES {
        return Err(format!("it is no regular file of at most {KEY_FILE_MAX_LEN_BYTES} bytes"));
    }
    let pem = Zeroizing::new(fs::read(path).map_err(|error| error.to_string())?);
    parse_private_key(&pem, password).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = "kes:v1:AGaV6VXHasF0FnaB60WdCOeTZ8eTIDikL4zlN16c8NAs";
    const IDENTITY: &str = "ea9826089311fe44d7590408ede9150f7c637b6cab0a91ee6fe1aa5d9fb366f6";

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::aws_lc_rs::default_provider())
    }

    #[test]
    fn the_derived_certificate_has_the_identity_of_the_api_key() {
        let key = ApiKey::parse(API_KEY).unwrap_or_else(|error| panic!("{error}"));
        let certified = derive(&key, &provider()).unwrap();
        let leaf = webpki::EndEntityCert::try_from(certified.cert.first().unwrap()).unwrap();
        assert_eq!(hex::encode(Sha256::digest(leaf.subject_public_key_info().as_ref())), IDENTITY);
        let cert = ClientCert::new(KesIdentity::ApiKey(key), provider()).unwrap();
        assert_eq!(cert.identity(), IDENTITY);
    }

    #[test]
    fn certificate_files_are_loaded_and_their_identity_is_that_of_the_public_key() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
        let pair = KeyPair::generate().unwrap();
        fs::write(&cert, CertificateParams::default().self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        let files =
            |cert: &Path, key: &Path| KesIdentity::CertFiles { cert: cert.into(), key: key.into(), password: None };
        let client = ClientCert::new(files(&cert, &key), provider()).unwrap();
        assert_eq!(client.identity().len(), 64);

        fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let message = ClientCert::new(files(&cert, &key), provider()).unwrap_err().to_string();
        assert!(message.contains("do not go together"), "{message}");
        let message = ClientCert::new(files(&cert, &dir.path().join("none")), provider()).unwrap_err().to_string();
        assert!(message.contains("MINIO_KMS_KES_KEY_FILE"), "{message}");
    }
}
