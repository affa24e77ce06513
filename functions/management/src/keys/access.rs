//! Who may know of a key, and who may act on it: one rule for every operation, over the table of
//! roles and scopes (`operations.csv`). Visibility is checked before permission: a key that the
//! caller may not see is the same 404 as a key that does not exist.

use domain::{
    error::{Error, Kind},
    ids::Guid,
    key::{Key, Owner},
    key_mode::KeyMode,
    operation::{Operation, Reach, Scopes},
    role::Role,
    scope::ScopeSet,
};

use crate::api::{Api, Caller, CallerAuthority};

/// What never changes about a key, and decides who sees it and what may be done with it; also of
/// one that is yet to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) organization: Guid,
    pub(crate) owner: Owner,
    pub(crate) kind: KeyMode,
}

impl From<&Key> for Target {
    fn from(key: &Key) -> Self {
        Self {
            organization: key.organization,
            owner: key.owner,
            kind: key.kind,
        }
    }
}

/// Whether the caller may know of a key: of its organization and kind, a bank's token only of its
/// bank's. People see the personal keys of their organization in either kind, so that they can stop
/// what is theirs.
pub(crate) fn may_see(caller: &Caller, target: Target) -> bool {
    let Target {
        organization,
        owner,
        kind,
    } = target;
    if caller.owner.bank().is_some() {
        return owner == caller.owner && caller.sees(organization, kind);
    }
    let personal =
        caller.user().is_some() && owner.user().is_some() && caller.sees_organization(organization);
    caller.sees(organization, kind) || personal || is_own(caller.user(), owner)
}

/// Refuses to show the caller a key that it may know of.
pub(crate) fn require_reading(
    caller: &Caller,
    operation: Operation,
    target: Target,
) -> Result<(), Error> {
    permit(
        operation,
        caller.reach(operation)?,
        caller.user(),
        caller.role,
        &caller.scopes,
        target,
    )
}

/// Refuses what the caller may not do to a key that it sees, by what the authorizer knew of the
/// caller: for what only stops.
pub(crate) async fn require(
    api: &Api,
    caller: &Caller,
    operation: Operation,
    target: Target,
) -> Result<(), Error> {
    require_reading(caller, operation, target)?;
    require_say(api, caller, caller.role, target).await
}

/// Refuses what the caller may not do to a key that it sees, by what the caller is and holds at
/// this moment: for changes that give somebody something.
pub(crate) async fn require_now(
    api: &Api,
    caller: &Caller,
    authority: &CallerAuthority,
    operation: Operation,
    target: Target,
) -> Result<(), Error> {
    caller.require(operation)?;
    let reach = operation.rule().reach(authority.role, &authority.scopes)?;
    permit(
        operation,
        reach,
        caller.user(),
        authority.role,
        &authority.scopes,
        target,
    )?;
    require_say(api, caller, authority.role, target).await?;
    // People also see the other kind's personal keys, which this kind's credentials only stop.
    if caller.kind == target.kind {
        Ok(())
    } else {
        let message = format!(
            "A {} credential only stops {} keys: use a {1} one for this",
            caller.kind, target.kind
        );
        Err(Error::new(Kind::Forbidden, message))
    }
}

/// Refuses to act on somebody else's personal key: every machine, and people who have no say over
/// that user's role, as disabling the user takes. What a user who is disabled or gone left behind
/// falls to whoever the table lets.
async fn require_say(
    api: &Api,
    caller: &Caller,
    role: Option<Role>,
    target: Target,
) -> Result<(), Error> {
    let Some(guid) = target
        .owner
        .user()
        .filter(|guid| caller.user() != Some(*guid))
    else {
        return Ok(());
    };
    let forbidden = |message: String| Err(Error::new(Kind::Forbidden, message));
    match role {
        None => forbidden(
            "Only people make, change and stop personal keys, by a personal key; a machine reads \
             them"
                .into(),
        ),
        Some(role) if role.is_staff() => Ok(()),
        Some(role) => {
            let user = api.store.user(guid).await?;
            let user =
                user.filter(|user| user.organization == target.organization && !user.is_disabled());
            let whose = user.map_or(Role::Viewer, |user| user.role);
            if role.covers(whose) {
                Ok(())
            } else {
                forbidden(format!("A {role} has no say over the keys of an {whose}"))
            }
        }
    }
}

/// Whether the caller asks for what every credential may do to its own key, whatever its scopes and
/// role (LEAK-11). How far the operation reaches was asked before: a customer's token names its
/// parent's key and does nothing to it.
pub(crate) fn is_itself(caller: &Caller, operation: Operation, key: &Key) -> bool {
    operation.rule().itself && caller.client_id == key.client_id
}

/// Whether this bank is one that the caller makes keys of: of its organization and kind; a bank's
/// token of its own bank.
pub(crate) async fn reaches_bank(api: &Api, caller: &Caller, guid: Guid) -> Result<bool, Error> {
    if let Some(own) = caller.owner.bank() {
        return Ok(own == guid);
    }
    let bank = api.store.bank(guid).await?;
    Ok(bank.is_some_and(|bank| {
        bank.organization == caller.organization && bank.environment.kind() == caller.kind
    }))
}

fn is_own(user: Option<Guid>, owner: Owner) -> bool {
    user.is_some() && user == owner.user()
}

/// One's own personal keys need no scope; every other key one that governs keys of its owner.
fn permit(
    operation: Operation,
    reach: Reach,
    user: Option<Guid>,
    role: Option<Role>,
    scopes: &ScopeSet,
    target: Target,
) -> Result<(), Error> {
    if reach == Reach::Itself {
        // It is asked before whether this is that key ([`is_itself`]).
        return operation.rule().reach_beyond_itself(role, scopes).map(drop);
    }
    // Staff hold no scopes: the table alone says what they do.
    if is_own(user, target.owner) || role.is_some_and(Role::is_staff) {
        return Ok(());
    }
    let opening = opening(operation, target.owner);
    if !opening.iter().any(|scope| scopes.has(scope)) {
        return Err(Error::new(
            Kind::InsufficientScope,
            format!("This needs the scope {}", opening.join(" or ")),
        ));
    }
    let reached = match reach {
        Reach::All => true,
        Reach::Sandbox => target.kind == KeyMode::Sandbox && target.owner.user().is_none(),
        Reach::Own | Reach::Itself => false,
    };
    if reached {
        Ok(())
    } else {
        let role = role.map_or("caller", Role::name);
        let message = format!(
            "A {role} manages sandbox keys of the organization and its banks, and personal keys of \
             its own"
        );
        Err(Error::new(Kind::Forbidden, message))
    }
}

/// The scopes of an operation that open it for keys of this owner (CYB-11): a bank's keys have a
/// family of scopes of their own; those of organizations and people share the other.
fn opening(operation: Operation, owner: Owner) -> Vec<&'static str> {
    let others: &[&str] = match owner {
        Owner::Bank(_) => &["organization_applications:"],
        Owner::Organization(_) | Owner::User(_) => &["bank_applications:", "banks:"],
    };
    match &operation.rule().scopes {
        Scopes::People => Vec::new(),
        Scopes::AnyOf(scopes) => scopes
            .iter()
            .copied()
            .filter(|scope| !others.iter().any(|other| scope.starts_with(other)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: Guid = Guid::from_bytes([1; 16]);
    const BANK: Owner = Owner::Bank(GUID);
    const ORGANIZATION: Owner = Owner::Organization(GUID);
    const OWN: Owner = Owner::User(GUID);
    const OTHERS: Owner = Owner::User(Guid::from_bytes([2; 16]));

    fn refusal(
        operation: Operation,
        role: Option<Role>,
        scopes: &str,
        owner: Owner,
        kind: KeyMode,
    ) -> Option<Kind> {
        let scopes: ScopeSet = scopes.parse().unwrap();
        let reach = match operation.rule().reach(role, &scopes) {
            Ok(reach) => reach,
            Err(error) => return Some(error.kind),
        };
        let target = Target {
            organization: GUID,
            owner,
            kind,
        };
        permit(operation, reach, role.map(|_| GUID), role, &scopes, target)
            .err()
            .map(|error| error.kind)
    }

    #[test]
    fn cyb_11_the_scope_is_that_of_the_keys_owner() {
        let (bank, organization) = ("bank_applications", "organization_applications");
        for (operation, verb) in [
            (Operation::ReadKey, "read"),
            (Operation::UpdateKey, "write"),
            (Operation::RotateKey, "write"),
            (Operation::CreateKey, "execute"),
            (Operation::RevokeKey, "execute"),
        ] {
            assert_eq!(
                opening(operation, BANK),
                [format!("{bank}:{verb}")],
                "{operation:?}"
            );
            for owner in [ORGANIZATION, OTHERS] {
                assert_eq!(
                    opening(operation, owner),
                    [format!("{organization}:{verb}")],
                    "{operation:?}"
                );
            }
        }
        assert_eq!(
            opening(Operation::ListKeys, BANK),
            ["bank_applications:read", "banks:read", "organizations:read"]
        );
        assert_eq!(
            opening(Operation::ListKeys, ORGANIZATION),
            ["organization_applications:read", "organizations:read"]
        );
    }

    #[test]
    fn developers_manage_sandbox_keys_and_their_own_personal_ones() {
        let scopes = "bank_applications:write organization_applications:write";
        let developer = |owner, kind| {
            refusal(
                Operation::RotateKey,
                Some(Role::Developer),
                scopes,
                owner,
                kind,
            )
        };
        for owner in [BANK, ORGANIZATION, OWN] {
            assert_eq!(developer(owner, KeyMode::Sandbox), None, "{owner}");
        }
        for (owner, kind) in [
            (OTHERS, KeyMode::Sandbox),
            (BANK, KeyMode::Live),
            (ORGANIZATION, KeyMode::Live),
        ] {
            assert_eq!(
                developer(owner, kind),
                Some(Kind::Forbidden),
                "{owner} {kind}"
            );
        }
        assert_eq!(developer(OWN, KeyMode::Live), None);
    }

    #[test]
    fn without_scopes_people_reach_their_own_keys_machines_nothing_and_staff_what_the_table_says() {
        let admin = |owner| {
            refusal(
                Operation::RevokeKey,
                Some(Role::Admin),
                "",
                owner,
                KeyMode::Sandbox,
            )
        };
        assert_eq!(
            (admin(OWN), admin(OTHERS)),
            (None, Some(Kind::InsufficientScope))
        );
        assert_eq!(
            refusal(Operation::RevokeKey, None, "", BANK, KeyMode::Sandbox),
            Some(Kind::InsufficientScope)
        );
        for owner in [BANK, ORGANIZATION, OTHERS] {
            assert_eq!(
                refusal(
                    Operation::RevokeKey,
                    Some(Role::Support),
                    "",
                    owner,
                    KeyMode::Live
                ),
                None
            );
            assert_eq!(
                refusal(
                    Operation::RotateKey,
                    Some(Role::Support),
                    "",
                    owner,
                    KeyMode::Live
                ),
                Some(Kind::Forbidden)
            );
        }
        assert_eq!(
            refusal(
                Operation::RotateKey,
                Some(Role::Viewer),
                "",
                OWN,
                KeyMode::Live
            ),
            Some(Kind::Forbidden)
        );
    }
}
