//! Users: people of an organization, or of the platform's own staff.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    feed::Subject,
    ids::Guid,
    key_mode::KeyMode,
    misplaced::credential_in,
    role::Role,
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
};

/// An email address, in lower case: 3 to 254 characters, one `@`, a domain with a dot; neither a
/// secret nor a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Email(String);

impl Email {
    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        Self::readable(text)
            .filter(|_| credential_in(text).is_none())
            .ok_or("is not an email address such as ada@example.com")
    }

    fn readable(text: &str) -> Option<Self> {
        let (local, domain) = text.split_once('@')?;
        let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
        let local_fits = (1..=64).contains(&local.len())
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(atom));
        let label = |part: &str| {
            (1..=63).contains(&part.len())
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let domain_fits = domain.contains('.') && domain.split('.').all(label);
        let fits = text.len() <= 254 && local_fits && domain_fits;
        fits.then(|| Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Email {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is stored was accepted when it was written; a rule that came later must not make its
        // user unreadable, who could not be disabled then.
        Self::readable(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("an email address does not read as one"))
    }
}

/// Whether a user's keys and sessions work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// They do.
    Active,
    /// They do not, for good (LEAK-9).
    Disabled,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its identifier.
    pub guid: Guid,
    /// The tenant, or [`Guid::PLATFORM`] for staff.
    pub organization: Guid,
    /// By which people know it; unique within the organization while it is not disabled.
    pub email: Email,
    /// What it may do.
    pub role: Role,
    /// Narrows the role's scopes, where set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_scopes: Option<ScopeSet>,
    /// Whether it works.
    pub state: UserState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How often it lost a role or a scope: a secret of somebody else's that it was shown works
    /// only while this is what it was then (LEAK-9).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub narrowed: u64,
    /// Counts its changes.
    pub version: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl User {
    /// What it may do by a credential of this kind, at this moment (CBM-1): the role's scopes,
    /// narrowed by `allowed_scopes`.
    #[must_use]
    pub fn scopes(&self, catalogue: &Catalogue, kind: KeyMode) -> ScopeSet {
        let scopes = self.role.scopes(catalogue, kind);
        match &self.allowed_scopes {
            Some(allowed) => scopes.filter(|scope| allowed.has(scope.as_str())),
            None => scopes,
        }
    }

    /// Whether it may do anything that it may not as `before`: by a higher role, or by a scope,
    /// with a credential of either kind.
    #[must_use]
    pub fn exceeds(&self, before: &Self, catalogue: &Catalogue) -> bool {
        let wider = |kind| {
            !self
                .scopes(catalogue, kind)
                .is_within(&before.scopes(catalogue, kind))
        };
        self.role > before.role || KeyMode::ALL.into_iter().any(wider)
    }

    /// The user with this role and these scopes; what that takes from them is counted.
    #[must_use]
    pub fn with_authority(
        self,
        role: Role,
        allowed_scopes: Option<ScopeSet>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Self {
        let next = Self {
            role,
            allowed_scopes,
            updated_at: now,
            version: self.version + 1,
            ..self.clone()
        };
        let narrower = self.exceeds(&next, catalogue);
        Self {
            narrowed: self.narrowed + u64::from(narrower),
            ..next
        }
    }

    /// The user disabled, for good; nothing when they are already.
    #[must_use]
    pub fn disable(self, now: Timestamp) -> Option<Self> {
        (!self.is_disabled()).then(|| Self {
            state: UserState::Disabled,
            updated_at: now,
            version: self.version + 1,
            ..self
        })
    }

    /// What the revocation feed calls it.
    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject::User(self.guid)
    }

    /// Whether it was disabled.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        matches!(self.state, UserState::Disabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbm_1_a_raise_is_a_higher_role_or_a_scope_that_was_not_held_in_either_kind() {
        let user = |role, allowed: Option<&str>| User {
            guid: Guid::from_bytes([1; 16]),
            organization: Guid::from_bytes([2; 16]),
            email: Email::parse("ada@example.com").unwrap(),
            role,
            allowed_scopes: allowed.map(|scopes| scopes.parse().unwrap()),
            state: UserState::Active,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
            narrowed: 0,
            version: 0,
        };
        let (keys, banks) = (Some("bank_applications:execute"), Some("banks:read"));
        for (before, after, raises) in [
            ((Role::Admin, None), (Role::Owner, None), true),
            ((Role::Admin, None), (Role::Owner, banks), true),
            ((Role::Owner, None), (Role::Admin, None), false),
            ((Role::Viewer, None), (Role::Viewer, banks), false),
            ((Role::Viewer, banks), (Role::Viewer, None), true),
            ((Role::Admin, banks), (Role::Developer, None), true),
            ((Role::Developer, keys), (Role::Developer, keys), false),
            ((Role::Viewer, keys), (Role::Viewer, None), true),
            // A viewer holds neither of the two.
            (
                (Role::Viewer, keys),
                (Role::Viewer, Some("banks:write")),
                false,
            ),
        ] {
            let (before, after) = (user(before.0, before.1), user(after.0, after.1));
            assert_eq!(
                after.exceeds(&before, &Catalogue::default()),
                raises,
                "{before:?} becomes {after:?}"
            );
        }
    }

    #[test]
    fn emails_are_read_strictly_and_lowered() {
        assert_eq!(
            Email::parse("Ada.Lovelace+keys@Example.COM")
                .unwrap()
                .to_string(),
            "ada.lovelace+keys@example.com"
        );
        for text in [
            "",
            "a",
            "@example.com",
            "a@",
            "a@b",
            "a@@b.c",
            "a b@c.d",
            "a@b..c",
            ".a@b.c",
            "a@-b.c",
            "a@b.c\n",
            "ä@b.c",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
        assert!(Email::parse(&format!("{}@example.com", "x".repeat(65))).is_err());
        assert!(
            Email::parse(&format!("lk_test_{}@example.com", "a1".repeat(25))).is_err(),
            "no secret is kept as an address"
        );
    }
}
