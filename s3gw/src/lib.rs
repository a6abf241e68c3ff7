//! The S3 gateway of Strongroom: a library for the daemon, and a program of its own.
//!
//! It translates between S3 and the core's `fs`, and holds no semantics: what a PUT, a DELETE or a locked key means is
//! decided in the core, and errors are mapped by one `match`. Signatures, routing and documents are the work of the
//! `s3s` library, unmodified; before it stand the guards against what it lets through, behind it what every reply must
//! carry. Requests are bounded before they are believed, nothing that came from a client is logged, and no task of the
//! runtime waits for a disk's sync.

mod access;
mod administration;
mod auth;
mod body;
mod call;
mod control;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod guard;
mod health;
mod host;
pub mod program;
mod reply;
mod router;
mod s3;
mod server;

pub use administration::StoreAdministration;
pub use control::{Administration, Control};
pub use gateway::{Gateway, GatewayOptions, GatewayParts};
