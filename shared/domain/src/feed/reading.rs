//! How far a reader has come in the feed, which page it reads next, and since when what it knows
//! counts. [`Rules`] has the argument.

use super::{ClockOutOfBound, Entry, EntryKey, Exchange, Freshness, LeftOut, Rules};
use crate::time::Timestamp;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Start {
    /// With the entries of this time (inclusive).
    At(Timestamp),
    /// After this entry, the last one of the page before.
    After(EntryKey),
}

/// The next page that a reader asks for: strongly consistent, ascending, at most as long as the
/// table gives it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// Where the page begins.
    pub start: Start,
    /// Whether a pass begins with it.
    pub begins_a_pass: bool,
    /// The reach before the query, by the reader's clock. A page is refused whose exchange does not
    /// prove it.
    floor: Timestamp,
}

/// One page of the feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Page {
    /// Its entries, oldest first.
    pub entries: Vec<Entry>,
    /// Its last entry, if the table has more behind it.
    pub more_after: Option<EntryKey>,
    /// The request that brought it.
    pub exchange: Exchange,
}

/// What a reader remembers of its reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reading {
    /// Every entry before this time whose change was answered, or will be, is taken in or too old
    /// to matter.
    complete_until: Option<Timestamp>,
    counts_from: Option<Timestamp>,
    /// Where the next page begins, if the last one was not the feed's last.
    pass: Option<Pass>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pass {
    /// The request of its first page; nothing if the next page begins one.
    first: Option<Exchange>,
    cursor: EntryKey,
}

/// Whether an exchange proves the floor of its query. If the clock was ahead at the query and set
/// right before the sending, the page would skip entries that matter.
pub(super) fn proves_floor(
    rules: &Rules,
    floor: Timestamp,
    exchange: &Exchange,
) -> Result<(), ClockOutOfBound> {
    let is_floor_proven = floor <= exchange.sent.earlier_by(rules.reach());
    if rules.clock_within_bound(exchange) && is_floor_proven {
        Ok(())
    } else {
        Err(ClockOutOfBound)
    }
}

impl Reading {
    pub(super) const COLD: Self = Self {
        complete_until: None,
        counts_from: None,
        pass: None,
    };

    /// That of somebody for whom nothing before this time matters.
    pub(super) const fn from(from: Timestamp) -> Self {
        Self {
            complete_until: Some(from),
            ..Self::COLD
        }
    }

    pub(super) fn query(&self, rules: &Rules, now: Timestamp) -> Query {
        self.query_from(now.earlier_by(rules.reach()))
    }

    /// The next page of what is not before `floor`.
    pub(super) fn query_from(&self, floor: Timestamp) -> Query {
        let pass = self.pass.as_ref();
        match pass.filter(|pass| pass.cursor.time >= floor) {
            Some(pass) => Query {
                start: Start::After(pass.cursor.clone()),
                begins_a_pass: pass.first.is_none(),
                floor,
            },
            None => Query {
                start: Start::At(self.complete_until.max(Some(floor)).unwrap_or(floor)),
                begins_a_pass: true,
                floor,
            },
        }
    }

    /// Notes that the page of this query was taken in, if its exchange proves where it begins.
    pub(super) fn advance(
        &mut self,
        rules: &Rules,
        query: &Query,
        page: &Page,
    ) -> Result<(), ClockOutOfBound> {
        proves_floor(rules, query.floor, &page.exchange)?;
        self.note_page(rules, query, page);
        Ok(())
    }

    /// Notes that the page of this query was taken in. The clock is proven.
    pub(super) fn note_page(
        &mut self,
        rules: &Rules,
        query: &Query,
        Page {
            entries,
            more_after,
            exchange,
        }: &Page,
    ) {
        let first = match (&self.pass, &query.start) {
            _ if query.begins_a_pass => *exchange,
            (Some(Pass { first, cursor }), Start::After(start)) if cursor == start => {
                first.unwrap_or(*exchange)
            }
            // Not the next page: its entries are taken in, but it completes nothing and dates
            // nothing.
            _ => return,
        };
        let horizon = rules.complete_before(&first, exchange);
        let reached = more_after.as_ref().map(|key| key.time);
        let complete_until = match (rules.left_out, entries.last()) {
            (Some(LeftOut::SendingCompletes), Some(newest)) if reached.is_none() => {
                newest.time.earlier_by(rules.overlap)
            }
            (Some(LeftOut::SendingCompletes), _) => query.floor,
            _ => reached.map_or(horizon, |reached| reached.min(horizon)),
        };
        let floor = query.floor.max(complete_until);
        self.complete_until = self.complete_until.max(Some(floor));
        if reached.is_none() || rules.left_out == Some(LeftOut::WholePassDates) {
            // Not the latest of all reads: if the clock was set back, an earlier read would
            // outshine every later one.
            self.counts_from = Some(match rules.left_out {
                Some(LeftOut::FirstPageDates) => rules.counts_from(exchange),
                _ => rules.counts_from(&first),
            });
        }
        // Where the page ends in what is complete, a younger pass goes on and loses nothing. Of the
        // horizon's own millisecond some may still come.
        let is_complete = reached.is_some_and(|reached| match rules.left_out {
            Some(LeftOut::HorizonIsOpen) => reached <= horizon,
            _ => reached < horizon,
        });
        self.pass = more_after.clone().map(|cursor| Pass {
            first: (!is_complete).then_some(first),
            cursor,
        });
    }

    /// Notes that everything before this time was taken in by other means. A pass that is under way
    /// is given up, and what it has read behind this time is read again.
    pub(super) fn complete(&mut self, until: Timestamp) {
        self.complete_until = self.complete_until.max(Some(until));
        self.pass = None;
    }

    pub(super) const fn complete_until(&self) -> Option<Timestamp> {
        self.complete_until
    }

    pub(super) const fn counts_from(&self) -> Option<Timestamp> {
        self.counts_from
    }

    pub(super) fn freshness(
        &self,
        rules: &Rules,
        now: Timestamp,
        request: Option<Timestamp>,
    ) -> Freshness {
        self.counts_from.map_or(Freshness::Stale, |counts_from| {
            rules.freshness(counts_from, now, request)
        })
    }
}
