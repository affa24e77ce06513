//! The state of the world around a cover, and the actions that change it.

use std::collections::BTreeSet;

use domain::{
    feed::{Entry, Feed},
    time::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(super) now: i64,
    /// The visible entries of the feed.
    pub(super) feed: BTreeSet<Entry>,
    pub(super) opener: Opener,
    pub(super) opener_off: i64,
    /// Until when the key is noted as covered.
    pub(super) noted: Option<Timestamp>,
    pub(super) changer: Changer,
    pub(super) changer_off: i64,
    /// Whether the key is stopped, by the tables.
    pub(super) is_stopped: bool,
    /// When the tables changed last.
    pub(super) committed: Option<i64>,
    pub(super) answered: Option<i64>,
    pub(super) reader: Reader,
    pub(super) replacements_left: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Opener {
    ToWrite,
    /// The transaction of its own change and the cover.
    UnderWay {
        time: Timestamp,
        is_visible: bool,
    },
    Published {
        time: Timestamp,
    },
    /// It has noted its cover, or died.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Changer {
    ToWrite,
    UnderWay {
        sent: Timestamp,
        covered_until: Timestamp,
    },
    Committed {
        sent: Timestamp,
        covered_until: Timestamp,
    },
    Answered,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reader {
    pub(super) clock_off: i64,
    pub(super) feed: Feed,
    /// What the tables said of the key, and from when that counts.
    pub(super) looked_up: Option<(Timestamp, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    /// The key is stopped, and its entry is visible at once.
    Deactivate,
    OpenCover,
    CoverBecomesVisible,
    CoverIsAnswered,
    NoteCover,
    OpenerDies,
    Send,
    Commit,
    Answer,
    Read,
    LookUp,
    Replace,
}
