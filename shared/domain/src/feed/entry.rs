//! What is written: one entry, one fact about which something was withdrawn or given back.

use serde::{Deserialize, Serialize};

use crate::{ids::Guid, key_mode::KeyMode, time::Timestamp};

/// What an entry does to the credentials that its subject covers.
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
}

/// The fact an entry is about. Facts never change, so an entry means the same to every token,
/// whenever it was signed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A key, by its `client_id` (never by the other spelling, its guid).
    Key(String),
    /// One of a key's secrets, by its id (`sid`).
    Secret(String),
    /// One token, by its `jti`.
    Token(String),
    /// A user, by guid.
    User(String),
    /// The bank or application that owns keys, by guid.
    Owner(String),
    /// An organization's keys, or some of them.
    Organization {
        /// The organization.
        guid: String,
        /// Which of its keys.
        cohort: Cohort,
    },
}

/// Some of an organization's keys, told by what never changes about a key. The default is all of
/// them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
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
}

impl Cohort {
    /// What KYB suspends and resumes: whoever reads the feed tells a suspension by KYB from others
    /// by this cohort.
    pub const OF_KYB: Self = Self {
        environment: Some(KeyMode::Live),
        created_from: None,
        created_until: None,
        owner: None,
    };

    /// Whether a key of this kind and of one of these owners, made at `created`, belongs to it.
    #[must_use]
    pub fn contains(&self, kind: KeyMode, created: Timestamp, owners: &[Guid]) -> bool {
        self.owner.is_none_or(|only| owners.contains(&only))
            && self.environment.is_none_or(|only| only == kind)
            && self.created_from.is_none_or(|from| from <= created)
            && self.created_until.is_none_or(|until| created < until)
    }
}

/// One entry of the feed. Its position is `(time, id)`.
///
/// Its stored form is flat: `time`, `id`, `effect` (`revoke`, `suspend`, `resume`, `expire`,
/// `refresh`), `version` with the middle three, `at` with `expire`, `subject` (`key`, `secret`,
/// `token`, `user`, `owner`, `organization`), `name` (the identifier), and for organizations
/// `environment`, `created_from`, `created_until`, `owner` where set. An effect or subject unknown
/// to the reader is an error, not skipped: a reader that does not understand the feed must not
/// decide by it. Other members are ignored, so a later one may narrow a subject (older readers then
/// refuse too much, never too little).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
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

#[derive(Serialize, Deserialize)]
struct Stored {
    time: Timestamp,
    id: String,
    effect: EffectName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    subject: SubjectName,
    name: String,
    #[serde(flatten)]
    cohort: Cohort,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EffectName {
    Revoke,
    Suspend,
    Resume,
    Expire,
    Refresh,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SubjectName {
    Key,
    Secret,
    Token,
    User,
    Owner,
    Organization,
}

impl From<Entry> for Stored {
    fn from(
        Entry {
            time,
            id,
            effect,
            subject,
        }: Entry,
    ) -> Self {
        let (effect, version, at) = match effect {
            Effect::Revoke => (EffectName::Revoke, None, None),
            Effect::Suspend { version } => (EffectName::Suspend, Some(version), None),
            Effect::Resume { version } => (EffectName::Resume, Some(version), None),
            Effect::Expire { at, version } => (EffectName::Expire, Some(version), Some(at)),
            Effect::Refresh => (EffectName::Refresh, None, None),
        };
        let (subject, name, cohort) = match subject {
            Subject::Key(name) => (SubjectName::Key, name, Cohort::default()),
            Subject::Secret(name) => (SubjectName::Secret, name, Cohort::default()),
            Subject::Token(name) => (SubjectName::Token, name, Cohort::default()),
            Subject::User(name) => (SubjectName::User, name, Cohort::default()),
            Subject::Owner(name) => (SubjectName::Owner, name, Cohort::default()),
            Subject::Organization { guid, cohort } => (SubjectName::Organization, guid, cohort),
        };
        Self {
            time,
            id,
            effect,
            version,
            at,
            subject,
            name,
            cohort,
        }
    }
}

impl TryFrom<Stored> for Entry {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let effect = match (stored.effect, stored.version, stored.at) {
            (EffectName::Revoke, None, None) => Effect::Revoke,
            (EffectName::Suspend, Some(version), None) => Effect::Suspend { version },
            (EffectName::Resume, Some(version), None) => Effect::Resume { version },
            (EffectName::Expire, Some(version), Some(at)) => Effect::Expire { at, version },
            (EffectName::Refresh, None, None) => Effect::Refresh,
            _ => {
                return Err(
                    "a suspend, resume or expire has a version, an expire has a time, nothing else \
                     has either",
                );
            }
        };
        let Stored { name, cohort, .. } = stored;
        let subject = match stored.subject {
            SubjectName::Key => Subject::Key(name),
            SubjectName::Secret => Subject::Secret(name),
            SubjectName::Token => Subject::Token(name),
            SubjectName::User => Subject::User(name),
            SubjectName::Owner => Subject::Owner(name),
            SubjectName::Organization => Subject::Organization { guid: name, cohort },
        };
        Ok(Self {
            time: stored.time,
            id: stored.id,
            effect,
            subject,
        })
    }
}
