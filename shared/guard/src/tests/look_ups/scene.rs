//! Tables that answer look-ups, and a guard that reads them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    audit::{Actor, Origin},
    feed::{Cohort, Effect, Entry, Parent, Subject, encode},
    gate::OrganizationGate,
    ids::{ClientId, Guid, SecretId},
    key::{Draft, Key},
    key_mode::KeyMode,
    organization::Name,
    time::{Clock, Timestamp},
};
use jwt::{Claims, Expected};
use serde_json::{Value, json};
use store::{Store, Tables, TokenToRevoke};

use crate::{
    decision::Decision,
    guard::Guard,
    testing::{
        person::MADE,
        world::{ISSUER, LIVE, NOW, SANDBOX, World, claims, later, request},
    },
    tests::fake_aws::{asks_for_segments, item, items, slow_sdk_config},
};

/// The tables, and what was looked up in them.
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) parent: Key,
    pub(super) gate: OrganizationGate,
    pub(super) revoked: Vec<Guid>,
    feed: Vec<Entry>,
    looked_up: Vec<Vec<String>>,
    pub(super) is_down: bool,
    pub(super) leaves_unprocessed: bool,
    pub(super) now: Timestamp,
    /// How much the table's clock is behind.
    pub(super) behind: Duration,
}

pub(super) struct Scene {
    pub(super) guard: Guard,
    store: Store,
    held: Arc<Mutex<Held>>,
    /// How long each answer takes, in milliseconds.
    pub(super) takes: Arc<AtomicU64>,
}

pub(super) const PARENT: ClientId = ClientId::of(Guid::from_bytes([0x0a; 16]));
const PARENT_SECRET: SecretId = SecretId::from_bytes([0x0b; 16]);
pub(super) const PARENT_TOKEN: Guid = Guid::from_bytes([0x0c; 16]);

pub(super) fn key(client_id: ClientId, secret: SecretId, kind: KeyMode) -> Key {
    let draft = Draft {
        owner: claims().owner,
        organization: claims().org,
        kind,
        name: Name::parse("server").unwrap(),
        description: None,
        scopes: claims().scope,
        ip_allowlist: claims().ip_allowlist,
        expires_at: None,
        destination: None,
        webhook_url: None,
    };
    Key::create(draft, client_id, secret, MADE).unwrap()
}

/// A customer's token, derived from another key's.
pub(super) fn derived() -> Claims {
    Claims {
        customer: Some(Guid::from_bytes([0x0e; 16])),
        scope: "banks:read customers:read".parse().unwrap(),
        parent: Some(Parent {
            client_id: PARENT,
            sid: PARENT_SECRET,
            jti: PARENT_TOKEN,
        }),
        jti: Guid::from_bytes([0x0d; 16]),
        ..claims()
    }
}

pub(super) fn organization() -> Subject {
    Subject::Organization {
        guid: claims().org,
        cohort: Cohort::default(),
    }
}

pub(super) fn token(claims: &Claims) -> String {
    match claims.env {
        KeyMode::Sandbox => SANDBOX.token(claims),
        KeyMode::Live => LIVE.token(claims),
    }
}

impl Held {
    /// The items of the tables by their partition; every organization has the one gate.
    fn items(&self, organizations: &[&str]) -> BTreeMap<String, Value> {
        let mut gate = serde_json::to_value(&self.gate).unwrap();
        gate["version"] = 0.into();
        let keys = [&self.key, &self.parent].map(|key| {
            let partition = format!("K#{}", key.client_id);
            (partition, "KEY", serde_json::to_value(key).unwrap())
        });
        let revoked = self
            .revoked
            .iter()
            .map(|jti| (format!("T#{jti}"), "T", json!({})));
        let gates = organizations.iter().filter(|key| key.starts_with("G#"));
        let gates = gates.map(|pk| ((*pk).to_owned(), "GATE", gate.clone()));
        keys.into_iter()
            .chain(revoked)
            .chain(gates)
            .map(|(pk, sk, value)| (pk.clone(), item(&pk, sk, &value)))
            .collect()
    }

    fn answer(&mut self, target: &str, body: &Value) -> (u16, Value) {
        match target {
            "Query" if asks_for_segments(body) => (200, items([])),
            "Query" if body["TableName"] == "feed" => {
                let entries = self.feed.iter().map(|entry| {
                    json!({
                        "PK": {"S": "F#0"},
                        "SK": {"S": entry.key().to_string()},
                        "e": {"B": STANDARD.encode(encode(&entry.subject, entry.effect))},
                    })
                });
                (200, items(entries))
            }
            "Query" => {
                let kind = body.to_string().contains("P#live");
                let (kind, key) = if kind {
                    ("P#live", &LIVE)
                } else {
                    ("P#sandbox", &SANDBOX)
                };
                let jwk = json!({"kid": key.jwk().kid(), "jwk": key.jwk(), "published_at": MADE});
                (200, items([item(kind, key.jwk().kid(), &jwk)]))
            }
            "BatchGetItem" => self.look_up(body),
            "GetItem" | "TransactWriteItems" | "UpdateItem" => (200, json!({})),
            other => panic!("{other} {body}"),
        }
    }

    fn look_up(&mut self, body: &Value) -> (u16, Value) {
        let mut asked = Vec::new();
        let mut found = json!({});
        for (table, request) in body["RequestItems"].as_object().unwrap() {
            assert_eq!(request["ConsistentRead"], true);
            let keys = request["Keys"].as_array().unwrap();
            let keys: Vec<_> = keys
                .iter()
                .map(|key| key["PK"]["S"].as_str().unwrap())
                .collect();
            let is_of_feed = |key: &&str| key.starts_with("T#");
            assert!(keys.iter().all(|key| is_of_feed(key) == (table == "feed")));
            let held = self.items(&keys);
            found[table] = keys
                .iter()
                .filter_map(|key| held.get(*key).cloned())
                .collect();
            asked.extend(keys.into_iter().map(ToOwned::to_owned));
        }
        asked.sort();
        self.looked_up.push(asked);
        if self.is_down {
            return (500, json!({}));
        }
        let unprocessed = if self.leaves_unprocessed {
            json!({"core": {"Keys": [{"PK": {"S": "G#1"}, "SK": {"S": "GATE"}}]}})
        } else {
            json!({})
        };
        (
            200,
            json!({"Responses": found, "UnprocessedKeys": unprocessed}),
        )
    }
}

impl Scene {
    /// In which the token of [`claims`] and the one that was derived pass.
    pub(super) fn new() -> Self {
        let held = Held {
            key: key(claims().client_id, claims().sid, KeyMode::Sandbox),
            parent: key(PARENT, PARENT_SECRET, KeyMode::Sandbox),
            gate: OrganizationGate::NEW,
            revoked: Vec::new(),
            feed: Vec::new(),
            looked_up: Vec::new(),
            is_down: false,
            leaves_unprocessed: false,
            now: NOW,
            behind: Duration::ZERO,
        };
        let held = Arc::new(Mutex::new(held));
        let (state, time) = (Arc::clone(&held), Arc::clone(&held));
        let takes = Arc::new(AtomicU64::new(0));
        let aws = slow_sdk_config(Arc::clone(&takes), move |request: &HttpRequest| {
            let target = request.headers().get("x-amz-target").unwrap();
            let target = target.rsplit('.').next().unwrap();
            let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
            let mut held = state.lock().unwrap();
            let (status, answer) = held.answer(target, &body);
            let date = match target {
                "BatchGetItem" => held.now.earlier_by(held.behind),
                _ => held.now,
            };
            let date = DateTime::from_millis(date.millis())
                .fmt(Format::HttpDate)
                .unwrap();
            let body = SdkBody::from(answer.to_string());
            let mut response = HttpResponse::new(status.try_into().unwrap(), body);
            response.headers_mut().insert("date", date);
            response
        });
        let clock: Clock = Arc::new(move || time.lock().unwrap().now);
        let tables = Tables {
            core: "core".into(),
            feed: "feed".into(),
            audit: "audit".into(),
        };
        let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
        let mut settings = World::new().settings;
        settings.expected = Expected::of_issuer(ISSUER)
            .accepting(KeyMode::Sandbox, "https://sandbox.example")
            .accepting(KeyMode::Live, "https://live.example");
        Self {
            guard: Guard::new(settings, store.clone(), None, clock),
            store,
            held,
            takes,
        }
    }

    /// In which the organization is covered from now on.
    pub(super) fn covered() -> Self {
        let scene = Self::new();
        scene.cover(organization(), later(300_000));
        scene
    }

    pub(super) fn cover(&self, subject: Subject, until: Timestamp) {
        self.publish(Effect::Cover { until }, subject);
    }

    pub(super) fn publish(&self, effect: Effect, subject: Subject) {
        self.set(|held| {
            let (time, id) = (held.now, held.feed.len().to_string());
            held.feed.push(Entry {
                time,
                id,
                effect,
                subject,
            });
        });
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap());
    }

    pub(super) fn advance(&self, millis: u64) {
        self.set(|held| held.now = held.now + Duration::from_millis(millis));
    }

    /// What was looked up since this was asked last.
    pub(super) fn looked_up(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut self.held.lock().unwrap().looked_up)
    }

    /// Revokes another token, through the store that the guard reads.
    pub(super) async fn revoke_another_token(&self) {
        let token = TokenToRevoke {
            jti: Guid::from_bytes([0x0f; 16]),
            client_id: claims().client_id,
            organization: claims().org,
            expires_at: claims().exp,
        };
        let operator = Origin::of(Actor::Operator);
        self.store.revoke_token(&token, &operator).await.unwrap();
    }

    pub(super) async fn call(&self, claims: &Claims) -> Decision {
        self.guard.authorize(request(&token(claims))).await
    }

    pub(super) async fn passes(&self, claims: &Claims) -> bool {
        matches!(self.call(claims).await, Decision::Allow(_))
    }
}
