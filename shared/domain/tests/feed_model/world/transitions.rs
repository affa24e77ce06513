//! What a reader finds and decides in a state, and what each action does to a state.

use std::collections::BTreeSet;

use domain::{
    feed::{Effect, Entry, Exchange, Feed, Freshness, Publication, Rules, Subject},
    time::Timestamp,
};

use super::{
    Habit, REVOKER, TO_WRITE, TOKEN, World, by_clock,
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

    fn entry(writer: usize, time: Timestamp) -> Entry {
        let client_id = if writer == REVOKER {
            TOKEN.client_id
        } else {
            "other"
        };
        Entry {
            time,
            id: String::new(),
            effect: Effect::Revoke,
            subject: Subject::Key(client_id.into()),
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
        !expired
            && self.decides(state, feed)
            && feed
                .verdict(&TOKEN, by_clock(state.now, state.reader.clock_off))
                .is_none()
    }

    /// Nothing more to find: what a feed knows it keeps, within its window.
    pub(super) fn is_settled(&self, state: &State) -> bool {
        let knows = state
            .reader
            .feed
            .verdict(&TOKEN, by_clock(state.now, state.reader.clock_off))
            .is_some();
        knows && self.issued_after.is_none() && state.faults_left.replacements == 0
    }

    /// Whether a read would change more than the feed's age. Where reads take no time, those that
    /// do not need no state of their own: the properties ask about [`World::feed_after_a_read`]
    /// everywhere.
    pub(super) fn tells_news(&self, state: &State) -> bool {
        let mut unchanged = state.reader.feed.clone();
        self.finish(
            state,
            &mut unchanged,
            Read {
                found: BTreeSet::new(),
                ..self.read(state)
            },
        );
        unchanged != self.feed_after_a_read(state)
    }

    pub(super) fn feed_after_a_read(&self, state: &State) -> Feed {
        let mut feed = state.reader.feed.clone();
        self.finish(state, &mut feed, self.read(state));
        feed
    }

    pub(super) fn read(&self, state: &State) -> Read {
        let exchange = Self::exchange(state, state.reader.clock_off);
        let start = state.reader.feed.query_start(exchange.sent);
        let is_replica_current = self.left_out != Some(Habit::StrongReads);
        let found = state
            .table
            .iter()
            .filter(|entry| is_replica_current && entry.time >= start);
        Read {
            found: found.cloned().collect(),
            exchange,
        }
    }

    fn finish(
        &self,
        state: &State,
        feed: &mut Feed,
        Read {
            found,
            mut exchange,
        }: Read,
    ) {
        exchange.answered = by_clock(state.now, state.reader.clock_off);
        if self.left_out == Some(Habit::DateBySending) {
            exchange = Self::exchange(state, state.reader.clock_off);
        }
        // A read that does not count is a read that failed, which needs no more said.
        let _ = feed.absorb(found, &exchange);
    }

    pub(super) fn may_wait(&self, state: &State) -> bool {
        let writing = state
            .writers
            .iter()
            .any(|writer| matches!(writer.task, Task::UnderWay { .. }));
        let read_sent = state
            .reader
            .read
            .as_ref()
            .map(|read| read.exchange.date.since(by_clock(state.now, 0)) / 1_000);
        let reader_waits = state.reader.frozen_since.is_some()
            || read_sent.is_none_or(|ago| -ago < self.longest_read);
        reader_waits && (self.slow_writes || !writing)
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
            Action::Read => state.reader.feed = self.feed_after_a_read(state),
            Action::SendRead => state.reader.read = Some(self.read(state)),
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
        }
    }

    fn send(&self, state: &mut State, w: usize) {
        let repeat_is_silent = self.left_out == Some(Habit::WriteOnRepeat);
        if repeat_is_silent && matches!(state.writers[w].task, Task::ToWrite { repeat: true }) {
            state.writers[w].task = Task::Answered;
            state.answered = state.answered.or(Some(state.now));
        } else {
            let entry_time = by_clock(state.now, state.writers[w].clock_off);
            state.writers[w].task = Task::UnderWay {
                entry_time,
                visible: false,
            };
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
        state.table.insert(Self::entry(w, *entry_time));
        if w != REVOKER {
            // Nobody waits for this answer.
            state.writers[w].task = Task::Answered;
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
                Task::Answered
            }
        };
    }
}
