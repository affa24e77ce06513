//! Decides about every call: one pure function, [`decide`], and the memory of an instance around
//! it.
//!
//! A [`Guard`] decides from memory. It keeps the trusted signing keys, the tokens whose signature
//! it has verified, the personal keys whose secrets it has looked up, and the revocation feed. What
//! it cannot know it does not allow.

mod bearer;
mod caller;
mod context;
mod decide;
mod decision;
mod failures;
mod feed_reader;
mod flights;
mod guard;
mod inspect;
mod keys;
mod log;
mod look_ups;
mod memory;
mod personal_key;
mod personal_keys;
mod request;
mod routes;
mod settings;
mod verified_tokens;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use self::{
    bearer::{Bearer, NoBearer},
    context::Context,
    decide::{Presented, decide},
    decision::{Decision, DenyReason, KeyError, Unauthorized, Unavailable},
    guard::Guard,
    inspect::Inspection,
    personal_key::PersonalKey,
    request::{Request, Route},
    routes::Routes,
    settings::Settings,
};
