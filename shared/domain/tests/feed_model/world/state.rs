//! The state of the model, and the actions that change it.

use std::collections::BTreeSet;

use domain::{
    feed::{Compaction, Entry, Feed, Page, Query, Segment},
    time::Timestamp,
};

use super::Faults;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: i64,
    pub(super) table: BTreeSet<Entry>,
    pub(super) writers: [Writer; 2],
    /// When the client heard that its key is revoked.
    pub(super) answered: Option<i64>,
    pub(super) token_until: Option<i64>,
    pub(super) reader: Reader,
    pub(super) compactor: Compactor,
    /// What the compactor stored.
    pub(super) segments: BTreeSet<Segment>,
    pub(super) other_writes_left: u8,
    pub(super) faults_left: Faults,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writer {
    pub(super) clock_off: i64,
    pub(super) task: Task,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    ToWrite {
        repeat: bool,
    },
    UnderWay {
        entry_time: Timestamp,
        visible: bool,
    },
    Answered {
        /// The time of the entry that every reader will learn of.
        promised: Option<Timestamp>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reader {
    pub(super) clock_off: i64,
    pub(super) feed: Feed,
    pub(super) read: Option<Read>,
    pub(super) frozen_since: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compactor {
    pub(super) clock_off: i64,
    pub(super) runs_left: u8,
    pub(super) run: Option<Compaction>,
    pub(super) read: Option<Read>,
    /// A segment on its way to the table: its run may be over long before it arrives.
    pub(super) to_store: Option<Segment>,
}

/// A page under way: it found what was visible when it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    pub(super) sent: i64,
    pub(super) query: Query,
    pub(super) page: Page,
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
    /// The compactor's.
    Run,
    FinishPage,
    Store,
    /// Of the segments, without this one.
    ReadSegments(Option<usize>),
}
