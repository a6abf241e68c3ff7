//! A gateway over a store in memory, to try clients on: `memory_gateway ADDRESS`. Nothing outlives it.

use std::{error::Error, io::Write, sync::Arc};
use strongroom::{
    bucket::MemoryStore,
    clock::SystemClock,
    crypt::KernelEntropy,
    fs::{Catalog, CatalogParts, DEFAULT_WINDOW_POOL_BYTES, MemoryHost},
};
use strongroom_s3gw::{Gateway, GatewayOptions, GatewayParts};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let catalog = Catalog::open(CatalogParts {
        meta: MemoryStore::new(),
        host: Arc::new(MemoryHost::default()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(KernelEntropy),
        window_pool_bytes: DEFAULT_WINDOW_POOL_BYTES,
    })?;
    let parts = GatewayParts {
        catalog,
        access_key: "minioadmin".to_owned(),
        secret_key: "minioadmin".to_owned().into(),
        default_key: "memory".to_owned(),
        ready: Arc::new(|| true),
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(&address).await?;
        writeln!(std::io::stdout(), "Ready: S3 at http://{}", listener.local_addr()?)?;
        let gateway = Gateway::new(parts, &GatewayOptions::default());
        gateway.serve(listener, async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await;
        Ok(())
    })
}
