//! What may be asked of the management API, and by whom: one table of role × operation
//! (`operations.csv`) that the authorizer, the handlers, the template's test and the published
//! document all read (docs/requirements.md, Roles; CYB-11).

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{
    error::{Error, Kind},
    role::Role,
    scope::ScopeSet,
};

/// How far an operation reaches for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The key that calls: every credential may do it to itself, whatever its scopes and role
    /// (LEAK-11).
    Itself,
    /// The caller's own personal keys.
    Own,
    /// Those and what is of the sandbox.
    Sandbox,
    /// Everything that the caller may know of: of its organization, or for staff of any.
    All,
}

/// By which scopes a machine's token may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scopes {
    /// Not at all: people alone.
    People,
    /// By any one of these.
    AnyOf(Vec<&'static str>),
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The operation that the row is about.
    pub operation: Operation,
    /// Its HTTP method; empty for what is part of another operation.
    pub method: &'static str,
    /// Its path, with variables as `{guid}`.
    pub path: &'static str,
    /// Which scopes open it.
    pub scopes: Scopes,
    /// Whether every credential may do it to its own key (LEAK-11).
    pub itself: bool,
    roles: BTreeMap<Role, Reach>,
}

impl Rule {
    /// How far it reaches for a role; nothing when not at all.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<Reach> {
        self.roles.get(&role).copied()
    }

    /// Whether it is about keys of any owner, one's own personal ones among them: those need no
    /// scope.
    fn has_own(&self) -> bool {
        self.path.starts_with("/api/keys")
    }

    fn admits(&self, scopes: &ScopeSet) -> bool {
        match &self.scopes {
            Scopes::People => true,
            Scopes::AnyOf(any_of) => any_of.iter().any(|scope| scopes.has(scope)),
        }
    }

    /// How far it reaches for a caller who holds these scopes: a machine without a role, or a
    /// person with one.
    ///
    /// # Errors
    /// [`Kind::InsufficientScope`] that names the scopes, [`Kind::Forbidden`] when no scope would
    /// help.
    pub fn reach(&self, role: Option<Role>, scopes: &ScopeSet) -> Result<Reach, Error> {
        self.reach_beyond_itself(role, scopes).or_else(|error| {
            if self.itself {
                Ok(Reach::Itself)
            } else {
                Err(error)
            }
        })
    }

    /// As [`Rule::reach`], but for what a credential may do to its own key.
    ///
    /// # Errors
    /// As of [`Rule::reach`].
    pub fn reach_beyond_itself(
        &self,
        role: Option<Role>,
        scopes: &ScopeSet,
    ) -> Result<Reach, Error> {
        let Some(role) = role else {
            return match &self.scopes {
                Scopes::People => Err(Error::new(
                    Kind::Forbidden,
                    "Only people may do this, by a personal key",
                )),
                Scopes::AnyOf(_) if self.admits(scopes) => Ok(Reach::All),
                Scopes::AnyOf(any_of) => Err(insufficient(any_of)),
            };
        };
        let reach = self.role(role).ok_or_else(|| {
            Error::new(Kind::Forbidden, format!("The role {role} may not do this"))
        })?;
        match &self.scopes {
            // Staff hold no scopes: they see no customers' data.
            _ if role.is_staff() || self.admits(scopes) => Ok(reach),
            _ if self.has_own() => Ok(Reach::Own),
            Scopes::AnyOf(any_of) => Err(insufficient(any_of)),
            Scopes::People => Ok(reach),
        }
    }
}

fn insufficient(any_of: &[&str]) -> Error {
    Error::new(
        Kind::InsufficientScope,
        format!("This needs the scope {}", any_of.join(" or ")),
    )
}

macro_rules! operations {
    ($($variant:ident = $name:literal, $doc:literal;)*) => {
        /// An operation of the management API, or a part of one that has rules of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Operation {
            $(#[doc = $doc] $variant,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name: the verb of its file, and the `operationId` of the published document.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

operations! {
    ListOrganizations = "list_organizations", "Lists organizations.";
    CreateOrganization = "create_organization", "Makes an organization (CYB-1).";
    ReadOrganization = "read_organization", "Gets an organization.";
    UpdateOrganization = "update_organization", "Renames an organization.";
    UpdatePolicies = "update_policies",
        "Changes an organization's policies, as a part of updating it.";
    DecideKyb = "decide_kyb", "Decides, or withdraws, an organization's KYB (ARZ-3).";
    ChangePlan = "change_plan", "Changes an organization's plan (CBM-2).";
    ListBanks = "list_banks", "Lists banks.";
    CreateBank = "create_bank", "Makes a bank (CYB-1).";
    ReadBank = "read_bank", "Gets a bank.";
    UpdateBank = "update_bank", "Renames a bank.";
    ListBankApplications = "list_bank_applications", "Lists bank keys (CYB-3).";
    CreateBankApplication = "create_bank_application", "Makes a bank key (CYB-3).";
    ReadBankApplication = "read_bank_application", "Gets a bank key (CYB-3).";
    UpdateBankApplication = "update_bank_application", "Changes a bank key (CYB-3).";
    DeleteBankApplication = "delete_bank_application", "Revokes a bank key (CYB-3).";
    ListOrganizationApplications = "list_organization_applications",
        "Lists organization keys (CYB-3).";
    CreateOrganizationApplication = "create_organization_application",
        "Makes an organization key (CYB-3).";
    ReadOrganizationApplication = "read_organization_application",
        "Gets an organization key (CYB-3).";
    UpdateOrganizationApplication = "update_organization_application",
        "Changes an organization key (CYB-3).";
    DeleteOrganizationApplication = "delete_organization_application",
        "Revokes an organization key (CYB-3).";
    ListKeys = "list_keys", "Lists keys of any owner.";
    CreateKey = "create_key", "Makes a key (ARZ-1, CBM-1).";
    ReadKey = "read_key", "Gets a key.";
    UpdateKey = "update_key", "Changes a key (ARZ-4).";
    DeleteKey = "delete_key", "Revokes a key by DELETE.";
    RotateKey = "rotate_key", "Gives a key another secret (CBM-3, ARZ-5).";
    FinishRotation = "finish_rotation", "Ends a key's previous secret (CBM-3).";
    RevokeKey = "revoke_key", "Revokes a key (CBM-4).";
    DeactivateKey = "deactivate_key", "Stops a key for now.";
    RestoreKey = "restore_key", "Lets a stopped key work again.";
    ListUsers = "list_users", "Lists users.";
    CreateUser = "create_user", "Makes a user.";
    ReadUser = "read_user", "Gets a user.";
    UpdateUser = "update_user", "Changes a user's role or scopes.";
    DisableUser = "disable_user", "Disables a user (LEAK-9).";
    RevokeIncident = "revoke_incident", "Revokes many keys in one call (LEAK-8).";
    CreateCustomerToken = "create_customer_token", "Issues a customer's token (CYB-8).";
}

/// The table, in its own order.
static TABLE: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    parse(include_str!("../operations.csv"))
        .unwrap_or_else(|wrong| unreachable!("operations.csv: {wrong}"))
});

/// Every row, in the table's order.
#[must_use]
pub fn rules() -> &'static [Rule] {
    &TABLE
}

/// The row of a route, by method and path template.
#[must_use]
pub fn of_route(method: &str, path: &str) -> Option<&'static Rule> {
    TABLE
        .iter()
        .find(|rule| !rule.method.is_empty() && rule.method == method && rule.path == path)
}

impl Operation {
    /// Its row.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        TABLE
            .iter()
            .find(|rule| rule.operation == self)
            .unwrap_or_else(|| unreachable!("the test below finds a row for {}", self.name()))
    }
}

fn parse(csv: &'static str) -> Result<Vec<Rule>, String> {
    let mut lines = csv.lines();
    let header = format!(
        "operation,method,path,scopes,itself,{}",
        Role::ALL.map(Role::name).join(",")
    );
    if lines.next() != Some(&*header) {
        return Err(format!("the header is not {header}"));
    }
    lines
        .map(|line| {
            let wrong = |what: &str| format!("{line}: {what}");
            let cells: Vec<&'static str> = line.split(',').collect();
            let [name, method, path, scopes, itself, roles @ ..] = cells.as_slice() else {
                return Err(wrong("cells are missing"));
            };
            let operation = Operation::ALL
                .iter()
                .find(|operation| operation.name() == *name);
            let operation = *operation.ok_or_else(|| wrong("is no operation"))?;
            if roles.len() != Role::ALL.len() {
                return Err(wrong("has not one cell for each role"));
            }
            let mut reaches = BTreeMap::new();
            for (role, cell) in Role::ALL.into_iter().zip(roles) {
                let reach = match *cell {
                    "" => continue,
                    "own" => Reach::Own,
                    "sandbox" => Reach::Sandbox,
                    "yes" => Reach::All,
                    _ => return Err(wrong("a cell is not own, sandbox, yes or empty")),
                };
                reaches.insert(role, reach);
            }
            let scopes = match *scopes {
                "" => Scopes::People,
                any_of => Scopes::AnyOf(any_of.split(' ').collect()),
            };
            let itself = match *itself {
                "" => false,
                "yes" => true,
                _ => return Err(wrong("a key does this to itself, yes or empty")),
            };
            Ok(Rule {
                operation,
                method,
                path,
                scopes,
                itself,
                roles: reaches,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{key_mode::KeyMode, scope::Catalogue};

    #[test]
    fn every_operation_has_one_row_and_every_scope_is_in_the_catalogue() {
        for operation in Operation::ALL {
            assert_eq!(
                rules()
                    .iter()
                    .filter(|rule| rule.operation == *operation)
                    .count(),
                1,
                "{operation:?}"
            );
        }
        assert_eq!(rules().len(), Operation::ALL.len());
        let catalogue = Catalogue::default();
        for rule in rules() {
            let Scopes::AnyOf(scopes) = &rule.scopes else {
                continue;
            };
            assert!(
                scopes
                    .iter()
                    .all(|scope| catalogue.scopes().any(|known| known.as_str() == *scope)),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn roles_include_those_below_them_and_staff_none_of_each_other() {
        for rule in rules() {
            let customers = [Role::Viewer, Role::Developer, Role::Admin, Role::Owner];
            for pair in customers.windows(2) {
                assert!(rule.role(pair[0]) <= rule.role(pair[1]), "{rule:?}");
            }
        }
        assert_eq!(Operation::DecideKyb.rule().role(Role::Support), None);
        assert_eq!(Operation::RevokeKey.rule().role(Role::Operations), None);
    }

    /// LEAK-11: "The secret may rotate and finish its own key, nothing else."
    #[test]
    fn every_credential_rotates_and_finishes_itself_and_does_nothing_else_to_itself() {
        let itself: Vec<_> = rules()
            .iter()
            .filter(|rule| rule.itself)
            .map(|rule| rule.operation)
            .collect();
        assert_eq!(itself, [Operation::RotateKey, Operation::FinishRotation]);
        let none = ScopeSet::default();
        for rule in rules() {
            for role in [None].into_iter().chain(Role::ALL.map(Some)) {
                let (with, without) = (
                    rule.reach(role, &none),
                    rule.reach_beyond_itself(role, &none),
                );
                assert_eq!(
                    with,
                    if rule.itself {
                        without.or(Ok(Reach::Itself))
                    } else {
                        without
                    },
                    "{role:?} {rule:?}"
                );
            }
        }
    }

    #[test]
    fn a_user_without_the_scope_reaches_own_keys_alone_and_a_machine_nothing() {
        let (none, catalogue) = (ScopeSet::default(), Catalogue::default());
        let rotate = Operation::RotateKey.rule();
        assert_eq!(rotate.reach(Some(Role::Admin), &none), Ok(Reach::Own));
        assert_eq!(
            rotate
                .reach_beyond_itself(None, &none)
                .map_err(|error| error.kind),
            Err(Kind::InsufficientScope)
        );
        let developer = Role::Developer.scopes(&catalogue, KeyMode::Sandbox);
        assert_eq!(
            rotate.reach(Some(Role::Developer), &developer),
            Ok(Reach::Sandbox)
        );
        let viewer = rotate.reach_beyond_itself(Some(Role::Viewer), &developer);
        assert_eq!(viewer.map_err(|error| error.kind), Err(Kind::Forbidden));
        assert_eq!(
            Operation::ListKeys.rule().reach(Some(Role::Viewer), &none),
            Ok(Reach::Own)
        );
        let applications = Operation::UpdateBankApplication
            .rule()
            .reach(Some(Role::Admin), &none);
        assert_eq!(
            applications.map_err(|error| error.kind),
            Err(Kind::InsufficientScope),
            "no personal key is among them"
        );
        let banks = Operation::CreateBank.rule();
        assert_eq!(
            banks
                .reach(Some(Role::Admin), &none)
                .map_err(|error| error.kind),
            Err(Kind::InsufficientScope)
        );
        let kyb = Operation::DecideKyb.rule();
        assert_eq!(kyb.reach(Some(Role::Operations), &none), Ok(Reach::All));
        assert_eq!(
            kyb.reach(None, &catalogue.all(crate::scope::Holder::Organization))
                .map_err(|error| error.kind),
            Err(Kind::Forbidden)
        );
    }
}
