//! The compactor's side of segments: it reads the feed as a reader does, and makes a segment of
//! what it read ([`Rules`], Segments).

use std::time::Duration;

use super::{
    ClockOutOfBound, Entry, EntryKey, Exchange, LeftOut, Page, Query, Rules, Segment,
    reading::Reading,
    segment::{encode_entry, is_kept_whole},
};
use crate::time::Timestamp;

/// How many bytes of whole entries a segment has at most. With [`Rules::segment_hints`] it stays
/// below the 400 KB of an item.
const MAX_WHOLE_BYTES: usize = 60_000;

/// One run of the compactor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compaction {
    rules: Rules,
    /// Where the next segment begins.
    from: Timestamp,
    reading: Reading,
    /// What was read from there on.
    entries: Vec<Entry>,
    /// Whether the feed was read to its end.
    is_read: bool,
}

impl Compaction {
    /// A run that goes on where the newest segment ends, or begins where a cold reader does. The
    /// exchange is that of the request for the newest segment.
    ///
    /// # Errors
    /// When the clock is out of bound.
    pub fn after(
        rules: Rules,
        newest: Option<Timestamp>,
        exchange: &Exchange,
    ) -> Result<Self, ClockOutOfBound> {
        if !rules.clock_within_bound(exchange) && rules.left_out != Some(LeftOut::CompactorsClock) {
            return Err(ClockOutOfBound);
        }
        let oldest = exchange.sent.earlier_by(rules.reach());
        let from = newest.map_or(oldest, |newest| newest.max(oldest));
        Ok(Self {
            rules,
            from,
            reading: Reading::from(from),
            entries: Vec::new(),
            is_read: false,
        })
    }

    /// The page to read next; nothing once there is enough for a segment, or the end is reached.
    #[must_use]
    pub fn query(&self) -> Option<Query> {
        let is_enough = self.entries.len() > self.rules.segment_hints
            || self.complete_until() >= self.from + self.rules.longest_segment;
        (!self.is_read && !is_enough).then(|| self.reading.query_from(self.from))
    }

    /// Takes in a page that was read for the newest query.
    ///
    /// # Errors
    /// When the clock is out of bound. Nothing is taken in.
    pub fn absorb(&mut self, query: &Query, page: Page) -> Result<(), ClockOutOfBound> {
        let is_proven = self.rules.clock_within_bound(&page.exchange);
        if !is_proven && self.rules.left_out != Some(LeftOut::CompactorsClock) {
            return Err(ClockOutOfBound);
        }
        self.reading.note_page(&self.rules, query, &page);
        self.is_read = page.more_after.is_none();
        if let (Some(LeftOut::CompactorsHorizon), true) = (self.rules.left_out, self.is_read) {
            self.reading.complete(page.exchange.sent);
        }
        self.entries.extend(page.entries);
        Ok(())
    }

    /// The next segment, if there is enough for one. It ends where a reader would be complete, or
    /// before what does not fit.
    ///
    /// # Errors
    /// When a whole entry is too long to be kept.
    pub fn segment(&self) -> Result<Option<Segment>, &'static str> {
        let longest = self.from + self.rules.longest_segment;
        let mut until = self.complete_until().min(longest);
        let mut entries: Vec<_> = self
            .entries
            .iter()
            .filter(|entry| (self.from..until).contains(&entry.time))
            .cloned()
            .collect();
        entries.sort_unstable_by_key(Entry::key);
        let first_beyond = self.first_beyond(&entries)?;
        let is_full = first_beyond.is_some();
        if let Some(rest) = first_beyond {
            until = match self.rules.left_out {
                Some(LeftOut::WholeMilliseconds) => rest.time + Duration::from_millis(1),
                _ => rest.time,
            };
            // Of one millisecond a segment has all entries or none.
            entries.retain(|entry| entry.time < rest.time);
        }
        let is_enough = is_full
            || entries.len() >= self.rules.segment_entries
            || until >= self.from + self.rules.segment_interval;
        let is_worth_it = is_enough && until > self.from;
        Ok(is_worth_it.then(|| Segment::of(&entries, self.from, until)))
    }

    /// Goes on behind a segment that is stored.
    pub fn go_on_after(&mut self, segment: &Segment) {
        self.from = segment.until;
        self.entries.retain(|entry| entry.time >= segment.until);
    }

    fn complete_until(&self) -> Timestamp {
        self.reading.complete_until().unwrap_or(self.from)
    }

    /// The first of these entries, in order, that a segment has no room for.
    fn first_beyond(&self, entries: &[Entry]) -> Result<Option<EntryKey>, &'static str> {
        let (mut hints, mut bytes) = (0, 0);
        for entry in entries {
            if is_kept_whole(entry) {
                bytes += 2 + encode_entry(entry)?.len();
            } else {
                hints += 1;
            }
            if hints > self.rules.segment_hints || bytes > MAX_WHOLE_BYTES {
                return Ok(Some(entry.key()));
            }
        }
        Ok(None)
    }
}
