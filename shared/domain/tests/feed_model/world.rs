//! What the model is made of: the world around writers and readers, its state, and everything that can happen next.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    feed::{Credential, Effect, Entry, Exchange, Feed, Publication, Rules, Standing, Subject},
    kind::Kind,
    time::Timestamp,
};
use stateright::{Model, Property};

const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_392_000);

/// A token of the key that is revoked, and nothing else against it.
const TOKEN: Credential<'_> = Credential {
    client_id: "revoked",
    secret: "secret",
    token: Some("token"),
    user: None,
    owner: None,
    organization: "organization",
    kind: Kind::Live,
    key_created: MIDNIGHT,
    parents: &[],
};

/// What the world does and for how long. All times in seconds.
#[derive(Clone, Debug)]
pub struct World {
    pub rules: Rules,
    pub tick: i64,
    pub end: i64,
    /// What is promised: seconds from the answer of the revoke to the last allow.
    pub bound: i64,
    /// What the two writers' clocks may be off, and either may step to the other's.
    pub writer_clocks: [i64; 2],
    /// What a step may put a reader's clock off by.
    pub reader_clocks: &'static [i64],
    /// How long after the revoke a token may be issued from a read made before it; `None`: tokens outlive the model.
    pub issued_after: Option<i64>,
    /// Whether the other writer writes too, which moves readers on.
    pub other_writes: bool,
    /// Whether a write may be under way while time passes; it may then take any time.
    pub slow_writes: bool,
    /// How long a read may take; one that is under way while its instance freezes takes longer.
    pub longest_read: i64,
    pub faults: Faults,
    pub left_out: Option<Habit>,
}

/// How many faults of each kind there may be. Late commits and answers, and failed and hanging reads, are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    pub writer_steps: u8,
    pub deaths: u8,
    pub reader_steps: u8,
    pub freezes: u8,
    pub replacements: u8,
}

/// What the callers of `domain::feed` are told to do, and no number in [`Rules`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Read strongly consistent.
    StrongReads,
    /// Date a read by its sending, not by its answer.
    DateBySending,
    /// Hand over the event's own time.
    RequestTime,
    /// Write the entry again when a revoke is repeated.
    WriteOnRepeat,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    now: i64,
    table: BTreeSet<Entry>,
    writers: [Writer; 2],
    /// When the client heard that its key is revoked.
    answered: Option<i64>,
    token_until: Option<i64>,
    reader: Reader,
    faults_left: Faults,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    clock_off: i64,
    task: Task,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    ToWrite { repeat: bool },
    UnderWay { entry_time: Timestamp, visible: bool },
    Answered,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    clock_off: i64,
    feed: Feed,
    read: Option<Read>,
    frozen_since: Option<i64>,
}

/// A read under way: it found what was visible when it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    found: BTreeSet<Entry>,
    exchange: Exchange,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    /// By the writer of this index.
    Send(usize),
    BecomeVisible(usize),
    Answer(usize),
    Die(usize),
    StepWriter(usize, i64),
    Read,
    SendRead,
    FinishRead,
    LoseRead,
    StepReader(i64),
    Freeze,
    WakeInTime,
    WakeBehind,
    Replace,
}

/// The writer that revokes [`TOKEN`]'s key. The other one revokes some other key.
const REVOKER: usize = 1;
const TO_WRITE: Task = Task::ToWrite { repeat: false };

fn by_clock(now: i64, off: i64) -> Timestamp {
    MIDNIGHT + Duration::from_secs((now + off + 1_000_000).cast_unsigned())
}

impl World {
    fn exchange(state: &State, off: i64) -> Exchange {
        let own = by_clock(state.now, off);
        Exchange { sent: own, answered: own, date: by_clock(state.now, 0) }
    }

    fn entry(writer: usize, time: Timestamp) -> Entry {
        let client_id = if writer == REVOKER { TOKEN.client_id } else { "other" };
        Entry { time, id: String::new(), effect: Effect::Revoke, subject: Subject::Key(client_id.into()) }
    }

    /// Whether the instance, knowing `feed` and reading no more, decides on a request that arrives now.
    fn decides(&self, state: &State, feed: &Feed) -> bool {
        let request = (self.left_out != Some(Habit::RequestTime)).then(|| by_clock(state.now, 0));
        let standing = feed.standing(by_clock(state.now, state.reader.clock_off), request);
        state.reader.frozen_since.is_none() && standing != Standing::Stale
    }

    fn allows(&self, state: &State, feed: &Feed) -> bool {
        let expired = state.token_until.is_some_and(|until| until <= state.now);
        !expired && self.decides(state, feed) && feed.verdict(&TOKEN, by_clock(state.now, state.reader.clock_off)).is_none()
    }

    /// Nothing more to find: what a feed knows it keeps, within its window.
    fn is_settled(&self, state: &State) -> bool {
        let knows = state.reader.feed.verdict(&TOKEN, by_clock(state.now, state.reader.clock_off)).is_some();
        knows && self.issued_after.is_none() && state.faults_left.replacements == 0
    }

    /// Whether a read would change more than the feed's age. Where reads take no time, those that do not need no state of
    /// their own: the properties ask about [`World::feed_after_a_read`] everywhere.
    fn tells_news(&self, state: &State) -> bool {
        let mut unchanged = state.reader.feed.clone();
        self.finish(state, &mut unchanged, Read { found: BTreeSet::new(), ..self.read(state) });
        unchanged != self.feed_after_a_read(state)
    }

    fn feed_after_a_read(&self, state: &State) -> Feed {
        let mut feed = state.reader.feed.clone();
        self.finish(state, &mut feed, self.read(state));
        feed
    }

    fn read(&self, state: &State) -> Read {
        let exchange = Self::exchange(state, state.reader.clock_off);
        let start = state.reader.feed.query_start(exchange.sent);
        let is_replica_current = self.left_out != Some(Habit::StrongReads);
        let found = state.table.iter().filter(|entry| is_replica_current && entry.time >= start);
        Read { found: found.cloned().collect(), exchange }
    }

    fn finish(&self, state: &State, feed: &mut Feed, Read { found, mut exchange }: Read) {
        exchange.answered = by_clock(state.now, state.reader.clock_off);
        if self.left_out == Some(Habit::DateBySending) {
            exchange = Self::exchange(state, state.reader.clock_off);
        }
        // A read that does not count is a read that failed, which needs no more said.
        let _ = feed.absorb(found, &exchange);
    }

    fn may_wait(&self, state: &State) -> bool {
        let writing = state.writers.iter().any(|writer| matches!(writer.task, Task::UnderWay { .. }));
        let read_sent = state.reader.read.as_ref().map(|read| read.exchange.date.since(by_clock(state.now, 0)) / 1_000);
        let reader_waits = state.reader.frozen_since.is_some() || read_sent.is_none_or(|ago| -ago < self.longest_read);
        reader_waits && (self.slow_writes || !writing)
    }

    fn act(&self, state: &mut State, action: Action) {
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
                let Some(read) = state.reader.read.take() else { return };
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
                let slept = state.reader.frozen_since.take().map_or(0, |since| state.now - since);
                state.reader.clock_off -= slept;
            }
            Action::Replace => {
                state.faults_left.replacements -= 1;
                let feed = Feed::new(self.rules);
                state.reader = Reader { clock_off: 0, feed, read: None, frozen_since: None };
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
            state.writers[w].task = Task::UnderWay { entry_time, visible: false };
        }
    }

    fn become_visible(&self, state: &mut State, w: usize) {
        let Task::UnderWay { entry_time, visible } = &mut state.writers[w].task else { return };
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
        let Task::UnderWay { entry_time, .. } = state.writers[w].task else { return };
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

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let [a, b] = self.writer_clocks;
        BTreeSet::from([[a, b], [b, a]])
            .into_iter()
            .map(|clocks| State {
                now: 0,
                table: BTreeSet::new(),
                writers: [
                    Writer { clock_off: clocks[0], task: if self.other_writes { TO_WRITE } else { Task::Answered } },
                    Writer { clock_off: clocks[1], task: TO_WRITE },
                ],
                answered: None,
                token_until: None,
                reader: Reader { clock_off: 0, feed: Feed::new(self.rules), read: None, frozen_since: None },
                faults_left: self.faults,
            })
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.is_settled(state) {
            return;
        }
        if state.now < self.end && self.may_wait(state) {
            actions.push(Action::Tick);
        }
        for (w, writer) in state.writers.iter().enumerate() {
            match writer.task {
                Task::ToWrite { .. } => {
                    if self.rules.clock_within_bound(&Self::exchange(state, writer.clock_off)) {
                        actions.push(Action::Send(w));
                    }
                }
                Task::UnderWay { visible: false, .. } => actions.push(Action::BecomeVisible(w)),
                Task::UnderWay { visible: true, .. } => {
                    actions.push(Action::Answer(w));
                    if state.faults_left.deaths > 0 && w == REVOKER {
                        actions.push(Action::Die(w));
                    }
                }
                Task::Answered => {}
            }
            if state.faults_left.writer_steps > 0 && matches!(writer.task, Task::UnderWay { .. }) {
                let others = self.writer_clocks.iter().filter(|off| **off != writer.clock_off);
                actions.extend(others.map(|off| Action::StepWriter(w, *off)));
            }
        }
        if state.faults_left.replacements > 0 {
            actions.push(Action::Replace);
        }
        if state.reader.frozen_since.is_some() {
            actions.extend([Action::WakeInTime, Action::WakeBehind]);
            return;
        }
        actions.extend(match state.reader.read {
            None if self.longest_read > 0 => &[Action::SendRead][..],
            None if self.tells_news(state) => &[Action::Read],
            None => &[],
            Some(_) => &[Action::FinishRead, Action::LoseRead],
        });
        if state.faults_left.freezes > 0 {
            actions.push(Action::Freeze);
        }
        if state.faults_left.reader_steps > 0 {
            let others = self.reader_clocks.iter().filter(|off| **off != state.reader.clock_off);
            actions.extend(others.map(|off| Action::StepReader(*off)));
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        self.act(&mut state, action);
        (state != *before).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_LATE_ALLOW, |world: &World, state: &State| {
                let late = state.answered.is_some_and(|answered| state.now > answered + world.bound);
                !(late && (world.allows(state, &state.reader.feed) || world.allows(state, &world.feed_after_a_read(state))))
            }),
            Property::always("a right clock and one read suffice to decide", |world: &World, state: &State| {
                let is_well = state.reader.clock_off == 0 && state.reader.frozen_since.is_none();
                !is_well || world.decides(state, &world.feed_after_a_read(state))
            }),
            Property::sometimes("the token is allowed before the revoke", |world: &World, state: &State| {
                state.answered.is_none() && world.allows(state, &state.reader.feed)
            }),
            Property::sometimes("the token is refused after the revoke", |world: &World, state: &State| {
                world.decides(state, &state.reader.feed)
                    && state.reader.feed.verdict(&TOKEN, by_clock(state.now, state.reader.clock_off)).is_some()
            }),
            Property::sometimes("a reader that has to refuse recovers", |world: &World, state: &State| {
                let was_read = state.reader.feed != Feed::new(world.rules);
                was_read && !world.decides(state, &state.reader.feed) && world.decides(state, &world.feed_after_a_read(state))
            }),
        ]
    }
}

pub const NO_LATE_ALLOW: &str = "no allow later than the bound";
