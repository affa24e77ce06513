//! What an embedded table never shows: conflicts, throttling, late answers, clocks apart, and what goes over the wire.
//! `DynamoDB`'s side is played at the SDK's connector; everything above it is real.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
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
use domain::{
    allowlist::Allowlist,
    audit::{Actor, Origin},
    ids::{ClientId, Guid},
    key::{Key, Owner, State},
    kind::Kind,
    organization::Name,
    scope::ScopeSet,
    time::{Clock, Timestamp},
};
use serde_json::{Value, json};

use crate::{Store, StoreError, Tables};

/// A request as it went over the wire.
#[derive(Clone, Debug)]
struct Sent {
    operation: String,
    body: Value,
}

/// `DynamoDB` as a test wants it, and a store that talks to it.
struct Scene {
    store: Store,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// A connector that reaches nothing.
#[derive(Clone)]
struct Played(Arc<dyn Fn(HttpRequest) -> HttpResponse + Send + Sync>);

impl std::fmt::Debug for Played {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Played")
    }
}

impl HttpConnector for Played {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok((self.0)(request)))
    }
}

/// What the played `DynamoDB` says to a request: status and body.
type Answer = (u16, Value);

/// The moment at which every scene begins; whole seconds, as `Date` has them.
const START: i64 = 1_800_000_000_000;

/// A scene whose `DynamoDB` answers by `play`, which may move the store's clock. `Date` is `date_ahead` of the clock as it
/// stood when the request was sent.
fn scene(date_ahead: i64, play: impl Fn(&Sent, &AtomicI64) -> Answer + Send + Sync + 'static) -> Scene {
    let now = Arc::new(AtomicI64::new(START));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (clock_now, log) = (now.clone(), sent.clone());
    let respond = move |request: HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        let date = DateTime::from_millis(now.load(Ordering::SeqCst) + date_ahead).fmt(Format::HttpDate).unwrap();
        let request = Sent { operation, body };
        log.lock().unwrap().push(request.clone());
        let (status, answer) = play(&request, &now);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        response.headers_mut().insert("date", date);
        response
    };
    let connector = SharedHttpConnector::new(Played(Arc::new(respond)));
    let client = http_client_fn(move |_, _| connector.clone());
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(client)
        .build();
    let clock: Clock = Arc::new(move || Timestamp::from_millis(clock_now.load(Ordering::SeqCst)));
    let tables = Tables { core: "core".into(), feed: "feed".into(), audit: "audit".into() };
    let ids = AtomicI64::new(0);
    let new_id = move || Guid::from_bytes(i128::from(ids.fetch_add(1, Ordering::SeqCst)).to_be_bytes());
    Scene { store: Store::new(&aws, tables, clock, new_id), sent }
}

impl Scene {
    /// The operations in order, without the reads of the clock.
    fn changes(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().iter().filter(|sent| sent.operation != "GetItem").cloned().collect()
    }

    fn operations(&self) -> Vec<String> {
        self.changes().into_iter().map(|sent| sent.operation).collect()
    }
}

fn key() -> Key {
    let guid = Guid::from_bytes([7; 16]);
    let at = Timestamp::from_millis(START - 1000);
    Key {
        client_id: ClientId::of(guid),
        owner: Owner::Bank(guid),
        organization: guid,
        kind: Kind::Sandbox,
        name: Name::parse("key").unwrap(),
        scopes: ScopeSet::default(),
        ip_allowlist: Allowlist::default(),
        state: State::Active,
        expires_at: None,
        created_at: at,
        updated_at: at,
        version: 0,
    }
}

fn operator() -> Origin {
    Origin { actor: Actor::Operator, source_ip: None, request_id: None }
}

fn cancelled(codes: [&str; 4]) -> Answer {
    let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
    (400, json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "CancellationReasons": reasons}))
}

/// The time in the entry that a transaction or put writes to the feed.
fn entry_time(sent: &Sent) -> String {
    let item = if sent.operation == "PutItem" { &sent.body["Item"] } else { &sent.body["TransactItems"][2]["Put"]["Item"] };
    item["time"]["S"].as_str().unwrap_or_else(|| panic!("no entry in {sent:?}")).to_owned()
}

#[tokio::test]
async fn every_read_is_strongly_consistent() {
    let scene = scene(0, |_, _| (200, json!({})));
    let guid = Guid::from_bytes([7; 16]);
    let client_id = ClientId::of(guid);
    drop(scene.store.key(client_id).await);
    drop(scene.store.key_with_secrets(client_id).await);
    drop(scene.store.gates(&key()).await);
    drop(scene.store.organization(guid).await);
    drop(scene.store.bank(guid).await);
    drop(scene.store.key_rows(guid).await);
    drop(scene.store.banks_of(guid, Kind::Live).await);
    drop(scene.store.keys([client_id]).await);
    drop(scene.store.signing_keys(Kind::Live).await);
    drop(scene.store.audit_chain(guid).await);
    drop(scene.store.read_feed(Timestamp::from_millis(START), Duration::from_secs(1)).await);
    let sent = scene.sent.lock().unwrap();
    assert!(sent.len() >= 12);
    for request in sent.iter() {
        let consistent = match request.operation.as_str() {
            "BatchGetItem" => &request.body["RequestItems"]["core"]["ConsistentRead"],
            _ => &request.body["ConsistentRead"],
        };
        assert_eq!(consistent, true, "{request:?}");
    }
}

/// The entry became visible eleven seconds after its own time: readers may have passed it, so it is written again.
#[tokio::test]
async fn a_revoke_whose_answer_is_late_writes_its_entry_again() {
    let scene = scene(0, |sent, now| {
        if sent.operation == "TransactWriteItems" {
            now.fetch_add(11_000, Ordering::SeqCst);
        }
        (200, json!({}))
    });
    scene.store.revoke_key(&key(), &operator()).await.unwrap();
    assert_eq!(scene.operations(), ["TransactWriteItems", "PutItem", "UpdateItem"]);
    let times: Vec<_> = scene.changes().iter().take(2).map(entry_time).collect();
    assert!(times[1] > times[0], "{times:?}");
}

#[tokio::test]
async fn a_revoke_whose_entry_is_always_late_does_not_answer() {
    let scene = scene(0, |sent, now| {
        if sent.operation != "GetItem" {
            now.fetch_add(11_000, Ordering::SeqCst);
        }
        (200, json!({}))
    });
    assert!(matches!(scene.store.revoke_key(&key(), &operator()).await, Err(StoreError::Unavailable(_))));
}

/// Repeating a revoke makes sure that readers learn of it where its first try may have become visible too late; where that is
/// certain it writes nothing, or anybody could flood the feed.
#[tokio::test]
async fn a_repeated_revoke_writes_an_entry_only_while_that_is_needed() {
    for (unannounced, expected) in
        [(true, vec!["TransactWriteItems", "PutItem", "UpdateItem"]), (false, vec!["TransactWriteItems"])]
    {
        let scene = scene(0, move |sent, _| match sent.operation.as_str() {
            "TransactWriteItems" => cancelled(["ConditionalCheckFailed", "None", "None", "None"]),
            "GetItem" if sent.body["Key"]["SK"]["S"] == "KEY" => {
                let revoked = Key { state: State::Revoked { at: Timestamp::from_millis(START) }, ..key() };
                let record = crate::keys::KeyRecord { key: revoked, unannounced };
                (200, json!({"Item": serde_dynamo::to_item::<_, serde_dynamo::Item>(record).unwrap()}))
            }
            _ => (200, json!({})),
        });
        scene.store.revoke_key(&key(), &operator()).await.unwrap();
        assert_eq!(scene.operations(), expected);
        if let Some(put) = scene.changes().get(1) {
            assert_eq!(put.body["TableName"], "feed");
            assert_eq!(put.body["Item"]["effect"]["S"], "revoke");
        }
    }
}

/// What a key confers does not outlive the moment at which the key was stopped: both stand in one transaction.
#[tokio::test]
async fn a_change_on_behalf_of_a_key_that_stopped_is_refused() {
    let scene = scene(0, |sent, _| match sent.operation.as_str() {
        "TransactWriteItems" => {
            let items = sent.body["TransactItems"].as_array().unwrap();
            let checked: Vec<_> = items.iter().filter_map(|item| item["ConditionCheck"]["Key"]["PK"]["S"].as_str()).collect();
            assert_eq!(checked.len(), 2, "{checked:?}");
            assert!(checked[0].starts_with("K#") && checked[1].starts_with("G#"), "{checked:?}");
            let codes = items.iter().map(
                |item| json!({"Code": if item.get("ConditionCheck").is_some() { "ConditionalCheckFailed" } else { "None" }}),
            );
            let reasons: Vec<_> = codes.collect();
            (
                400,
                json!({"__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "CancellationReasons": reasons}),
            )
        }
        _ => (200, json!({})),
    });
    let caller = Key { client_id: ClientId::of(Guid::from_bytes([9; 16])), ..key() };
    let bank = domain::organization::Bank {
        guid: Guid::from_bytes([3; 16]),
        organization: caller.organization,
        name: Name::parse("bank").unwrap(),
        environment: domain::kind::BankEnvironment::Sandbox,
        created_at: caller.created_at,
        updated_at: caller.created_at,
        version: 0,
    };
    assert_eq!(scene.store.on_behalf_of(&caller).create_bank(&bank, &operator()).await, Err(StoreError::CallerStopped));
}

/// A revoke that meets another transaction is tried again, with its entry at the time of the new attempt.
#[tokio::test]
async fn a_conflicting_or_throttled_revoke_is_tried_again_with_a_fresh_time() {
    for code in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"] {
        let attempts = AtomicI64::new(0);
        let scene = scene(0, move |sent, now| {
            if sent.operation == "TransactWriteItems" && attempts.fetch_add(1, Ordering::SeqCst) < 2 {
                now.fetch_add(100, Ordering::SeqCst);
                return cancelled([code, "None", "None", "None"]);
            }
            (200, json!({}))
        });
        scene.store.revoke_key(&key(), &operator()).await.unwrap();
        let times: Vec<_> =
            scene.changes().iter().filter(|sent| sent.operation == "TransactWriteItems").map(entry_time).collect();
        assert_eq!(times.len(), 3, "{code}");
        assert!(times[0] < times[1] && times[1] < times[2], "{code}: {times:?}");
    }
}

/// A key cannot hold off its own revocation by changes that check it: a revoke is tried longer than any other change.
#[tokio::test]
async fn a_revoke_outlasts_the_changes_that_it_meets() {
    let attempts = AtomicI64::new(0);
    let scene = scene(0, move |sent, _| {
        if sent.operation == "TransactWriteItems" && attempts.fetch_add(1, Ordering::SeqCst) < 12 {
            return cancelled(["TransactionConflict", "None", "None", "None"]);
        }
        (200, json!({}))
    });
    scene.store.revoke_key(&key(), &operator()).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_far_off_changes_nothing() {
    for date_ahead in [-12_000, 12_000] {
        let scene = scene(date_ahead, |_, _| (200, json!({})));
        assert_eq!(scene.store.revoke_key(&key(), &operator()).await, Err(StoreError::ClockSkewed), "{date_ahead}");
        assert!(scene.changes().is_empty(), "{date_ahead}");
    }
}

#[tokio::test]
async fn a_feed_read_that_fails_on_its_second_page_is_no_read() {
    let scene = scene(0, |sent, _| {
        if sent.body.get("ExclusiveStartKey").is_some() {
            return (400, json!({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}));
        }
        (200, json!({"Items": [], "LastEvaluatedKey": {"PK": {"S": "F#0"}, "SK": {"S": "x"}}}))
    });
    let read = scene.store.read_feed(Timestamp::from_millis(START), Duration::from_secs(1)).await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert_eq!(scene.operations(), ["Query", "Query"], "a read of the feed has no retry of its own");
}

#[tokio::test]
async fn a_failed_condition_is_the_failure_that_it_stands_for() {
    for (codes, expected) in [
        (["ConditionalCheckFailed", "None", "None", "None"], StoreError::Exists),
        (["None", "None", "None", "ConditionalCheckFailed"], StoreError::LimitReached),
    ] {
        let scene = scene(0, move |sent, _| match sent.operation.as_str() {
            "TransactWriteItems" => cancelled(codes),
            _ => (200, json!({})),
        });
        let peppers = domain::pepper::Peppers::parse(&format!(r#"{{"1":"{}"}}"#, "p".repeat(32))).unwrap();
        let secret = domain::secret::Secret {
            id: domain::ids::SecretId::from_bytes([1; 16]),
            hash: domain::secret::SecretHash::decoy(&peppers),
            created_at: Timestamp::from_millis(START),
            expires_at: None,
        };
        assert_eq!(scene.store.create_key(&key(), &secret, &operator()).await, Err(expected));
    }
}
