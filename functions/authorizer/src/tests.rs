//! The way of a request through everything that is pure: event, credential, verified tokens, decision, answer.

mod bad_inputs;
mod bad_keys;
mod bearer_keys;
mod customer_tokens;
mod decisions;
mod golden_events;
mod guarding;
mod inspections;
mod operations;
pub(crate) mod person;
mod played;
mod remembered_keys;
mod unreachable_table;
mod usage;
pub(crate) mod world;
