//! Connections: accepted up to a bound, served, and drained at the end.

use crate::router::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Most connections at a time; more wait in the listener's queue.
const CONNECTION_LIMIT: usize = 4096;
/// How long a connection may be idle, or take for its headers. SDKs keep idle connections for up to a minute and
/// meet a reset when the server is quicker.
const IDLE_LIMIT: Duration = Duration::from_secs(75);
/// How long requests under way are waited for at the end.
const DRAIN_TIME: Duration = Duration::from_secs(30);
/// Pause when the process has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HEADER_COUNT_LIMIT: usize = 128;

/// Serves until `shutdown` ends, then lets requests under way finish, for 30 s at most.
pub(crate) async fn serve(router: Arc<Router>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    let accept = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = graceful.watch(connection(Arc::clone(&router), stream));
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
                        drop(slot);
                    });
                }
                Err(error) => pause_after(&error).await,
            }
        }
    };
    futures::future::select(pin!(accept), pin!(shutdown)).await;
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way after {} s and are cut off", DRAIN_TIME.as_secs());
    }
}

async fn pause_after(error: &io::Error) {
    // What concerns one connection is over with it; anything else (no descriptors) needs time.
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

fn connection(
    router: Arc<Router>,
    stream: TcpStream,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<hyper::body::Incoming, ResBody = s3s::Body, Error = Infallible, Future: Send> + Send,
> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let router = Arc::clone(&router);
        async move { Ok::<_, Infallible>(router.answer(request).await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_LIMIT)
        .max_headers(HEADER_COUNT_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
}
