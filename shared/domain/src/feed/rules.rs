//! The numbers of the feed, the argument for them, and the decisions that follow from numbers
//! alone.

use std::time::Duration;

use crate::time::Timestamp;

/// The protocol's numbers. Code takes them as a value so that the model can show what happens with
/// others; everything that runs uses [`Rules::STANDARD`].
///
/// # Why the overlap is sixty seconds
/// Let `S` be `clock_bound`, `P` be `visible_within`. A reader that holds entry `N` asks for what
/// is stamped from `N - overlap` on. It must not skip an entry `E` that became visible after the
/// read that returned `N`.
/// - `N` was stamped before it became visible, by a clock at most `S` ahead:
///   `N.time <= visible(N) + S`.
/// - `E` counts only if its answer came, by its writer's clock, at most `P` after `E.time`, and
///   that clock was then at most `S` behind: `E.time >= visible(E) - S - P`.
/// - `visible(E) >= visible(N)`, so `E.time >= N.time - (P + 2 S)`: **thirty seconds** suffice, and
///   the model finds a counterexample with less.
///
/// The overlap is twice that: a clock may step between its proof and its use, and the table's hosts
/// may differ a little.
///
/// # What the bound is
/// A read sees everything visible when it is sent, and a revoke is visible when it is answered. So
/// what is allowed after the answer was decided from a read sent before it, at most `usable` old:
/// **four seconds** by the reader's clock. A clock that runs ahead during the read and is set back
/// before the decision hides its error from both ends; the read's own `Date` caps that at
/// `date_resolution` (and the time the table took to answer): **five seconds** at worst. That needs
/// the request's own time from the event, or a wall clock that is right when a frozen instance
/// wakes. Events without a time (TOKEN authorizers) have the latter alone.
///
/// # Why the window is seventy minutes
/// An entry matters while a token of its subject can live: the longest life, plus the time between
/// the read that issuance rests on and `iat`, plus `P + S` (the entry may be stamped that much
/// early) and `S` for the reader's clock. Only issuance is unbounded by nature; a token function's
/// time limit (at most half a minute) leaves ample room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// How soon after its own time an entry must be known visible, by its writer's clock, or it is
    /// written again.
    pub visible_within: Duration,
    /// How far a clock may be from the table's.
    pub clock_bound: Duration,
    /// What the `Date` header rounds down to (RFC 9110 §5.6.7).
    pub date_resolution: Duration,
    /// How far before the newest entry it has a reader reads.
    pub overlap: Duration,
    /// The longest life a token can be given.
    pub longest_token: Duration,
    /// How much longer than a token an entry matters.
    pub window_margin: Duration,
    /// How long the table keeps an entry that has ceased to matter.
    pub retention: Duration,
    /// The age above which a reader reads again before it decides.
    pub fresh: Duration,
    /// The age above which a reader refuses.
    pub usable: Duration,
    /// How negative an age may be. Not at all: a clock that went backwards proves nothing.
    pub negative_age: Duration,
    /// How often a reader tries to read for one decision.
    pub read_tries: u32,
    /// How long those tries may take together.
    pub read_time: Duration,
}

impl Rules {
    /// The rules that hold.
    pub const STANDARD: Self = Self {
        visible_within: Duration::from_secs(10),
        clock_bound: Duration::from_secs(10),
        date_resolution: Duration::from_secs(1),
        overlap: Duration::from_mins(1),
        longest_token: Duration::from_hours(1),
        window_margin: Duration::from_mins(10),
        retention: Duration::from_hours(24),
        fresh: Duration::from_secs(1),
        usable: Duration::from_secs(4),
        negative_age: Duration::ZERO,
        read_tries: 2,
        read_time: Duration::from_millis(600),
    };

    /// Whether `exchange` proves the clock within the bound of the table's.
    ///
    /// The table's clock stood in `[date, date + 1 s)` at some moment between `sent` and
    /// `answered`. So ours is ahead by at most `answered - date` and behind by less than
    /// `date + 1 s - sent`, and both ends must lie within: the header's resolution and the time the
    /// answer took count against us. An answer slower than nine seconds proves nothing; ask again
    /// rather than alarm on one of those.
    #[must_use]
    pub fn clock_within_bound(&self, exchange: &Exchange) -> bool {
        exchange.answered <= exchange.date + self.clock_bound
            && exchange.date + self.date_resolution <= exchange.sent + self.clock_bound
    }

    /// Whether a writer may answer, given the exchange that wrote its entry and the entry's own
    /// time, taken before the first try of that exchange.
    #[must_use]
    pub fn publication(&self, exchange: &Exchange, entry_time: Timestamp) -> Publication {
        let in_time = entry_time <= exchange.answered
            && exchange.answered <= entry_time + self.visible_within;
        if in_time && self.clock_within_bound(exchange) {
            Publication::Published
        } else {
            Publication::WriteAgain
        }
    }

    /// When the table may delete an entry (its TTL).
    #[must_use]
    pub fn entry_expires(&self, entry_time: Timestamp) -> Timestamp {
        entry_time + self.window() + self.retention
    }

    /// How long an entry matters.
    pub(super) fn window(&self) -> Duration {
        self.longest_token + self.window_margin
    }

    /// From when a read counts: its sending, but no later than its `Date` can mean, since the clock
    /// that stamped the sending may have been ahead and be set back since.
    pub(super) fn counts_from(&self, read: &Exchange) -> Timestamp {
        read.sent.min(read.date + self.date_resolution)
    }
}

/// One request to the table, as both clocks saw it. Of a read in several pages: the first page's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exchange {
    /// The caller's clock just before the attempt that was answered.
    pub sent: Timestamp,
    /// The caller's clock just after the answer.
    pub answered: Timestamp,
    /// The answer's `Date` header.
    pub date: Timestamp,
}

/// What a writer does after the exchange that wrote its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Every reader will see it: answer.
    Published,
    /// Readers may have passed the entry's time before they could see it: write it again with a
    /// fresh time, after holding the clock against this exchange.
    WriteAgain,
}
