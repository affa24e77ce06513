//! The revocation feed (CBM-4, X-1): every change that reduces authority writes an [`Entry`] in its
//! own transaction, and every authorizer instance decides from a [`Feed`] that it keeps by reading
//! those entries.
//!
//! Both sides of the protocol stand here as pure functions, because its promise, *no allow later
//! than five seconds after the answer of the revoke*, lives in how they fit together. [`Rules`]
//! holds the numbers and the argument for them; `tests/feed_model/main.rs` explores writers and
//! readers that run this very code, and shows a counterexample for every rule that is left out.
//!
//! A writer
//! 1. reads what it changes, and stops with an alarm unless [`Rules::clock_within_bound`] holds of
//!    an exchange at hand;
//! 2. stamps the entry with its own clock, afresh on each attempt, and commits it with its change;
//! 3. answers once [`Rules::publication`] says so, and until then writes the entry again (the entry
//!    alone, the change stands). Repeating a revoke writes its entry again too, unless it is
//!    remembered that step 3 was reached: whoever began it may have died before.
//!
//! A reader, on each call
//! 1. asks [`Feed::freshness`]; anything but fresh, it reads strongly consistent from
//!    [`Feed::query_start`], all pages, and hands the whole to [`Feed::absorb`];
//! 2. asks [`Feed::freshness`] again, refuses with 503 if stale, and with nothing in between asks
//!    [`Feed::verdict`].

mod credential;
mod entry;
mod reader;
mod rules;
#[cfg(test)]
mod tests;

pub use self::{
    credential::{Credential, Fact, Invalidation, Parent},
    entry::{Cohort, Effect, Entry, Subject},
    reader::{ClockOutOfBound, Feed, Footprint, Freshness},
    rules::{Exchange, Publication, Rules},
};
