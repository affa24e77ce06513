//! A key's secrets: one, or two while it is rotated (CBM-3, ARZ-5, X-3).
//!
//! The key's own item says which secrets work and until when, so that every decision about them is
//! guarded by the one version of that item; the hashes stand beside it and say nothing but whether
//! a presented secret is the one.

use std::{iter, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Guid, SecretId},
    time::Timestamp,
};

/// When a previous secret ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ends", rename_all = "snake_case")]
pub enum Until {
    /// At this moment.
    At {
        /// The moment at which it ends.
        at: Timestamp,
    },
    /// When the rotation is finished.
    Finish,
    /// So many seconds after the new secret was used for the first time, which it was not yet.
    FirstUse {
        /// Seconds; nothing where it then ends when the rotation is finished.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        grace: Option<u64>,
        /// Whether it may replace the new secret until then: only where the rotation asked for it,
        /// since whoever holds the old secret locks out whoever holds the new one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        replaceable: bool,
    },
}

/// A person who was shown a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minter {
    /// The person.
    pub user: Guid,
    /// How often that person had been narrowed by then (`User::narrowed`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub narrowed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The people who were shown a secret and are not the user of its key (LEAK-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTo {
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted_by: Option<Minter>,
    /// Who was shown the secret by which that one asked, and cannot be told from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_to: Option<Minter>,
}

impl ShownTo {
    /// Nobody else.
    pub const NOBODY: Self = Self {
        minted_by: None,
        known_to: None,
    };

    /// These people; nothing where they are more than are remembered.
    #[must_use]
    pub(crate) fn of(people: impl IntoIterator<Item = Minter>) -> Option<Self> {
        let mut people = people.into_iter();
        let (minted_by, known_to) = (people.next(), people.next());
        people.next().is_none().then_some(Self {
            minted_by,
            known_to,
        })
    }

    /// Each of them.
    pub fn people(self) -> impl Iterator<Item = Minter> {
        self.minted_by.into_iter().chain(self.known_to)
    }
}

/// How the person who was shown somebody else's secret has ended it (LEAK-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MinterEnd {
    /// They are disabled, or gone.
    MinterDisabled,
    /// They lost a role or a scope since.
    MinterNarrowed,
}

/// One of a key's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Named by the tokens that it obtains.
    pub id: SecretId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whom it was shown.
    #[serde(flatten)]
    pub shown_to: ShownTo,
}

/// A secret that another one has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Named by the tokens that it obtains.
    pub id: SecretId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whom it was shown.
    #[serde(flatten)]
    pub shown_to: ShownTo,
    /// When it ends.
    #[serde(flatten)]
    pub until: Until,
}

impl Previous {
    /// When it ends, where that is known.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        match self.until {
            Until::At { at } => Some(at),
            Until::Finish | Until::FirstUse { .. } => None,
        }
    }

    /// Whether it works at `now`.
    #[must_use]
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.expires_at().is_none_or(|end| now < end)
    }

    /// Whether its end waits for the first use of the secret that followed it.
    #[must_use]
    pub const fn awaits_first_use(&self) -> bool {
        matches!(self.until, Until::FirstUse { .. })
    }

    /// The secret once the one that followed it was used, at `at`; nothing where it does not wait
    /// for that.
    pub(super) fn after_first_use(self, at: Timestamp) -> Option<Self> {
        let Until::FirstUse { grace, .. } = self.until else {
            return None;
        };
        let until = grace.map_or(Until::Finish, |grace| Until::At {
            at: at + Duration::from_secs(grace),
        });
        Some(Self { until, ..self })
    }
}

/// A key's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// The newest.
    pub current: Current,
    /// The one before, while it is not over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// How a presented secret stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// When it ends, where that is known.
    pub ends_at: Option<Timestamp>,
    /// Whether this use starts the previous one's grace.
    pub starts_grace: bool,
    /// Whether another one has followed it.
    pub is_previous: bool,
}

impl Secrets {
    /// A new key's.
    #[must_use]
    pub const fn first(id: SecretId, created_at: Timestamp) -> Self {
        Self {
            current: Current {
                id,
                created_at,
                shown_to: ShownTo::NOBODY,
            },
            previous: None,
        }
    }

    /// How the secret of this name stands at `now`; nothing when it does not work.
    #[must_use]
    pub fn term(&self, id: SecretId, now: Timestamp) -> Option<Term> {
        if id == self.current.id {
            let starts_grace = self
                .previous
                .is_some_and(|previous| previous.awaits_first_use());
            return Some(Term {
                ends_at: None,
                starts_grace,
                is_previous: false,
            });
        }
        let previous = self
            .working_previous(now)
            .filter(|previous| previous.id == id)?;
        Some(Term {
            ends_at: previous.expires_at(),
            starts_grace: false,
            is_previous: true,
        })
    }

    /// The previous one, if it still works at `now`.
    #[must_use]
    pub fn working_previous(&self, now: Timestamp) -> Option<Previous> {
        self.previous.filter(|previous| previous.works_at(now))
    }

    /// Whom the secret of this name was shown.
    #[must_use]
    pub fn shown_to(&self, id: SecretId) -> ShownTo {
        let previous = self.previous.filter(|previous| previous.id == id);
        if id == self.current.id {
            self.current.shown_to
        } else {
            previous.map_or(ShownTo::NOBODY, |previous| previous.shown_to)
        }
    }

    /// The secrets whose term is not over at `now`, the newest first, and whom each was shown.
    pub fn in_term(&self, now: Timestamp) -> impl Iterator<Item = (SecretId, ShownTo)> {
        let previous = self
            .working_previous(now)
            .map(|previous| (previous.id, previous.shown_to));
        iter::once((self.current.id, self.current.shown_to)).chain(previous)
    }
}
