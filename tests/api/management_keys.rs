//! Keys that nobody can make over the API yet: those that hold management scopes, and live ones of
//! organizations. Made as the operator makes the first ones.

use credentials::mint;
use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    authority::NewKey,
    ids::Guid,
    key::{Draft, Key, Owner},
    key_mode::KeyMode,
    organization::Name,
    time::Timestamp,
};
use operator::tenants::Credentials;
use runtime::Env;
use tests::Platform;

/// A key to be made. It is called minted.
#[derive(Clone, Copy)]
pub struct ManagementKey<'a> {
    pub organization: Guid,
    pub owner: Owner,
    pub kind: KeyMode,
    /// Separated by spaces.
    pub scopes: &'a str,
    pub expires_at: Option<Timestamp>,
}

impl ManagementKey<'_> {
    /// Makes it.
    #[expect(clippy::disallowed_methods, reason = "the operator may everything")]
    pub async fn make(self, platform: &Platform) -> Credentials {
        let services = platform.stack.services();
        let ambient = services.ambient();
        let now = (ambient.clock)();
        let draft = Draft {
            owner: self.owner,
            organization: self.organization,
            kind: self.kind,
            name: Name::parse("minted").unwrap(),
            description: None,
            scopes: self.scopes.parse().unwrap(),
            ip_allowlist: Allowlist::default(),
            expires_at: self.expires_at,
            destination: None,
            webhook_url: None,
        };
        let brand = runtime::env::brand(&Env::from_map(services.variables("management"))).unwrap();
        let client_id = ambient.entropy.client_id();
        let peppers = services.peppers().unwrap();
        let (plain, secret) = mint::mint(
            &peppers,
            &brand,
            &ambient.entropy,
            self.kind,
            client_id,
            now,
        )
        .await
        .unwrap();
        let key = Key::create(draft, client_id, secret.id, now).unwrap();
        let origin = Origin::of(Actor::Operator);
        services
            .store()
            .unwrap()
            .create_key_as_operator(&NewKey::by_operator(key), &secret, None, &origin)
            .await
            .unwrap();
        Credentials {
            client_id: client_id.to_string(),
            client_secret: plain.expose().to_string(),
        }
    }
}

/// A sandbox key of the seed bank with these scopes.
pub async fn seed_bank_key(platform: &Platform, scopes: &str) -> Credentials {
    let owner = Owner::Bank(guid(&platform.seed.bank.guid));
    ManagementKey {
        organization: seed_organization(platform),
        owner,
        kind: KeyMode::Sandbox,
        scopes,
        expires_at: None,
    }
    .make(platform)
    .await
}

/// A key of the seed organization with these scopes.
pub async fn seed_organization_key(
    platform: &Platform,
    kind: KeyMode,
    scopes: &str,
) -> Credentials {
    let organization = seed_organization(platform);
    ManagementKey {
        organization,
        owner: Owner::Organization(organization),
        kind,
        scopes,
        expires_at: None,
    }
    .make(platform)
    .await
}

/// The seed organization.
pub fn seed_organization(platform: &Platform) -> Guid {
    guid(&platform.seed.organization.guid)
}

/// A guid that is known to be one.
pub fn guid(text: &str) -> Guid {
    text.parse().unwrap()
}
