//! What Latchkey is, without how it runs: types that cannot exist in a wrong state, state machines
//! whose transitions consume their subject, and the policies that decide.
//!
//! Architecture invariant: nothing here reads a clock, draws a random number, waits, or knows of
//! HTTP, AWS or Lambda. Time arrives as a [`time::Timestamp`], randomness as bytes.

pub mod allowlist;
pub mod audit;
pub mod authority;
pub mod base62;
pub mod error;
pub mod feed;
pub mod gate;
pub mod ids;
pub mod key;
pub mod key_mode;
pub mod misplaced;
pub mod operation;
pub mod organization;
pub mod pepper;
pub mod percent;
pub mod role;
pub mod scope;
pub mod secret;
pub mod signing;
pub mod text;
pub mod time;
pub mod user;
pub mod webhook_url;
