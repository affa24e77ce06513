//! Roles of people (docs/requirements.md, Roles): `operations.csv` says what each may do, this file
//! which scopes it holds.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    key_mode::KeyMode,
    scope::{Catalogue, Holder, Scope, ScopeSet},
};

/// What a user is in their organization; the last three are the platform's own staff, and none
/// includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also manages sandbox keys and their own personal ones.
    Developer,
    /// Also manages all keys, banks and members.
    Admin,
    /// Also decides plan and policies, and makes other owners.
    Owner,
    /// Staff: sees the configuration of any customer, revokes at a customer's recorded request.
    Support,
    /// Staff: incidents.
    Security,
    /// Staff: KYB, plans, onboarding.
    Operations,
}

/// Scopes of management that stay with administrators, although a new organization key would hold
/// them. What a bank's key holds of itself is a developer's in the sandbox, or nobody below an
/// administrator could rotate one.
const OF_ADMINISTRATORS: [&str; 2] = ["organizations:write", "banks:execute"];

impl Role {
    /// Every role, in the order of the columns of `operations.csv`.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Developer,
        Self::Admin,
        Self::Owner,
        Self::Support,
        Self::Security,
        Self::Operations,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
            Self::Support => "support",
            Self::Security => "security",
            Self::Operations => "operations",
        }
    }

    /// Whether it is one of the platform's own people.
    #[must_use]
    pub const fn is_staff(self) -> bool {
        matches!(self, Self::Support | Self::Security | Self::Operations)
    }

    /// Whether it may delegate scopes that are only granted by name (CYB-11).
    #[must_use]
    pub const fn delegates_granted(self) -> bool {
        matches!(self, Self::Admin | Self::Owner)
    }

    /// Whether somebody of this role may make, change or act for somebody of the other: of an
    /// organization's four roles, one that is no higher; an administrator makes no owners. Staff
    /// are the operator's to make.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        !self.is_staff() && !other.is_staff() && other <= self
    }

    /// The scopes that a user of this role holds by a credential of this kind, before
    /// `allowed_scopes` narrow them: reading for viewers; for developers in the sandbox also what a
    /// sandbox key needs; everything for administrators and owners; nothing for staff, who see no
    /// customers' data.
    #[must_use]
    pub fn scopes(self, catalogue: &Catalogue, kind: KeyMode) -> ScopeSet {
        let everything = || {
            catalogue
                .all(Holder::Organization)
                .union(&catalogue.all(Holder::Bank))
        };
        let reads = |scope: &Scope| scope.as_str().ends_with(":read");
        match self {
            Self::Viewer => everything().filter(reads),
            Self::Developer => {
                let read = everything().filter(reads);
                let defaults = catalogue
                    .defaults(Holder::Organization)
                    .union(&catalogue.defaults(Holder::Bank));
                let keys = |scope: &Scope| {
                    let name = scope.as_str();
                    name.starts_with("bank_applications:")
                        || name.starts_with("organization_applications:")
                };
                let sandbox = defaults.filter(|scope| !OF_ADMINISTRATORS.contains(&scope.as_str()));
                match kind {
                    KeyMode::Sandbox => read.union(&sandbox).union(&everything().filter(keys)),
                    KeyMode::Live => read,
                }
            }
            Self::Admin | Self::Owner => everything(),
            Self::Support | Self::Security | Self::Operations => ScopeSet::default(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or("is not a role such as viewer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbm_1_each_role_holds_what_the_one_below_it_holds() {
        let catalogue = Catalogue::default();
        for kind in KeyMode::ALL {
            let of = |role: Role| role.scopes(&catalogue, kind);
            assert!(of(Role::Viewer).is_within(&of(Role::Developer)));
            assert!(of(Role::Developer).is_within(&of(Role::Admin)));
            assert_eq!(of(Role::Admin), of(Role::Owner));
            assert!(
                of(Role::Viewer)
                    .iter()
                    .all(|scope| scope.as_str().ends_with(":read"))
            );
            assert!(
                of(Role::Support).is_empty()
                    && of(Role::Security).is_empty()
                    && of(Role::Operations).is_empty()
            );
        }
    }

    #[test]
    fn a_developer_writes_in_the_sandbox_alone_and_never_manages_members_or_banks() {
        let catalogue = Catalogue::default();
        let sandbox = Role::Developer.scopes(&catalogue, KeyMode::Sandbox);
        assert!(
            sandbox.has("bank_applications:execute")
                && sandbox.has("accounts:execute")
                && sandbox.has("trades:execute")
        );
        for scope in [
            "banks:execute",
            "organizations:write",
            "users:write",
            "users:execute",
            "subscriptions:write",
        ] {
            assert!(!sandbox.has(scope), "{scope}");
        }
        assert_eq!(
            Role::Developer.scopes(&catalogue, KeyMode::Live),
            Role::Viewer.scopes(&catalogue, KeyMode::Live)
        );
    }

    #[test]
    fn nobody_covers_a_higher_role_and_staff_cover_nobody() {
        assert!(Role::Owner.covers(Role::Owner) && Role::Admin.covers(Role::Viewer));
        assert!(!Role::Admin.covers(Role::Owner) && !Role::Viewer.covers(Role::Developer));
        assert!(!Role::Owner.covers(Role::Support) && !Role::Operations.covers(Role::Viewer));
    }
}
