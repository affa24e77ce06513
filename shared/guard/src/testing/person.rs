//! A person to decide about: a user, the gate of the organization, a personal key and its secret.

use domain::{
    allowlist::Allowlist,
    authority::CallerAuthority,
    error::Error,
    gate::{Gates, OrganizationGate, Plan},
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key, Owner, Rotation},
    key_mode::KeyMode,
    operation::Operation,
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
pub const MADE: Timestamp = Timestamp::from_millis(1_700_000_000_123);
/// The organization of whoever is not staff.
pub const ORGANIZATION: Guid = Guid::from_bytes([4; 16]);
/// The user.
pub const USER: Guid = Guid::from_bytes([6; 16]);
/// The user's personal key.
pub const KEY: ClientId = ClientId::of(Guid::from_bytes([7; 16]));
/// That key's secret.
pub const SECRET: SecretId = SecretId::from_bytes([8; 16]);

/// The word that begins the secret.
pub fn brand() -> Brand {
    Brand::parse("lk").unwrap()
}

/// A secret of the key, in the clear.
pub fn minted(kind: KeyMode, seed: u8) -> PlainSecret {
    PlainSecret::mint(
        &brand(),
        kind,
        KEY,
        &Entropy::from_fn(move |bytes| bytes.fill(seed)).secret(),
    )
}

/// The text of the key's secret.
pub fn secret() -> String {
    minted(KeyMode::Sandbox, 1).expose().to_string()
}

/// The key with another secret, as the operator gives it one.
///
/// # Errors
/// A key that is over.
#[expect(clippy::disallowed_methods, reason = "the operator may everything")]
pub fn rotated(key: &Key, new: SecretId, rotation: Rotation, now: Timestamp) -> Result<Key, Error> {
    let operator = CallerAuthority::of_operator(key.organization, key.kind);
    let gates = Gates {
        organization: OrganizationGate::NEW,
        user: None,
        minters: Vec::new(),
    };
    let rotated = operator
        .authorize(
            Operation::RotateKey,
            &Catalogue::default(),
            key.clone(),
            &gates,
            now,
        )?
        .rotate(new, rotation)?;
    Ok(rotated.key)
}

/// Who presents [`secret`].
#[derive(Clone, Debug)]
pub struct Person {
    /// The personal key.
    pub key: Key,
    /// The gates of the organization and the user.
    pub gates: Gates,
    /// The secret that is presented.
    pub secret: SecretId,
}

impl Person {
    /// One whose every call passes.
    pub fn new() -> Self {
        Self::of(Role::Admin)
    }

    /// An active user with this role, and an active sandbox key with the allowlist 8.8.8.0/24.
    pub fn of(role: Role) -> Self {
        let organization = if role.is_staff() {
            Guid::PLATFORM
        } else {
            ORGANIZATION
        };
        let draft = Draft {
            owner: Owner::User(USER),
            organization,
            kind: KeyMode::Sandbox,
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
            narrowed: 0,
            version: 0,
        };
        let gates = Gates {
            organization: OrganizationGate {
                plan: Plan::Pro,
                ..OrganizationGate::NEW
            },
            user: Some(user),
            minters: Vec::new(),
        };
        Self {
            key: Key::create(draft, KEY, SECRET, MADE).unwrap(),
            gates,
            secret: SECRET,
        }
    }

    /// The user, to change.
    pub fn user(&mut self) -> &mut User {
        self.gates.user.as_mut().unwrap()
    }

    /// As it is read.
    pub fn read(&self) -> PersonalKey {
        PersonalKey::new(
            self.key.clone(),
            self.gates.clone(),
            self.secret,
            &Catalogue::default(),
        )
        .unwrap()
    }
}
