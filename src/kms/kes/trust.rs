//! Which KES servers are trusted: the system's roots, and a file or directory of certificates.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use crate::kms::KmsError;

/// Largest file of certificates that is read.
const CA_FILE_MAX_LEN_BYTES: u64 = 4 << 20;

/// Checks a server's certificate as webpki does, with one addition: a certificate that the operator configured byte
/// for byte is taken although it is marked as a CA, as one from plain `openssl req -x509` is. Its name, dates and
/// handshake signature are checked all the same.
#[derive(Debug)]
pub(super) struct Trust {
    webpki: Arc<WebPkiServerVerifier>,
    configured: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Loads the system's roots and those at `ca_path`: a file, or a directory in which files that are no
    /// certificates are passed over. A path without any certificate is an error.
    pub(super) fn load(ca_path: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<Self>, KmsError> {
        let configured = ca_path.map(load_ca_path).transpose()?.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        // Roots that cannot be read are left out: what they would have vouched for is then refused, by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for certificate in &configured {
            roots.add(certificate.clone()).map_err(|error| wrong_ca(ca_path, &error.to_string()))?;
        }
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| wrong_ca(ca_path, &error.to_string()))?;
        Ok(Arc::new(Self { webpki, configured }))
    }

    fn is_configured(&self, certificate: &CertificateDer<'_>) -> bool {
        self.configured.iter().any(|configured| configured.as_ref() == certificate.as_ref())
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let checked = self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            // webpki looks at the dates before it looks at the CA mark, so these were right.
            Err(error) if is_ca_as_end_entity(&error) && self.is_configured(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

fn is_ca_as_end_entity(error: &TlsError) -> bool {
    let TlsError::InvalidCertificate(CertificateError::Other(OtherError(inner))) = error else { return false };
    matches!(inner.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

fn load_ca_path(path: &Path) -> Result<Vec<CertificateDer<'static>>, KmsError> {
    let metadata = fs::metadata(path).map_err(|error| wrong_ca(Some(path), &error.to_string()))?;
    let certificates = if metadata.is_dir() {
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| wrong_ca(Some(path), &error.to_string()))? {
            let entry = entry.map_err(|error| wrong_ca(Some(path), &error.to_string()))?;
            found.extend(load_certificates(&entry.path()).unwrap_or_default());
        }
        found
    } else {
        load_certificates(path).map_err(|error| wrong_ca(Some(path), &error))?
    };
    if certificates.is_empty() {
        return Err(wrong_ca(Some(path), "there is no certificate in PEM form in it"));
    }
    Ok(certificates)
}

/// All PEM certificates of a file.
pub(super) fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() || metadata.len() > CA_FILE_MAX_LEN_BYTES {
        return Err(format!("it is no regular file of at most {CA_FILE_MAX_LEN_BYTES} bytes"));
    }
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn wrong_ca(path: Option<&Path>, what: &str) -> KmsError {
    let place = path.map_or_else(|| "no certificate authority is known".into(), |path| path.display().to_string());
    KmsError::configuration(format!(
        "{place}: {what}; set MINIO_KMS_KES_CAPATH to a file or directory with the certificate of the KES server, or \
         of its CA, in PEM form"
    ))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn certificate(name: &str, is_ca: IsCa, days_from_now: std::ops::Range<i64>) -> Certificate {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let now = std::time::SystemTime::now();
        let at = |days: i64| {
            let shift = std::time::Duration::from_secs(days.unsigned_abs() * 86_400);
            if days < 0 { now - shift } else { now + shift }
        };
        params.not_before = at(days_from_now.start).into();
        params.not_after = at(days_from_now.end).into();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn verify(trusted: &Certificate, shown: &Certificate, name: &str) -> Result<ServerCertVerified, TlsError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("ca.pem"), trusted.pem()).unwrap();
        fs::write(dir.path().join("README"), "no certificate").unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = Trust::load(Some(dir.path()), &provider).unwrap();
        let name = ServerName::try_from(name).unwrap();
        trust.verify_server_cert(shown.der(), &[], &name, &[], UnixTime::now())
    }

    const CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

    #[test]
    fn a_configured_certificate_is_trusted_whether_or_not_it_is_marked_as_ca() {
        for mark in [CA, IsCa::NoCa, IsCa::ExplicitNoCa] {
            let own = certificate("kes.test", mark, -1..1);
            assert!(verify(&own, &own, "kes.test").is_ok());
        }
    }

    #[test]
    fn name_and_dates_of_a_configured_certificate_are_checked() {
        let own = certificate("kes.test", CA, -1..1);
        assert!(verify(&own, &own, "other.test").is_err());
        for days in [-3..-1, 1..3] {
            let other_day = certificate("kes.test", CA, days);
            assert!(verify(&other_day, &other_day, "kes.test").is_err());
        }
    }

    #[test]
    fn another_certificate_is_not_trusted() {
        for mark in [CA, IsCa::NoCa] {
            let (own, other) = (certificate("kes.test", CA, -1..1), certificate("kes.test", mark, -1..1));
            assert!(verify(&own, &other, "kes.test").is_err());
        }
    }

    #[test]
    fn a_ca_path_without_certificates_stops_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        for path in [dir.path().to_owned(), dir.path().join("none")] {
            let message = Trust::load(Some(&path), &provider).unwrap_err().to_string();
            assert!(message.contains("MINIO_KMS_KES_CAPATH"), "{message}");
        }
    }
}
