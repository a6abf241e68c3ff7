//! The S3 gateway within the daemon.

use super::DaemonError;
use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use strongroom::store::Store;
use strongroom_s3gw::{Gateway, GatewayOptions, GatewayParts};
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
        let asked = Arc::clone(store);
        let parts = GatewayParts {
            catalog: Arc::clone(store.catalog()),
            access_key: store.credentials().access_key.clone(),
            secret_key: store.credentials().secret_key.clone(),
            default_key: store.default_key().to_owned(),
            ready: Arc::new(move || asked.is_ready()),
        };
        let gateway = Gateway::new(parts, &GatewayOptions::default());
        let _within = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(self.listener).map_err(DaemonError::system("S3 listener"))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = runtime.spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            gateway.serve(listener, shutdown).await;
        });
        Ok(Serving { stop, task })
    }
}

/// A gateway that answers.
pub(super) struct Serving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
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
            tracing::warn!("S3 requests that were still under way are cut off");
            abort.abort();
        }
    }
}
