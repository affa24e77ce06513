//! Gates: what stands in front of a key and decides, together with the key's own state, whether it
//! works: its organization and, of a personal key, its user. One small write opens or closes a
//! gate, however many keys it covers (docs/requirements.md, Key states).

use serde::{Deserialize, Serialize};

use crate::{feed::Cohort, key::Owner, key_mode::KeyMode, time::Timestamp, user::User};

mod revocations;
mod window;

pub use self::revocations::TooMany;

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

/// What an organization pays for, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// New organizations start here.
    Starter,
    /// Opens personal keys (CBM-2).
    Pro,
    /// As `Pro`.
    Enterprise,
}

/// A change of plan of which notice was given (CBM-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextPlan {
    /// What the plan will be.
    pub plan: Plan,
    /// From when on.
    pub at: Timestamp,
}

/// The organization's gate over all its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationGate {
    /// Whether live keys work.
    pub kyb: Kyb,
    /// What is paid for, until `next_plan` comes.
    pub plan: Plan,
    /// The plan that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_plan: Option<NextPlan>,
    /// Whether platform staff stopped the whole organization.
    pub suspended: bool,
    /// Keys that were revoked many at once (LEAK-8), for good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<Cohort>,
}

impl OrganizationGate {
    /// The gate of a new organization.
    pub const NEW: Self = Self {
        kyb: Kyb::Pending,
        plan: Plan::Starter,
        next_plan: None,
        suspended: false,
        revocations: Vec::new(),
    };

    /// What is paid for at `now`.
    #[must_use]
    pub fn plan_at(&self, now: Timestamp) -> Plan {
        match self.next_plan {
            Some(next) if next.at <= now => next.plan,
            _ => self.plan,
        }
    }

    /// Whether personal keys work at `now` (CBM-2).
    #[must_use]
    pub fn has_personal_keys(&self, now: Timestamp) -> bool {
        self.plan_at(now) > Plan::Starter
    }

    /// Whether keys of this owner and kind, made at `created`, were revoked many at once.
    #[must_use]
    pub fn revokes(&self, owner: Owner, kind: KeyMode, created: Timestamp) -> bool {
        self.revocations
            .iter()
            .any(|cohort| cohort.contains(kind, created, &[owner.guid()]))
    }
}

/// Everything outside a key that decides whether it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    /// The organization's.
    pub organization: OrganizationGate,
    /// Whose personal key it is.
    pub user: Option<User>,
    /// The persons who were shown a secret of a personal key that is not theirs ([`Key::minters`]).
    ///
    /// [`Key::minters`]: crate::key::Key::minters
    pub minters: Vec<User>,
}
