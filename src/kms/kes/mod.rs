//! KES: a KMS over HTTPS, its client authenticated by a TLS certificate.
//!
//! [`Kes`] turns a call into a request, sends it from a thread of its own to the endpoints in turn, and tells by status
//! and exact message what the answer means. Any endpoint that cannot be asked, and any 5xx, is *unreachable*; only
//! KES's own word makes a key denied or not found. No caching and no leases: those stand above.

mod api_key;
mod client;
mod client_cert;
mod endpoint;
mod listing;
mod private_key;
mod trust;
mod wire;

use std::{path::PathBuf, sync::Arc, time::Duration};

use reqwest::Method;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

pub use api_key::{ApiKey, InvalidApiKey};
pub use endpoint::{Endpoint, InvalidEndpoint, parse_endpoints};
pub use wire::{
    ListPage, Refusal, ServerStatus, WireError, classify_refusal, parse_decrypt, parse_generate, parse_list,
    parse_status,
};

use self::{
    client::{Answer, CallError, KesClient, Request},
    listing::{Listing, ListingError},
    wire::{decrypt_request, generate_request},
};
use super::{
    Context, DataKey, DekBytes, EndpointState, EndpointStatus, KeyInfo, KeyName, Kms, KmsDescription, KmsError,
    KmsKind, KmsStatus, runtime::KmsRuntime,
};

/// How long a listing, which takes many requests, may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// What is needed to reach a KES.
pub struct KesConfig {
    /// The servers, tried in turn; at least one.
    pub endpoints: Vec<Endpoint>,
    /// Who this process is.
    pub identity: KesIdentity,
    /// Certificates to trust beside the system's: a file, or a directory of files.
    pub ca_path: Option<PathBuf>,
    /// The default key.
    pub default_key: KeyName,
    /// Sent as `Kes-Enclave`; servers of today ignore it.
    pub enclave: Option<String>,
}

/// How this process proves to a KES who it is.
pub enum KesIdentity {
    /// An API key, from which a client certificate is derived.
    ApiKey(ApiKey),
    /// A client certificate and its key, in PEM files, read again every 15 minutes.
    CertFiles {
        /// The certificate, and its chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
        /// Its password, if it is encrypted.
        password: Option<Zeroizing<String>>,
    },
}

/// A [`Kms`] that is one KES, or several that hold the same keys.
pub struct Kes {
    client: Arc<KesClient>,
    runtime: KmsRuntime,
    default_key: KeyName,
}

impl Kes {
    /// Loads certificates and starts the thread; asks nobody yet.
    ///
    /// # Errors
    /// [`KmsError::Configuration`] when a certificate or key cannot be loaded, or there is no endpoint.
    pub fn new(config: KesConfig) -> Result<Self, KmsError> {
        if config.endpoints.is_empty() {
            return Err(KmsError::configuration("KES without an endpoint; set MINIO_KMS_KES_ENDPOINT"));
        }
        let default_key = config.default_key.clone();
        let client = Arc::new(KesClient::new(config)?);
        let runtime = KmsRuntime::start("kms-kes")
            .map_err(|error| KmsError::configuration(format!("no thread for the KMS: {error}")))?;
        Ok(Self { client, runtime, default_key })
    }

    /// The identity to put into a KES policy: 64 hex digits.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.client.identity()
    }

    fn call(&self, key: &str, request: Request) -> Result<Answer, KmsError> {
        let client = Arc::clone(&self.client);
        let limit = self.client.call_timeout().saturating_add(Duration::from_secs(1));
        let path = request.path.clone();
        let outcome = self.runtime.wait_for(limit, async move { client.call(&request).await });
        outcome.unwrap_or_else(|| Err(overdue(limit))).map_err(|error| self.error(key, &path, error))
    }

    fn error(&self, key: &str, path: &str, error: CallError) -> KmsError {
        let key = key.to_owned();
        let (endpoint, refusal) = match error {
            CallError::Unreachable { detail } => {
                return KmsError::Unreachable { key, endpoint: self.client.all_endpoints(), detail };
            }
            CallError::Refused { endpoint, refusal } => (endpoint, refusal),
        };
        match refusal {
            Refusal::NotFound => KmsError::NotFound { key, endpoint },
            Refusal::AlreadyExists => KmsError::AlreadyExists { key, endpoint },
            Refusal::InvalidCiphertext => KmsError::InvalidCiphertext { key, endpoint },
            Refusal::Denied => {
                let identity = self.client.identity();
                let detail = format!(
                    "no policy lets identity {identity} use {path}; allow `{path}` in the KES configuration, under the \
                     policy that names the identity, or enable the key"
                );
                KmsError::Denied { key, endpoint, detail }
            }
            Refusal::ClientCertificate(message) => {
                let identity = self.client.identity();
                let detail = format!("the client certificate of identity {identity} is not taken: {message}");
                KmsError::Denied { key, endpoint, detail }
            }
            Refusal::NotSupported(detail) => KmsError::NotSupported { key, endpoint, detail },
            Refusal::Temporary(detail) => KmsError::Unreachable { key, endpoint, detail },
            Refusal::Unexpected(detail) => KmsError::Protocol { key, endpoint, detail },
        }
    }
}

fn overdue(limit: Duration) -> CallError {
    CallError::Unreachable { detail: format!("no answer within {limit:.0?}") }
}

fn protocol(key: &str, answer: &Answer, error: &WireError) -> KmsError {
    KmsError::Protocol { key: key.into(), endpoint: answer.endpoint.clone(), detail: error.to_string() }
}

impl Kms for Kes {
    fn create_key(&self, name: &KeyName) -> Result<(), KmsError> {
        let path = format!("/v1/key/create/{name}");
        // Sent twice, it could find the key that it made itself.
        let request = Request { method: Method::POST, path, body: None, repeatable: false };
        self.call(name.as_str(), request).map(|_| ())
    }

    fn generate(&self, name: &KeyName, context: &Context) -> Result<DataKey, KmsError> {
        let path = format!("/v1/key/generate/{name}");
        let request = Request::repeatable(Method::POST, path, Some(generate_request(context)));
        let answer = self.call(name.as_str(), request)?;
        parse_generate(&answer.body).map_err(|error| protocol(name.as_str(), &answer, &error))
    }

    fn unwrap(&self, name: &KeyName, sealed: &[u8], context: &Context) -> Result<DekBytes, KmsError> {
        let path = format!("/v1/key/decrypt/{name}");
        let request = Request::repeatable(Method::POST, path, Some(decrypt_request(sealed, context)));
        let answer = self.call(name.as_str(), request)?;
        parse_decrypt(&answer.body).map_err(|error| protocol(name.as_str(), &answer, &error))
    }

    /// At most 65,536 keys, within 30 s. Needs `/v1/key/list/*` in the policy.
    fn list(&self, prefix: &str) -> Result<Vec<KeyInfo>, KmsError> {
        let shown = format!("{prefix}*");
        let client = Arc::clone(&self.client);
        let mut listing = Listing::new(prefix);
        let walk = async move {
            while let Some(pattern) = listing.next_pattern()? {
                let path = format!("/v1/key/list/{pattern}");
                let answer = client.call(&Request::repeatable(Method::GET, path, None)).await?;
                let page = parse_list(&answer.body).map_err(|error| ListFailure::Wire(answer, error))?;
                listing.take_page(&pattern, page)?;
            }
            Ok(listing.into_names())
        };
        let outcome = self.runtime.wait_for(LIST_TIMEOUT, walk);
        outcome.unwrap_or_else(|| Err(ListFailure::Call(overdue(LIST_TIMEOUT)))).map_err(|failure| match failure {
            ListFailure::Call(error) => self.error(&shown, "/v1/key/list/*", error),
            ListFailure::Wire(answer, error) => protocol(&shown, &answer, &error),
            ListFailure::Listing(error @ ListingError::TooMany) => KmsError::NotSupported {
                key: shown.clone(),
                endpoint: self.client.all_endpoints(),
                detail: error.to_string(),
            },
            ListFailure::Listing(error @ ListingError::Continuation) => KmsError::Protocol {
                key: shown.clone(),
                endpoint: self.client.all_endpoints(),
                detail: error.to_string(),
            },
        })
    }

    fn status(&self) -> Result<KmsStatus, KmsError> {
        let client = Arc::clone(&self.client);
        let limit = self.client.call_timeout().saturating_add(Duration::from_secs(1));
        let asked = self.runtime.wait_for(limit, async move {
            let mut asking = JoinSet::new();
            for place in 0..client.endpoints().len() {
                let client = Arc::clone(&client);
                asking.spawn(async move { (place, endpoint_status(&client, place).await) });
            }
            let mut states = asking.join_all().await;
            states.sort_by_key(|(place, _)| *place);
            states.into_iter().filter_map(|(_, status)| status).collect()
        });
        let endpoints = asked.unwrap_or_else(|| {
            let offline = |endpoint: &Endpoint| EndpointStatus {
                endpoint: endpoint.to_string(),
                state: EndpointState::Offline { reason: format!("no answer within {limit:.0?}") },
            };
            self.client.endpoints().iter().map(offline).collect()
        });
        Ok(KmsStatus { kind: KmsKind::Kes, default_key: self.default_key.clone(), endpoints })
    }

    fn default_key(&self) -> &KeyName {
        &self.default_key
    }

    fn describe(&self) -> KmsDescription {
        let endpoints = self.client.endpoints().iter().map(ToString::to_string).collect();
        KmsDescription { kind: KmsKind::Kes, endpoints }
    }
}

enum ListFailure {
    Call(CallError),
    Wire(Answer, WireError),
    Listing(ListingError),
}

impl From<CallError> for ListFailure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<ListingError> for ListFailure {
    fn from(error: ListingError) -> Self {
        Self::Listing(error)
    }
}

/// Asks one endpoint. A refusal is an answer: the documented policy does not allow to ask for the status.
async fn endpoint_status(client: &KesClient, place: usize) -> Option<EndpointStatus> {
    let endpoint = client.endpoints().get(place)?;
    let request = Request::repeatable(Method::GET, "/v1/status".into(), None);
    let state = match client.call_one(endpoint, &request).await {
        Ok(answer) => match parse_status(&answer.body) {
            Ok(status) if status.key_store_unreachable => EndpointState::KeyStoreUnreachable,
            Ok(status) => EndpointState::Online { version: status.version },
            Err(error) => EndpointState::Offline { reason: error.to_string() },
        },
        Err(CallError::Refused { refusal: Refusal::Denied, .. }) => EndpointState::Online { version: None },
        Err(CallError::Refused { refusal, .. }) => EndpointState::Offline { reason: format!("{refusal:?}") },
        Err(CallError::Unreachable { detail }) => EndpointState::Offline { reason: detail },
    };
    Some(EndpointStatus { endpoint: endpoint.to_string(), state })
}

/// For `crate::fuzzing`: takes a private key apart.
#[doc(hidden)]
pub(crate) fn fuzz_private_key(pem: &[u8], password: Option<&str>) {
    drop(private_key::parse_private_key(pem, password));
}
