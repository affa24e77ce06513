//! What is written: one entry, one fact about which something was withdrawn or given back.

use serde::{Deserialize, Serialize};

use crate::{kind::Kind, time::Timestamp};

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
        /// As for a suspend. Versions, not times, say which came last: clocks differ, and an entry written again
        /// because it became visible late must not overtake the change that followed it.
        version: u64,
    },
}

/// The fact an entry is about. Facts never change, so an entry means the same to every token, whenever it was signed.
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

/// Some of an organization's keys, told by what never changes about a key. The default is all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cohort {
    /// Keys of this kind alone.
    pub environment: Option<Kind>,
    /// Keys made at this time or later (inclusive).
    pub created_from: Option<Timestamp>,
    /// Keys made before this time (exclusive), so that adjoining intervals share no key.
    pub created_until: Option<Timestamp>,
}

impl Cohort {
    /// Whether a key of this kind, made at `created`, belongs to it.
    #[must_use]
    pub fn contains(&self, kind: Kind, created: Timestamp) -> bool {
        self.environment.is_none_or(|only| only == kind)
            && self.created_from.is_none_or(|from| from <= created)
            && self.created_until.is_none_or(|until| created < until)
    }
}

/// One entry of the feed. Its position is `(time, id)`.
///
/// Its stored form is flat: `time`, `id`, `effect` (`revoke`, `suspend`, `resume`), `version` with the last two,
/// `subject` (`key`, `secret`, `token`, `user`, `owner`, `organization`), `name` (the identifier), and for organizations
/// `environment`, `created_from`, `created_until` where set. An effect or subject unknown to the reader is an error, not
/// skipped: a reader that does not understand the feed must not decide by it. Other members are ignored, so a later
/// one may narrow a subject (older readers then refuse too much, never too little).
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
    subject: SubjectName,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EffectName {
    Revoke,
    Suspend,
    Resume,
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
    fn from(Entry { time, id, effect, subject }: Entry) -> Self {
        let (effect, version) = match effect {
            Effect::Revoke => (EffectName::Revoke, None),
            Effect::Suspend { version } => (EffectName::Suspend, Some(version)),
            Effect::Resume { version } => (EffectName::Resume, Some(version)),
        };
        let (subject, name, cohort) = match subject {
            Subject::Key(name) => (SubjectName::Key, name, Cohort::default()),
            Subject::Secret(name) => (SubjectName::Secret, name, Cohort::default()),
            Subject::Token(name) => (SubjectName::Token, name, Cohort::default()),
            Subject::User(name) => (SubjectName::User, name, Cohort::default()),
            Subject::Owner(name) => (SubjectName::Owner, name, Cohort::default()),
            Subject::Organization { guid, cohort } => (SubjectName::Organization, guid, cohort),
        };
        let Cohort { environment, created_from, created_until } = cohort;
        Self { time, id, effect, version, subject, name, environment, created_from, created_until }
    }
}

impl TryFrom<Stored> for Entry {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let effect = match (stored.effect, stored.version) {
            (EffectName::Revoke, None) => Effect::Revoke,
            (EffectName::Suspend, Some(version)) => Effect::Suspend { version },
            (EffectName::Resume, Some(version)) => Effect::Resume { version },
            _ => return Err("a suspend or resume has a version, a revoke has none"),
        };
        let Stored { name, environment, created_from, created_until, .. } = stored;
        let subject = match stored.subject {
            SubjectName::Key => Subject::Key(name),
            SubjectName::Secret => Subject::Secret(name),
            SubjectName::Token => Subject::Token(name),
            SubjectName::User => Subject::User(name),
            SubjectName::Owner => Subject::Owner(name),
            SubjectName::Organization => {
                Subject::Organization { guid: name, cohort: Cohort { environment, created_from, created_until } }
            }
        };
        Ok(Self { time: stored.time, id: stored.id, effect, subject })
    }
}
