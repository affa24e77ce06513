//! The platform under test.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    ids::Guid,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
    time::{Clock, Timestamp},
    user::User,
};
use local::{
    seed::{Person, Seed},
    services::Options,
    stack::Stack,
};
use operator::tenants::{Credentials, Operator};
use runtime::{StartError, ambient::system_clock};
use serde_json::json;
use store::StoreError;
use tempfile::TempDir;

use crate::{Caller, caller::RESENDS, proxy::Proxy, wait::TIMEOUT};

/// A running platform with its seed.
pub struct Platform {
    /// What runs.
    pub stack: Stack,
    /// What the first start made.
    pub seed: Seed,
    http: reqwest::Client,
    hands: Hands,
    _directory: TempDir,
}

/// The hands of a platform's clock. Clones move the same clock.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<Mutex<Shown>>);

/// What the clock shows.
#[derive(Debug, Default)]
struct Shown {
    /// The moment at which it was stopped; none while it runs as the machine's does.
    stopped_at: Option<Timestamp>,
    /// How far it was advanced.
    advanced: Duration,
}

impl Hands {
    fn clock(&self) -> Clock {
        let (machine, hands) = (system_clock(), self.clone());
        Arc::new(move || {
            let shown = hands.0.lock().expect("no panic holds it");
            shown.stopped_at.unwrap_or_else(&*machine) + shown.advanced
        })
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.lock().expect("no panic holds it").advanced += by;
    }

    fn stop(&self) {
        let now = system_clock()();
        self.0
            .lock()
            .expect("no panic holds it")
            .stopped_at
            .get_or_insert(now);
    }
}

/// An address that the documentation's allowlists admit.
pub const ALLOWED: &str = "8.8.8.8";
/// An address that they do not.
pub const ELSEWHERE: &str = "9.9.9.9";

impl Platform {
    /// Starts the platform as `cargo run -- --ephemeral --port 0` does.
    pub async fn start() -> Self {
        for _ in 0..RESENDS {
            match Self::try_with(Options::default()).await {
                // The tables took too long: the machine is busy. Half a seed is thrown away.
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::Unavailable(_))) => {}
                started => return started.expect("a seed"),
            }
        }
        panic!("no seed in {RESENDS} tries");
    }

    /// Starts the platform with other options. Its clock can be advanced whatever they say.
    pub async fn with(options: Options) -> Self {
        Self::try_with(options).await.expect("a seed")
    }

    async fn try_with(options: Options) -> Result<Self, StartError> {
        let hands = Hands::default();
        let directory = tempfile::tempdir().expect("a directory");
        let stack = Stack::start(Options {
            clock: Some(hands.clock()),
            ..options
        })
        .await
        .expect("the platform starts");
        let (services, base_url) = (stack.services(), stack.base_url());
        let seed = local::seed::ensure(services, base_url, directory.path()).await?;
        Ok(Self {
            stack,
            seed,
            http: reqwest::Client::new(),
            hands,
            _directory: directory,
        })
    }

    /// Starts the platform with a proxy between its functions and the service that this variable
    /// names, such as `AWS_ENDPOINT_URL_KMS`.
    pub async fn behind_proxy(endpoint: &str, mut options: Options) -> (Self, Proxy) {
        let (proxy, of_tables) = (
            Proxy::start().await,
            endpoint == "AWS_ENDPOINT_URL_DYNAMODB",
        );
        options
            .endpoints
            .insert(endpoint.to_owned(), proxy.url().to_owned());
        let forward = proxy.forward();
        options.listening = Some(Box::new(move |cloud| {
            forward(if of_tables {
                cloud.dynamodb_address()
            } else {
                cloud.api_address()
            });
        }));
        (Self::with(options).await, proxy)
    }

    /// Where the gateway listens, for a proxy in front of it.
    pub fn gateway(&self) -> SocketAddr {
        self.stack
            .base_url()
            .trim_start_matches("http://")
            .parse()
            .expect("an address")
    }

    /// Moves the clock of everything forward.
    pub fn advance(&self, by: Duration) {
        self.hands.advance(by);
    }

    /// Stops the clock of everything: from now on only [`Platform::advance`] moves it. Every test
    /// that compares times does this first, so that the outcome does not depend on when a second
    /// ends, or how long a call takes.
    ///
    /// What waits for time to pass (an authorizer that reads the feed again after a second) then
    /// waits for the test to advance it.
    pub fn stop_clock(&self) {
        self.hands.stop();
    }

    /// The hands of the clock, for what runs beside the test.
    #[must_use]
    pub fn hands(&self) -> Hands {
        self.hands.clone()
    }

    /// Waits until every stream's consumer has seen what was written so far.
    pub async fn drain(&self) {
        self.stack
            .drain_within(TIMEOUT)
            .await
            .expect("the streams are consumed");
    }

    /// Stops the platform, once the streams are consumed: the stop itself waits for them only a few
    /// seconds.
    pub async fn stop(self) {
        self.drain().await;
        self.stack.stop().await.expect("the platform stops");
    }

    /// Somebody without a credential.
    #[must_use]
    pub fn anonymous(&self) -> Caller {
        Caller::new(self.http.clone(), self.stack.base_url())
    }

    /// Somebody with this token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Caller {
        self.anonymous().with_token(token)
    }

    /// The seed organization's key, with a token of all its scopes.
    pub async fn organization(&self) -> Caller {
        self.bearer(&self.token(&self.seed.organization.key).await)
    }

    /// The seed bank's key, with a token of all its scopes.
    pub async fn bank(&self) -> Caller {
        self.bearer(&self.token(&self.seed.bank.key).await)
    }

    /// The seed organization's owner, by a sandbox personal key.
    #[must_use]
    pub fn owner(&self) -> Caller {
        self.person(&self.seed.users.owner)
    }

    /// The seed organization's developer, by a sandbox personal key.
    #[must_use]
    pub fn developer(&self) -> Caller {
        self.person(&self.seed.users.developer)
    }

    /// The seed organization's viewer, by a sandbox personal key.
    #[must_use]
    pub fn viewer(&self) -> Caller {
        self.person(&self.seed.users.viewer)
    }

    /// Support staff.
    #[must_use]
    pub fn support(&self) -> Caller {
        self.person(&self.seed.staff.support)
    }

    /// Security staff.
    #[must_use]
    pub fn security(&self) -> Caller {
        self.person(&self.seed.staff.security)
    }

    /// Operations staff.
    #[must_use]
    pub fn operations(&self) -> Caller {
        self.person(&self.seed.staff.operations)
    }

    /// The seed's users and staff.
    #[must_use]
    pub fn people(&self) -> [&Person; 6] {
        let (users, staff) = (&self.seed.users, &self.seed.staff);
        [
            &users.owner,
            &users.developer,
            &users.viewer,
            &staff.support,
            &staff.security,
            &staff.operations,
        ]
    }

    fn person(&self, person: &Person) -> Caller {
        self.bearer(&person.secret)
    }

    /// A new user of an organization of customers, made by the operator.
    pub async fn user(&self, organization: Guid, email: &str, role: Role) -> User {
        self.operator()
            .user(organization, email, role, None)
            .await
            .expect("a user")
    }

    /// A new personal key of this user, made by the operator.
    pub async fn personal_key(&self, user: &User, kind: KeyMode) -> Credentials {
        self.operator()
            .personal_key(user, kind, "personal")
            .await
            .expect("a personal key")
    }

    /// A new user of the seed organization with a new personal key of this kind, and somebody who
    /// sends that.
    pub async fn somebody(&self, email: &str, role: Role, kind: KeyMode) -> (User, Caller) {
        let organization = self.seed.organization.guid.parse().expect("a guid");
        let user = self.user(organization, email, role).await;
        let key = self.personal_key(&user, kind).await;
        let caller = self.bearer(&key.client_secret);
        (user, caller)
    }

    /// A token for these credentials, with all scopes of the key.
    pub async fn token(&self, credentials: &Credentials) -> String {
        let mut answer = self.request_token(credentials, self.anonymous()).await;
        for _ in 0..RESENDS {
            // The tables or KMS took too long: the machine is busy.
            if answer.status != 503 {
                break;
            }
            answer = self.request_token(credentials, self.anonymous()).await;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["access_token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// What `/oauth/token` says to these credentials from this caller's address.
    pub async fn request_token(&self, credentials: &Credentials, from: Caller) -> crate::Answer {
        let body = json!({
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        });
        from.post("/oauth/token", &body).await
    }

    /// A new key of the seed bank, made over the API with these further members.
    pub async fn bank_key(&self, members: serde_json::Value) -> Credentials {
        let mut body = json!({"name": "test key", "bank_guid": self.seed.bank.guid});
        body.as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        let answer = self
            .organization()
            .await
            .post("/api/bank_applications", &body)
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        credentials(&answer.body)
    }

    /// Another organization with a sandbox bank; their keys, the organization's first.
    pub async fn neighbour(&self) -> (Guid, Credentials, Guid, Credentials) {
        let operator = self.operator();
        let (organization, organization_key) = operator
            .organization("Neighbour", KeyMode::Sandbox)
            .await
            .expect("an organization");
        let (bank, bank_key) = operator
            .bank(organization, "Neighbour's bank", BankEnvironment::Sandbox)
            .await
            .expect("a bank");
        (organization, organization_key, bank, bank_key)
    }

    /// The operator's hand.
    #[must_use]
    pub fn operator(&self) -> Operator {
        Operator::open(
            &self.stack.services().env("management"),
            self.stack.services().ambient(),
        )
        .expect("the settings of the management function")
    }
}

/// The credentials in the answer to a creation.
#[must_use]
pub fn credentials(body: &serde_json::Value) -> Credentials {
    let text = |name: &str| {
        body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {body}"))
            .to_owned()
    };
    Credentials {
        client_id: text("client_id"),
        client_secret: text("secret"),
    }
}
