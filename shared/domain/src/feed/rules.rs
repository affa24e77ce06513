//! The numbers of the feed, the argument for them, and the decisions that follow from numbers
//! alone.

use std::time::Duration;

use super::{Effect, Freshness};
use crate::time::Timestamp;

/// The protocol's numbers. Code takes them as a value so that the model can show what happens with
/// others; everything that runs uses [`Rules::STANDARD`].
///
/// # Why the overlap is thirty seconds
/// Let `S` be `clock_bound`, `P` be `visible_within`. An entry is *promised* if its change was
/// answered, now or later: the answer came, by its writer's clock, at most `P` after the entry's
/// time, and that clock was then at most `S` behind. So `visible(E) <= E.time + S + P`.
/// - *A page* that is sent at `s` has all that was visible then in its range. It counts from at
///   most `s + S`, by a clock that is that far ahead. A promised entry that was not visible at `s`
///   has a time after `s - S - P`, hence after `counts_from - (P + 2 S)`: with an overlap of
///   **fifteen seconds** nothing promised before `counts_from - overlap` is still to come, ever.
///   The model finds a counterexample with less.
/// - *A pass* is pages that lie end to end, all sent after its first. Up to when each is complete
///   follows from the **first**: a page may have passed a place that an entry reached before a
///   later page was sent. An unfinished pass makes nothing wrong, since records only grow, and
///   dates nothing.
/// - *A page that ends before that horizon ends its pass*: all that is promised up to its last
///   entry was visible, so the next pass may begin behind it.
/// - *Not the newest entry minus the overlap*: a page reads up to an entry that is stamped ahead, a
///   revoke behind that place becomes visible and is answered, seconds later the next page brings a
///   newer entry, and the next pass begins the overlap before *that*. The gap is as long as the
///   pass, which nothing bounds.
///
/// The overlap is twice that: a clock may step between its proof and its use, and the table's hosts
/// may differ a little.
///
/// # That it heals
/// Each page that arrives is progress: the next one begins behind it, in this decision or a later
/// one. A pass reads what came since the last one began and the overlap before, so it converges
/// while entries come slower than they are read.
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
///
/// # Covers
/// A key or organization that exceeds its budget of entries gets a cover: one entry,
/// [`Effect::Cover`], in place of those of its changes. Let a change without an entry be made under
/// a cover that ends at `A`, and be answered at `a`, when the writer's clock said `a <= A`. Let a
/// decision be made later than the bound after `a`.
/// 1. The cover was published before `a` and the feed counts from later than `a`, so the feed has
///    the cover.
/// 2. The change was committed before `A + S`. A token that was issued from an earlier read has an
///    `iat` of at most `A + 2 S`, plus the time that issuance takes. So it ends before
///    `A + look_up_after_cover`. The reader compares both times with one clock, so it looks the
///    token up for as long as the token lives.
/// 3. The look-up is sent after `a`, is strongly consistent, and each thing that it reads is one
///    item. So it sees the change.
/// 4. A cold reader needs the cover iff `now <= cover.time + cover_duration + look_up_after_cover`,
///    and reads from `now - reach`: the same line, by the same clock.
/// 5. A resume without an entry leaves the suspend that it undoes in the feed. While the subject is
///    looked up, the reader ignores the feed's suspends and ends. It drops each effect at most
///    `window + prune_interval` after the effect's own time, which is before the look-ups end:
///    hence `look_up_margin`.
///
/// # Segments
/// A cold reader needs all that is younger than `reach`, but few of it whole. So a compactor reads
/// the feed as a reader does, and stores segments: a [`Segment`](super::Segment) says that these
/// are *all* promised entries of an interval. Of most it has a hint, five bytes of the identifier.
/// A credential with a hint is looked up, as under a cover.
/// 1. *A segment is true for ever.* It ends where its compactor is complete, and by the argument of
///    the overlap nothing that is promised and older is still to come. So it does not matter when a
///    segment is stored, how often, by how many compactors, or how stale the read is that finds it:
///    one that is not found means that more entries are read.
/// 2. *A reader takes a segment in if it begins where the reader is complete, or before.* From then
///    on the reader is complete up to the segment's end. A segment dates nothing: how old a feed is
///    follows from the entries that are read behind the last segment.
/// 3. *A hint replaces any number of entries about its identifier*, since the look-up says what
///    they have come to: point 3 of covers. It is kept for at least `reach` after the end of its
///    segment: for longer than each of the entries matters, and for longer than a suspend in the
///    feed whose resume it replaces (point 5 of covers).
/// 4. *What is about owners and organizations is kept whole*, as are covers: by a hint, every
///    credential of theirs would be looked up.
/// 5. *A token's revocation may be folded*, since a note beside the feed says it again (`T#`).
///
/// A reader that runs for long does the same with what it knows: above `most_records` it makes
/// hints of the records that are older than what is complete. No later page brings those again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// How soon after its own time an entry must be known visible, by its writer's clock, or it is
    /// written again.
    pub visible_within: Duration,
    /// How far a clock may be from the table's.
    pub clock_bound: Duration,
    /// What the `Date` header rounds down to (RFC 9110 §5.6.7).
    pub date_resolution: Duration,
    /// How far before its start a pass is complete: younger entries may still become visible.
    pub overlap: Duration,
    /// The longest life a token can be given.
    pub longest_token: Duration,
    /// How much longer than a token an entry matters.
    pub window_margin: Duration,
    /// How long a cover lasts. Until its end, changes of its key or organization may have no entry.
    pub cover_duration: Duration,
    /// How long before the end of a cover the next change no longer relies on it.
    pub cover_renewal: Duration,
    /// How much longer than `window` look-ups go on after the end of a cover.
    pub look_up_margin: Duration,
    /// How often a reader forgets what has ceased to matter: rarely, since it goes through all that
    /// it knows.
    pub prune_interval: Duration,
    /// How long the table keeps an entry that has ceased to matter.
    pub retention: Duration,
    /// How much a reader must lack before it asks for segments.
    pub segments_after: Duration,
    /// How long a reader that came to the last segment does not ask for more.
    pub segments_pause: Duration,
    /// How long an interval the compactor waits for before it makes a segment of it.
    pub segment_interval: Duration,
    /// With so many entries it does not wait.
    pub segment_entries: usize,
    /// The longest interval of a segment.
    pub longest_segment: Duration,
    /// How many entries a segment has hints of at most.
    pub segment_hints: usize,
    /// With more records than these a reader makes hints of the older ones.
    pub most_records: usize,
    /// The age above which a reader reads again before it decides.
    pub fresh: Duration,
    /// The age above which a reader refuses.
    pub usable: Duration,
    /// How negative an age may be. Not at all: a clock that went backwards proves nothing.
    pub negative_age: Duration,
    /// How long a reader waits for one page.
    pub page_time: Duration,
    /// After this many failed pages in a row, a decision stops reading.
    pub page_tries: u32,
    /// How long a reader reads for one decision while it could decide without.
    pub read_time: Duration,
    /// How long it does so where it would have to refuse, while pages arrive.
    pub read_time_stale: Duration,
    /// Nothing, but in the model: it shows what happens without a rule that is no number.
    pub left_out: Option<LeftOut>,
}

/// A rule of readers or of the compactor that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// A page is complete up to the overlap before its pass began, not before itself.
    FirstPageCompletes,
    /// A pass is complete up to the overlap before it began, not before its newest entry.
    SendingCompletes,
    /// A page that ends exactly at the horizon does not end its pass: more entries of that
    /// millisecond may come.
    HorizonIsOpen,
    /// A pass counts from its first page.
    FirstPageDates,
    /// A pass counts once its last page is taken in.
    WholePassDates,
    /// While a credential is looked up, the feed's suspends and ends do not refuse it.
    TablesAlone,
    /// A segment ends where its compactor is complete, not where it read to.
    CompactorsHorizon,
    /// A compactor takes in pages by a proven clock alone.
    CompactorsClock,
    /// Of one millisecond a segment has all entries or none.
    WholeMilliseconds,
    /// A segment is taken in only where no entries lie between it and what is complete.
    NoHole,
}

impl Rules {
    /// The rules that hold.
    pub const STANDARD: Self = Self {
        visible_within: Duration::from_secs(5),
        clock_bound: Duration::from_secs(5),
        date_resolution: Duration::from_secs(1),
        overlap: Duration::from_secs(30),
        longest_token: Duration::from_hours(1),
        window_margin: Duration::from_mins(10),
        cover_duration: Duration::from_mins(5),
        cover_renewal: Duration::from_secs(30),
        look_up_margin: Duration::from_mins(5),
        prune_interval: Duration::from_mins(1),
        retention: Duration::from_hours(24),
        segments_after: Duration::from_mins(3),
        segments_pause: Duration::from_mins(1),
        segment_interval: Duration::from_mins(10),
        segment_entries: 500,
        longest_segment: Duration::from_mins(15),
        segment_hints: 60_000,
        most_records: 20_000,
        fresh: Duration::from_secs(1),
        usable: Duration::from_secs(4),
        negative_age: Duration::ZERO,
        page_time: Duration::from_millis(300),
        page_tries: 2,
        read_time: Duration::from_millis(600),
        read_time_stale: Duration::from_secs(2),
        left_out: None,
    };

    /// Whether `exchange` proves the clock within the bound of the table's.
    ///
    /// The table's clock stood in `[date, date + 1 s)` at some moment between `sent` and
    /// `answered`. So ours is ahead by at most `answered - date` and behind by less than
    /// `date + 1 s - sent`, and both ends must lie within: the header's resolution and the time the
    /// answer took count against us. An answer slower than four seconds proves nothing; ask again
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

    /// When the table may delete a segment (its TTL).
    #[must_use]
    pub fn segment_expires(&self, until: Timestamp) -> Timestamp {
        until + self.reach() + self.retention
    }

    /// How long an entry matters.
    pub(super) fn window(&self) -> Duration {
        self.longest_token + self.window_margin
    }

    /// The effect of a cover that is written at `time`.
    #[must_use]
    pub fn cover_at(&self, time: Timestamp) -> Effect {
        Effect::Cover {
            until: time + self.cover_duration,
        }
    }

    /// Whether a change that is about to be made may omit its entries, under a published cover that
    /// ends at `covered_until`.
    #[must_use]
    pub fn may_omit_entry(&self, covered_until: Timestamp, now: Timestamp) -> bool {
        now + self.cover_renewal <= covered_until
    }

    /// Whether a change that omitted its entries may be answered, given the exchange that committed
    /// it.
    #[must_use]
    pub fn may_answer_without_entry(&self, covered_until: Timestamp, exchange: &Exchange) -> bool {
        self.clock_within_bound(exchange) && exchange.answered <= covered_until
    }

    /// How far back a cold reader reads: a cover is needed until what it covers is no longer looked
    /// up, and it was written as long before its end as it lasts.
    pub(super) fn reach(&self) -> Duration {
        self.look_up_after_cover() + self.cover_duration
    }

    /// How long look-ups go on after the end of a cover: by then, every token has expired that was
    /// issued from a read before the last change under the cover.
    pub(super) fn look_up_after_cover(&self) -> Duration {
        self.window() + self.look_up_margin
    }

    /// Before when a page lacks nothing that is promised, in its range: the overlap before its pass
    /// began. What was not visible then and is older was never promised.
    pub(super) fn complete_before(&self, first: &Exchange, page: &Exchange) -> Timestamp {
        let began = match self.left_out {
            Some(LeftOut::FirstPageCompletes) => page,
            _ => first,
        };
        self.counts_from(began).earlier_by(self.overlap)
    }

    /// How usable a read is that counts from `counts_from`. Its age is taken at the later of `now`
    /// and the request's own time, since a frozen instance may wake with its clock behind.
    #[must_use]
    pub fn freshness(
        &self,
        counts_from: Timestamp,
        now: Timestamp,
        request: Option<Timestamp>,
    ) -> Freshness {
        let now = request.map_or(now, |request| now.max(request));
        if now + self.negative_age < counts_from || now > counts_from + self.usable {
            Freshness::Stale
        } else if now > counts_from + self.fresh {
            Freshness::Ageing
        } else {
            Freshness::Fresh
        }
    }

    /// From when a read counts: its sending, but no later than its `Date` can mean, since the clock
    /// that stamped the sending may have been ahead and be set back since.
    #[must_use]
    pub fn counts_from(&self, read: &Exchange) -> Timestamp {
        read.sent.min(read.date + self.date_resolution)
    }
}

/// One request to the table, as both clocks saw it.
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
