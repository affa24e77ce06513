//! What every function needs at its edge: settings, clock and randomness, the error dialects, strict extractors, the
//! caller's identity, redacting logs and Lambda start-up.

pub mod caller;
pub mod dialect;
pub mod edge;
pub mod env;
pub mod extract;
pub mod idempotency;
pub mod lambda;
pub mod log;
pub mod mint;
pub mod openapi;
pub mod pepper;
pub mod proxy;
pub mod request;
pub mod secrets;

pub use edge::{Edge, Entropy};
pub use env::{Env, SettingError, StartError};
