//! The control socket: HTTP and JSON for the command-line tool, for this user and root only.

mod routes;
mod socket;

use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use routes::Routes;
use std::{convert::Infallible, future::Future, io, path::Path, pin::pin, sync::Arc, time::Duration};
use strongroom::fs::Catalog;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

/// Most calls at a time.
const CONNECTION_LIMIT: usize = 16;
const HEADER_TIME: Duration = Duration::from_secs(10);

/// What the socket tells beside buckets, which the catalog knows. Both calls may take long, and run on the blocking pool.
pub trait Administration: Send + Sync + 'static {
    /// The store's status, as JSON.
    ///
    /// # Errors
    /// A message for the operator.
    fn status(&self) -> Result<serde_json::Value, String>;
    /// Reads and verifies everything; the report, as JSON. Losses of the buckets named are accepted.
    ///
    /// # Errors
    /// A message for the operator.
    fn fsck(&self, accept_loss: &[String]) -> Result<serde_json::Value, String>;
}

/// The server of a control socket.
pub struct Control {
    listener: UnixListener,
    routes: Arc<Routes>,
    file: socket::SocketFile,
}

impl Control {
    /// Makes the socket at `path` (`strongroom::admin::control::socket_path`), its directory with mode 0700. Whoever
    /// calls holds the store's lock, so a socket found there is a dead daemon's and is replaced. Needs a runtime.
    ///
    /// # Errors
    /// When the directory belongs to somebody else, or the socket cannot be made.
    pub fn bind(
        path: &Path,
        catalog: Arc<Catalog>,
        default_key: String,
        administration: Arc<dyn Administration>,
    ) -> io::Result<Self> {
        let (listener, file) = socket::bind(path)?;
        Ok(Self { listener, routes: Arc::new(Routes { catalog, default_key, administration }), file })
    }

    /// Serves until `shutdown` ends; then removes the socket.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let slots = Arc::new(Semaphore::new(CONNECTION_LIMIT));
        let accept = async {
            loop {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                match self.listener.accept().await {
                    Ok((stream, _)) if socket::is_permitted(&stream) => {
                        let routes = Arc::clone(&self.routes);
                        tokio::spawn(async move {
                            converse(stream, routes).await;
                            drop(slot);
                        });
                    }
                    Ok(_) => tracing::warn!("another user was turned away from the control socket"),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection on the control socket");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }
        };
        futures::future::select(pin!(accept), pin!(shutdown)).await;
        drop(self.file);
    }
}

async fn converse(stream: UnixStream, routes: Arc<Routes>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(routes.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "control connection ended");
    }
}
