//! the first use of a rotated personal key's new secret, which one instance sees, ends the old
//! one at every other.

#![expect(clippy::disallowed_methods, reason = "these tests measure real time")]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Caller, Platform};
use tokio::time::sleep;

use crate::{authorizer_processes::Processes, five_second_bound::BOUND};

/// A developer's personal key.
struct Rotating {
    client_id: String,
    old: String,
    owner: Caller,
}

impl Rotating {
    async fn new(platform: &Platform) -> Self {
        let user = platform
            .user(
                platform.seed.organization.guid.parse().unwrap(),
                "rotating@example.com",
                Role::Developer,
            )
            .await;
        let key = platform.personal_key(&user, KeyMode::Sandbox).await;
        Self {
            client_id: key.client_id,
            old: key.client_secret,
            owner: platform.owner(),
        }
    }

    /// Another secret, whose first use starts this grace of the old one.
    async fn rotate(&self, grace: impl Into<Value>) -> String {
        let body = json!({"grace_period": grace.into(), "grace_starts": "first_use"});
        let path = format!("/api/keys/{}/rotate", self.client_id);
        let rotated = self.owner.post(&path, &body).await;
        assert_eq!(rotated.status, 200, "{rotated:?}");
        rotated.body["secret"].as_str().unwrap().to_owned()
    }

    async fn key(&self) -> Value {
        let answer = self
            .owner
            .get(&format!("/api/keys/{}", self.client_id))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }
}

/// Three instances use the old secret, and the first of them is asked about the new one.
#[tokio::test]
async fn x_3_401_for_the_old_secret_at_three_processes_within_five_seconds_of_the_first_use() {
    for grace in [0, 1] {
        let platform = Platform::start().await;
        let processes = Processes::start(&platform, &BTreeMap::new()).await;
        let rotating = Rotating::new(&platform).await;
        let new = rotating.rotate(grace).await;
        processes.until(&rotating.old, "Allow").await;
        sleep(Duration::from_millis(1_500)).await;
        processes.until(&rotating.old, "Allow").await;
        assert_eq!(processes.effect_at_the_first(&new).await, "Allow");
        let used = Instant::now();
        let bound = BOUND + Duration::from_secs(grace);
        let mut last_allow = None;
        loop {
            let asked = used.elapsed();
            let effects = processes.effects(&rotating.old).await;
            if effects.iter().any(|effect| effect == "Allow") {
                last_allow = Some(asked);
                assert!(
                    asked < bound,
                    "grace {grace}: {effects:?} {asked:?} after the use"
                );
            } else if effects.iter().all(|effect| effect == "Unauthorized") {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        eprintln!("grace {grace}: the last call that was allowed began {last_allow:?} after");
        processes.until(&new, "Allow").await;
        processes.until(&rotating.old, "Unauthorized").await;
    }
}

/// The management API, the sample API and introspection agree on what one of them saw, and the
/// key's owner is shown it.
#[tokio::test]
async fn x_3_401_at_every_api_once_one_of_them_saw_the_first_use() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let rotating = Rotating::new(&platform).await;
    let new = rotating.rotate(60).await;
    let (old, new) = (platform.bearer(&rotating.old), platform.bearer(&new));
    let admitted = async |caller: &Caller| {
        let mut statuses = Vec::new();
        for path in ["/v1/whoami", "/api/banks"] {
            statuses.push(caller.get(path).await.status);
        }
        let introspect = json!({"token": "none"});
        statuses.push(caller.post("/oauth/introspect", &introspect).await.status);
        statuses
    };
    assert_eq!(admitted(&old).await, [200; 3]);
    let waiting = &rotating.key().await["secrets"][1];
    assert_eq!(
        (&waiting["ends"], &waiting["expires_at"]),
        (&json!("after_first_use"), &Value::Null)
    );
    assert_eq!(new.get("/v1/whoami").await.status, 200);
    let started = &rotating.key().await["secrets"][1];
    assert_eq!(started["ends"], "at_expiry");
    let listed = rotating.owner.get("/api/keys").await;
    let listed = listed.body["objects"].as_array().unwrap();
    let listed = listed
        .iter()
        .find(|key| key["client_id"] == rotating.client_id.as_str())
        .unwrap();
    assert_eq!(listed["secrets"][1], *started);
    platform.advance(Duration::from_secs(59));
    assert_eq!(admitted(&old).await, [200; 3]);
    platform.advance(Duration::from_secs(2));
    assert_eq!(admitted(&old).await, [401; 3]);
    assert_eq!(admitted(&new).await, [200; 3]);
}

/// The trail has no event of the first use itself: the next change of the key shows the end.
#[tokio::test]
async fn x_3_200_and_the_next_change_of_the_key_shows_the_end_in_the_audit_trail() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let rotating = Rotating::new(&platform).await;
    // Events sort by their time.
    let second = || platform.advance(Duration::from_secs(1));
    second();
    let new = platform.bearer(&rotating.rotate(60).await);
    assert_eq!(new.get("/v1/whoami").await.status, 200);
    second();
    let path = format!("/api/keys/{}", rotating.client_id);
    let renamed = rotating
        .owner
        .patch(&path, &json!({"name": "renamed"}))
        .await;
    assert_eq!(renamed.status, 200, "{renamed:?}");
    let end = renamed.body["secrets"][1]["expires_at"].clone();
    assert!(end.is_string(), "{renamed:?}");

    let services = platform.stack.services();
    let client = Client::new(&services.ambient().aws);
    let audit = &services.variables("management")["LATCHKEY_AUDIT_TABLE"];
    let organization = &platform.seed.organization.guid;
    let events = client
        .query()
        .table_name(audit)
        .key_condition_expression("PK = :events")
        .expression_attribute_values(":events", AttributeValue::S(format!("A#{organization}")))
        .send()
        .await
        .unwrap();
    let events: Vec<Value> = events
        .items()
        .iter()
        .map(|event| serde_json::from_str(event["body"].as_s().unwrap()).unwrap())
        .filter(|event: &Value| event["target"] == rotating.client_id.as_str())
        .collect();
    let actions: Vec<_> = events.iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["key.create", "key.rotate", "key.update"]);
    let changes = &events[2]["changes"];
    assert_eq!(changes["name"], "renamed");
    assert_eq!(changes["secrets"]["previous"]["at"], end);
}
