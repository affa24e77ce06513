//! How long an instance goes by the signer that it read, where it cannot be read again. The table
//! is faked at the SDK's connector.

use std::sync::{
    Arc, Mutex as Held,
    atomic::{AtomicI64, Ordering},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use domain::{ids::Guid, time::Timestamp};
use serde_json::{Value, json};
use store::Tables;

use super::*;

/// A table that names a signer, or does not answer.
#[derive(Clone, Debug, Default)]
struct FakeAws {
    /// Nothing while it is down.
    signer: Arc<Held<Option<String>>>,
    reads: Arc<AtomicI64>,
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        assert_eq!(
            (&body["Key"]["PK"]["S"], &body["Key"]["SK"]["S"]),
            (&json!("P#signer"), &json!("sandbox")),
            "{body}"
        );
        assert_eq!(body["ConsistentRead"], true);
        self.reads.fetch_add(1, Ordering::SeqCst);
        let (status, answer) = match &*self.signer.lock().unwrap() {
            None => (400, json!({"__type": "AccessDeniedException"})),
            Some(kid) => (
                200,
                json!({
                    "Item": {
                        "kid": {"S": kid},
                        "since": {"S": "2026-11-23T00:00:00.000Z"},
                        "PK": {"S": "P#signer"},
                    },
                }),
            ),
        };
        HttpConnectorFuture::ready(Ok(HttpResponse::new(
            status.try_into().unwrap(),
            SdkBody::from(answer.to_string()),
        )))
    }
}

struct Scene {
    signer: Signer,
    store: Store,
    table: FakeAws,
    now: Arc<AtomicI64>,
}

impl Scene {
    fn new() -> Self {
        let table = FakeAws::default();
        let connector = SharedHttpConnector::new(table.clone());
        let aws = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "a", "b", None, None, "test",
            )))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let time = now.clone();
        let clock: Clock = Arc::new(move || Timestamp::from_millis(time.load(Ordering::SeqCst)));
        let tables = Tables {
            core: "core".into(),
            feed: "feed".into(),
            audit: "audit".into(),
        };
        let store = Store::new(&aws, tables, clock.clone(), || Guid::PLATFORM);
        let signer = Signer::new(client(&aws), KeyMode::Sandbox, clock, &["key".to_owned()]);
        Self {
            signer,
            store,
            table,
            now,
        }
    }

    fn names(&self, kid: Option<&str>) {
        *self.table.signer.lock().unwrap() = kid.map(str::to_owned);
    }

    fn advance(&self, by: Duration) {
        self.now
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    async fn chosen(&self) -> Option<String> {
        let chosen = self.signer.choose(&self.store).await;
        chosen.ok().map(|kid| kid.0.clone())
    }

    /// Reads since this was asked last.
    fn reads(&self) -> i64 {
        self.table.reads.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test]
async fn tokens_cost_one_reading_a_minute() {
    let scene = Scene::new();
    scene.names(Some("old"));
    for _ in 0..3 {
        assert_eq!(scene.chosen().await.as_deref(), Some("old"));
    }
    assert_eq!(scene.reads(), 1);
    scene.names(Some("new"));
    scene.advance(SIGNER_REFRESH_INTERVAL.saturating_sub(Duration::from_millis(1)));
    assert_eq!(
        (scene.chosen().await.as_deref(), scene.reads()),
        (Some("old"), 0)
    );
    scene.advance(Duration::from_millis(1));
    assert_eq!(
        (scene.chosen().await.as_deref(), scene.reads()),
        (Some("new"), 1)
    );
}

/// An outage of less than five minutes does not show, and costs each token at most one try every
/// three seconds; after that to sign would be wrong, since `retire` does not wait for longer.
#[tokio::test]
async fn a_signer_that_cannot_be_read_again_signs_for_five_minutes() {
    let scene = Scene::new();
    scene.names(Some("old"));
    scene.signer.begin(&scene.store).await.unwrap();
    scene.reads();
    scene.names(None);
    scene.advance(SIGNER_REFRESH_INTERVAL);
    assert_eq!(
        (scene.chosen().await.as_deref(), scene.reads()),
        (Some("old"), 1)
    );
    assert_eq!(
        (scene.chosen().await.as_deref(), scene.reads()),
        (Some("old"), 0),
        "no further try within three seconds"
    );
    scene.advance(LIFETIME.retry_after);
    assert_eq!(
        (scene.chosen().await.as_deref(), scene.reads()),
        (Some("old"), 1)
    );
    scene.advance(
        SIGNER_TTL.saturating_sub(
            SIGNER_REFRESH_INTERVAL + LIFETIME.retry_after + Duration::from_millis(1),
        ),
    );
    assert_eq!(scene.chosen().await.as_deref(), Some("old"));
    scene.advance(Duration::from_millis(1));
    assert_eq!(scene.chosen().await, None);
    assert_eq!(
        scene.chosen().await,
        None,
        "and does not begin again by itself"
    );
    scene.names(Some("new"));
    assert_eq!(
        scene.chosen().await.as_deref(),
        Some("new"),
        "the first answer mends it"
    );
}

#[tokio::test]
async fn a_clock_that_went_back_has_the_signer_read_again() {
    let scene = Scene::new();
    scene.names(Some("old"));
    assert_eq!(scene.chosen().await.as_deref(), Some("old"));
    scene.names(None);
    scene.now.fetch_sub(1, Ordering::SeqCst);
    assert_eq!(scene.chosen().await, None);
}
