//! What the control socket tells of an open store.

use crate::Administration;
use std::sync::Arc;
use strongroom::store::Store;

/// A store, seen through the control socket.
pub struct StoreAdministration(Arc<Store>);

impl StoreAdministration {
    /// Of this store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self(store)
    }
}

impl Administration for StoreAdministration {
    fn status(&self) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "store_id": hex::encode(self.0.id().as_bytes()),
            "ready": self.0.is_ready(),
            "default_key": self.0.default_key(),
            "buckets": self.0.catalog().buckets().len(),
        }))
    }

    fn fsck(&self, _accept_loss: &[String]) -> Result<serde_json::Value, String> {
        Err("fsck of a store that is being served is not built yet; stop the daemon and run `strongroom fsck`"
            .to_owned())
    }
}
