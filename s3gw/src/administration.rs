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
        serde_json::to_value(self.0.status()).map_err(|error| error.to_string())
    }

    fn fsck(&self, accept_loss: &[String]) -> Result<serde_json::Value, String> {
        if !accept_loss.is_empty() {
            return Err("losses are accepted only while no daemon holds the store; stop it and try again".to_owned());
        }
        serde_json::to_value(self.0.fsck(&mut |_, _| {})).map_err(|error| error.to_string())
    }
}
