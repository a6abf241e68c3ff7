//! HTTPS to a set of endpoints: tried in turn, bounded in time and size.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, Method, header::CONTENT_TYPE};
use tokio::{sync::Semaphore, time::Instant};
use zeroize::Zeroizing;

use super::{
    Endpoint, KesConfig,
    client_cert::ClientCert,
    trust::Trust,
    wire::{Refusal, classify_refusal},
};
use crate::kms::KmsError;

/// TCP and TLS to one endpoint must be there within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One request to one endpoint, connecting included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest a call may take with any number of endpoints.
const CALL_TIMEOUT_MAX: Duration = Duration::from_secs(15);
/// How often each endpoint is tried in one call.
const PASSES: usize = 3;
/// Wait between two passes: this, and up to 800 ms more at random.
const PASS_WAIT: Duration = Duration::from_millis(200);
/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 32;
/// Longest answer that is read.
const ANSWER_MAX_LEN_BYTES: usize = 1 << 20;

/// One API call.
pub(super) struct Request {
    pub(super) method: Method,
    /// Path below the endpoint, and what an operator puts into a policy.
    pub(super) path: String,
    pub(super) body: Option<Vec<u8>>,
    /// Whether it may be sent again when it is unknown whether the server did it.
    pub(super) repeatable: bool,
}

impl Request {
    /// A call that changes nothing, or may be made twice.
    pub(super) fn repeatable(method: Method, path: String, body: Option<Vec<u8>>) -> Self {
        Self { method, path, body, repeatable: true }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// An endpoint answered, and refuses.
    Refused { endpoint: String, refusal: Refusal },
    /// No endpoint could be used; what happened at each.
    Unreachable { detail: String },
}

/// An answer of status 200 and who gave it. Its body may hold a key, and is wiped; the buffers of TLS and HTTP below,
/// through which it came, cannot be.
pub(super) struct Answer {
    pub(super) endpoint: String,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// What one endpoint did with a request.
enum Tried {
    Answered(Zeroizing<Vec<u8>>),
    Refused(Refusal),
    /// Not sent, or not answered.
    Failed {
        reason: String,
        /// Whether the server may have done it nevertheless.
        perhaps_done: bool,
    },
}

/// The connections to all endpoints of one KES.
pub(super) struct KesClient {
    http: Client,
    endpoints: Vec<Endpoint>,
    enclave: Option<String>,
    identity: String,
    ca_hint: String,
    in_flight: Semaphore,
    /// The endpoint that answered last is asked first. Load balancing and setting aside come here.
    preferred: AtomicUsize,
}

impl KesClient {
    /// Loads certificates and prepares TLS; connects to nobody.
    pub(super) fn new(config: KesConfig) -> Result<Self, KmsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = Trust::load(config.ca_path.as_deref(), &provider)?;
        let client_cert = ClientCert::new(config.identity, Arc::clone(&provider))?;
        let identity = client_cert.identity();
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| KmsError::configuration(format!("TLS: {error}")))?
            .dangerous()
            .with_custom_certificate_verifier(trust)
            .with_client_cert_resolver(Arc::new(client_cert));
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| KmsError::configuration(format!("HTTPS client: {}", with_causes(&error))))?;
        let ca_hint = config.ca_path.map_or_else(
            || "MINIO_KMS_KES_CAPATH is not set".into(),
            |path| format!("MINIO_KMS_KES_CAPATH is {}", path.display()),
        );
        Ok(Self {
            http,
            endpoints: config.endpoints,
            enclave: config.enclave,
            identity,
            ca_hint,
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            preferred: AtomicUsize::new(0),
        })
    }

    pub(super) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// All endpoints, for messages.
    pub(super) fn all_endpoints(&self) -> String {
        let names: Vec<&str> = self.endpoints.iter().map(Endpoint::as_str).collect();
        names.join(", ")
    }

    /// Who this process is to the KES.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// The longest that [`KesClient::call`] takes.
    pub(super) fn call_timeout(&self) -> Duration {
        let more = u32::try_from(self.endpoints.len().saturating_sub(1)).unwrap_or(u32::MAX);
        REQUEST_TIMEOUT.saturating_add(CONNECT_TIMEOUT.saturating_mul(more)).min(CALL_TIMEOUT_MAX)
    }

    /// Asks the endpoints in turn, up to three times round, until one answers or time is up.
    pub(super) async fn call(&self, request: &Request) -> Result<Answer, CallError> {
        let deadline = Instant::now() + self.call_timeout();
        // The last failure of each endpoint that failed.
        let mut failures: Vec<Failure> = Vec::new();
        for pass in 0..PASSES {
            if pass > 0 {
                let wait = PASS_WAIT + Duration::from_millis(u64::from(random_below_800()));
                if Instant::now() + wait >= deadline {
                    break;
                }
                tokio::time::sleep(wait).await;
            }
            let first = self.preferred.load(Ordering::Relaxed);
            for (place, endpoint) in rotated(&self.endpoints, first) {
                let (reason, perhaps_done, not_understood) = match self.try_endpoint(endpoint, request, deadline).await
                {
                    Tried::Answered(body) => {
                        self.preferred.store(place, Ordering::Relaxed);
                        return Ok(Answer { endpoint: endpoint.to_string(), body });
                    }
                    Tried::Refused(Refusal::Temporary(reason)) => (reason, true, false),
                    // Not KES that speaks: another endpoint may be one.
                    Tried::Refused(Refusal::Unexpected(reason)) => (reason, false, true),
                    Tried::Refused(refusal) => {
                        self.preferred.store(place, Ordering::Relaxed);
                        return Err(CallError::Refused { endpoint: endpoint.to_string(), refusal });
                    }
                    Tried::Failed { reason, perhaps_done } => (reason, perhaps_done, false),
                };
                failures.retain(|failure| failure.place != place);
                failures.push(Failure { place, endpoint: endpoint.to_string(), reason, not_understood });
                if (perhaps_done && !request.repeatable) || Instant::now() >= deadline {
                    return Err(summary(failures));
                }
            }
            if failures.iter().all(|failure| failure.not_understood) {
                break;
            }
        }
        Err(summary(failures))
    }

    /// Asks one endpoint once, as [`super::Kes`]'s status does.
    pub(super) async fn call_one(&self, endpoint: &Endpoint, request: &Request) -> Result<Answer, CallError> {
        match self.try_endpoint(endpoint, request, Instant::now() + REQUEST_TIMEOUT).await {
            Tried::Answered(body) => Ok(Answer { endpoint: endpoint.to_string(), body }),
            Tried::Refused(refusal) => Err(CallError::Refused { endpoint: endpoint.to_string(), refusal }),
            Tried::Failed { reason, .. } => Err(CallError::Unreachable { detail: reason }),
        }
    }

    async fn try_endpoint(&self, endpoint: &Endpoint, request: &Request, deadline: Instant) -> Tried {
        let left = deadline.saturating_duration_since(Instant::now()).min(REQUEST_TIMEOUT);
        match tokio::time::timeout(left, self.exchange(endpoint, request)).await {
            Ok(tried) => tried,
            Err(_) => Tried::Failed { reason: format!("no answer within {left:.1?}"), perhaps_done: true },
        }
    }

    async fn exchange(&self, endpoint: &Endpoint, request: &Request) -> Tried {
        // Closed never: the semaphore lives as long as the client.
        let _permit = self.in_flight.acquire().await;
        let mut builder = self.http.request(request.method.clone(), endpoint.url(&request.path));
        if let Some(enclave) = &self.enclave {
            builder = builder.header("Kes-Enclave", enclave);
        }
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => {
                return Tried::Failed { reason: self.reason(&error), perhaps_done: !error.is_connect() };
            }
        };
        let status = response.status().as_u16();
        match read_bounded(response).await {
            Ok(body) if status == 200 => Tried::Answered(body),
            Ok(body) => Tried::Refused(classify_refusal(status, &body)),
            Err(reason) => Tried::Failed { reason, perhaps_done: true },
        }
    }

    /// The causes of a transport error, and for the usual ones what to do.
    fn reason(&self, error: &reqwest::Error) -> String {
        let mut reason = with_causes(error);
        let hint = if reason.contains("UnknownIssuer") || reason.contains("CaUsedAsEndEntity") {
            format!("; set it to the certificate of the KES server, or of its CA ({})", self.ca_hint)
        } else if reason.contains("not valid for name") || reason.contains("NotValidForName") {
            "; use a name or address that the server's certificate holds as a subject alternative name".into()
        } else if reason.contains("CertificateRequired") || reason.contains("BadCertificate") {
            format!("; the server does not take the client certificate of identity {}", self.identity)
        } else {
            String::new()
        };
        reason.push_str(&hint);
        reason
    }
}

/// What went wrong at one endpoint.
struct Failure {
    place: usize,
    endpoint: String,
    reason: String,
    /// It answered, but not as KES does.
    not_understood: bool,
}

/// Unreachable, unless every endpoint answered and none as KES does: that will not pass by waiting.
fn summary(failures: Vec<Failure>) -> CallError {
    let not_understood = !failures.is_empty() && failures.iter().all(|failure| failure.not_understood);
    let reasons: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.endpoint, failure.reason)).collect();
    let detail = reasons.join("; ");
    if not_understood {
        let endpoints: Vec<String> = failures.into_iter().map(|failure| failure.endpoint).collect();
        return CallError::Refused { endpoint: endpoints.join(", "), refusal: Refusal::Unexpected(detail) };
    }
    CallError::Unreachable { detail }
}

/// The endpoints with their places, beginning with place `first`.
fn rotated(endpoints: &[Endpoint], first: usize) -> impl Iterator<Item = (usize, &Endpoint)> {
    endpoints.iter().enumerate().cycle().skip(first).take(endpoints.len())
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut body = Zeroizing::new(Vec::new());
    loop {
        let chunk = response.chunk().await.map_err(|error| with_causes(&error))?;
        let Some(chunk) = chunk else { return Ok(body) };
        if body.len().saturating_add(chunk.len()) > ANSWER_MAX_LEN_BYTES {
            return Err(format!("the answer is longer than {ANSWER_MAX_LEN_BYTES} bytes"));
        }
        // Grown by hand, so that the old buffer, which may hold half a key, is wiped.
        if body.capacity().saturating_sub(body.len()) < chunk.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + chunk.len()).max(4096) * 2));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
}

/// An error and its causes in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

/// A random number for the wait between two passes; 400 when the kernel gives none.
fn random_below_800() -> u16 {
    let mut bytes = [0; 2];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u16::from_le_bytes(bytes) % 800,
        Err(_) => 400,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::parse_endpoints;

    #[test]
    fn the_hybrid_key_exchange_is_offered_first() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let first = provider.kx_groups.first().map(|group| group.name());
        assert_eq!(first, Some(rustls::NamedGroup::X25519MLKEM768));
    }

    #[test]
    fn the_preferred_endpoint_comes_first_and_each_comes_once() {
        let endpoints = parse_endpoints("https://k{0...2}").unwrap();
        let places = |first| rotated(&endpoints, first).map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(places(0), [0, 1, 2]);
        assert_eq!(places(2), [2, 0, 1]);
    }
}
