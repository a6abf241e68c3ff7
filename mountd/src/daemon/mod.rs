//! The life of the daemon: everything that can be checked is checked before the store is touched; then the store is
//! opened, mounted and served; a signal, or an unmount by somebody else, ends it in the reverse order.

mod arguments;
mod ending;
mod error;
mod gateway;
mod life;

pub use arguments::Arguments;
pub use error::DaemonError;
pub use life::run;
