//! The gateway as a whole: made of a store's parts, served on a listener.

use crate::{
    access::Access, auth::RootAuth, call::Buckets, host::Domains, reply::RequestIds, router::Router, s3::Objects,
    server,
};
use s3s::{
    config::{S3Config, StaticConfigProvider},
    service::S3ServiceBuilder,
};
use std::{future::Future, sync::Arc};
use strongroom::{fs::Catalog, store::Store};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

/// Largest XML document taken: a DeleteObjects of 1000 long keys, escaped.
pub(crate) const DOCUMENT_LIMIT_BYTES: usize = 8 * 1024 * 1024;
/// Largest chunk of an `aws-chunked` body with signatures, which must be held until it is verified.
const CHUNK_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// What a gateway serves.
pub struct GatewayParts {
    /// The buckets.
    pub catalog: Arc<Catalog>,
    /// Access key of the root credentials.
    pub access_key: String,
    /// Their secret key.
    pub secret_key: Zeroizing<String>,
    /// EK of buckets that are made through it.
    pub default_key: String,
    /// Whether the store can be used: what `/minio/health/ready` tells. Cheap, called on the runtime.
    pub ready: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl GatewayParts {
    /// Those of an open store.
    #[must_use]
    pub fn of_store(store: &Arc<Store>) -> Self {
        let asked = Arc::clone(store);
        Self {
            catalog: Arc::clone(store.catalog()),
            access_key: store.credentials().access_key.clone(),
            secret_key: store.credentials().secret_key.clone(),
            default_key: store.default_key().to_owned(),
            ready: Arc::new(move || asked.is_ready()),
        }
    }
}

/// What can be chosen.
#[derive(Clone, Debug, Default)]
pub struct GatewayOptions {
    /// Domains below which host names begin with a bucket (`bucket.domain`). Without any, and for every other host,
    /// the path names the bucket.
    pub domains: Vec<String>,
}

/// The S3 endpoint of a store.
///
/// ```no_run
/// # async fn run(parts: strongroom_s3gw::GatewayParts) -> std::io::Result<()> {
/// use strongroom_s3gw::{Gateway, GatewayOptions};
/// let gateway = Gateway::new(parts, &GatewayOptions::default());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
/// gateway.serve(listener, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
/// # Ok(())
/// # }
/// ```
pub struct Gateway {
    router: Arc<Router>,
}

impl Gateway {
    /// Puts the services together; nothing runs yet.
    #[must_use]
    pub fn new(parts: GatewayParts, options: &GatewayOptions) -> Self {
        let mut builder = S3ServiceBuilder::new(Objects {
            catalog: Arc::clone(&parts.catalog),
            buckets: Buckets::new(Arc::clone(&parts.catalog)),
            default_key: parts.default_key,
            owner_name: parts.access_key.clone(),
        });
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config()))));
        builder.set_auth(RootAuth { access_key: parts.access_key, secret_key: parts.secret_key });
        builder.set_access(Access { catalog: parts.catalog });
        builder.set_host(Domains::new(&options.domains));
        let router = Router { s3: builder.build(), is_ready: parts.ready, ids: RequestIds::new() };
        Self { router: Arc::new(router) }
    }

    /// Serves until `shutdown` ends; then takes no more connections and lets requests under way finish.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        server::serve(self.router, listener, shutdown).await;
    }
}

fn config() -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = DOCUMENT_LIMIT_BYTES;
    config.aws_chunked_stream_max_chunk_size = CHUNK_LIMIT_BYTES;
    // Old SDKs presign with it by default; the guard admits it in no header.
    config.enable_sig_v2 = true;
    // A body without a length is told from an empty one.
    config.normalize_content_length = false;
    config.allow_post_signature = false;
    config
}
