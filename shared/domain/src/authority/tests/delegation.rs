//! What a caller hands on: no more than it holds, and for no longer than it lasts.

use std::time::Duration;

use super::*;
use crate::{
    authority::{FoundOwner, KeyWanted, NewKey},
    error::Error,
    key::{Edit, Grace, Rotation},
    organization::{Organization, OrganizationWithGate},
};

/// What a caller with these scopes is told of making such a user.
fn delegates(role: Option<Role>, kind: KeyMode, held: &ScopeSet, made: &User) -> Result<(), Kind> {
    caller(role, kind, held)
        .require_user(&Catalogue::default(), made)
        .map_err(|error| error.kind)
}

fn other(role: Role, allowed: Option<&str>) -> User {
    user(OTHERS.guid(), role, allowed)
}

#[test]
fn nobody_delegates_a_higher_role_than_their_own_and_a_machine_none_above_developer() {
    let all = Role::Owner.scopes(&Catalogue::default(), KeyMode::Live);
    for (by, made, expected) in [
        (Some(Role::Owner), Role::Owner, Ok(())),
        (Some(Role::Admin), Role::Admin, Ok(())),
        (Some(Role::Admin), Role::Owner, Err(Kind::Forbidden)),
        (None, Role::Developer, Ok(())),
        (None, Role::Admin, Err(Kind::Forbidden)),
        (Some(Role::Owner), Role::Support, Err(Kind::Forbidden)),
        (Some(Role::Operations), Role::Viewer, Err(Kind::Forbidden)),
    ] {
        assert_eq!(
            delegates(by, KeyMode::Live, &all, &other(made, None)),
            expected,
            "{by:?} makes {made}"
        );
    }
}

#[test]
fn a_narrowed_caller_makes_users_as_narrow_whatever_key_either_acts_by() {
    let held = scopes("users:execute banks:read");
    let makes = |made: &User| delegates(Some(Role::Admin), KeyMode::Live, &held, made);
    assert_eq!(makes(&other(Role::Viewer, Some("banks:read"))), Ok(()));
    assert_eq!(
        makes(&other(Role::Viewer, None)),
        Err(Kind::InsufficientScope)
    );
    assert_eq!(
        makes(&other(Role::Viewer, Some("banks:read users:read"))),
        Err(Kind::InsufficientScope)
    );
    let reading = Role::Viewer.scopes(&Catalogue::default(), KeyMode::Live);
    assert_eq!(
        delegates(None, KeyMode::Live, &reading, &other(Role::Viewer, None)),
        Ok(())
    );
    let sandbox_only = other(Role::Developer, Some("organization_applications:execute"));
    assert_eq!(
        delegates(None, KeyMode::Live, &reading, &sandbox_only),
        Err(Kind::InsufficientScope)
    );
}

const DAY: Duration = Duration::from_hours(24);
const HELD: &str = "bank_applications:execute bank_applications:write \
                    organization_applications:execute organization_applications:write \
                    accounts:read";

/// A machine that calls by one of the secrets of a key which was rotated with this grace.
fn machine(
    secret: SecretId,
    grace: Option<Grace>,
    expires_at: Option<Timestamp>,
) -> CallerAuthority {
    let key = Key {
        expires_at,
        ..key_of(CALLER, ORGANIZATION, KeyMode::Live, HELD)
    };
    let key = match grace {
        Some(grace) => {
            key.rotate(super::secret(2), Rotation::Keep(grace), NOW)
                .unwrap()
                .key
        }
        None => key,
    };
    caller_by(&key, &gates(None), secret)
}

fn makes(caller: &CallerAuthority, expires_at: Option<Timestamp>) -> Result<NewKey, Error> {
    let home = OrganizationWithGate {
        organization: Organization {
            guid: HOME,
            name: Name::parse("home").unwrap(),
            max_key_age_days: None,
            created_at: NOW,
            updated_at: NOW,
            version: 0,
        },
        gate: gates(None).organization,
    };
    let wanted = KeyWanted {
        owner: ORGANIZATION,
        name: Name::parse("new").unwrap(),
        description: None,
        scopes: Some(vec!["accounts:read".into()]),
        ip_allowlist: Allowlist::default(),
        expires_at,
        destination: None,
        webhook_url: None,
    };
    caller.create_key(
        Operation::CreateKey,
        &Catalogue::default(),
        &home,
        (wanted, FoundOwner::Organization, "owner.guid"),
        (TARGET, super::secret(7), NOW),
    )
}

fn told<T>(result: Result<T, Error>) -> Result<(), Kind> {
    result.map(drop).map_err(|error| error.kind)
}

#[test]
fn leak_9_what_a_credential_makes_ends_no_later_than_the_credential_its_secret_included() {
    let (five_minutes, later) = (NOW + Duration::from_mins(5), NOW + DAY);
    let grace = Grace::FromNow(Duration::from_mins(5));
    let (late, forbidden) = (Err(Kind::InvalidParameter), Err(Kind::Forbidden));
    for (caller, without_end, within, beyond) in [
        (machine(secret(1), None, None), Ok(()), Ok(()), Ok(())),
        (
            machine(secret(1), None, Some(five_minutes)),
            late,
            Ok(()),
            late,
        ),
        // The previous secret ends with its grace, whatever its key's end is.
        (machine(secret(1), Some(grace), None), late, Ok(()), late),
        (
            machine(secret(1), Some(grace), Some(later)),
            late,
            Ok(()),
            late,
        ),
        (
            machine(secret(2), Some(grace), None),
            Ok(()),
            Ok(()),
            Ok(()),
        ),
        // It may end at any moment: nothing lasts no longer.
        (
            machine(secret(1), Some(Grace::Open), None),
            forbidden,
            forbidden,
            forbidden,
        ),
        (
            machine(secret(1), Some(Grace::OpenUntilUsed), None),
            forbidden,
            forbidden,
            forbidden,
        ),
        (
            machine(secret(1), Some(Grace::FromFirstUse(DAY)), None),
            forbidden,
            forbidden,
            forbidden,
        ),
        (
            machine(secret(2), Some(Grace::Open), None),
            Ok(()),
            Ok(()),
            Ok(()),
        ),
    ] {
        assert_eq!(told(makes(&caller, None)), without_end, "{caller:?}");
        assert_eq!(
            told(makes(&caller, Some(five_minutes))),
            within,
            "{caller:?}"
        );
        assert_eq!(told(makes(&caller, Some(later))), beyond, "{caller:?}");
    }
}

/// The other ways to hand on: another secret, a life again, a later end.
#[test]
fn leak_9_a_previous_secret_hands_on_nothing_that_outlives_it() {
    let end = NOW + Duration::from_mins(5);
    let catalogue = Catalogue::default();
    let open = gates(None);
    let target = |expires_at| Key {
        expires_at,
        ..key_of(TARGET, ORGANIZATION, KeyMode::Live, "accounts:read")
    };
    for (grace, keeps_short) in [
        (Grace::FromNow(Duration::from_mins(5)), Ok(())),
        (Grace::Open, Err(Kind::Forbidden)),
    ] {
        let caller = machine(secret(1), Some(grace), None);
        let does =
            |operation, key: Key| told(caller.authorize(operation, &catalogue, key, &open, NOW));
        for operation in [Operation::RotateKey, Operation::RestoreKey] {
            assert_eq!(does(operation, target(None)), Err(Kind::Forbidden));
            assert_eq!(
                does(operation, target(Some(end + DAY))),
                Err(Kind::Forbidden)
            );
            assert_eq!(does(operation, target(Some(end))), keeps_short, "{grace:?}");
        }
        assert_eq!(
            does(Operation::RevokeKey, target(None)),
            Ok(()),
            "that only stops"
        );
        let edit = |from, to| {
            let edit = Edit {
                expires_at: Some(to),
                ..Edit::default()
            };
            let key = caller
                .authorize(Operation::UpdateKey, &catalogue, target(from), &open, NOW)
                .unwrap();
            told(key.edit(edit, None))
        };
        assert!(edit(Some(end), None).is_err() && edit(Some(end), Some(end + DAY)).is_err());
        assert_eq!(
            edit(None, Some(end)),
            Ok(()),
            "an earlier end gives nothing"
        );
        assert_eq!(
            told(caller.require_lasting()),
            Err(Kind::Forbidden),
            "a user has no end"
        );
    }
    assert_eq!(
        told(machine(secret(2), Some(Grace::Open), None).require_lasting()),
        Ok(())
    );
}
