//! The key: its owner, its state, and what its gates make of that (product.md §1, Key states).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    allowlist::Allowlist,
    error::{Error, Kind as ErrorKind},
    feed::Subject,
    gate::{Gates, Kyb},
    ids::{ClientId, Guid},
    kind::Kind,
    organization::Name,
    scope::{Holder, ScopeSet},
    time::Timestamp,
};

/// Whose a key is; exactly one owner, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An organization key reaches every bank of its organization and kind (CYB-4).
    Organization(Guid),
    /// A bank key reaches its bank alone (CYB-4).
    Bank(Guid),
}

impl Owner {
    /// The column of the scope catalogue that governs it.
    #[must_use]
    pub const fn holder(self) -> Holder {
        match self {
            Self::Organization(_) => Holder::Organization,
            Self::Bank(_) => Holder::Bank,
        }
    }

    /// The bank, where a bank owns the key.
    #[must_use]
    pub const fn bank(self) -> Option<Guid> {
        match self {
            Self::Organization(_) => None,
            Self::Bank(guid) => Some(guid),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization(guid) => write!(f, "organization:{guid}"),
            Self::Bank(guid) => write!(f, "bank:{guid}"),
        }
    }
}

impl FromStr for Owner {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("organization", guid)) => guid.parse().map(Self::Organization),
            Some(("bank", guid)) => guid.parse().map(Self::Bank),
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
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A key's own state, as it is stored. `inactive` and `expired` are not stored: they follow from the gates and the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum State {
    /// Works, if its gates are open.
    Active,
    /// Stopped for now.
    Deactivated,
    /// Final.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

/// What a key is at a moment, its gates considered: what people see and what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effective {
    /// Waits for the organization's KYB (ARZ-3).
    Inactive,
    /// Gets tokens and passes.
    Active,
    /// Stopped for now, by itself or by its organization's suspension.
    Deactivated,
    /// Past its expiry.
    Expired,
    /// Stopped for good.
    Revoked,
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
    pub kind: Kind,
    /// What people call it.
    pub name: Name,
    /// What its tokens may carry.
    pub scopes: ScopeSet,
    /// From where its tokens may be used.
    pub ip_allowlist: Allowlist,
    /// Its own state.
    pub state: State,
    /// When it stops for good, where that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was made: a fact that revocations by creation window name.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; a change names the version it was decided on.
    pub version: u64,
}

impl Key {
    /// What the key is at `now` behind its `gates`. The final states come first: no gate reopens them.
    #[must_use]
    pub fn effective(&self, gates: &Gates, now: Timestamp) -> Effective {
        match self.state {
            State::Revoked { .. } => Effective::Revoked,
            State::Active | State::Deactivated if self.is_expired(now) => Effective::Expired,
            State::Deactivated => Effective::Deactivated,
            State::Active if gates.organization.suspended => Effective::Deactivated,
            State::Active if self.kind == Kind::Live && gates.organization.kyb != Kyb::Approved => Effective::Inactive,
            State::Active => Effective::Active,
        }
    }

    /// The key with a new name or allowlist; what is absent stays (CYB-3).
    #[must_use]
    pub fn edit(self, name: Option<Name>, ip_allowlist: Option<Allowlist>, now: Timestamp) -> Self {
        Self {
            name: name.unwrap_or(self.name),
            ip_allowlist: ip_allowlist.unwrap_or(self.ip_allowlist),
            updated_at: now,
            version: self.version + 1,
            ..self
        }
    }

    /// The key stopped for now.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] that names both states, when it is not active.
    pub fn deactivate(self, now: Timestamp) -> Result<Self, Error> {
        match self.state {
            State::Active if !self.is_expired(now) => Ok(self.switch(State::Deactivated, now)),
            _ => Err(self.illegal("deactivated", now)),
        }
    }

    /// The key working again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] that names both states, when it is not deactivated.
    pub fn restore(self, now: Timestamp) -> Result<Self, Error> {
        match self.state {
            State::Deactivated if !self.is_expired(now) => Ok(self.switch(State::Active, now)),
            _ => Err(self.illegal("active", now)),
        }
    }

    fn switch(self, state: State, now: Timestamp) -> Self {
        Self { state, updated_at: now, version: self.version + 1, ..self }
    }

    fn illegal(&self, wanted: &str, now: Timestamp) -> Error {
        let state = match self.state {
            State::Revoked { .. } => "revoked",
            _ if self.is_expired(now) => "expired",
            State::Active => "active",
            State::Deactivated => "deactivated",
        };
        Error::new(ErrorKind::Conflict, format!("The key is {state} and cannot become {wanted}"))
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// What the revocation feed calls it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::Key(self.client_id.to_string())
    }

    /// Whether it was revoked.
    #[must_use]
    pub const fn is_revoked(&self) -> bool {
        matches!(self.state, State::Revoked { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::OrganizationGate;

    fn key(kind: Kind, state: State, expires_at: Option<i64>) -> Key {
        let guid = Guid::from_bytes([1; 16]);
        let at = Timestamp::from_seconds(100);
        Key {
            client_id: ClientId::of(guid),
            owner: Owner::Bank(guid),
            organization: guid,
            kind,
            name: Name::parse("key").unwrap(),
            scopes: ScopeSet::default(),
            ip_allowlist: Allowlist::default(),
            state,
            expires_at: expires_at.map(Timestamp::from_seconds),
            created_at: at,
            updated_at: at,
            version: 0,
        }
    }

    const NOW: Timestamp = Timestamp::from_seconds(200);
    const REVOKED: State = State::Revoked { at: NOW };

    #[test]
    fn only_an_open_gate_and_an_active_state_make_a_key_active() {
        let gate = |kyb, suspended| Gates { organization: OrganizationGate { kyb, suspended, ..OrganizationGate::NEW } };
        let (open, pending, rejected) = (gate(Kyb::Approved, false), gate(Kyb::Pending, false), gate(Kyb::Rejected, false));
        let suspended = gate(Kyb::Approved, true);
        for (key, gates, expected) in [
            (key(Kind::Live, State::Active, None), open, Effective::Active),
            (key(Kind::Live, State::Active, None), pending, Effective::Inactive),
            (key(Kind::Live, State::Active, None), rejected, Effective::Inactive),
            (key(Kind::Sandbox, State::Active, None), pending, Effective::Active),
            (key(Kind::Sandbox, State::Active, None), suspended, Effective::Deactivated),
            (key(Kind::Sandbox, State::Deactivated, None), open, Effective::Deactivated),
            (key(Kind::Sandbox, State::Active, Some(201)), open, Effective::Active),
            (key(Kind::Sandbox, State::Active, Some(200)), open, Effective::Expired),
            (key(Kind::Sandbox, State::Deactivated, Some(200)), open, Effective::Expired),
            (key(Kind::Sandbox, REVOKED, Some(200)), open, Effective::Revoked),
            (key(Kind::Live, REVOKED, None), suspended, Effective::Revoked),
        ] {
            assert_eq!(key.effective(&gates, NOW), expected, "{key:?} behind {gates:?}");
        }
    }

    #[test]
    fn illegal_transitions_name_both_states() {
        let refused = |result: Result<Key, Error>| result.unwrap_err().message.into_owned();
        let sandbox = |state, expires_at| key(Kind::Sandbox, state, expires_at);
        assert_eq!(sandbox(State::Active, None).deactivate(NOW).unwrap().state, State::Deactivated);
        assert_eq!(sandbox(State::Deactivated, None).restore(NOW).unwrap().state, State::Active);
        for (message, expected) in [
            (refused(sandbox(State::Deactivated, None).deactivate(NOW)), "The key is deactivated and cannot become deactivated"),
            (refused(sandbox(State::Active, None).restore(NOW)), "The key is active and cannot become active"),
            (refused(sandbox(REVOKED, None).deactivate(NOW)), "The key is revoked and cannot become deactivated"),
            (refused(sandbox(REVOKED, None).restore(NOW)), "The key is revoked and cannot become active"),
            (refused(sandbox(State::Active, Some(1)).deactivate(NOW)), "The key is expired and cannot become deactivated"),
            (refused(sandbox(State::Deactivated, Some(1)).restore(NOW)), "The key is expired and cannot become active"),
        ] {
            assert_eq!(message, expected);
        }
    }
}
