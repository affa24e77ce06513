//! A small world to decide in, for this crate's tests and those of the authorizer.
#![expect(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default,
    reason = "fixtures: a wrong one fails the test that uses it"
)]

pub mod person;
pub mod world;
