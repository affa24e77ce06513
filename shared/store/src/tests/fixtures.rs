//! The items that tests are about.

use std::{sync::Arc, time::Duration};

use domain::{
    allowlist::Allowlist,
    audit::{Action, Actor, Origin},
    authority::{Authorized, CallerAuthority, FoundOwner, KeyWanted, NewKey, Presented},
    error::Error,
    feed::Cohort,
    gate::{Gates, OrganizationGate, Plan},
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key, Owner, Rotated, Rotation},
    key_mode::{BankEnvironment, KeyMode},
    operation::Operation,
    organization::{Bank, Name, Organization, OrganizationWithGate},
    pepper::Peppers,
    role::Role,
    scope::{Catalogue, ScopeSet},
    secret::{Secret, SecretHash},
    time::Timestamp,
    user::{Email, User, UserState},
};

use super::{START, Scene, at};
use crate::{
    Beside, CallerSnapshot, IdempotencyRecord, KeyIdentity, KeyView, Store, TokenCarried,
    TokenToRevoke, change::Recorded, outbox::Outbox,
};

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

/// A token of [`key`] that lives for an hour.
pub(super) fn token(number: u64) -> TokenToRevoke {
    TokenToRevoke {
        jti: Guid::from_bytes(u128::from(number).to_be_bytes()),
        client_id: key().client_id,
        organization: ORGANIZATION,
        expires_at: at(Duration::from_hours(1)),
    }
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
        narrowed: 0,
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

/// The key with another secret, as the operator gives it one.
pub(super) fn rotated(key: &Key, new: SecretId, rotation: Rotation, now: Timestamp) -> Key {
    let gates = Gates {
        organization: OrganizationGate::NEW,
        user: None,
        minters: Vec::new(),
    };
    CallerAuthority::of_operator(key.organization, key.kind)
        .authorize(
            Operation::RotateKey,
            &Catalogue::default(),
            key.clone(),
            &gates,
            now,
        )
        .unwrap()
        .rotate(new, rotation)
        .unwrap()
        .key
}

/// What an incident was chosen beside that spares nobody.
pub(super) const fn beside(revocations: &[Cohort]) -> Beside<'_> {
    Beside {
        revocations,
        owners_made: None,
    }
}

/// A sandbox key of a user whose secret an owner is shown.
pub(super) fn new_for(user: &User, byte: u8) -> NewKey {
    let owner = self::user(99, Role::Owner);
    let own = key_of(98, Owner::User(owner.guid), KeyMode::Sandbox);
    let gate = OrganizationGate {
        plan: Plan::Pro,
        ..OrganizationGate::NEW
    };
    let gates = Gates {
        organization: gate.clone(),
        user: Some(owner),
        minters: Vec::new(),
    };
    let presented = Presented {
        secret: secret_id(1),
        token: None,
    };
    let catalogue = Catalogue::default();
    let home = OrganizationWithGate {
        organization: organization(ORGANIZATION),
        gate,
    };
    let wanted = KeyWanted {
        owner: Owner::User(user.guid),
        name: Name::parse("key").unwrap(),
        description: None,
        scopes: None,
        ip_allowlist: Allowlist::default(),
        expires_at: None,
        destination: None,
        webhook_url: None,
    };
    let client_id = ClientId::of(Guid::from_bytes([byte; 16]));
    CallerAuthority::of_key(&own, &gates, &presented, &catalogue, before())
        .unwrap()
        .create_key(
            Operation::CreateKey,
            &catalogue,
            &home,
            (wanted, FoundOwner::User(Some(user.clone())), "owner.guid"),
            (client_id, secret_id(1), before()),
        )
        .unwrap()
}

/// What the operator does to a key of this name, whose view is read before.
impl Store {
    /// As [`Store::rotate`], of a key whose user is believed to be this one.
    pub(super) async fn rotate_for(
        &self,
        user: &User,
        client_id: ClientId,
        secret: &Secret,
        decide: impl Fn(Authorized<'_>) -> Result<Rotated, Error>,
    ) -> Result<Key, Error> {
        let record = self
            .key_record(client_id)
            .await?
            .ok_or_else(Error::not_found)?;
        let gates = Gates {
            organization: OrganizationGate::NEW,
            user: Some(user.clone()),
            minters: Vec::new(),
        };
        let view = KeyView::by_operator(Operation::RotateKey, record, gates);
        self.rotate_key(&view, secret, &operator(), decide).await
    }

    async fn view(&self, operation: Operation, key: &Key) -> Result<KeyView, Error> {
        let Some(record) = self.key_record(key.client_id).await? else {
            return Err(Error::not_found());
        };
        let gates = self.gates(key).await.unwrap_or(Gates {
            organization: OrganizationGate::NEW,
            user: None,
            minters: Vec::new(),
        });
        Ok(KeyView::by_operator(operation, record, gates))
    }

    async fn view_of(&self, operation: Operation, client_id: ClientId) -> Result<KeyView, Error> {
        let key = self.key(client_id).await?.ok_or_else(Error::not_found)?;
        self.view(operation, &key).await
    }

    pub(super) async fn change(
        &self,
        client_id: ClientId,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        let view = self.view_of(Operation::UpdateKey, client_id).await?;
        self.change_key(&view, origin, decide).await
    }

    pub(super) async fn switch(
        &self,
        client_id: ClientId,
        action: Action,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Key, Error>,
    ) -> Result<Key, Error> {
        let operation = match action {
            Action::KeyRestore => Operation::RestoreKey,
            _ => Operation::DeactivateKey,
        };
        let view = self.view_of(operation, client_id).await?;
        self.switch_key(&view, action, origin, decide).await
    }

    pub(super) async fn rotate(
        &self,
        client_id: ClientId,
        secret: &Secret,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Rotated, Error>,
    ) -> Result<Key, Error> {
        let view = self.view_of(Operation::RotateKey, client_id).await?;
        self.rotate_key(&view, secret, origin, decide).await
    }

    pub(super) async fn finish(
        &self,
        client_id: ClientId,
        origin: &Origin,
        decide: impl Fn(Authorized<'_>) -> Result<Option<Rotated>, Error>,
    ) -> Result<Key, Error> {
        let view = self.view_of(Operation::FinishRotation, client_id).await?;
        self.finish_rotation(&view, origin, decide).await
    }

    pub(super) async fn revoke(&self, key: &Key, origin: &Origin) -> Result<(), Error> {
        let view = self.view(Operation::RevokeKey, key).await;
        // Where the table is faked, nothing is read of it.
        let view = view.unwrap_or_else(|_| {
            let record = Recorded {
                value: key.clone(),
                outbox: Outbox::default(),
            };
            let gates = Gates {
                organization: OrganizationGate::NEW,
                user: None,
                minters: Vec::new(),
            };
            KeyView::by_operator(Operation::RevokeKey, record, gates)
        });
        self.revoke_key(&view, origin).await.map(drop)
    }
}

/// A person who calls by a personal key of theirs.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) key: Key,
    pub(super) user: User,
}

impl Scene {
    /// What is known of a caller by this key, and what it may do now.
    pub(super) async fn snapshot(&self, key: &Key) -> Result<CallerSnapshot, Error> {
        let token = key.owner.user().is_none().then(|| TokenCarried {
            scopes: key.scopes.clone(),
            ip_allowlist: key.ip_allowlist.clone(),
            is_customer: false,
        });
        let identity = KeyIdentity {
            client_id: key.client_id,
            owner: key.owner,
            organization: key.organization,
            secret: key.secrets.current.id,
            token,
        };
        self.store.caller_snapshot(&identity, &Arc::default()).await
    }

    /// Makes the organization, and this key in it.
    pub(super) async fn with_key(&self, key: &Key) {
        self.store
            .create_organization(&organization(ORGANIZATION), None, &operator())
            .await
            .unwrap();
        self.store
            .create_key_as_operator(
                &NewKey::by_operator(key.clone()),
                &secret(1),
                None,
                &operator(),
            )
            .await
            .unwrap();
        drop(self.transactions());
    }

    /// Makes the organization with a plan for people, and an owner with a personal key.
    pub(super) async fn with_person(&self) -> Person {
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
        Person { key, user }
    }
}
