//! The revocation feed (CBM-4, X-1). A change that reduces authority writes an [`Entry`] in its own
//! transaction, unless a cover stands in for it. Every authorizer instance keeps a [`Feed`] by
//! reading the entries, and decides from it. A cover ([`Rules`], Covers) is one entry in place of
//! many: it says that a key or organization is to be looked up in the tables.
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
//!    alone, the change stands). Repeating a revoke writes its entry again too, unless the item
//!    shows that step 3 was reached: whoever began it may have died before.
//!
//! Under a cover, a writer may commit a change without an entry. It answers if
//! [`Rules::may_answer_without_entry`] holds then; otherwise it publishes the entry first. A revoke
//! that is repeated under a cover writes no entry.
//!
//! A reader, on each call
//! 1. asks [`Feed::freshness`]; anything but fresh, it reads the page of [`Feed::query`], strongly
//!    consistent, hands it to [`Feed::absorb`], and does so again while there are more pages. One
//!    that lacks minutes first reads the pages of [`Feed::segment_query`], and hands them to
//!    [`Feed::absorb_segments`];
//! 2. asks [`Feed::freshness`] again, refuses with 503 if stale, and with nothing in between asks
//!    [`Feed::validity`]. For [`Validity::LookUp`] it decides by the tables.

mod compaction;
mod credential;
mod entry;
mod folded;
mod hints;
mod reader;
mod reading;
mod record;
mod rules;
mod segment;
mod stored_form;
#[cfg(test)]
mod tests;

pub use self::{
    compaction::Compaction,
    credential::{Credential, Fact, Invalidation, Parent},
    entry::{Cohort, Effect, Entry, EntryKey, Subject},
    hints::Hints,
    reader::{ClockOutOfBound, Feed, Footprint, Freshness, Validity},
    reading::{Page, Query, Start},
    rules::{Exchange, LeftOut, Publication, Rules},
    segment::{Segment, SegmentPage, SegmentQuery},
    stored_form::{decode, encode},
};
