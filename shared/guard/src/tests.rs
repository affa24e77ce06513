//! Decisions over a small world, and a guard over services that a test fakes.

mod bearer_keys;
mod customer_tokens;
mod decisions;
mod fake_aws;
mod guarding;
mod inspections;
mod operations;
mod remembered_keys;
mod unreachable_table;
