//! What the black-box tests never show: conflicts, throttling, late answers, clocks apart, and what
//! goes over the wire. `DynamoDB`'s side is faked at the SDK's connector, by a test or by an
//! embedded table; everything above it is real.

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
    ids::Guid,
    time::{Clock, Timestamp},
};
use serde_json::{Value, json};

use crate::{Store, Tables};

mod caller;
mod covers;
mod entry_plan;
mod fixtures;
mod gates;
mod idempotency;
mod keys;
mod limits;
mod look_up;
mod outbox;
mod rotation;
mod table;

mod users;
mod wire;

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
    now: Arc<AtomicI64>,
}

/// A connector that reaches nothing.
#[derive(Clone)]
struct FakeAws(Arc<dyn Fn(HttpRequest) -> HttpResponse + Send + Sync>);

impl std::fmt::Debug for FakeAws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeAws")
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok((self.0)(request)))
    }
}

/// What the fake `DynamoDB` says to a request: status and body.
type Answer = (u16, Value);

/// The moment at which every scene begins; whole seconds, as `Date` has them.
const START: i64 = 1_800_000_000_000;

fn at(after_start: Duration) -> Timestamp {
    Timestamp::from_millis(START) + after_start
}

/// A scene whose `DynamoDB` answers by `play`, which may move the store's clock. `Date` is
/// `date_ahead` of the clock as it stood when the request was sent.
fn scene(
    date_ahead: i64,
    play: impl Fn(&Sent, &AtomicI64) -> Answer + Send + Sync + 'static,
) -> Scene {
    let now = Arc::new(AtomicI64::new(START));
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (clock_now, table_now, log) = (now.clone(), now.clone(), sent.clone());
    let respond = move |request: HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        let date = DateTime::from_millis(table_now.load(Ordering::SeqCst) + date_ahead)
            .fmt(Format::HttpDate)
            .unwrap();
        let request = Sent { operation, body };
        request.assert_admitted();
        log.lock().unwrap().push(request.clone());
        let (status, answer) = play(&request, &table_now);
        let mut response = HttpResponse::new(
            status.try_into().unwrap(),
            SdkBody::from(answer.to_string()),
        );
        response.headers_mut().insert("date", date);
        response
    };
    let connector = SharedHttpConnector::new(FakeAws(Arc::new(respond)));
    let client = http_client_fn(move |_, _| connector.clone());
    let aws = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "a", "b", None, None, "test",
        )))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(client)
        .build();
    let clock: Clock = Arc::new(move || Timestamp::from_millis(clock_now.load(Ordering::SeqCst)));
    let tables = Tables {
        core: "core".into(),
        feed: "feed".into(),
        audit: "audit".into(),
    };
    let ids = AtomicI64::new(0);
    let new_id =
        move || Guid::from_bytes(i128::from(ids.fetch_add(1, Ordering::SeqCst)).to_be_bytes());
    Scene {
        store: Store::new(&aws, tables, clock, new_id),
        sent,
        now,
    }
}

impl Scene {
    /// What was sent, in order, without the reads of single items.
    fn changes(&self) -> Vec<Sent> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .filter(|sent| sent.operation != "GetItem")
            .cloned()
            .collect()
    }

    fn operations(&self) -> Vec<String> {
        self.changes()
            .into_iter()
            .map(|sent| sent.operation)
            .collect()
    }

    /// The transactions since the last look, and forgets what was sent.
    fn transactions(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
            .into_iter()
            .filter(|sent| sent.operation == "TransactWriteItems")
            .collect()
    }

    fn wait(&self, time: Duration) {
        self.now
            .fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }
}

impl Sent {
    /// No function may delete an item (LEAK-5), or name one item twice.
    fn assert_admitted(&self) {
        let admitted = [
            "BatchGetItem",
            "GetItem",
            "PutItem",
            "Query",
            "TransactWriteItems",
            "UpdateItem",
        ];
        assert!(admitted.contains(&&*self.operation), "{self:?}");
        let places: Vec<_> = self.items().iter().map(Item::place).collect();
        let mut distinct = places.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), places.len(), "{places:?}");
        assert!(
            self.items().iter().all(|item| item.verb != "Delete"),
            "{self:?}"
        );
    }

    /// The items of a transaction.
    fn items(&self) -> Vec<Item> {
        let items = self.body["TransactItems"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        items
            .iter()
            .flat_map(|item| item.as_object().unwrap())
            .map(|(verb, body)| Item {
                verb: verb.clone(),
                body: body.clone(),
            })
            .collect()
    }

    /// In one line: what the transaction does to which classes of items.
    fn outline(&self) -> String {
        self.items()
            .iter()
            .map(Item::outline)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// One item of a transaction.
struct Item {
    verb: String,
    body: Value,
}

impl Item {
    fn place(&self) -> (String, String) {
        let at = if self.verb == "Put" {
            &self.body["Item"]
        } else {
            &self.body["Key"]
        };
        (
            at["PK"]["S"].as_str().unwrap().to_owned(),
            at["SK"]["S"].as_str().unwrap().to_owned(),
        )
    }

    fn outline(&self) -> String {
        let (pk, sk) = self.place();
        let sk = if pk.starts_with('F') || pk.starts_with('A') {
            ""
        } else {
            sk.split(['#', ' ']).next().unwrap()
        };
        format!("{} {} {sk}", self.verb, pk.split('#').next().unwrap())
            .trim()
            .to_owned()
    }

    /// What an update sets, and on which condition.
    fn written(&self) -> String {
        format!(
            "{} / {}",
            self.body["UpdateExpression"].as_str().unwrap_or_default(),
            self.condition()
        )
    }

    fn condition(&self) -> &str {
        self.body["ConditionExpression"]
            .as_str()
            .unwrap_or_default()
    }
}

/// A transaction that was cancelled for these reasons; `None` where an item was not the cause.
fn cancelled<'a>(codes: impl IntoIterator<Item = &'a str>) -> Answer {
    let reasons: Vec<_> = codes
        .into_iter()
        .map(|code| json!({"Code": code}))
        .collect();
    (
        400,
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": reasons,
        }),
    )
}
