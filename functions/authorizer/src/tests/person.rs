//! A person to decide about: a user, the gate of the organization, a personal key and its secret.

use domain::{
    allowlist::Allowlist,
    gate::{Gates, OrganizationGate, Plan},
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key, Owner},
    kind::Kind,
    organization::Name,
    role::Role,
    scope::{Catalogue, ScopeSet},
    secret::{Brand, PlainSecret},
    time::Timestamp,
    user::{Email, User, UserState},
};
use runtime::Entropy;

use crate::personal_key::PersonalKey;

/// When everything about it was made.
pub(crate) const MADE: Timestamp = Timestamp::from_millis(1_700_000_000_123);
pub(crate) const ORGANIZATION: Guid = Guid::from_bytes([4; 16]);
pub(crate) const USER: Guid = Guid::from_bytes([6; 16]);
pub(crate) const KEY: ClientId = ClientId::of(Guid::from_bytes([7; 16]));
pub(crate) const SECRET: SecretId = SecretId::from_bytes([8; 16]);

pub(crate) fn brand() -> Brand {
    Brand::parse("lk").unwrap()
}

/// A secret of the key, in the clear.
pub(crate) fn minted(kind: Kind, seed: u8) -> PlainSecret {
    PlainSecret::mint(&brand(), kind, KEY, &Entropy::from_fn(move |bytes| bytes.fill(seed)).secret())
}

/// The text of the key's secret.
pub(crate) fn secret() -> String {
    minted(Kind::Sandbox, 1).expose().to_string()
}

/// Who presents [`secret`].
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) key: Key,
    pub(crate) gates: Gates,
    pub(crate) secret: SecretId,
}

impl Person {
    /// One whose every call passes.
    pub(crate) fn new() -> Self {
        Self::of(Role::Admin)
    }

    pub(crate) fn of(role: Role) -> Self {
        let organization = if role.is_staff() { Guid::PLATFORM } else { ORGANIZATION };
        let draft = Draft {
            owner: Owner::User(USER),
            organization,
            kind: Kind::Sandbox,
            name: Name::parse("laptop").unwrap(),
            description: None,
            scopes: ScopeSet::default(),
            ip_allowlist: Allowlist::parse(&["8.8.8.0/24"]).unwrap(),
            expires_at: None,
            destination: None,
            webhook_url: None,
        };
        let user = User {
            guid: USER,
            organization,
            email: Email::parse("ada@example.com").unwrap(),
            role,
            allowed_scopes: None,
            state: UserState::Active,
            created_at: MADE,
            updated_at: MADE,
            version: 0,
        };
        let gates = Gates { organization: OrganizationGate { plan: Plan::Pro, ..OrganizationGate::NEW }, user: Some(user) };
        Self { key: Key::create(draft, KEY, SECRET, MADE).unwrap(), gates, secret: SECRET }
    }

    pub(crate) fn user(&mut self) -> &mut User {
        self.gates.user.as_mut().unwrap()
    }

    /// As it is read.
    pub(crate) fn read(&self) -> PersonalKey {
        PersonalKey::new(self.key.clone(), self.gates.clone(), self.secret, &Catalogue::default()).unwrap()
    }
}
