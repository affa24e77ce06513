//! Gates: the state of a key's owner and organization that decides, together with the key's own, whether it works.
//! One small write opens or closes them, however many keys they cover (product.md §1, Key states).

use serde::{Deserialize, Serialize};

/// Where an organization stands with "know your business".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kyb {
    /// Not decided: live keys of organizations, banks and applications sleep.
    Pending,
    /// Live keys work.
    Approved,
    /// Refused or withdrawn: live keys sleep.
    Rejected,
}

/// What an organization pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// New organizations start here.
    Starter,
    /// Opens personal keys (CBM-2).
    Pro,
    /// As `Pro`.
    Enterprise,
}

/// The organization's gate over all its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationGate {
    /// Whether live keys work.
    pub kyb: Kyb,
    /// What is paid for.
    pub plan: Plan,
    /// Whether platform staff stopped the whole organization.
    pub suspended: bool,
}

impl OrganizationGate {
    /// The gate of a new organization.
    pub const NEW: Self = Self { kyb: Kyb::Pending, plan: Plan::Starter, suspended: false };
}

/// Everything outside a key that decides whether it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gates {
    /// The organization's.
    pub organization: OrganizationGate,
}
