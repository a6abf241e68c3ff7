//! The gateway as a program of its own, without a mount: from the command line to the exit code.

pub mod announce;
mod arguments;
mod error;

pub use arguments::Arguments;
pub use error::ProgramError;

use crate::{Control, Gateway, GatewayOptions, GatewayParts, StoreAdministration};
use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use strongroom::{
    admin::control::socket_path,
    store::{Store, StoreOptions},
};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Fewest threads of the runtime: a cold read may hold one for some milliseconds.
const WORKERS_AT_LEAST: usize = 4;
/// How long a thread of the blocking pool is waited for at the end.
const BLOCKING_TIME: Duration = Duration::from_secs(5);

/// Runs until SIGTERM, SIGINT or SIGHUP; then lets requests under way finish and closes the store.
///
/// # Errors
/// [`ProgramError`]. The address is taken before the store is touched.
pub fn run(arguments: &Arguments) -> Result<(), ProgramError> {
    let options = StoreOptions::from_environment(arguments.store.clone(), true)?;
    let listener = listen(&arguments.s3)?;
    let endpoint = listener.local_addr().map_err(ProgramError::system("S3 listener"))?;
    let workers = std::thread::available_parallelism().map_or(WORKERS_AT_LEAST, usize::from).max(WORKERS_AT_LEAST);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(ProgramError::system("runtime"))?;
    let (store, first_start) = Store::open(options)?;
    if let Some(first) = &first_start {
        announce::first_start(first, store.credentials(), Some(endpoint));
    }
    let served = runtime.block_on(serve(arguments, listener, endpoint, &store));
    runtime.shutdown_timeout(BLOCKING_TIME);
    let closed = store.close();
    served?;
    Ok(closed?)
}

fn listen(address: &str) -> Result<TcpListener, ProgramError> {
    let address = address.to_owned();
    let candidates: Vec<SocketAddr> = match address.to_socket_addrs() {
        Ok(found) => found.collect(),
        Err(source) => return Err(ProgramError::Address { address, source }),
    };
    let bound =
        TcpListener::bind(candidates.as_slice()).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ProgramError::AddressInUse { address },
        _ => ProgramError::Listen { address, source },
    })
}

async fn serve(
    arguments: &Arguments,
    listener: TcpListener,
    endpoint: SocketAddr,
    store: &Arc<Store>,
) -> Result<(), ProgramError> {
    let mut signals = Signals::install()?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ProgramError::system("S3 listener"))?;
    let options = GatewayOptions { domains: arguments.domain.clone() };
    let gateway = Gateway::new(GatewayParts::of_store(store), &options);
    let control = control(arguments, store);

    let (stop, stopped) = watch::channel(false);
    let served = gateway.serve(listener, ended(stopped.clone()));
    let controlled = async {
        if let Some(control) = control {
            control.serve(ended(stopped)).await;
        }
    };
    announce::ready(&format!("S3 at http://{endpoint}")).map_err(ProgramError::system("standard output"))?;
    let ending = async {
        let signal = signals.next().await;
        tracing::info!("{signal}: ending");
        announce::stopping();
        // Both servers listen as long as they run.
        let _ = stop.send(true);
        // A second signal stops waiting for requests under way.
        signals.next().await;
    };
    let serving = futures::future::join(served, controlled);
    futures::future::select(std::pin::pin!(serving), std::pin::pin!(ending)).await;
    Ok(())
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    // An error is the end of the sender, and so of the program.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The control socket; without one the gateway still serves, so that is a warning.
fn control(arguments: &Arguments, store: &Arc<Store>) -> Option<Control> {
    let bound = socket_path(&arguments.store, &|name| std::env::var_os(name)).and_then(|path| {
        let administration = Arc::new(StoreAdministration::new(Arc::clone(store)));
        Control::bind(&path, Arc::clone(store.catalog()), store.default_key().to_owned(), administration)
    });
    bound
        .inspect_err(|error| tracing::warn!("no control socket, so `strongroom` cannot reach this store: {error}"))
        .ok()
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn install() -> Result<Self, ProgramError> {
        let take = |kind| signal(kind).map_err(ProgramError::system("signal handlers"));
        Ok(Self {
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
            hangup: take(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|cx| {
            for (signal, name) in
                [(&mut self.terminate, "SIGTERM"), (&mut self.interrupt, "SIGINT"), (&mut self.hangup, "SIGHUP")]
            {
                if signal.poll_recv(cx).is_ready() {
                    return std::task::Poll::Ready(name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
