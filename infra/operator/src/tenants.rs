//! The operator's hand: what is made and decided where no credential exists yet, or none that may.
//! It writes what the management function writes, through the same store, on the local services or
//! on those of a deployed stack.

use std::fmt;

use credentials::{mint, pepper::PepperSource};
use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    authority::{CallerAuthority, FoundOwner, KeyWanted},
    gate::{Kyb, OrganizationGate, Plan},
    ids::Guid,
    key::Owner,
    key_mode::{BankEnvironment, KeyMode},
    operation::Operation,
    organization::{Bank, Name, Organization, OrganizationWithGate},
    role::Role,
    scope::{Catalogue, Holder, ScopeSet},
    secret::Brand,
    time::Timestamp,
    user::{Email, User, UserState},
};
use runtime::{Ambient, Env, StartError};
use serde::{Deserialize, Serialize};
use store::{Limits, Store, StoreError, Tables};

/// Makes and decides on the operator's authority; every act is audited as theirs.
pub struct Operator {
    store: Store,
    peppers: PepperSource,
    catalogue: Catalogue,
    brand: Brand,
    ambient: Ambient,
}

/// A key's name and secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Public.
    pub client_id: String,
    /// Secret.
    pub client_secret: String,
}

/// What the platform's own organization is called.
const PLATFORM: &str = "Latchkey platform";

impl Operator {
    /// The operator of whatever stack `env` names, by the management function's own variables.
    ///
    /// # Errors
    /// A variable that is missing or wrong.
    pub fn open(env: &Env, ambient: &Ambient) -> Result<Self, StartError> {
        let tables = Tables::of(|name| env.required(name))?;
        let entropy = ambient.entropy.clone();
        Ok(Self {
            store: Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
                entropy.guid()
            }),
            peppers: PepperSource::new(
                &ambient.aws,
                env.required("LATCHKEY_PEPPER_SECRET")?,
                ambient.clock.clone(),
            ),
            catalogue: runtime::env::catalogue(env)?,
            brand: runtime::env::brand(env)?,
            ambient: ambient.clone(),
        })
    }

    /// Makes an organization and a key of it that holds every scope, the management scopes too.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub async fn organization(
        &self,
        name: &str,
        kind: KeyMode,
    ) -> Result<(Guid, Credentials), StartError> {
        let guid = self.ambient.entropy.guid();
        self.profile(guid, name).await?;
        Ok((
            guid,
            self.key(
                guid,
                Owner::Organization(guid),
                kind,
                &format!("{name} key"),
            )
            .await?,
        ))
    }

    /// Makes a key of an organization that is there, with every scope, the management scopes too.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub async fn organization_key(
        &self,
        organization: Guid,
        kind: KeyMode,
    ) -> Result<Credentials, StartError> {
        let name = self
            .require_organization(organization)
            .await?
            .organization
            .name;
        // A name has at most 128 characters.
        let name: String = format!("{kind} key of {name}").chars().take(128).collect();
        self.key(organization, Owner::Organization(organization), kind, &name)
            .await
    }

    /// A user who is not disabled.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn require_working_user(&self, guid: Guid) -> Result<User, StartError> {
        let user = self
            .store
            .user(guid)
            .await?
            .filter(|user| !user.is_disabled());
        Ok(user.ok_or_else(|| format!("there is no user {guid}, or a disabled one"))?)
    }

    /// Makes a bank and a key of it that holds every scope that is not granted by name.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub async fn bank(
        &self,
        organization: Guid,
        name: &str,
        environment: BankEnvironment,
    ) -> Result<(Guid, Credentials), StartError> {
        let (guid, now) = (self.ambient.entropy.guid(), self.now());
        let bank = Bank {
            guid,
            organization,
            name: Name::parse(name)?,
            environment,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        self.store.create_bank(&bank, None, &operator()).await?;
        Ok((
            guid,
            self.key(
                organization,
                Owner::Bank(guid),
                environment.kind(),
                &format!("{name} key"),
            )
            .await?,
        ))
    }

    /// Makes a user of a customer's organization, or one of the platform's staff in
    /// [`Guid::PLATFORM`].
    ///
    /// # Errors
    /// A role of the other kind, an address that is taken there, or what else keeps it from being
    /// made.
    pub async fn user(
        &self,
        organization: Guid,
        email: &str,
        role: Role,
        allowed_scopes: Option<ScopeSet>,
    ) -> Result<User, StartError> {
        if role.is_staff() != (organization == Guid::PLATFORM) {
            return Err(format!("{role} is no role of a user there").into());
        }
        let now = self.now();
        let user = User {
            guid: self.ambient.entropy.guid(),
            organization,
            email: Email::parse(email).map_err(|problem| format!("the address {problem}"))?,
            role,
            allowed_scopes,
            state: UserState::Active,
            created_at: now,
            updated_at: now,
            narrowed: 0,
            version: 0,
        };
        match self.store.create_user(&user, None, &operator()).await {
            Err(StoreError::Exists) => {
                Err(format!("a user with the address {email} is there already").into())
            }
            created => Ok(created.map(|()| user)?),
        }
    }

    /// One of the platform's own people, and at first the platform's organization for them. Who is
    /// there already stays: so somebody who lost their key gets another one.
    ///
    /// # Errors
    /// As [`Operator::user`], and when that person has another role.
    pub async fn staff(&self, email: &str, role: Role) -> Result<User, StartError> {
        let found = self.store.organization(Guid::PLATFORM).await?;
        if found.is_none() {
            self.profile(Guid::PLATFORM, PLATFORM).await?;
        }
        if found.is_none_or(|found| found.gate.plan != Plan::Enterprise) {
            self.plan(Guid::PLATFORM, Plan::Enterprise).await?;
        }
        match self.user_of(Guid::PLATFORM, email).await? {
            Some(user) if user.role == role => Ok(user),
            Some(user) => Err(format!("{email} is there already, as {}", user.role).into()),
            None => self.user(Guid::PLATFORM, email, role, None).await,
        }
    }

    async fn user_of(&self, organization: Guid, email: &str) -> Result<Option<User>, StartError> {
        let rows = self
            .store
            .user_rows(organization)
            .await?
            .into_iter()
            .filter(|row| !row.disabled);
        let users = self.store.users(rows.map(|row| row.guid)).await?;
        let email = email.to_ascii_lowercase();
        Ok(users
            .into_iter()
            .find(|user| !user.is_disabled() && user.email.to_string() == email))
    }

    /// Makes a personal key of a user; the answer is its secret, which is sent as a bearer
    /// credential.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub async fn personal_key(
        &self,
        user: &User,
        kind: KeyMode,
        name: &str,
    ) -> Result<Credentials, StartError> {
        self.key(user.organization, Owner::User(user.guid), kind, name)
            .await
    }

    /// Decides an organization's KYB (ARZ-3).
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn kyb(&self, organization: Guid, kyb: Kyb) -> Result<(), StartError> {
        self.require_organization(organization).await?;
        Ok(self.store.set_kyb(organization, kyb, &operator()).await?)
    }

    /// Changes an organization's plan at once (CBM-2).
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn plan(&self, organization: Guid, plan: Plan) -> Result<(), StartError> {
        self.require_organization(organization).await?;
        let decide = |gate: &OrganizationGate| {
            Ok(OrganizationGate {
                plan,
                next_plan: None,
                ..gate.clone()
            })
        };
        self.store
            .set_plan(organization, &operator(), decide)
            .await?;
        Ok(())
    }

    /// Suspends an organization, or lets it work again.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn suspension(&self, organization: Guid, suspended: bool) -> Result<(), StartError> {
        self.require_organization(organization).await?;
        Ok(self
            .store
            .set_suspension(organization, suspended, &operator())
            .await?)
    }

    /// How many keys an organization has and may have.
    ///
    /// # Errors
    /// There is no such organization, and what any read can meet.
    pub async fn limits(&self, organization: Guid) -> Result<Limits, StartError> {
        self.require_organization(organization).await?;
        Ok(self.store.limits(organization).await?)
    }

    /// Sets how many keys of a kind an organization may have that are not revoked.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn key_limit(
        &self,
        organization: Guid,
        kind: KeyMode,
        max: u64,
    ) -> Result<(), StartError> {
        self.require_organization(organization).await?;
        Ok(self
            .store
            .set_key_limit(organization, kind, max, &operator())
            .await?)
    }

    /// Counts an organization's keys again, and has those that ended make room. Gives how many did.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn recount(&self, organization: Guid) -> Result<usize, StartError> {
        self.require_organization(organization).await?;
        Ok(self.store.recount_keys(organization, &operator()).await?)
    }

    async fn require_organization(
        &self,
        organization: Guid,
    ) -> Result<OrganizationWithGate, StartError> {
        let found = self.store.organization(organization).await?;
        Ok(found.ok_or_else(|| format!("there is no organization {organization}"))?)
    }

    async fn profile(&self, guid: Guid, name: &str) -> Result<(), StartError> {
        let now = self.now();
        let name = Name::parse(name)?;
        let organization = Organization {
            guid,
            name,
            max_key_age_days: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        Ok(self
            .store
            .create_organization(&organization, None, &operator())
            .await?)
    }

    #[expect(clippy::disallowed_methods, reason = "the operator may everything")]
    async fn key(
        &self,
        organization: Guid,
        owner: Owner,
        kind: KeyMode,
        name: &str,
    ) -> Result<Credentials, StartError> {
        let client_id = self.ambient.entropy.client_id();
        let home = self.require_organization(organization).await?;
        let names = |scopes: ScopeSet| scopes.iter().map(ToString::to_string).collect();
        let wanted = KeyWanted {
            owner,
            name: Name::parse(name)?,
            description: None,
            scopes: match owner.holder() {
                None => None,
                Some(Holder::Organization) => Some(names(self.catalogue.all(Holder::Organization))),
                Some(holder) => Some(names(self.catalogue.defaults(holder))),
            },
            ip_allowlist: Allowlist::default(),
            expires_at: None,
            destination: None,
            webhook_url: None,
        };
        let (plain, secret) = mint::mint(
            &self.peppers,
            &self.brand,
            &self.ambient.entropy,
            kind,
            client_id,
            self.now(),
        )
        .await?;
        let new = CallerAuthority::of_operator(organization, kind).create_key(
            Operation::CreateKey,
            &self.catalogue,
            &home,
            (wanted, FoundOwner::Organization, "owner"),
            (client_id, secret.id, secret.created_at),
        )?;
        self.store
            .create_key_as_operator(&new, &secret, None, &operator())
            .await?;
        Ok(Credentials {
            client_id: client_id.to_string(),
            client_secret: plain.expose().to_string(),
        })
    }

    fn now(&self) -> Timestamp {
        (self.ambient.clock)()
    }
}

fn operator() -> Origin {
    Origin::of(Actor::Operator)
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Operator({:?})", self.store)
    }
}
