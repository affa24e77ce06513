//! The world around a cover, its state, and everything that can happen next.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    feed::{
        Effect, Entry, Exchange, Feed, Freshness, Page, Publication, Rules, Start, Subject,
        Validity,
    },
    ids::ClientId,
    time::Timestamp,
};
use stateright::{Model, Property};

use super::state::{Action, Changer, Opener, Reader, State};
use crate::world::{OTHER, REVOKED, TOKEN, by_clock, token_of};

/// The key that is covered, and whose change gets no entry.
const KEY: ClientId = REVOKED;

/// What the change under the cover does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Story {
    /// It stops the key.
    Deactivation,
    /// It lets a key work again that an entry stopped, before the cover or under it.
    Restoration,
}

/// What callers of `domain::feed` do, and no number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// A cover is noted, for others to rely on, once every reader will learn of it.
    PublishBeforeNoting,
    /// A change without an entry that is answered after the cover's end gets its entry after all.
    PublishAfterCover,
    /// What was looked up is used as long as a feed is.
    AgeLookUps,
    /// Look-ups are strongly consistent.
    StrongReads,
}

/// What the world does and for how long. All times in seconds.
#[derive(Clone, Debug)]
pub struct World {
    pub story: Story,
    pub rules: Rules,
    pub readers_rules: Rules,
    pub end: i64,
    /// Seconds from the answer of the change until it counts everywhere.
    pub bound: i64,
    pub left_out: Option<Habit>,
}

impl World {
    fn exchange(state: &State, off: i64) -> Exchange {
        let own = by_clock(state.now, off);
        Exchange {
            sent: own,
            answered: own,
            date: by_clock(state.now, 0),
        }
    }

    /// A token that was issued as late as may be from a read before the change: it ends by a clock
    /// that is ahead. One that is issued to a key that works again lives on.
    fn is_over(&self, state: &State) -> bool {
        let Some(committed) = state
            .committed
            .filter(|_| self.story == Story::Deactivation)
        else {
            return false;
        };
        let ahead = i64::try_from(self.rules.clock_bound.as_secs()).unwrap();
        let ends = by_clock(committed, ahead) + self.rules.longest_token;
        ends <= by_clock(state.now, state.reader.clock_off)
    }

    fn feed_after_read(state: &State) -> Feed {
        let mut feed = state.reader.feed.clone();
        for _ in 0..2 {
            let exchange = Self::exchange(state, state.reader.clock_off);
            let query = feed.query(exchange.sent);
            let is_asked_for = |entry: &&Entry| match &query.start {
                Start::At(time) => entry.time >= *time,
                Start::After(key) => entry.key() > *key,
            };
            let page = Page {
                entries: state.feed.iter().filter(is_asked_for).cloned().collect(),
                more_after: None,
                exchange,
            };
            // A clock that is not proven reads nothing.
            _ = feed.absorb(&query, page);
        }
        feed
    }

    /// What a look-up finds that is made now.
    fn look_up(&self, state: &State) -> (Timestamp, bool) {
        let counts_from = self
            .readers_rules
            .counts_from(&Self::exchange(state, state.reader.clock_off));
        let is_stopped = match (self.left_out, self.story) {
            (Some(Habit::StrongReads), Story::Deactivation) => false,
            _ => state.is_stopped,
        };
        (counts_from, is_stopped)
    }

    /// Whether the instance, knowing this, lets in a request that arrives now.
    fn allows(&self, state: &State, feed: &Feed, looked_up: Option<(Timestamp, bool)>) -> bool {
        let now = by_clock(state.now, state.reader.clock_off);
        if self.is_over(state) || feed.freshness(now, None) == Freshness::Stale {
            return false;
        }
        let token = TOKEN;
        match feed.validity(&token, now, now) {
            Validity::Valid => true,
            Validity::Invalid(_) => false,
            Validity::LookUp => {
                let is_usable = |counts_from| {
                    self.left_out == Some(Habit::AgeLookUps)
                        || self.readers_rules.freshness(counts_from, now, None) != Freshness::Stale
                };
                looked_up
                    .is_some_and(|(counts_from, is_stopped)| is_usable(counts_from) && !is_stopped)
            }
        }
    }

    /// Time begins with the cover, and nothing is under way for more than two seconds longer than
    /// it may be: by then it has its entry.
    fn may_wait(&self, state: &State) -> bool {
        let is_recent =
            |sent: Timestamp, off: i64| by_clock(state.now, off) < sent + self.longest_write();
        let opener = match state.opener {
            Opener::ToWrite => false,
            Opener::UnderWay { time, .. } => is_recent(time, state.opener_off),
            Opener::Published { .. } | Opener::Done => true,
        };
        let changer = match state.changer {
            Changer::UnderWay { sent, .. } | Changer::Committed { sent, .. } => {
                is_recent(sent, state.changer_off)
            }
            Changer::ToWrite | Changer::Answered => true,
        };
        opener && changer
    }

    fn longest_write(&self) -> Duration {
        self.rules.clock_bound * 2 + Duration::from_secs(1)
    }

    /// Nobody can leave a change out any more.
    fn nothing_follows(&self, state: &State) -> bool {
        let now = by_clock(state.now, state.changer_off);
        let may_omit_entry = |until| self.rules.may_omit_entry(until, now);
        state.opener == Opener::Done
            && state.changer == Changer::ToWrite
            && !state.noted.is_some_and(may_omit_entry)
    }

    /// Whether the change must count by now.
    fn is_late(&self, state: &State) -> bool {
        let bound = self.bound;
        state
            .answered
            .is_some_and(|answered| state.now > answered + bound)
    }

    /// Whether it lets one in, whether its reads succeed or fail.
    fn may_allow(&self, state: &State) -> bool {
        let feeds = [state.reader.feed.clone(), Self::feed_after_read(state)];
        let known = [state.reader.looked_up, Some(self.look_up(state))];
        let all = feeds
            .iter()
            .flat_map(|feed| known.map(|known| (feed, known)));
        all.into_iter()
            .any(|(feed, known)| self.allows(state, feed, known))
    }

    fn entry(state: &State, off: i64, effect: Effect) -> Entry {
        Entry {
            time: by_clock(state.now, off),
            id: "m".into(),
            effect,
            subject: Subject::Key(KEY),
        }
    }

    /// The change is answered: without an entry if its cover lasted until now.
    fn answer(&self, state: &mut State, sent: Timestamp, covered_until: Timestamp) {
        let answer = Self::exchange(state, state.changer_off);
        let exchange = Exchange { sent, ..answer };
        let is_covered = self
            .rules
            .may_answer_without_entry(covered_until, &exchange)
            || self.left_out == Some(Habit::PublishAfterCover);
        if !is_covered {
            let version = 2;
            let effect = match self.story {
                Story::Deactivation => Effect::Suspend { version },
                Story::Restoration => Effect::Resume { version },
            };
            let entry = Self::entry(state, state.changer_off, effect);
            state.feed.insert(entry);
        }
        state.answered = Some(state.now);
        state.changer = Changer::Answered;
    }

    fn act(&self, state: &mut State, action: Action) {
        let covers = |time| self.rules.cover_at(time);
        match (action, state.opener, state.changer) {
            (Action::Tick, ..) => state.now += 1,
            (Action::Deactivate, ..) => {
                state.is_stopped = true;
                let entry = Self::entry(state, state.changer_off, Effect::Suspend { version: 1 });
                state.feed.insert(entry);
            }
            (Action::OpenCover, ..) => {
                let time = by_clock(state.now, state.opener_off);
                let is_visible = false;
                state.opener = Opener::UnderWay { time, is_visible };
                if self.left_out == Some(Habit::PublishBeforeNoting) {
                    state.noted = Some(time + self.rules.cover_duration);
                }
            }
            (Action::CoverBecomesVisible, Opener::UnderWay { time, .. }, _) => {
                let effect = covers(time);
                state.feed.insert(Entry {
                    time,
                    ..Self::entry(state, 0, effect)
                });
                state.opener = Opener::UnderWay {
                    time,
                    is_visible: true,
                };
            }
            (Action::CoverIsAnswered, Opener::UnderWay { time, .. }, _) => {
                let exchange = Self::exchange(state, state.opener_off);
                let published = self.rules.publication(&exchange, time) == Publication::Published;
                // Written again, it is visible at once.
                let time = if published { time } else { exchange.sent };
                let effect = covers(time);
                state.feed.insert(Entry {
                    time,
                    ..Self::entry(state, 0, effect)
                });
                state.opener = Opener::Published { time };
            }
            (Action::NoteCover, Opener::Published { time }, _) => {
                state.noted = Some(time + self.rules.cover_duration);
                state.opener = Opener::Done;
            }
            (Action::OpenerDies, ..) => state.opener = Opener::Done,
            (Action::Send, ..) => {
                let sent = by_clock(state.now, state.changer_off);
                if let Some(covered_until) = state.noted {
                    state.changer = Changer::UnderWay {
                        sent,
                        covered_until,
                    };
                }
            }
            (
                Action::Commit,
                _,
                Changer::UnderWay {
                    sent,
                    covered_until,
                },
            ) => {
                state.is_stopped = self.story == Story::Deactivation;
                state.committed = Some(state.now);
                state.changer = Changer::Committed {
                    sent,
                    covered_until,
                };
            }
            (
                Action::Answer,
                _,
                Changer::Committed {
                    sent,
                    covered_until,
                },
            ) => {
                self.answer(state, sent, covered_until);
            }
            (Action::Read, ..) => state.reader.feed = Self::feed_after_read(state),
            (Action::LookUp, ..) => state.reader.looked_up = Some(self.look_up(state)),
            (Action::Replace, ..) => {
                state.reader.feed = Feed::new(self.readers_rules);
                state.reader.looked_up = None;
                state.replacements_left -= 1;
            }
            (action, opener, changer) => unreachable!("{action:?} {opener:?} {changer:?}"),
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for opener_off in [-1, 1] {
            for changer_off in [-1, 1] {
                for clock_off in [-1, 1] {
                    states.push(State {
                        now: 0,
                        feed: BTreeSet::new(),
                        opener: Opener::ToWrite,
                        opener_off,
                        noted: None,
                        changer: Changer::ToWrite,
                        changer_off,
                        is_stopped: false,
                        committed: None,
                        answered: None,
                        reader: Reader {
                            clock_off,
                            feed: Feed::new(self.readers_rules),
                            looked_up: None,
                        },
                        replacements_left: 1,
                    });
                }
            }
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.is_over(state) || self.nothing_follows(state) {
            return;
        }
        if state.now < self.end && self.may_wait(state) {
            actions.push(Action::Tick);
        }
        let is_to_stop = self.story == Story::Restoration && !state.is_stopped;
        match state.changer {
            Changer::ToWrite if is_to_stop => actions.push(Action::Deactivate),
            Changer::ToWrite => {
                let now = by_clock(state.now, state.changer_off);
                let may_omit_entry = |until| self.rules.may_omit_entry(until, now);
                if state.noted.is_some_and(may_omit_entry) {
                    actions.push(Action::Send);
                }
            }
            Changer::UnderWay { .. } => actions.push(Action::Commit),
            Changer::Committed { .. } => actions.push(Action::Answer),
            Changer::Answered => {}
        }
        match state.opener {
            Opener::ToWrite => actions.push(Action::OpenCover),
            Opener::UnderWay {
                is_visible: false, ..
            } => actions.push(Action::CoverBecomesVisible),
            Opener::UnderWay {
                is_visible: true, ..
            } => {
                actions.extend([Action::CoverIsAnswered, Action::OpenerDies]);
            }
            Opener::Published { .. } => actions.extend([Action::NoteCover, Action::OpenerDies]),
            Opener::Done => {
                if state.replacements_left > 0 && self.story == Story::Deactivation {
                    actions.push(Action::Replace);
                }
            }
        }
        actions.push(Action::Read);
        // What is remembered lets somebody in late. Once the tables changed, and where they let
        // somebody in, the properties ask about a look-up that is made now.
        let now = by_clock(state.now, state.reader.clock_off);
        let validity = state.reader.feed.validity(&TOKEN, now, now);
        let may_be_late = state.committed.is_none() && self.story == Story::Deactivation;
        if may_be_late && validity == Validity::LookUp {
            actions.push(Action::LookUp);
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.act(&mut state, action);
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let by_story = match self.story {
            Story::Deactivation => {
                Property::always(NO_LATE_ALLOW, |world: &World, state: &State| {
                    !(world.is_late(state) && world.may_allow(state))
                })
            }
            Story::Restoration => Property::always(GIVEN_BACK, |world: &World, state: &State| {
                let feed = Self::feed_after_read(state);
                let looked_up = Some(world.look_up(state));
                !world.is_late(state) || world.allows(state, &feed, looked_up)
            }),
        };
        vec![
            by_story,
            Property::always("nobody else is looked up", |_: &World, state: &State| {
                let now = by_clock(state.now, state.reader.clock_off);
                let validity = state.reader.feed.validity(&token_of(OTHER), now, now);
                validity == Validity::Valid
            }),
            Property::sometimes("a change is left out", |_: &World, state: &State| {
                state.answered.is_some() && state.feed.len() <= 2
            }),
            Property::sometimes(
                "the key is looked up and works",
                |world: &World, state: &State| {
                    let now = by_clock(state.now, state.reader.clock_off);
                    let feed = &state.reader.feed;
                    feed.validity(&TOKEN, now, now) == Validity::LookUp
                        && world.allows(state, feed, Some(world.look_up(state)))
                },
            ),
            Property::sometimes("the look-up ends", |_: &World, state: &State| {
                let now = by_clock(state.now, state.reader.clock_off);
                let feed = &state.reader.feed;
                state.answered.is_some()
                    && feed.freshness(now, None) == Freshness::Fresh
                    && feed.validity(&TOKEN, now, now) == Validity::Valid
            }),
        ]
    }
}

pub const NO_LATE_ALLOW: &str = "no allow later than the bound";
pub const GIVEN_BACK: &str = "what works by the tables works within the bound";
