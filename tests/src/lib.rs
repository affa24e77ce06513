//! The harness of the black-box tests: the whole platform in process on a random port, typed
//! callers, a clock that can be advanced, a proxy that holds, loses and changes what passes,
//! waiting for events, and authorizers as processes of their own.

#![expect(
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "a harness panics where a test fails"
)]

pub mod caller;
pub mod lambda;
pub mod platform;
pub mod proxy;
pub mod rotator;
pub mod wait;

pub use self::{
    caller::{Answer, Caller},
    platform::Platform,
};
