//! Organizations and banks.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    gate::OrganizationGate,
    ids::Guid,
    key_mode::BankEnvironment,
    misplaced::{Misplaced, credential_in},
    time::Timestamp,
};

/// What people call an organization, a bank or a key: 1 to 128 characters, no control characters,
/// not only white space, neither a secret nor a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// # Errors
    /// One sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let name = Self::readable(text.to_owned())?;
        match credential_in(text) {
            None => Ok(name),
            Some(Misplaced::Secret) => Err("holds a secret; a name is shown to everybody"),
            Some(Misplaced::Token) => Err("holds a token; a name is shown to everybody"),
        }
    }

    fn readable(text: String) -> Result<Self, &'static str> {
        if !(1..=128).contains(&text.chars().count()) {
            return Err("must have 1 to 128 characters");
        }
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err("must have a visible character and no control characters");
        }
        Ok(Self(text))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is stored was accepted when it was written; a rule that came later must not make it
        // unreadable, and so unrevocable.
        Self::readable(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its identifier.
    pub guid: Guid,
    /// What people call it.
    pub name: Name,
    /// How many days its keys live at most (LEAK-10), of those that are made or changed from when
    /// this was set on; nothing when they may live for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_key_age_days: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its profile last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

impl Organization {
    /// The longest age that can be asked of keys: ten years.
    pub const LONGEST_KEY_AGE_DAYS: u32 = 3650;

    /// The latest end of a key that was made at `created`.
    #[must_use]
    pub fn latest_end(&self, created: Timestamp) -> Option<Timestamp> {
        self.max_key_age_days
            .map(|days| created + Duration::from_hours(24 * u64::from(days)))
    }
}

/// An organization together with its gate, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationWithGate {
    /// Its profile.
    pub organization: Organization,
    /// Its gate.
    pub gate: OrganizationGate,
}

/// A bank of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    /// Its identifier.
    pub guid: Guid,
    /// Whom it belongs to.
    pub organization: Guid,
    /// What people call it.
    pub name: Name,
    /// Fixed for life; decides the kind of its keys.
    pub environment: BankEnvironment,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_128_characters() {
        assert!(Name::parse("web-checkout prod").is_ok());
        assert!(Name::parse(&"é".repeat(128)).is_ok());
        for text in [
            "",
            "   ",
            "a\nb",
            "\u{0}",
            &"x".repeat(129),
            &format!("my lk_test_{}", "a1".repeat(35)),
        ] {
            assert!(Name::parse(text).is_err(), "{text:?}");
        }
        let stored = format!("\"lk_test_{}\"", "a1".repeat(35));
        assert!(
            serde_json::from_str::<Name>(&stored).is_ok(),
            "what is stored stays readable, and its key revocable"
        );
    }
}
