//! LEAK-11: the rotation function, over the local stack and its Secrets Manager, called as Lambda
//! is.

mod abandoned;
mod concurrent;
mod faults;
mod refused;

use std::time::Duration;

use aws_sdk_secretsmanager::{Client, config::retry::RetryConfig};
use domain::{
    ids::{ClientId, Guid},
    key::{Key, Owner, Until},
    key_mode::KeyMode,
    role::Role,
};
use operator::tenants::Credentials;
use rotation::{Pace, Rotation};
use runtime::{Ambient, Env};
use serde_json::{Value, json};
use tests::{Caller, Platform, proxy::Proxy, rotator::Rotator};

use crate::{credentials::claims, five_second_bound, management_keys::ManagementKey};

/// As on Lambda, but for what waits for another run: there is none, except where a test says so.
const PACE: Pace = Pace {
    minting: Duration::from_secs(10),
    settling: Duration::from_millis(100),
    pause: Duration::from_millis(1),
};

/// A key in a secret, and the function that rotates it.
struct Scene<'a> {
    platform: &'a Platform,
    organization: Guid,
    client_id: ClientId,
    rotator: Rotator,
    function: Rotation,
    /// One of the gateway and one of Secrets Manager: everything that the function does.
    proxies: [Proxy; 2],
}

impl<'a> Scene<'a> {
    /// A key of a bank of an organization of its own, since each has a budget of changes.
    async fn new(platform: &'a Platform) -> Self {
        Self::at(platform, PACE).await
    }

    async fn at(platform: &'a Platform, pace: Pace) -> Self {
        let (organization, _, bank, _) = platform.neighbour().await;
        let owner = Owner::Bank(bank);
        let minted = ManagementKey {
            organization,
            owner,
            kind: KeyMode::Sandbox,
            scopes: "accounts:read",
            expires_at: None,
        };
        Self::of(platform, organization, &minted.make(platform).await, pace).await
    }

    async fn of(platform: &'a Platform, organization: Guid, key: &Credentials, pace: Pace) -> Self {
        let value =
            json!({"client_id": key.client_id, "client_secret": key.client_secret, "region": "eu"});
        let (services, id) = (platform.stack.services(), key.client_id.clone());
        let client = Client::new(&services.ambient().aws);
        let made = client
            .create_secret()
            .name(format!("key/{id}"))
            .secret_string(value.to_string())
            .send()
            .await
            .unwrap();
        let rotator = Rotator {
            client,
            arn: made.arn().unwrap().to_owned(),
        };
        let gateway = Proxy::to(platform.gateway()).await;
        let manager = gateway.beside().await;
        manager.forward()(services.cloud().api_address());
        let function = function(platform, gateway.url(), manager.url(), pace);
        let client_id = id.parse().unwrap();
        Self {
            platform,
            organization,
            client_id,
            rotator,
            function,
            proxies: [gateway, manager],
        }
    }

    /// What whoever reads `AWSCURRENT` is told with it.
    async fn current_works(&self, when: &str) {
        let value = self.rotator.value("AWSCURRENT").await;
        assert!(
            self.works(&value).await,
            "AWSCURRENT works not after {when}"
        );
    }

    /// Whether a value's secret gets a token.
    async fn works(&self, value: &Value) -> bool {
        self.token(value).await.is_some()
    }

    /// The token that a value's secret gets, if any.
    async fn token(&self, value: &Value) -> Option<String> {
        let body = json!({"grant_type": "client_credentials", "client_id": value["client_id"],
            "client_secret": value["client_secret"]});
        let answer = self.platform.anonymous().post("/oauth/token", &body).await;
        assert!(matches!(answer.status, 200 | 401), "{answer:?}");
        answer.body["access_token"].as_str().map(str::to_owned)
    }

    /// A rotation to this version, without faults.
    async fn rotate(&self, version: &str) {
        self.rotator.start(version).await;
        self.rotator
            .complete(&self.function, version, async |step: &str| {
                self.current_works(step).await;
            })
            .await
            .unwrap();
        self.is_rotated_to(version).await;
    }

    /// That a rotation to this version is over and nothing waits: the key's newest secret is
    /// `AWSCURRENT`, the one before has an end, and a rotation may start.
    async fn is_rotated_to(&self, version: &str) {
        assert_eq!(
            self.rotator.labelled("AWSCURRENT").await.as_deref(),
            Some(version)
        );
        let pending = self.rotator.labelled("AWSPENDING").await;
        assert!(
            pending.is_none() || pending.as_deref() == Some(version),
            "{:?}",
            self.rotator.stages().await
        );
        let value = self.rotator.value("AWSCURRENT").await;
        assert_eq!(
            (&value["client_id"], &value["region"]),
            (&json!(self.client_id), &json!("eu")),
            "the rest stays"
        );
        let (token, key) = (self.token(&value).await.unwrap(), self.key().await);
        assert_eq!(
            claims(&token)["sid"],
            json!(key.secrets.current.id),
            "it is the newest"
        );
        let previous = key.secrets.previous.map(|previous| previous.until);
        assert!(
            matches!(previous, None | Some(Until::At { .. })),
            "{previous:?}"
        );
    }

    async fn key(&self) -> Key {
        self.platform
            .stack
            .services()
            .store()
            .unwrap()
            .key(self.client_id)
            .await
            .unwrap()
            .unwrap()
    }

    /// Somebody of the key's organization who manages its banks' keys.
    async fn admin(&self) -> Caller {
        let scopes = "bank_applications:read bank_applications:write bank_applications:execute";
        let (organization, owner) = (self.organization, Owner::Organization(self.organization));
        let minted = ManagementKey {
            organization,
            owner,
            kind: KeyMode::Sandbox,
            scopes,
            expires_at: None,
        };
        self.platform
            .bearer(&self.platform.token(&minted.make(self.platform).await).await)
    }

    fn path(&self, operation: &str) -> String {
        format!("/api/keys/{}{operation}", self.client_id)
    }
}

/// The function as a customer's account has it, whose calls go through these proxies.
fn function(platform: &Platform, deployment: &str, manager: &str, pace: Pace) -> Rotation {
    let services = platform.stack.services();
    let mut environment = services.cloud().environment();
    environment.insert("AWS_ENDPOINT_URL".into(), manager.into());
    let aws = local::aws::config(&environment, None);
    let retry = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    let ambient = Ambient {
        aws: aws.into_builder().retry_config(retry).build(),
        ..services.ambient().clone()
    };
    rotation::start_at(
        &Env::default().with("LATCHKEY_URL", deployment),
        &ambient,
        pace,
    )
    .unwrap()
}

/// A version's name, of the length that AWS asks for.
fn version(number: usize) -> String {
    format!("{number:032}")
}

/// Whoever reads `AWSCURRENT` notices nothing; whoever has the old secret in memory has a day.
#[tokio::test]
async fn leak_11_a_rotation_that_nobody_notices() {
    let platform = Platform::start().await;
    let scene = Scene::new(&platform).await;
    let first = scene.rotator.value("AWSCURRENT").await;
    let callers = async {
        loop {
            scene.current_works("a caller's look").await;
        }
    };
    let rotation = async {
        for number in 1..=3 {
            scene.rotate(&version(number)).await;
        }
    };
    tokio::select! {
        () = rotation => {}
        () = callers => {}
    }
    assert!(
        !scene.works(&first).await,
        "what was replaced twice is over"
    );
    let (previous, current) = (
        scene.rotator.value("AWSPREVIOUS").await,
        scene.rotator.value("AWSCURRENT").await,
    );
    assert_ne!(previous, current);
    assert!(scene.works(&previous).await, "for a day");
    platform.advance(Duration::from_hours(24) - Duration::from_mins(1));
    assert!(scene.works(&previous).await);
    platform.advance(Duration::from_mins(1));
    assert!(!scene.works(&previous).await && scene.works(&current).await);
    scene.rotate(&version(4)).await;

    // Told to do what is done, it does nothing.
    let before = scene.key().await;
    let repeated = scene
        .rotator
        .steps(&scene.function, &version(4), async |step: &str| {
            scene.current_works(step).await;
        })
        .await;
    assert_eq!(repeated, Ok(()));
    assert_eq!(scene.key().await, before);
}

/// A personal key is sent itself.
#[tokio::test]
async fn leak_11_a_personal_key_is_rotated_by_itself() {
    let platform = Platform::start().await;
    let organization = crate::management_keys::seed_organization(&platform);
    for role in [Role::Viewer, Role::Owner] {
        let user = platform
            .user(organization, &format!("{role}-rotates@example.com"), role)
            .await;
        let key = platform.personal_key(&user, KeyMode::Sandbox).await;
        let scene = Scene::of(&platform, organization, &key, PACE).await;
        let bearer = async || {
            platform.bearer(
                scene.rotator.value("AWSCURRENT").await["client_secret"]
                    .as_str()
                    .unwrap(),
            )
        };
        let old = bearer().await;
        for number in [1, 2] {
            scene.rotator.start(&version(number)).await;
            let well = async |_: &str| five_second_bound::live(&[&bearer().await]).await;
            scene
                .rotator
                .complete(&scene.function, &version(number), well)
                .await
                .unwrap();
            assert_eq!(
                scene.rotator.labelled("AWSCURRENT").await,
                Some(version(number))
            );
            let previous = scene.key().await.secrets.previous.unwrap();
            assert!(matches!(previous.until, Until::At { .. }), "{previous:?}");
        }
        five_second_bound::die(&[&old]).await;
    }
}
