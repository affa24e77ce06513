//! Keys that nobody can make over the API yet: those that hold management scopes, and live ones of organizations. Made as
//! the operator makes the first ones.

use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    ids::Guid,
    key::{Key, Owner, State},
    kind::Kind,
    organization::Name,
    secret::{PlainSecret, Secret},
    time::Timestamp,
};
use latchkey::seed::Credentials;
use tests::Platform;
use web::Env;

/// A key to be made. Its name is `minted`.
#[derive(Clone, Copy)]
pub struct Minted<'a> {
    pub organization: Guid,
    pub owner: Owner,
    pub kind: Kind,
    /// Separated by spaces.
    pub scopes: &'a str,
    pub expires_at: Option<Timestamp>,
}

impl Minted<'_> {
    /// Makes it.
    pub async fn make(self, platform: &Platform) -> Credentials {
        let services = platform.stack.services();
        let edge = services.edge();
        let now = (edge.clock)();
        let key = Key {
            client_id: edge.entropy.client_id(),
            owner: self.owner,
            organization: self.organization,
            kind: self.kind,
            name: Name::parse("minted").unwrap(),
            scopes: self.scopes.parse().unwrap(),
            ip_allowlist: Allowlist::default(),
            state: State::Active,
            expires_at: self.expires_at,
            created_at: now,
            updated_at: now,
            version: 0,
        };
        let brand = web::env::brand(&Env::from_map(services.variables("management"))).unwrap();
        let plain = PlainSecret::mint(&brand, key.kind, key.client_id, &edge.entropy.secret());
        let peppers = services.peppers().unwrap().peppers().await.unwrap();
        let secret =
            Secret { id: edge.entropy.secret_id(), hash: plain.hash(&peppers).unwrap(), created_at: now, expires_at: None };
        let origin = Origin { actor: Actor::Operator, source_ip: None, request_id: None };
        services.store().unwrap().create_key(&key, &secret, &origin).await.unwrap();
        Credentials { client_id: key.client_id.to_string(), client_secret: plain.expose().to_string() }
    }
}

/// A sandbox key of the seed bank with these scopes.
pub async fn seed_bank_key(platform: &Platform, scopes: &str) -> Credentials {
    let owner = Owner::Bank(guid(&platform.seed.bank.guid));
    Minted { organization: seed_organization(platform), owner, kind: Kind::Sandbox, scopes, expires_at: None }
        .make(platform)
        .await
}

/// A key of the seed organization with these scopes.
pub async fn seed_organization_key(platform: &Platform, kind: Kind, scopes: &str) -> Credentials {
    let organization = seed_organization(platform);
    Minted { organization, owner: Owner::Organization(organization), kind, scopes, expires_at: None }.make(platform).await
}

/// The seed organization.
pub fn seed_organization(platform: &Platform) -> Guid {
    guid(&platform.seed.organization.guid)
}

/// A guid that is known to be one.
pub fn guid(text: &str) -> Guid {
    text.parse().unwrap()
}
