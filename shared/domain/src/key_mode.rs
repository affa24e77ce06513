//! Sandbox or live: decided once for a credential and never mixed (docs/requirements.md, Kinds).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kind of a key or token. On the wire it is the member `environment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyMode {
    /// For trying things: active at once.
    Sandbox,
    /// Real money: gated by the organization's KYB (ARZ-3).
    Live,
}

impl KeyMode {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Live];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }

    /// The word inside a secret: `live` or `test`.
    #[must_use]
    pub const fn secret_tag(self) -> &'static str {
        match self {
            Self::Sandbox => "test",
            Self::Live => "live",
        }
    }
}

impl fmt::Display for KeyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or("must be sandbox or live")
    }
}

/// A bank's environment, fixed for life (docs/requirements.md, Kinds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BankEnvironment {
    /// For trying things.
    Sandbox,
    /// Real money; its keys are live.
    Production,
}

impl BankEnvironment {
    /// The kind of the bank's keys.
    #[must_use]
    pub const fn kind(self) -> KeyMode {
        match self {
            Self::Sandbox => KeyMode::Sandbox,
            Self::Production => KeyMode::Live,
        }
    }
}
