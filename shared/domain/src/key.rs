//! The key: its owner, its state, and what its gates make of that
//! (docs/requirements.md, Key states).

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    allowlist::Allowlist,
    error::{Error, Kind},
    feed::{Effect, Subject},
    gate::{Gates, Kyb},
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    organization::Name,
    scope::{Holder, ScopeSet},
    text::Note,
    time::Timestamp,
    user::User,
    webhook_url::WebhookUrl,
};

mod edit;
mod rotation;
mod secrets;
#[cfg(test)]
mod tests;

pub use self::{
    edit::Edit,
    rotation::{Grace, Rotated, Rotation},
    secrets::{Current, Minter, MinterEnd, Previous, Secrets, ShownTo, Term, Until},
};

/// Whose a key is; exactly one owner, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An organization key reaches every bank of its organization and kind (CYB-4).
    Organization(Guid),
    /// A bank key reaches its bank alone (CYB-4).
    Bank(Guid),
    /// A personal key: sent as a bearer credential, with its user's role and scopes as they are
    /// (CBM-1).
    User(Guid),
}

impl Owner {
    /// The column of the scope catalogue that governs it; a personal key has its user's scopes
    /// instead.
    #[must_use]
    pub const fn holder(self) -> Option<Holder> {
        match self {
            Self::Organization(_) => Some(Holder::Organization),
            Self::Bank(_) => Some(Holder::Bank),
            Self::User(_) => None,
        }
    }

    /// The owner's identifier.
    #[must_use]
    pub const fn guid(self) -> Guid {
        match self {
            Self::Organization(guid) | Self::Bank(guid) | Self::User(guid) => guid,
        }
    }

    /// The name of its type on the wire.
    #[must_use]
    pub const fn kind_name(self) -> &'static str {
        match self {
            Self::Organization(_) => "organization",
            Self::Bank(_) => "bank",
            Self::User(_) => "user",
        }
    }

    /// The user, of a personal key.
    #[must_use]
    pub const fn user(self) -> Option<Guid> {
        match self {
            Self::User(guid) => Some(guid),
            Self::Organization(_) | Self::Bank(_) => None,
        }
    }

    /// The bank, where a bank owns the key.
    #[must_use]
    pub const fn bank(self) -> Option<Guid> {
        match self {
            Self::Bank(guid) => Some(guid),
            Self::Organization(_) | Self::User(_) => None,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind_name(), self.guid())
    }
}

impl FromStr for Owner {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("organization", guid)) => guid.parse().map(Self::Organization),
            Some(("bank", guid)) => guid.parse().map(Self::Bank),
            Some(("user", guid)) => guid.parse().map(Self::User),
            _ => Err("is not an owner such as bank:<guid>"),
        }
    }
}

impl Serialize for Owner {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// A key's own state, as it is stored. `inactive` and `expired` are not stored: they follow from
/// the gates and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum State {
    /// Works, if its gates are open.
    Active,
    /// Stopped for now.
    Deactivated,
    /// Final.
    Revoked {
        /// When it was revoked.
        at: Timestamp,
    },
}

/// What a key is at a moment, its gates considered: what people see and what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effective {
    /// Waits: for the organization's KYB (ARZ-3), or as a personal key for a plan that has those
    /// (CBM-2).
    Inactive,
    /// Gets tokens and passes.
    Active,
    /// Stopped, by itself, its user or its organization's suspension.
    Deactivated,
    /// Past its expiry.
    Expired,
    /// Stopped for good.
    Revoked,
}

/// Why a secret, or its key, does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWorking {
    /// The secret is none of the key's, or a previous one whose grace is over.
    SecretEnded,
    /// The person whom somebody else's secret was shown has ended it (LEAK-9).
    MinterEnded(MinterEnd),
    /// A live key before the organization's KYB (ARZ-3).
    AwaitsKyb,
    /// A personal key of an organization whose plan has none (CBM-2).
    NoPersonalKeys,
    /// Stopped, by itself, its user or its organization's suspension.
    Deactivated,
    /// Past its end.
    Expired,
    /// For good.
    Revoked,
}

/// What a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whose it will be.
    pub owner: Owner,
    /// The tenant.
    pub organization: Guid,
    /// Sandbox or live.
    pub kind: KeyMode,
    /// What people call it.
    pub name: Name,
    /// What people note about it.
    pub description: Option<Note>,
    /// What its tokens may carry; nothing for a personal key, which has its user's.
    pub scopes: ScopeSet,
    /// From where it may be used.
    pub ip_allowlist: Allowlist,
    /// When it stops for good.
    pub expires_at: Option<Timestamp>,
    /// Where payments made with it arrive (ARZ-1).
    pub destination: Option<Name>,
    /// Where its webhooks go (ARZ-1).
    pub webhook_url: Option<WebhookUrl>,
}

/// The credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its public name, and in another spelling its `guid`.
    pub client_id: ClientId,
    /// Whose it is.
    pub owner: Owner,
    /// The tenant.
    pub organization: Guid,
    /// Sandbox or live, for life.
    pub kind: KeyMode,
    /// What people call it.
    pub name: Name,
    /// What people note about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Note>,
    /// What its tokens may carry; nothing for a personal key, which has its user's.
    pub scopes: ScopeSet,
    /// From where its tokens, or of a personal key itself, may be used.
    pub ip_allowlist: Allowlist,
    /// Its own state.
    pub state: State,
    /// When it stops for good, where that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Where payments made with it arrive (ARZ-1); of a live key for life (ARZ-4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Name>,
    /// Where its webhooks go (ARZ-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<WebhookUrl>,
    /// Which of its secrets work, and until when. The hashes stand beside it, each an item of its
    /// own.
    pub secrets: Secrets,
    /// The person who made it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<Guid>,
    /// Until when it is listed and can be read, once it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed_until: Option<Timestamp>,
    /// When it was made: a fact that revocations by creation window name.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; a change names the version it was decided on.
    pub version: u64,
}

impl Key {
    /// How long a revoked key stays listed (docs/requirements.md, Lists).
    pub const LISTED_WHEN_REVOKED: Duration = Duration::from_hours(90 * 24);

    /// A new key with its first secret.
    ///
    /// # Errors
    /// [`Kind::InvalidParameter`] for members that do not go together (ARZ-1).
    pub fn create(
        draft: Draft,
        client_id: ClientId,
        secret: SecretId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let Draft {
            owner,
            organization,
            kind,
            name,
            description,
            scopes,
            ip_allowlist,
            expires_at,
            destination,
            webhook_url,
        } = draft;
        edit::require_consistent(owner, destination.as_ref(), webhook_url.as_ref())?;
        Ok(Self {
            client_id,
            owner,
            organization,
            kind,
            name,
            description,
            scopes,
            ip_allowlist,
            state: State::Active,
            expires_at,
            destination,
            webhook_url,
            secrets: Secrets::first(secret, now),
            made_by: None,
            listed_until: None,
            created_at: now,
            updated_at: now,
            version: 0,
        })
    }

    /// What the key is at `now` behind its `gates`. The final states come first: no gate reopens
    /// them.
    #[must_use]
    pub fn effective(&self, gates: &Gates, now: Timestamp) -> Effective {
        let personal = self.owner.user().is_some();
        match self.state {
            State::Revoked { .. } => Effective::Revoked,
            _ if gates
                .organization
                .revokes(self.owner, self.kind, self.created_at) =>
            {
                Effective::Revoked
            }
            State::Active | State::Deactivated if self.is_expired(now) => Effective::Expired,
            State::Deactivated => Effective::Deactivated,
            State::Active if gates.organization.suspended => Effective::Deactivated,
            // A personal key whose user is not known has nobody to act for.
            State::Active if personal && gates.user.as_ref().is_none_or(User::is_disabled) => {
                Effective::Deactivated
            }
            State::Active if personal && !gates.organization.has_personal_keys(now) => {
                Effective::Inactive
            }
            State::Active if personal => Effective::Active,
            State::Active
                if self.kind == KeyMode::Live && gates.organization.kyb != Kyb::Approved =>
            {
                Effective::Inactive
            }
            State::Active => Effective::Active,
        }
    }

    /// How the secret of this name stands at `now`, its key and the gates considered: the one
    /// question of everybody who is shown a secret, or a token that it obtained. The secret comes
    /// first: who has none that works learns nothing of the key.
    ///
    /// # Errors
    /// Why one of them does not work.
    pub fn works(
        &self,
        secret: SecretId,
        gates: &Gates,
        now: Timestamp,
    ) -> Result<Term, NotWorking> {
        let term = self
            .secrets
            .term(secret, now)
            .ok_or(NotWorking::SecretEnded)?;
        if let Some(end) = self.ended_by_minter(secret, gates) {
            return Err(NotWorking::MinterEnded(end));
        }
        match self.effective(gates, now) {
            Effective::Active => Ok(term),
            Effective::Inactive if self.owner.user().is_some() => Err(NotWorking::NoPersonalKeys),
            Effective::Inactive => Err(NotWorking::AwaitsKyb),
            Effective::Deactivated => Err(NotWorking::Deactivated),
            Effective::Expired => Err(NotWorking::Expired),
            Effective::Revoked => Err(NotWorking::Revoked),
        }
    }

    /// The key, with the revocations of its organization's gate applied (LEAK-8), which its own
    /// state does not say.
    pub(crate) fn with_bulk_revocations(self, gates: &Gates, now: Timestamp) -> Self {
        let revoked = gates
            .organization
            .revokes(self.owner, self.kind, self.created_at);
        if revoked && !self.is_revoked() {
            Self {
                state: State::Revoked { at: now },
                ..self
            }
        } else {
            self
        }
    }

    /// The key revoked, for good; nothing when it is already.
    pub(crate) fn revoke(self, now: Timestamp) -> Option<Self> {
        (!self.is_revoked()).then(|| Self {
            state: State::Revoked { at: now },
            listed_until: Some(now + Self::LISTED_WHEN_REVOKED),
            ..self.next(now)
        })
    }

    /// The key stopped for now.
    ///
    /// # Errors
    /// [`Kind::Conflict`] that names both states, when it is not active.
    pub(crate) fn deactivate(self, now: Timestamp) -> Result<Self, Error> {
        match self.state {
            State::Active if !self.is_expired(now) => Ok(Self {
                state: State::Deactivated,
                ..self.next(now)
            }),
            _ => Err(self.illegal("become deactivated", now)),
        }
    }

    /// The key working again.
    ///
    /// # Errors
    /// [`Kind::Conflict`] that names both states, when it is not deactivated.
    pub(crate) fn restore(self, now: Timestamp) -> Result<Self, Error> {
        match self.state {
            State::Deactivated if !self.is_expired(now) => Ok(Self {
                state: State::Active,
                ..self.next(now)
            }),
            _ => Err(self.illegal("become active", now)),
        }
    }

    fn next(self, now: Timestamp) -> Self {
        // A key that was made right after an incident says to be made a little later
        // (`gate::window`).
        Self {
            updated_at: now.max(self.created_at),
            version: self.version + 1,
            ..self
        }
    }

    fn illegal(&self, wanted: &str, now: Timestamp) -> Error {
        let state = match self.state {
            State::Revoked { .. } => "revoked",
            _ if self.is_expired(now) => "expired",
            State::Active => "active",
            State::Deactivated => "deactivated",
        };
        Error::new(
            Kind::Conflict,
            format!("The key is {state} and cannot {wanted}"),
        )
    }

    /// Whether it is past its own end.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// What the revocation feed calls it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::Key(self.client_id)
    }

    /// What the feed says once it has this end since this version.
    #[must_use]
    pub fn expiry_effect(&self) -> Effect {
        Effect::Expire {
            at: self.expires_at.unwrap_or(Timestamp::LAST),
            version: self.version,
        }
    }

    /// Whether it is listed and can be read at `now`: a revoked key is for a while.
    #[must_use]
    pub fn is_listed(&self, now: Timestamp) -> bool {
        self.listed_until.is_none_or(|until| now < until)
    }

    /// Whether it was revoked by itself; its gate may have revoked it too ([`Key::effective`]).
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        matches!(self.state, State::Revoked { .. })
    }
}
