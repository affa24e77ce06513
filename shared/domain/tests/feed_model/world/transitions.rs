//! What a reader finds and decides in a state, and what each action does to a state.

use domain::{
    feed::{
        Effect, Entry, Exchange, Feed, Freshness, Page, Publication, Query, Rules, Start, Subject,
        Validity,
    },
    time::Timestamp,
};

use super::{
    Habit, OTHER, REVOKED, REVOKER, TO_WRITE, TOKEN, World, by_clock,
    state::{Action, Read, Reader, State, Task},
};

impl World {
    pub(super) fn exchange(state: &State, off: i64) -> Exchange {
        let own = by_clock(state.now, off);
        Exchange {
            sent: own,
            answered: own,
            date: by_clock(state.now, 0),
        }
    }

    /// Of one millisecond, the other writer's entries stand before and behind the revoker's.
    fn entry(state: &State, writer: usize, time: Timestamp) -> Entry {
        let (key, id) = match (writer, state.other_writes_left % 2) {
            (REVOKER, _) => (REVOKED, "m"),
            (_, 0) => (OTHER, "a"),
            _ => (OTHER, "z"),
        };
        Entry {
            time,
            id: id.into(),
            effect: Effect::Revoke,
            subject: Subject::Key(key),
        }
    }

    /// Whether the instance, knowing `feed` and reading no more, decides on a request that arrives
    /// now.
    pub(super) fn decides(&self, state: &State, feed: &Feed) -> bool {
        let request = (self.left_out != Some(Habit::RequestTime)).then(|| by_clock(state.now, 0));
        let freshness = feed.freshness(by_clock(state.now, state.reader.clock_off), request);
        state.reader.frozen_since.is_none() && freshness != Freshness::Stale
    }

    pub(super) fn allows(&self, state: &State, feed: &Feed) -> bool {
        let expired = state.token_until.is_some_and(|until| until <= state.now);
        !expired && self.decides(state, feed) && Self::validity(state, feed) == Validity::Valid
    }

    /// Nothing more to find: what a feed knows it keeps, within its window.
    pub(super) fn is_settled(&self, state: &State) -> bool {
        Self::knows(state) && self.issued_after.is_none() && state.faults_left.replacements == 0
    }

    /// Whether the revoker's entry, if it is promised or will be once its answer comes, is known
    /// where the reader takes the feed as complete; as long as it matters.
    pub(super) fn completeness_holds(&self, state: &State) -> bool {
        let writer = &state.writers[REVOKER];
        let promised = match writer.task {
            Task::Answered { promised } => promised,
            Task::UnderWay { entry_time, .. } => {
                let answer = Self::exchange(state, writer.clock_off);
                let publication = self.rules.publication(&answer, entry_time);
                (publication == Publication::Published).then_some(entry_time)
            }
            Task::ToWrite { .. } => None,
        };
        let feed = &state.reader.feed;
        let is_over = state.token_until.is_some_and(|until| until <= state.now);
        is_over
            || promised.is_none_or(|time| feed.complete_until() <= Some(time))
            || Self::knows(state)
    }

    /// Whether the reader knows that the token is revoked, or that it is to be looked up.
    pub(super) fn knows(state: &State) -> bool {
        Self::validity(state, &state.reader.feed) != Validity::Valid
    }

    fn validity(state: &State, feed: &Feed) -> Validity {
        let now = by_clock(state.now, state.reader.clock_off);
        feed.validity(&TOKEN, now, now)
    }

    /// Whether a read would change more than the feed's age. Where reads take no time, those that
    /// do not need no state of their own: the properties ask about [`World::feed_after_reads`]
    /// everywhere.
    pub(super) fn tells_news(&self, state: &State) -> bool {
        let mut unchanged = state.reader.feed.clone();
        let mut empty = self.read(state, &unchanged);
        empty.page.entries.clear();
        empty.page.more_after = None;
        self.finish(state, &mut unchanged, empty);
        unchanged != self.feed_after_reads(state)
    }

    /// After the pass that is under way and, if that is too old to decide by, another one.
    pub(super) fn feed_after_reads(&self, state: &State) -> Feed {
        let mut feed = state.reader.feed.clone();
        for _ in 0..2 {
            let mut more = true;
            while more {
                let read = self.read(state, &feed);
                more = read.page.more_after.is_some();
                self.finish(state, &mut feed, read);
            }
            if self.decides(state, &feed) {
                break;
            }
        }
        feed
    }

    pub(super) fn read(&self, state: &State, feed: &Feed) -> Read {
        let exchange = Self::exchange(state, state.reader.clock_off);
        self.page(state, feed.query(exchange.sent), exchange)
    }

    /// What a query finds now.
    pub(super) fn page(&self, state: &State, query: Query, exchange: Exchange) -> Read {
        let is_replica_current = self.left_out != Some(Habit::StrongReads);
        let is_asked_for = |entry: &Entry| match &query.start {
            Start::At(time) => entry.time >= *time,
            Start::After(key) => entry.key() > *key,
        };
        let mut entries: Vec<_> = state
            .table
            .iter()
            .filter(|entry| is_replica_current && is_asked_for(entry))
            .cloned()
            .collect();
        let more = entries.len() > self.page;
        entries.truncate(self.page);
        Read {
            sent: state.now,
            query,
            page: Page {
                more_after: entries.last().filter(|_| more).map(Entry::key),
                entries,
                exchange,
            },
        }
    }

    fn finish(
        &self,
        state: &State,
        feed: &mut Feed,
        Read {
            query, mut page, ..
        }: Read,
    ) {
        let now = Self::exchange(state, state.reader.clock_off);
        page.exchange.answered = now.answered;
        if self.late_date {
            page.exchange.date = now.date;
        }
        if self.left_out == Some(Habit::DateBySending) {
            page.exchange = now;
        }
        // A read that does not count is a read that failed, which needs no more said.
        let _ = feed.absorb(&query, page);
    }

    pub(super) fn may_wait(&self, state: &State) -> bool {
        let writing = state
            .writers
            .iter()
            .any(|writer| matches!(writer.task, Task::UnderWay { .. }));
        let age = state.reader.read.as_ref().map(|read| state.now - read.sent);
        let page = state.compactor.read.as_ref();
        let page_age = page.map(|read| state.now - read.sent);
        let compactor_waits = page_age.is_none_or(|age| age < self.longest_page);
        let reader_waits =
            state.reader.frozen_since.is_some() || age.is_none_or(|age| age < self.longest_read);
        reader_waits && compactor_waits && (self.slow_writes || !writing)
    }

    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::Tick => state.now += self.tick,
            Action::Send(w) => self.send(state, w),
            Action::BecomeVisible(w) => self.become_visible(state, w),
            Action::Answer(w) => self.answer(state, w),
            Action::Die(w) => {
                state.faults_left.deaths -= 1;
                state.writers[w].task = Task::ToWrite { repeat: true };
            }
            Action::StepWriter(w, off) => {
                state.faults_left.writer_steps -= 1;
                state.writers[w].clock_off = off;
            }
            Action::Read => state.reader.feed = self.feed_after_reads(state),
            Action::SendRead => state.reader.read = Some(self.read(state, &state.reader.feed)),
            Action::FinishRead => {
                let Some(read) = state.reader.read.take() else {
                    return;
                };
                let mut feed = state.reader.feed.clone();
                self.finish(state, &mut feed, read);
                state.reader.feed = feed;
            }
            Action::LoseRead => state.reader.read = None,
            Action::StepReader(off) => {
                state.faults_left.reader_steps -= 1;
                state.reader.clock_off = off;
            }
            Action::Freeze => {
                state.faults_left.freezes -= 1;
                state.reader.frozen_since = Some(state.now);
            }
            Action::WakeInTime => state.reader.frozen_since = None,
            Action::WakeBehind => {
                let slept = state
                    .reader
                    .frozen_since
                    .take()
                    .map_or(0, |since| state.now - since);
                state.reader.clock_off -= slept;
            }
            Action::Replace => {
                state.faults_left.replacements -= 1;
                let feed = Feed::new(self.rules);
                state.reader = Reader {
                    clock_off: 0,
                    feed,
                    read: None,
                    frozen_since: None,
                };
            }
            Action::Run | Action::FinishPage | Action::Store | Action::ReadSegments(_) => {
                self.act_on_segments(state, action);
            }
        }
    }

    fn send(&self, state: &mut State, w: usize) {
        let repeat_is_silent = self.left_out == Some(Habit::WriteOnRepeat);
        if repeat_is_silent && matches!(state.writers[w].task, Task::ToWrite { repeat: true }) {
            state.writers[w].task = Task::Answered { promised: None };
            state.answered = state.answered.or(Some(state.now));
        } else {
            let entry_time = by_clock(state.now, state.writers[w].clock_off);
            state.writers[w].task = Task::UnderWay {
                entry_time,
                visible: false,
            };
            if w != REVOKER && self.other_is_quick {
                self.become_visible(state, w);
            }
        }
    }

    fn become_visible(&self, state: &mut State, w: usize) {
        let Task::UnderWay {
            entry_time,
            visible,
        } = &mut state.writers[w].task
        else {
            return;
        };
        *visible = true;
        let entry_time = *entry_time;
        let entry = Self::entry(state, w, entry_time);
        state.table.insert(entry);
        if w != REVOKER {
            // Nobody waits for this answer.
            state.other_writes_left -= 1;
            state.writers[w].task = if state.other_writes_left > 0 {
                TO_WRITE
            } else {
                Task::Answered { promised: None }
            };
        }
        if let (REVOKER, None, Some(late)) = (w, state.token_until, self.issued_after) {
            let life = i64::try_from(Rules::STANDARD.longest_token.as_secs()).unwrap();
            state.token_until = Some(state.now + late + life);
        }
    }

    fn answer(&self, state: &mut State, w: usize) {
        let Task::UnderWay { entry_time, .. } = state.writers[w].task else {
            return;
        };
        let exchange = Self::exchange(state, state.writers[w].clock_off);
        state.writers[w].task = match self.rules.publication(&exchange, entry_time) {
            Publication::WriteAgain => TO_WRITE,
            Publication::Published => {
                if w == REVOKER {
                    state.answered = Some(state.now);
                }
                Task::Answered {
                    promised: Some(entry_time),
                }
            }
        };
    }
}
