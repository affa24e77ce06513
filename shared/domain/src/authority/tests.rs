//! Who may what, without HTTP: the table of operations, and what is handed on.

mod authority_now;
mod delegation;

use crate::{
    allowlist::Allowlist,
    authority::{CallerAuthority, Presented, Target, TokenGrant},
    error::Kind,
    gate::{Gates, Kyb, OrganizationGate, Plan},
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key, Owner},
    key_mode::KeyMode,
    operation::Operation,
    organization::Name,
    role::Role,
    scope::{Catalogue, ScopeSet},
    time::Timestamp,
    user::{Email, User, UserState},
};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const HOME: Guid = Guid::from_bytes([1; 16]);
const BANK: Owner = Owner::Bank(Guid::from_bytes([6; 16]));
const ORGANIZATION: Owner = Owner::Organization(HOME);
const OWN: Owner = Owner::User(Guid::from_bytes([5; 16]));
const OTHERS: Owner = Owner::User(Guid::from_bytes([4; 16]));
const CALLER: ClientId = ClientId::of(Guid::from_bytes([2; 16]));
const TARGET: ClientId = ClientId::of(Guid::from_bytes([9; 16]));

const fn secret(byte: u8) -> SecretId {
    SecretId::from_bytes([byte; 16])
}

fn scopes(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

fn key_of(client_id: ClientId, owner: Owner, kind: KeyMode, held: &str) -> Key {
    let draft = Draft {
        owner,
        organization: HOME,
        kind,
        name: Name::parse("key").unwrap(),
        description: None,
        scopes: scopes(held),
        ip_allowlist: Allowlist::default(),
        expires_at: None,
        destination: None,
        webhook_url: None,
    };
    Key::create(draft, client_id, secret(1), NOW).unwrap()
}

fn user(guid: Guid, role: Role, allowed: Option<&str>) -> User {
    User {
        guid,
        organization: HOME,
        email: Email::parse("ada@example.com").unwrap(),
        role,
        allowed_scopes: allowed.map(scopes),
        state: UserState::Active,
        created_at: NOW,
        updated_at: NOW,
        narrowed: 0,
        version: 0,
    }
}

/// Open gates, of this user's personal keys.
fn gates(user: Option<User>) -> Gates {
    Gates {
        organization: OrganizationGate {
            kyb: Kyb::Approved,
            plan: Plan::Pro,
            ..OrganizationGate::NEW
        },
        user,
        minters: Vec::new(),
    }
}

/// Whoever calls by this key, which works: a person, or a machine by a token of all its scopes.
fn caller_by(key: &Key, gates: &Gates, secret: SecretId) -> CallerAuthority {
    let token = TokenGrant {
        scopes: &key.scopes,
        ip_allowlist: &key.ip_allowlist,
        is_customer: false,
    };
    let presented = Presented {
        secret,
        token: key.owner.user().is_none().then_some(token),
    };
    CallerAuthority::of_key(key, gates, &presented, &Catalogue::default(), NOW).unwrap()
}

/// A person of this role whom `allowed_scopes` leave these scopes, or a machine that has them.
fn caller(role: Option<Role>, kind: KeyMode, held: &ScopeSet) -> CallerAuthority {
    let Some(role) = role else {
        let key = key_of(CALLER, ORGANIZATION, kind, &held.to_string());
        return caller_by(&key, &gates(None), secret(1));
    };
    let person = User {
        allowed_scopes: Some(held.clone()),
        ..user(OWN.guid(), role, None)
    };
    caller_by(
        &key_of(CALLER, OWN, kind, ""),
        &gates(Some(person)),
        secret(1),
    )
}

/// What an operation on a key of this owner and kind is refused for.
fn refusal(
    operation: Operation,
    role: Option<Role>,
    held: &str,
    owner: Owner,
    kind: KeyMode,
) -> Option<Kind> {
    let target = Target {
        organization: HOME,
        owner,
        kind,
    };
    caller(role, kind, &scopes(held))
        .permits(operation, target)
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
        for (owner, needed, other) in [
            (BANK, bank, organization),
            (ORGANIZATION, organization, bank),
            (OTHERS, organization, bank),
        ] {
            let by = |family: &str| {
                refusal(
                    operation,
                    Some(Role::Admin),
                    &format!("{family}:{verb}"),
                    owner,
                    KeyMode::Live,
                )
            };
            assert_eq!(by(needed), None, "{operation:?} {owner}");
            assert_eq!(
                by(other),
                Some(Kind::InsufficientScope),
                "{operation:?} {owner}"
            );
        }
    }
    for (scope, owner, opens) in [
        ("banks:read", BANK, true),
        ("organizations:read", BANK, true),
        ("banks:read", ORGANIZATION, false),
        ("organizations:read", ORGANIZATION, true),
    ] {
        let refused = refusal(Operation::ListKeys, None, scope, owner, KeyMode::Live);
        assert_eq!(refused.is_none(), opens, "{scope} {owner}");
    }
}

#[test]
fn developers_manage_sandbox_keys_and_their_own_personal_ones() {
    let held = "bank_applications:write organization_applications:write";
    let developer = |owner, kind| {
        refusal(
            Operation::RotateKey,
            Some(Role::Developer),
            held,
            owner,
            kind,
        )
    };
    for owner in [BANK, ORGANIZATION, OWN] {
        assert_eq!(developer(owner, KeyMode::Sandbox), None, "{owner}");
    }
    assert_eq!(developer(OTHERS, KeyMode::Sandbox), Some(Kind::Forbidden));
    for owner in [BANK, ORGANIZATION] {
        // A developer holds no writing scope by a live key.
        assert_eq!(
            developer(owner, KeyMode::Live),
            Some(Kind::InsufficientScope),
            "{owner}"
        );
    }
    assert_eq!(developer(OWN, KeyMode::Live), None);
}

#[test]
fn without_scopes_people_reach_their_own_keys_machines_nothing_and_staff_what_the_table_says() {
    let (revoke, rotate) = (Operation::RevokeKey, Operation::RotateKey);
    let admin = |owner| refusal(revoke, Some(Role::Admin), "", owner, KeyMode::Sandbox);
    assert_eq!(
        (admin(OWN), admin(OTHERS)),
        (None, Some(Kind::InsufficientScope))
    );
    assert_eq!(
        refusal(revoke, None, "", BANK, KeyMode::Sandbox),
        Some(Kind::InsufficientScope)
    );
    for owner in [BANK, ORGANIZATION, OTHERS] {
        let support = |operation| refusal(operation, Some(Role::Support), "", owner, KeyMode::Live);
        assert_eq!(
            (support(revoke), support(rotate)),
            (None, Some(Kind::Forbidden))
        );
    }
    assert_eq!(
        refusal(rotate, Some(Role::Viewer), "", OWN, KeyMode::Live),
        Some(Kind::Forbidden)
    );
}
