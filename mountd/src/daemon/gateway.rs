//! The S3 gateway and the control socket within the daemon.

use super::DaemonError;
use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::Path,
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use strongroom::{admin::control::socket_path, store::Store};
use strongroom_s3gw::{Control, Gateway, GatewayOptions, GatewayParts, StoreAdministration};
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

/// How long requests under way are waited for at the end.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// An address that is listened on, and not yet served.
pub(super) struct Endpoint {
    listener: TcpListener,
    address: SocketAddr,
}

impl Endpoint {
    /// Takes the address, so that it is known to be free before anything else happens.
    ///
    /// # Errors
    /// `Address`, `AddressInUse`, `Listen`.
    pub(super) fn listen(address: &str) -> Result<Self, DaemonError> {
        let address = address.to_owned();
        let candidates: Vec<SocketAddr> = match address.to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(source) => return Err(DaemonError::Address { address, source }),
        };
        let bound = TcpListener::bind(candidates.as_slice()).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(Self { address: listener.local_addr()?, listener })
        });
        bound.map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => DaemonError::AddressInUse { address },
            _ => DaemonError::Listen { address, source },
        })
    }

    /// The address, with the port that the kernel chose where 0 was asked for.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to answer.
    ///
    /// # Errors
    /// When the listener cannot be handed to the runtime.
    pub(super) fn serve(self, store: &Arc<Store>, runtime: &Handle) -> Result<Serving, DaemonError> {
        let gateway = Gateway::new(GatewayParts::of_store(store), &GatewayOptions::default());
        let _within = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(DaemonError::system("S3 listener"))?;
        Ok(Serving::start(runtime, |stopped| gateway.serve(listener, stopped)))
    }
}

/// Answers the command-line tool on the store's control socket. Without one the store is served all the same, so what
/// stands in its way is a warning.
pub(super) fn control(path: &Path, store: &Arc<Store>, runtime: &Handle) -> Option<Serving> {
    let _within = runtime.enter();
    let bound = socket_path(path, &|name| std::env::var_os(name)).and_then(|socket| {
        let administration = Arc::new(StoreAdministration::new(Arc::clone(store)));
        Control::bind(&socket, Arc::clone(store.catalog()), store.default_key().to_owned(), administration)
    });
    match bound {
        Ok(control) => Some(Serving::start(runtime, |stopped| control.serve(stopped))),
        Err(error) => {
            tracing::warn!("no control socket, so `strongroom` cannot reach this store: {error}");
            None
        }
    }
}

/// A server that answers.
pub(super) struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Serving {
    /// `server` makes the future that serves until the one it is given ends.
    fn start<F: Future<Output = ()> + Send + 'static>(runtime: &Handle, server: impl FnOnce(Stopped) -> F) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = Box::pin(async move {
            let _ = stopped.await;
        });
        Self { stop, task: runtime.spawn(server(stopped)) }
    }

    /// Returns only if the gateway ends by itself.
    pub(super) async fn ended(&mut self) -> DaemonError {
        match (&mut self.task).await {
            Ok(()) => DaemonError::Gateway("it stopped accepting".to_owned()),
            Err(error) => DaemonError::Gateway(error.to_string()),
        }
    }

    /// Accepts nothing more, and waits for what is under way, a few seconds at most.
    pub(super) async fn stop(self) {
        let Self { stop, task } = self;
        let abort = task.abort_handle();
        let _ = stop.send(());
        if tokio::time::timeout(DRAIN_TIME, task).await.is_err() {
            tracing::warn!("requests that were still under way are cut off");
            abort.abort();
        }
    }
}
