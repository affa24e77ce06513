//! `DynamoDB` and Secrets Manager as a test wants them, faked at the SDK's connector, and a guard
//! that asks them.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use base64::{Engine, engine::general_purpose::STANDARD};
use credentials::pepper::PepperSource;
use domain::{
    feed::{Effect, Entry, Subject, encode},
    ids::SecretId,
    key_mode::KeyMode,
    pepper::Peppers,
    secret::Secret,
    time::{Clock, Timestamp},
};
use serde_json::{Map, Value, json};
use store::{Store, Tables};

use crate::{
    guard::Guard,
    settings::Settings,
    testing::{
        person::{KEY, MADE, Person, SECRET, minted},
        world::{NOW, SANDBOX, World, claims},
    },
};

/// What happens once the gates have been read, and how long it takes.
pub(crate) type Meanwhile = Box<dyn FnOnce(&mut Held) -> i64 + Send>;

/// What the services hold at the moment.
pub(crate) struct Held {
    pub(crate) person: Option<Person>,
    /// The stored secrets of the key: their names, and the seeds of their texts.
    pub(crate) secrets: Vec<(SecretId, u8)>,
    /// What those texts say of the key's kind.
    pub(crate) kind: KeyMode,
    /// What Secrets Manager holds, and what the stored secrets are hashed under.
    pub(crate) peppers: [&'static str; 2],
    /// The sort keys of the noted uses of the key's secrets.
    pub(crate) uses: Vec<String>,
    pub(crate) feed: Vec<Entry>,
    /// Operations that do not answer.
    pub(crate) down: Vec<&'static str>,
    pub(crate) meanwhile: Vec<Meanwhile>,
}

/// A guard, what it asks, and what it asked.
pub(crate) struct Scene {
    pub(crate) guard: Guard,
    pub(crate) held: Arc<Mutex<Held>>,
    sent: Arc<Mutex<Vec<String>>>,
    now: Arc<AtomicI64>,
}

#[derive(Clone)]
struct FakeAws {
    play: Arc<dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync>,
    /// How long each answer takes, in milliseconds.
    takes: Arc<AtomicU64>,
}

impl fmt::Debug for FakeAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeAws")
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { play, takes } = self.clone();
        // Later, so that calls that are made at once are under way at once.
        HttpConnectorFuture::new(async move {
            tokio::task::yield_now().await;
            match takes.load(Ordering::SeqCst) {
                0 => {}
                millis => tokio::time::sleep(Duration::from_millis(millis)).await,
            }
            Ok(play(&request))
        })
    }
}

/// A configuration of the SDK whose calls are answered by `play`.
pub(crate) fn sdk_config(
    play: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
) -> SdkConfig {
    slow_sdk_config(Arc::default(), play)
}

/// The same, whose answers take so many milliseconds.
pub(crate) fn slow_sdk_config(
    takes: Arc<AtomicU64>,
    play: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
) -> SdkConfig {
    let play = Arc::new(play);
    let connector = SharedHttpConnector::new(FakeAws { play, takes });
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "a", "b", None, None, "test",
        )))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

pub(crate) const PEPPERS: &str = r#"{"1":"pppppppppppppppppppppppppppppppp"}"#;

impl Scene {
    /// In which [`crate::testing::person::secret`] passes.
    pub(crate) fn new() -> Self {
        Self::with(World::new().settings, true)
    }

    pub(crate) fn with(settings: Settings, has_peppers: bool) -> Self {
        let (person, secrets) = (Some(Person::new()), vec![(SECRET, 1)]);
        let (kind, peppers) = (KeyMode::Sandbox, [PEPPERS; 2]);
        let held = Held {
            person,
            secrets,
            kind,
            peppers,
            uses: Vec::new(),
            feed: Vec::new(),
            down: Vec::new(),
            meanwhile: Vec::new(),
        };
        let (held, sent) = (Arc::new(Mutex::new(held)), Arc::new(Mutex::new(Vec::new())));
        let now = Arc::new(AtomicI64::new(NOW.millis()));
        let (state, log, time) = (held.clone(), sent.clone(), now.clone());
        let play = move |request: &HttpRequest| {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            let body: Value =
                serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
            let mut held = state.lock().unwrap();
            let name = name(&operation, &body);
            log.lock().unwrap().push(name.clone());
            let (status, answer) = if held.down.contains(&&*name) {
                (500, json!({}))
            } else {
                (200, held.answer(&name, &body))
            };
            if name == "BatchGetItem"
                && let Some(meanwhile) = held.meanwhile.pop()
            {
                time.fetch_add(meanwhile(&mut held), Ordering::SeqCst);
            }
            let mut response = HttpResponse::new(
                status.try_into().unwrap(),
                SdkBody::from(answer.to_string()),
            );
            let date = DateTime::from_millis(time.load(Ordering::SeqCst))
                .fmt(Format::HttpDate)
                .unwrap();
            response.headers_mut().insert("date", date);
            response
        };
        let aws = sdk_config(play);
        let time = now.clone();
        let clock: Clock = Arc::new(move || Timestamp::from_millis(time.load(Ordering::SeqCst)));
        let tables = Tables {
            core: "core".into(),
            feed: "feed".into(),
            audit: "audit".into(),
        };
        let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
        let peppers = has_peppers.then(|| PepperSource::new(&aws, "pepper", clock.clone()));
        Self {
            guard: Guard::new(settings, store, peppers, clock),
            held,
            sent,
            now,
        }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.lock().unwrap());
    }

    pub(crate) fn person(&self, change: impl FnOnce(&mut Person)) {
        self.set(|held| change(held.person.as_mut().unwrap()));
    }

    /// Makes an entry visible, stamped with the present moment.
    pub(crate) fn publish(&self, effect: Effect, subject: Subject) {
        let time = Timestamp::from_millis(self.now.load(Ordering::SeqCst));
        self.set(|held| held.publish(time, effect, subject));
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// The operations since this was asked last, without the feed's.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut sent = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.retain(|operation| operation != "Query feed" && operation != "Query segments");
        sent
    }
}

impl Held {
    pub(crate) fn publish(&mut self, time: Timestamp, effect: Effect, subject: Subject) {
        let id = self.feed.len().to_string();
        self.feed.push(Entry {
            time,
            id,
            effect,
            subject,
        });
    }

    fn answer(&mut self, operation: &str, body: &Value) -> Value {
        match operation {
            "PutItem uses" => {
                let sort_key = body["Item"]["SK"]["S"].as_str().unwrap();
                self.uses.push(sort_key.to_owned());
                json!({})
            }
            "Query uses" => {
                let prefix = body["ExpressionAttributeValues"][":secret"]["S"]
                    .as_str()
                    .unwrap();
                let of_secret = self.uses.iter().filter(|used| used.starts_with(prefix));
                let first = of_secret.min();
                items(first.map(|used| item(&format!("E#{KEY}"), used, &json!({}))))
            }
            "GetSecretValue" => json!({"SecretString": self.peppers[0]}),
            "Query segments" => items([]),
            "Query feed" => {
                let from = body["ExpressionAttributeValues"][":from"]["S"]
                    .as_str()
                    .unwrap();
                let entries = self
                    .feed
                    .iter()
                    .filter(|entry| entry.time.to_string().as_str() >= from);
                items(entries.map(|entry| {
                    let statement = encode(&entry.subject, entry.effect);
                    json!({
                        "PK": {"S": "F#0"},
                        "SK": {"S": entry.key().to_string()},
                        "e": {"B": STANDARD.encode(statement)},
                    })
                }))
            }
            "Query" => {
                let jwk =
                    json!({"kid": SANDBOX.jwk().kid(), "jwk": SANDBOX.jwk(), "published_at": MADE});
                items([item("P#sandbox", SANDBOX.jwk().kid(), &jwk)])
            }
            "BatchGetItem secrets" => batch(&body["RequestItems"]["core"]["Keys"], self.key()),
            "BatchGetItem" => batch(&body["RequestItems"]["core"]["Keys"], self.gates()),
            "GetItem key" => self
                .key()
                .first()
                .map_or_else(|| json!({}), |key| json!({"Item": key})),
            _ => json!({}),
        }
    }

    fn key(&self) -> Vec<Value> {
        let peppers = Peppers::parse(self.peppers[1]).unwrap();
        let Some(person) = &self.person else {
            return Vec::new();
        };
        let key = item(
            &format!("K#{KEY}"),
            "KEY",
            &serde_json::to_value(&person.key).unwrap(),
        );
        let secrets = self.secrets.iter().map(|(id, seed)| {
            let hash = minted(self.kind, *seed).hash(&peppers).unwrap();
            let secret = Secret {
                id: *id,
                hash,
                created_at: MADE,
            };
            item(
                &format!("K#{KEY}"),
                &format!("SECRET#{id}"),
                &serde_json::to_value(secret).unwrap(),
            )
        });
        std::iter::once(key).chain(secrets).collect()
    }

    fn gates(&self) -> Vec<Value> {
        let Some(person) = &self.person else {
            return Vec::new();
        };
        let mut gate = serde_json::to_value(&person.gates.organization).unwrap();
        gate["version"] = 0.into();
        let mut found = vec![item(
            &format!("G#{}", person.key.organization),
            "GATE",
            &gate,
        )];
        found.extend(person.gates.user.as_ref().map(|user| {
            item(
                &format!("U#{}", user.guid),
                "USER",
                &serde_json::to_value(user).unwrap(),
            )
        }));
        found
    }
}

/// What an operation is called here: those of the feed, of keys, of their secrets and of the uses
/// of these by what they are about.
fn name(operation: &str, body: &Value) -> String {
    let is_of_key = |key: &Value| {
        key["PK"]["S"]
            .as_str()
            .is_some_and(|pk| pk.starts_with("K#"))
    };
    let is_of_uses = |key: &Value| {
        key["S"]
            .as_str()
            .is_some_and(|partition| partition.starts_with("E#"))
    };
    let of = match operation {
        "Query" if asks_for_segments(body) => " segments",
        _ if body["TableName"] == "feed" => " feed",
        "PutItem" if is_of_uses(&body["Item"]["PK"]) => " uses",
        "Query" if is_of_uses(&body["ExpressionAttributeValues"][":uses"]) => " uses",
        "GetItem" if is_of_key(&body["Key"]) => " key",
        "BatchGetItem" if is_of_key(&body["RequestItems"]["core"]["Keys"][0]) => " secrets",
        _ => "",
    };
    format!("{operation}{of}")
}

/// Whether it is a query of the feed's segments.
pub(crate) fn asks_for_segments(body: &Value) -> bool {
    body["ExpressionAttributeValues"][":segments"]["S"] == "C#0"
}

/// Those that are asked for.
fn batch(keys: &Value, mut held: Vec<Value>) -> Value {
    let asked = |item: &Value| {
        keys.as_array()
            .unwrap()
            .iter()
            .any(|key| key["PK"] == item["PK"] && key["SK"] == item["SK"])
    };
    held.retain(asked);
    json!({"Responses": {"core": held}, "UnprocessedKeys": {}})
}

pub(crate) fn items(items: impl IntoIterator<Item = Value>) -> Value {
    json!({"Items": items.into_iter().collect::<Vec<_>>()})
}

pub(crate) fn item(pk: &str, sk: &str, value: &Value) -> Value {
    let mut members: Map<_, _> = value
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), attribute(value)))
        .collect();
    members.insert("PK".into(), json!({"S": pk}));
    members.insert("SK".into(), json!({"S": sk}));
    Value::Object(members)
}

/// As `DynamoDB` spells it. The only bytes are those of a hash, which JSON has as 32 numbers.
fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(bool) => json!({"BOOL": bool}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(list) if list.len() == 32 && list.iter().all(Value::is_u64) => {
            let bytes: Vec<u8> = list
                .iter()
                .map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap())
                .collect();
            json!({"B": STANDARD.encode(bytes)})
        }
        Value::Array(list) => json!({"L": list.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(map) => {
            let map: Map<_, _> = map
                .iter()
                .map(|(name, value)| (name.clone(), attribute(value)))
                .collect();
            json!({"M": map})
        }
    }
}
