//! What every binary needs from the world: settings, the ambient clock and randomness, redacting
//! logs, start-up errors and values that are read again as they age. No HTTP framework.

pub mod ambient;
pub mod env;
pub mod flight;
pub mod log;
pub mod refreshing;

pub use self::{
    ambient::{Ambient, Entropy},
    env::{Env, SettingError, StartError},
};
