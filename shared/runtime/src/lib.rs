//! What every binary needs from the world: settings, the ambient clock and randomness, redacting
//! logs and start-up errors. No HTTP framework.

pub mod ambient;
pub mod env;
pub mod log;

pub use self::{
    ambient::{Ambient, Entropy},
    env::{Env, SettingError, StartError},
};
