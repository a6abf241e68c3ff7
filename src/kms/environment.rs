//! Which KMS, from the environment.
//!
//! A pure function over a lookup: nothing is read but variables, nothing is opened or asked. A variable that is
//! present but empty is a mistake, never "not configured": a start without the KMS that was meant would be worse.

use std::{path::PathBuf, sync::Arc};

use super::{
    ApiKey, Kes, KesConfig, KesIdentity, KeyName, Kms, KmsError, SecretKey, StaticKey, parse_endpoints,
    parse_secret_key,
};

const SECRET_KEY: &str = "MINIO_KMS_SECRET_KEY";
const SECRET_KEY_FILE: &str = "MINIO_KMS_SECRET_KEY_FILE";
const KES_ENDPOINT: &str = "MINIO_KMS_KES_ENDPOINT";
const KES_KEY_NAME: &str = "MINIO_KMS_KES_KEY_NAME";
const KES_API_KEY: &str = "MINIO_KMS_KES_API_KEY";
const KES_CERT_FILE: &str = "MINIO_KMS_KES_CERT_FILE";
const KES_KEY_FILE: &str = "MINIO_KMS_KES_KEY_FILE";
const KES_KEY_PASSWORD: &str = "MINIO_KMS_KES_KEY_PASSWORD";
const KES_CAPATH: &str = "MINIO_KMS_KES_CAPATH";
const KES_ENCLAVE: &str = "MINIO_KMS_KES_ENCLAVE";
const SERVER_API_KEY: &str = "MINIO_KMS_API_KEY";

const STATIC_GROUP: [&str; 2] = [SECRET_KEY, SECRET_KEY_FILE];
/// The enclave is not among them: alone it configures nothing.
const KES_GROUP: [&str; 7] =
    [KES_ENDPOINT, KES_KEY_NAME, KES_API_KEY, KES_KEY_FILE, KES_CERT_FILE, KES_KEY_PASSWORD, KES_CAPATH];
const SERVER_GROUP: [&str; 4] = ["MINIO_KMS_SERVER", "MINIO_KMS_ENCLAVE", "MINIO_KMS_SSE_KEY", SERVER_API_KEY];

/// The variables that hold secrets: to be removed from the environment of every child process.
pub const SECRET_VARIABLES: [&str; 4] = [SECRET_KEY, KES_API_KEY, KES_KEY_PASSWORD, SERVER_API_KEY];

/// Which KMS is configured.
pub enum KmsConfig {
    /// None: no variable of any KMS is present.
    None,
    /// A static key.
    Static(StaticSource),
    /// KES.
    Kes(KesConfig),
}

/// Where the static key is.
pub enum StaticSource {
    /// In the environment.
    Value(SecretKey),
    /// In a key file.
    File(PathBuf),
}

/// Looks a variable up in this process's environment. Text that is no UTF-8 is kept, damaged, rather than taken for
/// absent, so that it is refused by whoever parses it.
#[must_use]
pub fn process_variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

impl KmsConfig {
    /// Reads the configuration through `lookup`, which returns a variable's value, or `None` when it is absent
    /// ([`process_variable`] outside tests).
    ///
    /// # Errors
    /// [`KmsError::Configuration`], which names the variables and what to do: two KMS configured, one half
    /// configured, a value that cannot be parsed, the AIStor Key Manager (not supported yet).
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, KmsError> {
        let present = |group: &[&'static str]| -> Vec<&'static str> {
            group.iter().copied().filter(|name| lookup(name).is_some()).collect()
        };
        let (statics, kes, server) = (present(&STATIC_GROUP), present(&KES_GROUP), present(&SERVER_GROUP));
        let groups = [(&statics, "a static key"), (&kes, "KES"), (&server, "the Key Manager")];
        let configured: Vec<String> = groups
            .iter()
            .filter(|(names, _)| !names.is_empty())
            .map(|(names, what)| format!("{what} ({})", names.join(", ")))
            .collect();
        if configured.len() > 1 {
            let both = configured.join(" and ");
            return Err(wrong(format!("{both} are configured at once; unset the variables of all but one")));
        }
        if !server.is_empty() {
            return Err(wrong(format!(
                "{} is set, but the AIStor Key Manager is not supported yet; use KES ({KES_ENDPOINT}) or a static key \
                 ({SECRET_KEY_FILE})",
                server.join(", ")
            )));
        }
        if !statics.is_empty() {
            return static_config(&lookup).map(Self::Static);
        }
        if !kes.is_empty() {
            return kes_config(&lookup).map(Self::Kes);
        }
        Ok(Self::None)
    }

    /// The KMS of this configuration, `None` if there is none. Reads the files that it names; asks nobody yet.
    ///
    /// # Errors
    /// [`KmsError::Configuration`] when a file is missing or wrong.
    pub fn open(self) -> Result<Option<Arc<dyn Kms>>, KmsError> {
        Ok(match self {
            Self::None => None,
            Self::Static(StaticSource::Value(key)) => Some(Arc::new(StaticKey::from_key(key))),
            Self::Static(StaticSource::File(path)) => Some(Arc::new(StaticKey::from_file(path)?)),
            Self::Kes(config) => Some(Arc::new(Kes::new(config)?)),
        })
    }
}

fn static_config(lookup: &impl Fn(&str) -> Option<String>) -> Result<StaticSource, KmsError> {
    match (lookup(SECRET_KEY), not_empty(lookup, SECRET_KEY_FILE)?) {
        (Some(_), Some(_)) => {
            Err(wrong(format!("{SECRET_KEY} and {SECRET_KEY_FILE} are both set; keep the file, unset the other")))
        }
        (None, Some(path)) => Ok(StaticSource::File(path.into())),
        (value, None) => {
            let value = zeroize::Zeroizing::new(value.unwrap_or_default());
            let key = parse_secret_key(value.as_bytes()).map_err(|error| wrong(format!("{SECRET_KEY}: {error}")))?;
            Ok(StaticSource::Value(key))
        }
    }
}

fn kes_config(lookup: &impl Fn(&str) -> Option<String>) -> Result<KesConfig, KmsError> {
    let endpoint = required(lookup, KES_ENDPOINT, "the KES server, `https://host:7373`")?;
    let endpoints = parse_endpoints(&endpoint).map_err(|error| wrong(format!("{KES_ENDPOINT}: {error}")))?;
    let key_name = required(lookup, KES_KEY_NAME, "the name of the default key")?;
    let default_key = KeyName::new(&key_name).map_err(|error| wrong(format!("{KES_KEY_NAME}: {error}")))?;
    let identity = kes_identity(lookup)?;
    let ca_path = not_empty(lookup, KES_CAPATH)?.map(PathBuf::from);
    let enclave = lookup(KES_ENCLAVE).filter(|enclave| !enclave.is_empty());
    Ok(KesConfig { endpoints, identity, ca_path, default_key, enclave })
}

fn kes_identity(lookup: &impl Fn(&str) -> Option<String>) -> Result<KesIdentity, KmsError> {
    let api_key = lookup(KES_API_KEY).map(zeroize::Zeroizing::new);
    match (api_key, not_empty(lookup, KES_CERT_FILE)?, not_empty(lookup, KES_KEY_FILE)?) {
        (Some(text), None, None) => {
            if lookup(KES_KEY_PASSWORD).is_some() {
                return Err(wrong(format!(
                    "{KES_KEY_PASSWORD} belongs to {KES_KEY_FILE}; unset it with {KES_API_KEY}"
                )));
            }
            let key = ApiKey::parse(&text).map_err(|error| wrong(format!("{KES_API_KEY}: {error}")))?;
            Ok(KesIdentity::ApiKey(key))
        }
        (None, Some(cert), Some(key)) => {
            let password = not_empty(lookup, KES_KEY_PASSWORD)?.map(zeroize::Zeroizing::new);
            Ok(KesIdentity::CertFiles { cert: cert.into(), key: key.into(), password })
        }
        (None, None, None) => Err(wrong(format!(
            "KES is configured without an identity; set {KES_API_KEY}, or {KES_CERT_FILE} and {KES_KEY_FILE}"
        ))),
        (None, Some(_), None) => Err(wrong(format!("{KES_CERT_FILE} is set, {KES_KEY_FILE} is missing; set it too"))),
        (None, None, Some(_)) => Err(wrong(format!("{KES_KEY_FILE} is set, {KES_CERT_FILE} is missing; set it too"))),
        (Some(_), _, _) => Err(wrong(format!(
            "{KES_API_KEY} and a client certificate ({KES_CERT_FILE}, {KES_KEY_FILE}) are both set; unset one of them"
        ))),
    }
}

fn required(lookup: &impl Fn(&str) -> Option<String>, name: &str, what: &str) -> Result<String, KmsError> {
    not_empty(lookup, name)?.ok_or_else(|| wrong(format!("KES is half configured: {name} is missing; set it: {what}")))
}

fn not_empty(lookup: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<String>, KmsError> {
    match lookup(name) {
        Some(value) if value.is_empty() => Err(wrong(format!("{name} is set, but empty; give it a value or unset it"))),
        value => Ok(value),
    }
}

fn wrong(detail: String) -> KmsError {
    KmsError::Configuration { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "my-key:eEm+JI9/q4JhH8QwKvf3LKo4DEBl6QbfvAl1CAbMIv8=";
    const API_KEY: &str = "kes:v1:AGaV6VXHasF0FnaB60WdCOeTZ8eTIDikL4zlN16c8NAs";

    fn config(variables: &[(&str, &str)]) -> Result<KmsConfig, KmsError> {
        KmsConfig::from_env(|name| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        match config(variables).err() {
            Some(KmsError::Configuration { detail }) => detail,
            other => panic!("expected a configuration error, not {other:?}"),
        }
    }

    #[test]
    fn nothing_set_is_no_kms_and_an_enclave_alone_is_nothing() {
        assert!(matches!(config(&[]), Ok(KmsConfig::None)));
        assert!(matches!(config(&[(KES_ENCLAVE, "e")]), Ok(KmsConfig::None)));
    }

    #[test]
    fn a_static_key_comes_from_a_value_or_a_file() {
        let Ok(KmsConfig::Static(StaticSource::Value(key))) = config(&[(SECRET_KEY, KEY)]) else { panic!() };
        assert_eq!(key.name().as_str(), "my-key");
        let Ok(KmsConfig::Static(StaticSource::File(path))) = config(&[(SECRET_KEY_FILE, "/k")]) else { panic!() };
        assert_eq!(path, PathBuf::from("/k"));
    }

    #[test]
    fn kes_comes_with_an_api_key_or_a_certificate() {
        let base = [(KES_ENDPOINT, "https://a:1,https://b:2"), (KES_KEY_NAME, "k"), (KES_CAPATH, "/ca")];
        let with_key = [&base[..], &[(KES_API_KEY, API_KEY), (KES_ENCLAVE, "e")]].concat();
        let Ok(KmsConfig::Kes(kes)) = config(&with_key) else { panic!() };
        assert_eq!(kes.endpoints.len(), 2);
        assert_eq!(kes.default_key.as_str(), "k");
        assert_eq!(kes.enclave.as_deref(), Some("e"));
        assert!(matches!(kes.identity, KesIdentity::ApiKey(_)));
        let with_cert = [&base[..], &[(KES_CERT_FILE, "/c"), (KES_KEY_FILE, "/k")]].concat();
        let Ok(KmsConfig::Kes(kes)) = config(&with_cert) else { panic!() };
        assert!(matches!(kes.identity, KesIdentity::CertFiles { password: None, .. }));
        let Ok(KmsConfig::Kes(kes)) = config(&[&with_cert[..], &[(KES_KEY_PASSWORD, "p")]].concat()) else { panic!() };
        assert!(matches!(kes.identity, KesIdentity::CertFiles { password: Some(_), .. }));
        assert!(refusal(&[&with_key[..], &[(KES_KEY_PASSWORD, "p")]].concat()).contains(KES_KEY_PASSWORD));
    }

    #[test]
    fn two_kms_at_once_are_refused_and_all_variables_named() {
        let message = refusal(&[(SECRET_KEY, KEY), (KES_ENDPOINT, "https://a:1")]);
        assert!(message.contains(SECRET_KEY) && message.contains(KES_ENDPOINT), "{message}");
        let message = refusal(&[(SECRET_KEY, KEY), (SECRET_KEY_FILE, "/k")]);
        assert!(message.contains(SECRET_KEY_FILE), "{message}");
        let message = refusal(&[(KES_ENDPOINT, "https://a:1"), ("MINIO_KMS_SERVER", "b")]);
        assert!(message.contains("MINIO_KMS_SERVER"), "{message}");
    }

    #[test]
    fn a_half_configured_kes_is_refused_and_the_missing_variable_named() {
        let all = [(KES_ENDPOINT, "https://a:1"), (KES_KEY_NAME, "k"), (KES_CERT_FILE, "/c"), (KES_KEY_FILE, "/key")];
        for (missing, _) in all {
            let rest: Vec<_> = all.into_iter().filter(|(name, _)| *name != missing).collect();
            assert!(refusal(&rest).contains(missing), "{missing}");
        }
        assert!(refusal(&all[..2]).contains(KES_API_KEY));
        assert!(refusal(&[&all[..], &[(KES_API_KEY, API_KEY)]].concat()).contains("both set"));
    }

    #[test]
    fn an_empty_variable_is_never_taken_for_an_absent_one() {
        for name in STATIC_GROUP.into_iter().chain([KES_ENDPOINT]) {
            assert!(refusal(&[(name, "")]).contains(name), "{name}");
        }
        let base = [(KES_ENDPOINT, "https://a:1"), (KES_KEY_NAME, "k")];
        for name in [KES_API_KEY, KES_CERT_FILE, KES_KEY_FILE] {
            assert!(refusal(&[&base[..], &[(name, "")]].concat()).contains(name), "{name}");
        }
        assert!(refusal(&[(KES_ENDPOINT, "https://a:1"), (KES_KEY_NAME, "")]).contains(KES_KEY_NAME));
    }

    #[test]
    fn the_key_manager_is_refused_as_not_supported_yet() {
        assert!(refusal(&[("MINIO_KMS_SERVER", "https://a")]).contains("not supported yet"));
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let message = refusal(&[(SECRET_KEY, "my-key:c2VjcmV0")]);
        assert!(!message.contains("c2VjcmV0"), "{message}");
        let base = [(KES_ENDPOINT, "https://a:1"), (KES_KEY_NAME, "k"), (KES_API_KEY, "kes:v1:c2VjcmV0")];
        assert!(!refusal(&base).contains("c2VjcmV0"));
    }
}
