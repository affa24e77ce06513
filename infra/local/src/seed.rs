//! What a first start makes, so that there is something to try: an organization with a key, a sandbox bank with a key.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use domain::{
    audit::{Actor, Origin},
    gate::Kyb,
    ids::Guid,
    key::{Key, Owner, State},
    kind::{BankEnvironment, Kind},
    organization::{Bank, Name, Organization},
    scope::{Catalogue, Holder},
    secret::{Brand, PlainSecret, Secret},
};
use serde::{Deserialize, Serialize};
use store::Store;
use web::{Env, StartError};

use crate::stack::Services;

/// `seed.json`: what was made and the secrets that open it. No `Debug`: secrets are among it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Where the gateway answers.
    pub base_url: String,
    /// The demonstration organization and a key of it that holds the management scopes too.
    pub organization: Seeded,
    /// Its sandbox bank and a key of it.
    pub bank: Seeded,
}

/// A thing and a key of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeded {
    /// The thing's identifier.
    pub guid: String,
    /// The key.
    pub key: Credentials,
}

/// A key's name and secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Public.
    pub client_id: String,
    /// Not.
    pub client_secret: String,
}

/// The seed of these services: the one that an earlier start left in `directory`, with the present `base_url`, or a new one.
/// It is written to `seed.json` there, readable by its owner alone.
///
/// # Errors
/// What keeps it from being made or written.
pub async fn ensure(services: &Services, base_url: &str, directory: &Path) -> Result<Seed, StartError> {
    let file = directory.join("seed.json");
    let seed = match kept(services, &file).await? {
        Some(kept) => Seed { base_url: base_url.to_owned(), ..kept },
        None => Founder::new(services)?.seed(base_url).await?,
    };
    write(&file, &seed)?;
    Ok(seed)
}

/// The seed in the file, if its organization is in the tables: data that was thrown away takes its seed with it.
async fn kept(services: &Services, file: &Path) -> Result<Option<Seed>, StartError> {
    let Ok(text) = fs::read_to_string(file) else { return Ok(None) };
    let seed: Seed = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let guid: Guid = seed.organization.guid.parse()?;
    Ok(services.store()?.organization(guid).await?.map(|_| seed))
}

fn write(file: &Path, seed: &Seed) -> Result<(), StartError> {
    let fresh = file.with_extension("json.new");
    let _: Result<(), _> = fs::remove_file(&fresh);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    out.write_all(serde_json::to_string_pretty(seed)?.as_bytes())?;
    out.sync_all()?;
    fs::rename(fresh, file)?;
    Ok(())
}

/// Makes organizations from the operator's side, where no credential exists yet that could ask for one.
pub struct Founder<'a> {
    services: &'a Services,
    store: Store,
    catalogue: Catalogue,
    brand: Brand,
}

impl<'a> Founder<'a> {
    /// A founder over these services.
    ///
    /// # Errors
    /// A setting of the management function that is missing or wrong.
    pub fn new(services: &'a Services) -> Result<Self, StartError> {
        let env = Env::from_map(services.variables("management"));
        Ok(Self { services, store: services.store()?, catalogue: web::env::catalogue(&env)?, brand: web::env::brand(&env)? })
    }

    async fn seed(&self, base_url: &str) -> Result<Seed, StartError> {
        let (organization, organization_key) = self.organization("Demo Organization", Kind::Sandbox).await?;
        let (bank, bank_key) = self.bank(organization, "Demo Sandbox Bank", BankEnvironment::Sandbox).await?;
        Ok(Seed {
            base_url: base_url.to_owned(),
            organization: Seeded { guid: organization.to_string(), key: organization_key },
            bank: Seeded { guid: bank.to_string(), key: bank_key },
        })
    }

    /// Makes an organization and a key of it that holds every scope, the management scopes too.
    ///
    /// # Errors
    /// What keeps it from being made.
    pub async fn organization(&self, name: &str, kind: Kind) -> Result<(Guid, Credentials), StartError> {
        let now = (self.services.edge().clock)();
        let guid = self.services.edge().entropy.guid();
        let organization = Organization { guid, name: Name::parse(name)?, created_at: now, updated_at: now, version: 0 };
        self.store.create_organization(&organization, &operator()).await?;
        Ok((guid, self.key(guid, Owner::Organization(guid), kind, &format!("{name} key")).await?))
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
        let now = (self.services.edge().clock)();
        let guid = self.services.edge().entropy.guid();
        let bank =
            Bank { guid, organization, name: Name::parse(name)?, environment, created_at: now, updated_at: now, version: 0 };
        self.store.create_bank(&bank, &operator()).await?;
        Ok((guid, self.key(organization, Owner::Bank(guid), environment.kind(), &format!("{name} key")).await?))
    }

    /// Decides an organization's KYB (ARZ-3).
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn kyb(&self, organization: Guid, kyb: Kyb) -> Result<(), StartError> {
        Ok(self.store.set_kyb(organization, kyb, &operator()).await?)
    }

    /// Suspends an organization, or lets it work again.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub async fn suspension(&self, organization: Guid, suspended: bool) -> Result<(), StartError> {
        Ok(self.store.set_suspension(organization, suspended, &operator()).await?)
    }

    async fn key(&self, organization: Guid, owner: Owner, kind: Kind, name: &str) -> Result<Credentials, StartError> {
        let edge = self.services.edge();
        let now = (edge.clock)();
        let scopes = match owner.holder() {
            Holder::Organization => self.catalogue.all(Holder::Organization),
            holder => self.catalogue.defaults(holder),
        };
        let key = Key {
            client_id: edge.entropy.client_id(),
            owner,
            organization,
            kind,
            name: Name::parse(name)?,
            scopes,
            ip_allowlist: domain::allowlist::Allowlist::default(),
            state: State::Active,
            expires_at: None,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let plain = PlainSecret::mint(&self.brand, kind, key.client_id, &edge.entropy.secret());
        let hash = plain.hash(&*self.services.peppers()?.peppers().await?)?;
        let secret = Secret { id: edge.entropy.secret_id(), hash, created_at: now, expires_at: None };
        self.store.create_key(&key, &secret, &operator()).await?;
        Ok(Credentials { client_id: key.client_id.to_string(), client_secret: plain.expose().to_string() })
    }
}

fn operator() -> Origin {
    Origin { actor: Actor::Operator, source_ip: None, request_id: None }
}
