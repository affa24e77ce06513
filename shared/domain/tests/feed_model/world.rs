//! What the model is made of: the world around writers and readers, its state, and everything that
//! can happen next.

mod segments;
mod state;
mod transitions;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    feed::{Credential, Feed, Rules},
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};
use stateright::{Model, Property};

use self::state::{Action, Compactor, Reader, State, Task, Writer};

const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_392_000);

pub const REVOKED: ClientId = ClientId::of(Guid::from_bytes([0; 16]));
pub const OTHER: ClientId = ClientId::of(Guid::from_bytes([1; 16]));

/// A token of the key that is revoked.
pub const TOKEN: Credential<'_> = token_of(REVOKED);

/// A token of a key, and nothing else against it.
pub const fn token_of(client_id: ClientId) -> Credential<'static> {
    Credential {
        client_id,
        secret: SecretId::from_bytes([2; 16]),
        token: Some(Guid::from_bytes([3; 16])),
        user: None,
        minters: &[],
        owner: None,
        organization: Guid::from_bytes([4; 16]),
        kind: KeyMode::Live,
        key_created: MIDNIGHT,
        parents: &[],
    }
}

/// What the world does and for how long. All times in seconds.
#[derive(Clone, Debug)]
pub struct World {
    pub rules: Rules,
    pub tick: i64,
    pub end: i64,
    /// What is promised: seconds from the answer of the revoke to the last allow.
    pub bound: i64,
    /// What the clocks of the other writer and the revoker may be off at first; either may step to
    /// what another one is.
    pub writer_clocks: &'static [[i64; 2]],
    /// What a reader's clock may be off at first.
    pub reader_starts: &'static [i64],
    /// When the reader starts, cold.
    pub reader_starts_at: i64,
    /// What a step may put a reader's clock off by.
    pub reader_clocks: &'static [i64],
    /// How long after the revoke a token may be issued from a read made before it; `None`: tokens
    /// outlive the model.
    pub issued_after: Option<i64>,
    /// How many entries the other writer writes, which moves readers on.
    pub other_writes: u8,
    /// Whether those are visible as soon as they are sent.
    pub other_is_quick: bool,
    /// How often a compactor runs, and what its clock may be off by.
    pub compactor_runs: u8,
    pub compactor_clocks: &'static [i64],
    /// How long a page of the compactor may take.
    pub longest_page: i64,
    /// Whether a write may be under way while time passes; it may then take any time.
    pub slow_writes: bool,
    /// How many entries a page holds.
    pub page: usize,
    /// Whether a page's `Date` is that of its end: the table may have taken its time.
    pub late_date: bool,
    /// How long a page may take; one that is under way while its instance freezes takes longer.
    pub longest_read: i64,
    pub faults: Faults,
    pub left_out: Option<Habit>,
}

/// How many faults of each kind there may be. Late commits and answers, and failed and hanging
/// reads, are not counted.
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

/// The writer that revokes [`TOKEN`]'s key. The other one revokes some other key.
const REVOKER: usize = 1;
const TO_WRITE: Task = Task::ToWrite { repeat: false };

pub fn by_clock(now: i64, off: i64) -> Timestamp {
    MIDNIGHT + Duration::from_secs((now + off + 1_000_000).cast_unsigned())
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let starts = self
            .writer_clocks
            .iter()
            .flat_map(|clocks| self.reader_starts.iter().map(move |off| (clocks, *off)))
            .flat_map(|(clocks, off)| {
                let compactors = self.compactor_clocks.iter();
                compactors.map(move |compactor| (clocks, off, *compactor))
            });
        starts
            .map(|(clocks, off, compactor)| State {
                now: 0,
                table: BTreeSet::new(),
                writers: [
                    Writer {
                        clock_off: clocks[0],
                        task: if self.other_writes > 0 {
                            TO_WRITE
                        } else {
                            Task::Answered { promised: None }
                        },
                    },
                    Writer {
                        clock_off: clocks[1],
                        task: TO_WRITE,
                    },
                ],
                answered: None,
                token_until: None,
                reader: Reader {
                    clock_off: off,
                    feed: Feed::new(self.rules),
                    read: None,
                    frozen_since: None,
                },
                compactor: Compactor {
                    clock_off: compactor,
                    runs_left: self.compactor_runs,
                    run: None,
                    read: None,
                    to_store: None,
                },
                segments: BTreeSet::new(),
                other_writes_left: self.other_writes,
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
                    if self
                        .rules
                        .clock_within_bound(&Self::exchange(state, writer.clock_off))
                    {
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
                Task::Answered { .. } => {}
            }
            if state.faults_left.writer_steps > 0 && matches!(writer.task, Task::UnderWay { .. }) {
                let others = self.writer_clocks.as_flattened().iter();
                let others: BTreeSet<_> = others.filter(|off| **off != writer.clock_off).collect();
                actions.extend(others.into_iter().map(|off| Action::StepWriter(w, *off)));
            }
        }
        if state.faults_left.replacements > 0 {
            actions.push(Action::Replace);
        }
        self.compactor_actions(state, actions);
        if state.now < self.reader_starts_at {
            return;
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
            let others = self
                .reader_clocks
                .iter()
                .filter(|off| **off != state.reader.clock_off);
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
                let late = state
                    .answered
                    .is_some_and(|answered| state.now > answered + world.bound);
                !(late
                    && (world.allows(state, &state.reader.feed)
                        || world.allows(state, &world.feed_after_reads(state))))
            }),
            Property::always(COMPLETENESS_HOLDS, Self::completeness_holds),
            Property::always(
                "a proven clock and reads that succeed suffice to decide",
                |world: &World, state: &State| {
                    let exchange = Self::exchange(state, state.reader.clock_off);
                    let is_proven = world.rules.clock_within_bound(&exchange);
                    let is_well = is_proven && state.reader.frozen_since.is_none();
                    !is_well || world.decides(state, &world.feed_after_reads(state))
                },
            ),
            Property::sometimes(
                "the token is allowed before the revoke",
                |world: &World, state: &State| {
                    state.answered.is_none() && world.allows(state, &state.reader.feed)
                },
            ),
            Property::sometimes(
                "the token is refused after the revoke",
                |world: &World, state: &State| {
                    world.decides(state, &state.reader.feed) && World::knows(state)
                },
            ),
            Property::sometimes(
                "a reader that has to refuse recovers",
                |world: &World, state: &State| {
                    let was_read = state.reader.feed != Feed::new(world.rules);
                    was_read
                        && !world.decides(state, &state.reader.feed)
                        && world.decides(state, &world.feed_after_reads(state))
                },
            ),
        ]
    }
}

pub const NO_LATE_ALLOW: &str = "no allow later than the bound";
pub const COMPLETENESS_HOLDS: &str = "what is taken as complete is known";
