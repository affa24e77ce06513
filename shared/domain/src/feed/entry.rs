//! What is written: one entry, one fact about which something was withdrawn or given back.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};

/// What an entry does to the credentials that its subject contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Ends them. Nothing undoes it.
    Revoke,
    /// Stops them until a resume of a higher version.
    Suspend {
        /// The version that the change gave to its item (key, gate or user).
        version: u64,
    },
    /// Lets them work again.
    Resume {
        /// As for a suspend. Versions, not times, say which came last: clocks differ, and an entry
        /// written again because it became visible late must not overtake the change that followed
        /// it.
        version: u64,
    },
    /// Gives a key or secret another end, earlier or later than the tokens in flight know of: from
    /// then on they are refused.
    Expire {
        /// The end; [`Timestamp::LAST`] when there is none any more.
        at: Timestamp,
        /// The version that the change gave to its item.
        version: u64,
    },
    /// Refuses nothing: whoever remembers what the subject may do reads it again. A narrower role,
    /// scope or bearer allowlist.
    Refresh,
    /// Opens a cover of a key or an organization: until its end, their changes may have no entry,
    /// so whoever decides reads the tables ([`Feed::validity`](super::Feed::validity)).
    Cover {
        /// The end of the cover.
        until: Timestamp,
    },
}

/// The fact an entry is about. Facts never change, so an entry means the same to every token,
/// whenever it was signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A key.
    Key(ClientId),
    /// One of a key's secrets.
    Secret(SecretId),
    /// One token, by its `jti`.
    Token(Guid),
    /// A user.
    User(Guid),
    /// The bank or application that owns keys.
    Owner(Guid),
    /// An organization's keys, or some of them.
    Organization {
        /// The organization.
        guid: Guid,
        /// Which of its keys.
        cohort: Cohort,
    },
}

/// Some of an organization's keys, told by what never changes about a key. The default is all of
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cohort {
    /// Keys of this kind alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<KeyMode>,
    /// Keys made at this time or later (inclusive).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_from: Option<Timestamp>,
    /// Keys made before this time (exclusive), so that adjoining intervals share no key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_until: Option<Timestamp>,
    /// Keys of this owner alone: a bank or a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Guid>,
    /// Not the keys of these owners: people over whom whoever revoked the cohort had no say at that
    /// moment (LEAK-8). In order, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spared: Vec<Guid>,
}

impl Cohort {
    /// What KYB suspends and resumes: whoever reads the feed tells a suspension by KYB from others
    /// by this cohort.
    pub const OF_KYB: Self = Self {
        environment: Some(KeyMode::Live),
        created_from: None,
        created_until: None,
        owner: None,
        spared: Vec::new(),
    };
    /// How many owners one may spare: it stands in the gate, which is read with every key, and in
    /// an entry that every reader has.
    pub const MAX_SPARED: usize = 50;

    /// Whether a key of this kind and of one of these owners, made at `created`, belongs to it.
    #[must_use]
    pub fn contains(&self, kind: KeyMode, created: Timestamp, owners: &[Guid]) -> bool {
        let spared = || owners.iter().any(|owner| self.spared.contains(owner));
        self.owner.is_none_or(|only| owners.contains(&only))
            && self.environment.is_none_or(|only| only == kind)
            && self.created_from.is_none_or(|from| from <= created)
            && self.created_until.is_none_or(|until| created < until)
            && !spared()
    }
}

/// One entry of the feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The writer's clock just before the attempt that wrote it.
    pub time: Timestamp,
    /// Random: keeps entries of one millisecond apart.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// To what.
    pub subject: Subject,
}

impl Entry {
    /// Where it stands in the feed.
    #[must_use]
    pub fn key(&self) -> EntryKey {
        EntryKey {
            time: self.time,
            id: self.id.clone(),
        }
    }
}

/// Where an entry stands in the feed: by time, then by id. As text, the two with a `#` between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// The entry's time.
    pub time: Timestamp,
    /// The entry's id.
    pub id: String,
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.time, self.id)
    }
}

impl FromStr for EntryKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (time, id) = text.split_once('#').ok_or("is not a time and an id")?;
        Ok(Self {
            time: time.parse()?,
            id: id.to_owned(),
        })
    }
}
