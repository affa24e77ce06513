//! The rotation of a key's secret (CBM-3, ARZ-5, X-3).

#[cfg(test)]
mod tests;

use std::{iter, time::Duration};

use super::{Current, Key, Minter, MinterEnd, Previous, Secrets, ShownTo, State, Until};
use crate::{
    error::{Error, Kind},
    feed::{Effect, Rules, Subject},
    gate::Gates,
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
    /// Until the rotation is finished; and while nobody has used the new secret, that is known of
    /// it.
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
    /// As `Keep` of a grace that starts at the first use; and until then the previous secret may
    /// put another in the place of the new one, which may be lost.
    KeepReplaceable(Grace),
    /// End it at once: nobody has it. A previous one stays as it is.
    Replace,
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

impl Key {
    /// Everybody who was shown one of its secrets and is not its user, and on whom that secret
    /// therefore rests (LEAK-9); of a machine's key, which works on, nobody.
    pub fn minters(&self) -> impl Iterator<Item = Guid> {
        let personal = self.owner.user().is_some();
        let Secrets { current, previous } = self.secrets;
        iter::once(current.shown_to)
            .chain(previous.map(|previous| previous.shown_to))
            .flat_map(ShownTo::people)
            .filter(move |_| personal)
            .map(|minter| minter.user)
    }

    /// How the person whom the secret of this name was shown has ended it; nothing where nobody
    /// has. It works only while they are active and were not narrowed since: or their authority
    /// would outlive them in somebody else's name (LEAK-9).
    #[must_use]
    pub fn ended_by_minter(&self, secret: SecretId, gates: &Gates) -> Option<MinterEnd> {
        self.owner.user()?;
        let end = |minter: Minter| {
            let person = gates
                .minters
                .iter()
                .find(|user| user.guid == minter.user && user.organization == self.organization);
            match person {
                Some(person) if person.is_disabled() => Some(MinterEnd::MinterDisabled),
                Some(person) if person.narrowed != minter.narrowed => {
                    Some(MinterEnd::MinterNarrowed)
                }
                Some(_) => None,
                None => Some(MinterEnd::MinterDisabled),
            }
        };
        self.secrets.shown_to(secret).people().find_map(end)
    }

    /// Refuses a rotation that a previous secret of this key asks for: it is on its way out, and
    /// whoever holds it would stay with the new one and lock out the holder of the current one.
    /// Where the rotation asked for it, the previous one replaces a current one that nobody has
    /// used, which may be lost.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub(crate) fn require_rotatable_by(
        &self,
        own: SecretId,
        rotation: Rotation,
    ) -> Result<(), Error> {
        let Secrets { current, previous } = self.secrets;
        let unused = previous.is_some_and(|previous| {
            previous.id == own
                && matches!(
                    previous.until,
                    Until::FirstUse {
                        replaceable: true,
                        ..
                    }
                )
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
    pub(crate) fn require_finishable_by(&self, own: SecretId) -> Result<(), Error> {
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

    /// The key, its newest secret shown to these people.
    #[must_use]
    pub(crate) fn with_shown_to(mut self, people: ShownTo) -> Self {
        self.secrets.current.shown_to = people;
        self
    }

    /// The key with another secret.
    ///
    /// # Errors
    /// [`Kind::Conflict`] when it is revoked or expired, or when a previous secret still works and
    /// would become a third.
    pub(crate) fn rotate(
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
            shown_to,
        } = current;
        let keep = |until| Previous {
            id,
            created_at,
            shown_to,
            until,
        };
        let replaceable = matches!(rotation, Rotation::KeepReplaceable(_));
        let (previous, ending) = match rotation {
            Rotation::Replace => (previous, Some((current.id, now))),
            Rotation::Keep(_) | Rotation::KeepReplaceable(_) if previous.is_some() => {
                let message = "The key is being rotated: a previous secret still works. Finish \
                               that rotation first, or send replace";
                return Err(Error::new(Kind::Conflict, message));
            }
            Rotation::Keep(Grace::FromNow(Duration::ZERO))
            | Rotation::KeepReplaceable(Grace::FromNow(Duration::ZERO)) => {
                (None, Some((current.id, now)))
            }
            Rotation::Keep(Grace::FromNow(grace))
            | Rotation::KeepReplaceable(Grace::FromNow(grace)) => (
                Some(keep(Until::At { at: now + grace })),
                Some((current.id, now + grace)),
            ),
            Rotation::Keep(Grace::FromFirstUse(grace))
            | Rotation::KeepReplaceable(Grace::FromFirstUse(grace)) => (
                Some(keep(Until::FirstUse {
                    grace: Some(grace.as_secs()),
                    replaceable,
                })),
                None,
            ),
            Rotation::Keep(Grace::OpenUntilUsed)
            | Rotation::KeepReplaceable(Grace::OpenUntilUsed) => (
                Some(keep(Until::FirstUse {
                    grace: None,
                    replaceable,
                })),
                None,
            ),
            Rotation::Keep(Grace::Open) | Rotation::KeepReplaceable(Grace::Open) => {
                (Some(keep(Until::Finish)), None)
            }
        };
        let secrets = Secrets {
            current: Current {
                id: new,
                created_at: now,
                shown_to: ShownTo::NOBODY,
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
    pub(crate) fn finish_rotation(
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
            Until::FirstUse {
                grace: Some(own), ..
            } => grace.min(Duration::from_secs(own)),
            Until::FirstUse { grace: None, .. } | Until::Finish | Until::At { .. } => grace,
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
            .filter(|_| used == self.secrets.current.id)?
            .after_first_use(now)?;
        let secrets = Secrets {
            previous: Some(previous),
            ..self.secrets
        };
        let ending = previous.expires_at().map(|at| (previous.id, at));
        Some(self.with_secrets(secrets, ending, now))
    }

    /// The secret whose first use is noted beside the key and not in it: the current one of a
    /// personal key, while the previous one waits for that. Those who see such a use change
    /// no key.
    #[must_use]
    pub fn awaits_note_of(&self) -> Option<SecretId> {
        self.owner.user()?;
        self.secrets
            .previous
            .filter(Previous::awaits_first_use)
            .map(|_| self.secrets.current.id)
    }

    /// The key at `now`, the first use of its current secret noted at `at`: the previous one's
    /// grace runs from then on, or it waits for the end of the rotation. A key that waits for
    /// nothing stays as it is, so that no note gives a secret a later end, or brings one back.
    ///
    /// Whoever notes may lie. No secret was used before it was made: such a note counts as its
    /// making. Nor is one used in the future, as far as two clocks can differ: such a note counts
    /// as none yet, so that the key still waits, and the true first use is noted too.
    #[must_use]
    pub fn with_first_use(mut self, at: Timestamp, now: Timestamp) -> Self {
        if at > now + Rules::STANDARD.clock_bound * 2 {
            return self;
        }
        let at = at.max(self.secrets.current.created_at);
        let noted = self
            .secrets
            .previous
            .and_then(|previous| previous.after_first_use(at));
        self.secrets.previous = noted.or(self.secrets.previous);
        self
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
            (Subject::Secret(id), effect)
        });
        Rotated { key, ending, entry }
    }
}
