//! Whose authority stands: what works now, whom a secret was shown, and what an authorisation is
//! for.

use std::time::Duration;

use super::*;
use crate::{
    error::Error,
    key::{Edit, MinterEnd, NotWorking, Rotation, State},
    scope::Holder,
};

/// A personal key of somebody else whose secret was shown to an administrator.
fn minted(minter: &User) -> (Key, CallerAuthority) {
    let own = gates(Some(minter.clone()));
    let caller = caller_by(&key_of(CALLER, OWN, KeyMode::Live, ""), &own, secret(1));
    let key = key_of(TARGET, OTHERS, KeyMode::Live, "");
    let theirs = gates(Some(user(OTHERS.guid(), Role::Admin, None)));
    let rotated = caller
        .authorize(
            Operation::RotateKey,
            &Catalogue::default(),
            key,
            &theirs,
            NOW,
        )
        .unwrap()
        .rotate(secret(2), Rotation::Keep(crate::key::Grace::DEFAULT))
        .unwrap();
    (rotated.key, caller)
}

#[test]
fn leak_9_a_secret_shown_to_another_works_while_they_are_active_and_were_not_narrowed() {
    let admin = user(OWN.guid(), Role::Admin, None);
    let (key, _) = minted(&admin);
    let works = |secret_of, minters: Vec<User>| {
        let gates = Gates {
            minters,
            ..gates(Some(user(OTHERS.guid(), Role::Admin, None)))
        };
        key.works(secret(secret_of), &gates, NOW).map(drop)
    };
    let catalogue = Catalogue::default();
    let later = NOW + Duration::from_secs(1);
    let demoted = admin
        .clone()
        .with_authority(Role::Developer, None, &catalogue, later);
    let raised_again = demoted
        .clone()
        .with_authority(Role::Owner, None, &catalogue, later);
    let fewer = Some(scopes("banks:read"));
    let narrowed = admin
        .clone()
        .with_authority(Role::Admin, fewer, &catalogue, later);
    let raised = admin
        .clone()
        .with_authority(Role::Owner, None, &catalogue, later);
    let disabled = admin.clone().disable(later).unwrap();
    let elsewhere = User {
        organization: Guid::from_bytes([8; 16]),
        ..admin.clone()
    };
    let ended = |end| Err(NotWorking::MinterEnded(end));
    for (minter, expected) in [
        (Some(admin), Ok(())),
        (Some(raised), Ok(())),
        (Some(demoted), ended(MinterEnd::MinterNarrowed)),
        (Some(raised_again), ended(MinterEnd::MinterNarrowed)),
        (Some(narrowed), ended(MinterEnd::MinterNarrowed)),
        (Some(disabled), ended(MinterEnd::MinterDisabled)),
        (Some(elsewhere), ended(MinterEnd::MinterDisabled)),
        (None, ended(MinterEnd::MinterDisabled)),
    ] {
        let minters: Vec<_> = minter.into_iter().collect();
        assert_eq!(works(2, minters.clone()), expected, "{minters:?}");
        assert_eq!(works(1, minters), Ok(()), "their own secret is theirs");
    }
}

#[test]
fn leak_9_a_machines_key_works_on_whatever_becomes_of_whom_its_secret_was_shown() {
    let admin = user(OWN.guid(), Role::Admin, None);
    let (_, caller) = minted(&admin);
    let held = Catalogue::default().defaults(Holder::Bank).to_string();
    let key = key_of(TARGET, BANK, KeyMode::Live, &held);
    let rotated = caller
        .authorize(
            Operation::RotateKey,
            &Catalogue::default(),
            key,
            &gates(None),
            NOW,
        )
        .unwrap()
        .rotate(secret(2), Rotation::Replace)
        .unwrap()
        .key;
    let minter = rotated.secrets.current.shown_to.minted_by.unwrap();
    assert_eq!(minter.user, admin.guid, "it is remembered");
    assert!(rotated.works(secret(2), &gates(None), NOW).is_ok());
}

#[test]
fn leak_12_a_machine_has_no_scope_that_its_key_lacks_whatever_its_token_says() {
    let key = key_of(CALLER, ORGANIZATION, KeyMode::Live, "banks:read");
    let token = TokenGrant {
        scopes: &scopes("banks:read banks:execute"),
        ip_allowlist: &Allowlist::default(),
        is_customer: false,
    };
    let presented = Presented {
        secret: secret(1),
        token: Some(token),
    };
    let caller =
        CallerAuthority::of_key(&key, &gates(None), &presented, &Catalogue::default(), NOW)
            .unwrap();
    assert_eq!(caller.require(Operation::ListBanks), Ok(()));
    assert_eq!(
        caller.require(Operation::CreateBank).unwrap_err().kind,
        Kind::InsufficientScope
    );
}

#[test]
fn a_customers_token_does_nothing_to_its_parents_key() {
    let key = key_of(CALLER, BANK, KeyMode::Live, "bank_applications:write");
    let token = TokenGrant {
        scopes: &key.scopes.clone(),
        ip_allowlist: &Allowlist::default(),
        is_customer: true,
    };
    let presented = Presented {
        secret: secret(1),
        token: Some(token),
    };
    let (catalogue, open) = (Catalogue::default(), gates(None));
    let caller = CallerAuthority::of_key(&key, &open, &presented, &catalogue, NOW).unwrap();
    for operation in [
        Operation::ReadKey,
        Operation::RotateKey,
        Operation::FinishRotation,
        Operation::RevokeKey,
        Operation::UpdateKey,
    ] {
        let refused = caller.authorize(operation, &catalogue, key.clone(), &open, NOW);
        assert_eq!(refused.unwrap_err().kind, Kind::Forbidden, "{operation:?}");
    }
}

#[test]
fn a_key_that_stopped_since_it_was_asked_for_authorises_nothing_about_itself() {
    let key = key_of(CALLER, BANK, KeyMode::Live, "bank_applications:write");
    let (catalogue, open) = (Catalogue::default(), gates(None));
    let caller = caller_by(&key, &open, secret(1));
    let stopped = Key {
        state: State::Deactivated,
        ..key.clone()
    };
    let rotated = key.rotate(secret(2), Rotation::Replace, NOW).unwrap().key;
    for now in [stopped, rotated] {
        let refused = caller.authorize(Operation::UpdateKey, &catalogue, now, &open, NOW);
        assert_eq!(refused.unwrap_err().kind, Kind::AuthenticationFailed);
    }
}

/// An authorisation is for one operation: what it was not asked for, it does not do.
#[test]
fn an_authorisation_does_its_own_operation_alone() {
    type Does = fn(crate::authority::Authorized<'_>) -> Result<(), Error>;
    let transitions: [(&str, &[Operation], Does); 6] = [
        ("rotate", &[Operation::RotateKey], |key| {
            key.rotate(secret(2), Rotation::Replace).map(drop)
        }),
        ("finish", &[Operation::FinishRotation], |key| {
            key.finish_rotation(Duration::ZERO).map(drop)
        }),
        (
            "edit",
            &[
                Operation::UpdateKey,
                Operation::UpdateBankApplication,
                Operation::UpdateOrganizationApplication,
            ],
            |key| key.edit(Edit::default(), None).map(drop),
        ),
        ("deactivate", &[Operation::DeactivateKey], |key| {
            key.deactivate().map(drop)
        }),
        ("restore", &[Operation::RestoreKey], |key| {
            key.restore().map(drop)
        }),
        (
            "revoke",
            &[
                Operation::RevokeKey,
                Operation::RevokeIncident,
                Operation::DeleteKey,
                Operation::DeleteBankApplication,
                Operation::DeleteOrganizationApplication,
            ],
            |key| key.revoke().map(drop),
        ),
    ];
    let (catalogue, open) = (Catalogue::default(), gates(None));
    #[expect(clippy::disallowed_methods, reason = "the operator may everything")]
    let operator = CallerAuthority::of_operator(HOME, KeyMode::Live);
    let key = key_of(TARGET, BANK, KeyMode::Live, "banks:read");
    let mut authorised = 0;
    for operation in Operation::ALL {
        for (name, for_it, does) in &transitions {
            let Ok(key) = operator.authorize(*operation, &catalogue, key.clone(), &open, NOW)
            else {
                assert!(!for_it.contains(operation));
                continue;
            };
            authorised += 1;
            let internal = does(key).is_err_and(|error| error.kind == Kind::Internal);
            assert_eq!(
                internal,
                !for_it.contains(operation),
                "{operation:?} {name}"
            );
        }
    }
    assert_eq!(
        authorised,
        15 * transitions.len(),
        "the operations on one key"
    );
}
