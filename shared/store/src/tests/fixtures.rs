//! The items that tests are about.

use std::time::Duration;

use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    gate::{OrganizationGate, Plan},
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key, Owner},
    key_mode::{BankEnvironment, KeyMode},
    organization::{Bank, Name, Organization},
    pepper::Peppers,
    role::Role,
    scope::ScopeSet,
    secret::{Secret, SecretHash},
    time::Timestamp,
    user::{Email, User, UserState},
};

use super::{START, Scene, at};
use crate::{Behalf, IdempotencyRecord};

pub(super) const ORGANIZATION: Guid = Guid::from_bytes([7; 16]);

pub(super) fn operator() -> Origin {
    Origin::of(Actor::Operator)
}

/// A moment before every scene begins.
fn before() -> Timestamp {
    Timestamp::from_millis(START - 1000)
}

pub(super) fn secret_id(byte: u8) -> SecretId {
    SecretId::from_bytes([byte; 16])
}

pub(super) fn secret(byte: u8) -> Secret {
    let peppers = Peppers::parse(&format!(r#"{{"1":"{}"}}"#, "p".repeat(32))).unwrap();
    Secret {
        id: secret_id(byte),
        hash: SecretHash::decoy(&peppers),
        created_at: Timestamp::from_millis(START),
    }
}

/// A sandbox key of a bank, with secret 1.
pub(super) fn key() -> Key {
    key_of(9, Owner::Bank(ORGANIZATION), KeyMode::Sandbox)
}

/// A key of the organization with this owner.
pub(super) fn key_of(byte: u8, owner: Owner, kind: KeyMode) -> Key {
    let draft = Draft {
        owner,
        organization: ORGANIZATION,
        kind,
        name: Name::parse("key").unwrap(),
        description: None,
        scopes: ScopeSet::default(),
        ip_allowlist: Allowlist::default(),
        expires_at: None,
        destination: None,
        webhook_url: None,
    };
    Key::create(
        draft,
        ClientId::of(Guid::from_bytes([byte; 16])),
        secret_id(1),
        before(),
    )
    .unwrap()
}

pub(super) fn user(byte: u8, role: Role) -> User {
    User {
        guid: Guid::from_bytes([byte; 16]),
        organization: ORGANIZATION,
        email: Email::parse(&format!("user{byte}@example.com")).unwrap(),
        role,
        allowed_scopes: None,
        state: UserState::Active,
        created_at: before(),
        updated_at: before(),
        version: 0,
    }
}

pub(super) fn bank(byte: u8) -> Bank {
    Bank {
        guid: Guid::from_bytes([byte; 16]),
        organization: ORGANIZATION,
        name: Name::parse("bank").unwrap(),
        environment: BankEnvironment::Sandbox,
        created_at: before(),
        updated_at: before(),
        version: 0,
    }
}

pub(super) fn organization(guid: Guid) -> Organization {
    Organization {
        guid,
        name: Name::parse("organization").unwrap(),
        max_key_age_days: None,
        created_at: before(),
        updated_at: before(),
        version: 0,
    }
}

/// A create of this principal under this `Idempotency-Key`, remembered for a day.
pub(super) fn idempotency(principal: &str, key: &str) -> IdempotencyRecord {
    IdempotencyRecord {
        principal: principal.into(),
        key: key.into(),
        fingerprint: "f".repeat(64),
        target: "made".into(),
        ends: at(Duration::from_hours(24)),
    }
}

impl Scene {
    /// Makes the organization, and this key in it.
    pub(super) async fn with_key(&self, key: &Key) {
        self.store
            .create_organization(&organization(ORGANIZATION), None, &operator())
            .await
            .unwrap();
        self.store
            .create_key(key, &secret(1), None, &operator())
            .await
            .unwrap();
        drop(self.transactions());
    }

    /// Makes the organization with a plan for people, and an owner with a personal key.
    pub(super) async fn with_person(&self) -> Behalf {
        let user = user(1, Role::Owner);
        let key = key_of(8, Owner::User(user.guid), KeyMode::Live);
        self.with_key(&key).await;
        self.store
            .create_user(&user, None, &operator())
            .await
            .unwrap();
        let pro = |gate: &OrganizationGate| {
            Ok(OrganizationGate {
                plan: Plan::Pro,
                ..gate.clone()
            })
        };
        self.store
            .set_plan(ORGANIZATION, &operator(), pro)
            .await
            .unwrap();
        drop(self.transactions());
        Behalf {
            secret: key.secrets.current.id,
            key,
            user: Some(user),
        }
    }
}
