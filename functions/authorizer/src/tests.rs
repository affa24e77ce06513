//! The way of a request through everything that is pure: event, credential, verified tokens, decision, answer.

mod bad_inputs;
mod decisions;
mod golden_events;
mod unreachable_table;
pub(crate) mod world;
