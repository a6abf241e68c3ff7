//! From the command line to the exit code.

use super::{
    Arguments, DaemonError,
    ending::Signals,
    gateway::{Endpoint, Serving, control},
};
use crate::{
    adapter::{Adapter, Settings},
    mount::{self, MountOptions, MountPoint, Mounted},
};
use nix::unistd::{getegid, geteuid};
use std::{sync::Arc, time::Duration};
use strongroom::store::{Store, StoreOptions};
use strongroom_s3gw::program::announce;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::spawn_blocking,
};

/// Fewest threads of the runtime: a cold read may hold one for some milliseconds.
const WORKERS_AT_LEAST: usize = 4;
/// How long the last requests of the kernel are waited for once the mount is out of the file tree.
const UNMOUNT_TIME: Duration = Duration::from_secs(5);

/// Runs the daemon until a signal, or an unmount by somebody else, ends it.
///
/// # Errors
/// [`DaemonError`]. Up to opening the store nothing was changed; afterwards the store was closed again.
pub fn run(arguments: &Arguments) -> Result<(), DaemonError> {
    let mut options = MountOptions::default();
    for list in &arguments.options {
        options.parse(list)?;
    }
    let store_options = StoreOptions::from_environment(arguments.store.clone(), true)?;
    let point = mount::check(&arguments.mountpoint, &arguments.store, &options)?;
    let endpoint = if arguments.no_s3 { None } else { Some(Endpoint::listen(&arguments.s3)?) };
    let workers = std::thread::available_parallelism().map_or(WORKERS_AT_LEAST, usize::from).max(WORKERS_AT_LEAST);
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = runtime.map_err(DaemonError::system("runtime"))?;

    let (store, first_start) = Store::open(store_options)?;
    if let Some(first) = &first_start {
        announce::first_start(first, store.credentials(), endpoint.as_ref().map(Endpoint::address));
    }
    let served = serve(arguments, options, &point, endpoint, &store, &runtime);
    if served.is_err() {
        // The first error is the one to tell.
        let _ = store.close();
    }
    runtime.shutdown_background();
    served
}

fn serve(
    arguments: &Arguments,
    options: MountOptions,
    point: &MountPoint,
    endpoint: Option<Endpoint>,
    store: &Arc<Store>,
    runtime: &Runtime,
) -> Result<(), DaemonError> {
    let mut signals = {
        let _within = runtime.enter();
        Signals::install()?
    };
    let settings = Settings {
        default_key: store.default_key().to_owned(),
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        store: Some(arguments.store.clone()),
    };
    let adapter = Adapter::new(Arc::clone(store.catalog()), settings);
    let (end, ended) = oneshot::channel();
    let mounted = mount::mount(adapter, point, options, move || {
        let _ = end.send(());
    })?;
    let address = endpoint.as_ref().map(Endpoint::address);
    let mut serving = endpoint.map(|endpoint| endpoint.serve(store, runtime.handle())).transpose()?;
    let control = control(&arguments.store, store, runtime.handle());
    let endpoint = address.map_or_else(|| "no S3".to_owned(), |address| format!("S3 at http://{address}"));
    announce::ready(&format!("mounted on {}, {endpoint}", point.path().display()))
        .map_err(DaemonError::system("standard output"))?;

    runtime.block_on(async {
        let failure = tokio::select! {
            signal = signals.next() => {
                tracing::info!("{signal}: ending");
                None
            }
            _ = ended => {
                tracing::info!("{} was unmounted: ending", point.path().display());
                None
            }
            failure = gateway_ended(serving.as_mut()) => Some(failure),
        };
        let servers = serving.filter(|_| failure.is_none()).into_iter().chain(control).collect();
        let closed = wind_down(servers, mounted, store, &mut signals).await;
        failure.map_or(closed, Err)
    })
}

async fn gateway_ended(serving: Option<&mut Serving>) -> DaemonError {
    match serving {
        Some(serving) => serving.ended().await,
        None => std::future::pending().await,
    }
}

/// Takes no more requests, unmounts, syncs and closes. A second signal stops waiting for whoever uses gateway or mount,
/// a third one also for the disk; what was committed survives that as it survives a kill.
async fn wind_down(
    servers: Vec<Serving>,
    mounted: Mounted,
    store: &Arc<Store>,
    signals: &mut Signals,
) -> Result<(), DaemonError> {
    announce::stopping();
    let mut hurry = false;
    let stopping: Vec<_> = servers.into_iter().map(|server| tokio::spawn(server.stop())).collect();
    for stopped in stopping {
        tokio::select! {
            _ = stopped => {}
            _ = signals.next() => {
                hurry = true;
                break;
            }
        }
    }
    let unmounting = spawn_blocking(move || {
        if hurry {
            mounted.abandon();
            return Ok(());
        }
        mounted.unmount(UNMOUNT_TIME)
    });
    let unmounted = tokio::select! {
        result = unmounting => result.unwrap_or(Ok(())),
        _ = signals.next() => Ok(()),
    };
    let closed = Arc::clone(store);
    tokio::select! {
        result = spawn_blocking(move || closed.close()) => result.unwrap_or(Ok(()))?,
        signal = signals.next() => tracing::warn!("{signal} again: ending without a clean close"),
    }
    Ok(unmounted?)
}
