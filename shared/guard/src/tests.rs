//! Decisions over a small world, and a guard over services that a test fakes.

mod bearer_keys;
mod customer_tokens;
mod decisions;
mod fake_aws;
mod feed_pages;
mod first_uses;
mod guarding;
mod inspections;
mod look_ups;
mod operations;
mod own_writes;
mod remembered_keys;
mod trusted_keys;
mod unreachable_table;
mod wrong_secrets;
