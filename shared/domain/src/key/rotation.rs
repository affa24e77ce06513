//! A key's secrets: one, or two while it is rotated (CBM-3, ARZ-5, X-3).
//!
//! The key's own item says which secrets work and until when, so that every decision about them is
//! guarded by the one version of that item; the hashes stand beside it and say nothing but whether
//! a presented secret is the one.

#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Key, State};
use crate::{
    error::{Error, Kind},
    feed::{Effect, Subject},
    ids::{Guid, SecretId},
    time::Timestamp,
};

/// How long a previous secret works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// From now on, this long. Nothing at all ends it at once.
    FromNow(Duration),
    /// This long from the new secret's first use on.
    FromFirstUse(Duration),
    /// Until the rotation is finished (ARZ-5).
    Open,
    /// Until the rotation is finished; and while nobody has used the new secret, the previous one
    /// gets another in its place.
    OpenUntilUsed,
}

impl Grace {
    /// What holds when nothing is said (CBM-3).
    pub const DEFAULT: Self = Self::FromNow(Duration::from_hours(24));
    /// The longest that can be asked for (ARZ-5).
    pub const LONGEST: Duration = Duration::from_hours(24 * 90);
}

/// What to do with the secret that a new one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Let it work on for a while.
    Keep(Grace),
    /// End it at once: nobody has it. A previous one stays as it is.
    Replace,
}

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
    },
}

/// One of a key's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Named by the tokens that it obtains.
    pub id: SecretId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who was shown it, where that is not the user of a personal key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted_by: Option<Guid>,
}

/// A secret that another one has followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Named by the tokens that it obtains.
    pub id: SecretId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who was shown it, where that is not the user of a personal key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted_by: Option<Guid>,
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
}

/// What became of the secrets by a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key after it.
    pub key: Key,
    /// The secret that ended or got an end, and when; tokens that it obtained go with it.
    pub ending: Option<(SecretId, Timestamp)>,
    /// What the feed must say of that; nothing when no reader can be mistaken.
    pub entry: Option<(Subject, Effect)>,
}

impl Secrets {
    /// A new key's.
    #[must_use]
    pub const fn first(id: SecretId, created_at: Timestamp) -> Self {
        Self {
            current: Current {
                id,
                created_at,
                minted_by: None,
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
                .is_some_and(|previous| matches!(previous.until, Until::FirstUse { .. }));
            return Some(Term {
                ends_at: None,
                starts_grace,
            });
        }
        let previous = self
            .working_previous(now)
            .filter(|previous| previous.id == id)?;
        Some(Term {
            ends_at: previous.expires_at(),
            starts_grace: false,
        })
    }

    /// The previous one, if it still works at `now`.
    #[must_use]
    pub fn working_previous(&self, now: Timestamp) -> Option<Previous> {
        self.previous.filter(|previous| previous.works_at(now))
    }

    /// Who else than the user of a personal key was shown a secret of it that works at `now`.
    pub fn known_to(&self, now: Timestamp) -> impl Iterator<Item = Guid> {
        let previous = self
            .working_previous(now)
            .and_then(|previous| previous.minted_by);
        self.current.minted_by.into_iter().chain(previous)
    }
}

impl Key {
    /// Refuses a rotation that a previous secret of this key asks for: it is on its way out, and
    /// whoever holds it would stay with the new one and lock out the holder of the current one.
    /// While nobody has used the current one it may be lost: then the previous one
    /// replaces it.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_rotatable_by(&self, own: SecretId, rotation: Rotation) -> Result<(), Error> {
        let Secrets { current, previous } = self.secrets;
        let unused = previous.is_some_and(|previous| {
            previous.id == own && matches!(previous.until, Until::FirstUse { .. })
        });
        if own == current.id || (unused && rotation == Rotation::Replace) {
            Ok(())
        } else {
            let message = "A previous secret does not rotate its own key: use the current one, or \
                           another credential";
            Err(Error::new(Kind::Forbidden, message))
        }
    }

    /// Refuses to finish a rotation for the secret that it would end: whoever finishes it has the
    /// new one, or they would lock themselves out.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub fn require_finishable_by(&self, own: SecretId) -> Result<(), Error> {
        if self
            .secrets
            .previous
            .is_some_and(|previous| previous.id == own)
        {
            let message = "A previous secret does not finish its own key's rotation: use the \
                           current one, or another credential";
            return Err(Error::new(Kind::Forbidden, message));
        }
        Ok(())
    }

    /// The key, its newest secret shown to `person`: that is remembered of a personal key which is
    /// not theirs.
    #[must_use]
    pub fn shown_to(mut self, person: Option<Guid>) -> Self {
        let others = |person: &Guid| self.owner.user().is_some_and(|own| own != *person);
        self.secrets.current.minted_by = person.filter(others);
        self
    }

    /// The key with another secret.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is revoked or expired, or when a previous secret still works and
    /// would become a third.
    pub fn rotate(
        self,
        new: SecretId,
        rotation: Rotation,
        now: Timestamp,
    ) -> Result<Rotated, Error> {
        if matches!(self.state, State::Revoked { .. }) || self.is_expired(now) {
            return Err(self.illegal("be rotated", now));
        }
        let Secrets { current, .. } = self.secrets;
        let previous = self.secrets.working_previous(now);
        let Current {
            id,
            created_at,
            minted_by,
        } = current;
        let keep = |until| Previous {
            id,
            created_at,
            minted_by,
            until,
        };
        let (previous, ending) = match rotation {
            Rotation::Replace => (previous, Some((current.id, now))),
            Rotation::Keep(_) if previous.is_some() => {
                let message = "The key is being rotated: a previous secret still works. Finish \
                               that rotation first, or send replace";
                return Err(Error::new(Kind::Conflict, message));
            }
            Rotation::Keep(Grace::FromNow(Duration::ZERO)) => (None, Some((current.id, now))),
            Rotation::Keep(Grace::FromNow(grace)) => (
                Some(keep(Until::At { at: now + grace })),
                Some((current.id, now + grace)),
            ),
            Rotation::Keep(Grace::FromFirstUse(grace)) => (
                Some(keep(Until::FirstUse {
                    grace: Some(grace.as_secs()),
                })),
                None,
            ),
            Rotation::Keep(Grace::OpenUntilUsed) => {
                (Some(keep(Until::FirstUse { grace: None })), None)
            }
            Rotation::Keep(Grace::Open) => (Some(keep(Until::Finish)), None),
        };
        let secrets = Secrets {
            current: Current {
                id: new,
                created_at: now,
                minted_by: None,
            },
            previous,
        };
        Ok(self.with_secrets(secrets, ending, now))
    }

    /// The key with its current secret alone, now or in a while; nothing when that is so already.
    /// What ends the previous one earlier stays: this is no way to let it live.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is revoked.
    pub fn finish_rotation(
        self,
        grace: Duration,
        now: Timestamp,
    ) -> Result<Option<Rotated>, Error> {
        let Some(previous) = self.secrets.previous else {
            return Ok(None);
        };
        if matches!(self.state, State::Revoked { .. }) {
            return Err(self.illegal("be rotated", now));
        }
        let grace = match previous.until {
            Until::FirstUse { grace: Some(own) } => grace.min(Duration::from_secs(own)),
            Until::FirstUse { grace: None } | Until::Finish | Until::At { .. } => grace,
        };
        if grace.is_zero() {
            let secrets = Secrets {
                previous: None,
                ..self.secrets
            };
            return Ok(Some(self.with_secrets(
                secrets,
                Some((previous.id, now)),
                now,
            )));
        }
        let at = now + grace;
        if previous.expires_at().is_some_and(|end| end <= at) {
            return Ok(None);
        }
        let secrets = Secrets {
            previous: Some(Previous {
                until: Until::At { at },
                ..previous
            }),
            ..self.secrets
        };
        Ok(Some(self.with_secrets(
            secrets,
            Some((previous.id, at)),
            now,
        )))
    }

    /// The key after the first use of its current secret `used`: the previous one's grace runs
    /// or it waits for the end of the rotation. Nothing when none waits for it.
    #[must_use]
    pub fn start_grace(self, used: SecretId, now: Timestamp) -> Option<Rotated> {
        let previous = self
            .secrets
            .previous
            .filter(|_| used == self.secrets.current.id)?;
        let Until::FirstUse { grace } = previous.until else {
            return None;
        };
        let at = grace.map(|grace| now + Duration::from_secs(grace));
        let until = at.map_or(Until::Finish, |at| Until::At { at });
        let secrets = Secrets {
            previous: Some(Previous { until, ..previous }),
            ..self.secrets
        };
        Some(self.with_secrets(secrets, at.map(|at| (previous.id, at)), now))
    }

    fn with_secrets(
        self,
        secrets: Secrets,
        ending: Option<(SecretId, Timestamp)>,
        now: Timestamp,
    ) -> Rotated {
        let key = Self {
            secrets,
            ..self.next(now)
        };
        let entry = ending.map(|(id, at)| {
            let effect = if at <= now {
                Effect::Revoke
            } else {
                Effect::Expire {
                    at,
                    version: key.version,
                }
            };
            (Subject::Secret(id.to_string()), effect)
        });
        Rotated { key, ending, entry }
    }
}
