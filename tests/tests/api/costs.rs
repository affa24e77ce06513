//! The calls to AWS services that `docs/cost.md` states for a guarded call and for a token are
//! those that the platform makes. A proxy counts them between the functions and the embedded
//! services.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Request, Response},
};
use emulator::cloud::Cloud;
use local::services::{Options, TEMPLATE};
use serde_json::{Value, json};
use tests::{Caller, Platform, caller::SHORTEST_TIMEOUT};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md"));
const WHOAMI: &str = "/v1/whoami";

/// How often each operation was asked for.
type Counts = BTreeMap<String, usize>;

/// A service with a counter in front of it.
#[derive(Clone)]
struct Meter {
    /// Known once it listens, before anything calls it.
    service: Arc<OnceLock<SocketAddr>>,
    http: reqwest::Client,
    counts: Arc<Mutex<Counts>>,
}

impl Meter {
    /// Counts what goes to `service`, under the address that it answers with.
    async fn before(service: Arc<OnceLock<SocketAddr>>, counts: Arc<Mutex<Counts>>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let meter = Self {
            service,
            http: reqwest::Client::new(),
            counts,
        };
        tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(pass).with_state(meter)).await
        });
        format!("http://{address}")
    }
}

async fn pass(State(meter): State<Meter>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let operation = target
        .rsplit_once('.')
        .map_or(target, |(_, operation)| operation)
        .to_owned();
    // A batch is as many reads as it names keys.
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let items = request["RequestItems"]
        .as_object()
        .into_iter()
        .flat_map(|tables| tables.values());
    let keys = items
        .map(|table| table["Keys"].as_array().map_or(0, Vec::len))
        .sum::<usize>()
        .max(1);
    *meter.counts.lock().unwrap().entry(operation).or_default() += keys;
    // With the host that the caller signed.
    let url = format!("http://{}{}", meter.service.get().unwrap(), parts.uri);
    let sent = meter
        .http
        .request(parts.method, url)
        .headers(parts.headers)
        .body(body);
    let answer = sent.send().await.unwrap();
    let (status, headers): (_, HeaderMap) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

struct Metered {
    platform: Platform,
    counts: Arc<Mutex<Counts>>,
    api: SocketAddr,
}

impl Metered {
    async fn start() -> Self {
        let (counts, tables, others) = (Arc::default(), Arc::default(), Arc::default());
        let endpoints = BTreeMap::from([
            (
                "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
                Meter::before(Arc::clone(&tables), Arc::clone(&counts)).await,
            ),
            (
                "AWS_ENDPOINT_URL".to_owned(),
                Meter::before(Arc::clone(&others), Arc::clone(&counts)).await,
            ),
        ]);
        let listening = move |cloud: &Cloud| {
            tables.set(cloud.dynamodb_address()).unwrap();
            others.set(cloud.api_address()).unwrap();
        };
        let options = Options {
            endpoints,
            listening: Some(Box::new(listening)),
            ..Options::default()
        };
        let platform = Platform::with(options).await;
        platform.stop_clock();
        let api = platform.stack.services().cloud().api_address();
        Self {
            platform,
            counts,
            api,
        }
    }

    /// What ten calls ask for, each `after` the one before. They are made again where the machine
    /// was so slow with one of them that something may have been asked for twice.
    async fn ten(&self, after: Duration, call: impl AsyncFn()) -> Counts {
        for _ in 0..20 {
            self.platform.drain().await;
            self.counts.lock().unwrap().clear();
            let mut longest = Duration::ZERO;
            for _ in 0..10 {
                self.platform.advance(after);
                #[expect(
                    clippy::disallowed_methods,
                    reason = "how long the machine took is real time"
                )]
                let begun = Instant::now();
                call().await;
                #[expect(
                    clippy::disallowed_methods,
                    reason = "how long the machine took is real time"
                )]
                let took = begun.elapsed();
                longest = longest.max(took);
            }
            if longest < SHORTEST_TIMEOUT {
                return self.counts.lock().unwrap().clone();
            }
        }
        panic!("no ten calls of less than {SHORTEST_TIMEOUT:?} each")
    }
}

async fn ok(caller: &Caller) {
    assert_eq!(caller.get(WHOAMI).await.status, 200);
}

fn counts(expected: &[(&str, usize)]) -> Counts {
    expected
        .iter()
        .map(|(operation, count)| ((*operation).to_owned(), *count))
        .collect()
}

/// The row of the page that begins with this, without it.
fn row(item: &str) -> &'static str {
    let start = format!("| {item} | ");
    PAGE.lines()
        .find_map(|line| line.strip_prefix(&start))
        .unwrap_or_else(|| panic!("docs/cost.md has no row `{item}`"))
}

/// The count in the second column of that row.
fn stated(item: &str) -> usize {
    let number = row(item).split(' ').next().unwrap_or_default();
    number
        .parse()
        .unwrap_or_else(|_| panic!("docs/cost.md, `{item}`: `{number}` is not a count"))
}

/// An authorizer reads the feed again when its last read is older than a second. Calls within a
/// second share a read. A personal key is also read once a minute, which this test does not reach.
#[tokio::test]
async fn a_guarded_call_costs_at_most_one_read() {
    let metered = Metered::start().await;
    let caller = metered.platform.bank().await;
    ok(&caller).await;
    let apart = metered
        .ten(Duration::from_millis(1100), async || ok(&caller).await)
        .await;
    assert_eq!(
        apart,
        counts(&[(
            "Query",
            10 * stated("DynamoDB reads of a guarded call with an access token")
        )])
    );
    let together = metered
        .ten(Duration::ZERO, async || ok(&caller).await)
        .await;
    assert_eq!(together, Counts::new());

    let developer = metered.platform.developer();
    ok(&developer).await;
    let apart = metered
        .ten(Duration::from_millis(1100), async || ok(&developer).await)
        .await;
    let reads = stated(
        "DynamoDB reads of a guarded call with a personal key that was read within the last minute",
    );
    assert_eq!(apart, counts(&[("Query", 10 * reads)]));
}

#[tokio::test]
async fn a_token_costs_three_reads_and_one_signature() {
    let metered = Metered::start().await;
    let key = &metered.platform.seed.bank.key;
    metered.platform.token(key).await;
    let tokens = metered
        .ten(Duration::from_millis(1100), async || {
            drop(metered.platform.token(key).await);
        })
        .await;
    let reads: usize = ["GetItem", "BatchGetItem", "Query"]
        .iter()
        .filter_map(|operation| tokens.get(*operation))
        .sum();
    assert_eq!(
        reads,
        10 * stated("DynamoDB reads of a token"),
        "{tokens:?}"
    );
    assert_eq!(
        tokens.get("Sign"),
        Some(&(10 * stated("KMS signatures of a token"))),
        "{tokens:?}"
    );
    assert!(
        !tokens
            .keys()
            .any(|operation| operation.contains("Put") || operation.contains("Update")),
        "{tokens:?}"
    );
}

#[tokio::test]
async fn a_call_leaves_an_access_log_line_of_this_length() {
    let metered = Metered::start().await;
    let caller = metered.platform.bank().await;
    ok(&caller).await;
    let group = metered.platform.stack.services().operator()["LATCHKEY_ACCESS_LOGS"].clone();
    let request = json!({"logGroupName": group});
    let authorization = "AWS4-HMAC-SHA256 Credential=local/20300101/eu-west-1/logs/aws4_request, \
                         SignedHeaders=host, Signature=0";
    let answer: Value = reqwest::Client::new()
        .post(format!("http://{}", metered.api))
        .header("x-amz-target", "Logs_20140328.FilterLogEvents")
        .header("authorization", authorization)
        .json(&request)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let lines = answer["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["message"].as_str().unwrap());
    let longest = lines
        .filter(|line| line.contains(WHOAMI))
        .map(str::len)
        .max()
        .unwrap();
    // The identifiers of calls and keys are longer on AWS, by less than a hundred characters in
    // total.
    assert!(
        (600..=stated("bytes of an access log line")).contains(&longest),
        "{longest} bytes"
    );
}

/// The numbers of resources that the page prices are those of the template.
#[test]
fn the_memory_and_the_kinds_of_things_are_the_templates() {
    assert!(TEMPLATE.contains("MemorySize: 512"));
    let resources = |kind: &str| {
        TEMPLATE
            .split(&format!("\n    Type: {kind}\n"))
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let optional_keys = [
        "*option:* KMS keys while both kinds are rolled",
        "*option:* KMS keys of the alarms' own topic",
    ];
    let keys = stated("KMS keys") + optional_keys.into_iter().map(stated).sum::<usize>();
    assert_eq!(resources("AWS::KMS::Key").len(), keys);
    assert_eq!(
        resources("AWS::SecretsManager::Secret").len(),
        stated("secrets")
    );
    assert_eq!(
        resources("AWS::Logs::MetricFilter").len(),
        stated("custom metrics")
    );
    assert_eq!(
        resources("AWS::CloudWatch::Dashboard").len(),
        stated("dashboard")
    );
    // An alarm is billed for each metric that it reads.
    let metrics = |alarm: &String| {
        alarm
            .split("\n    Type: ")
            .next()
            .unwrap_or_default()
            .matches("MetricStat:")
            .count()
            .max(1)
    };
    let alarms = resources("AWS::CloudWatch::Alarm");
    let (optional, always): (Vec<_>, Vec<_>) = alarms
        .iter()
        .partition(|alarm| alarm.starts_with("    Condition: RunsCanary\n"));
    for (item, alarms) in [
        ("metrics of alarms", always),
        ("*option:* metrics of alarms of the canary", optional),
    ] {
        assert_eq!(
            alarms.iter().copied().map(metrics).sum::<usize>(),
            stated(item),
            "{item}"
        );
        assert!(
            row(item).contains(&format!(" | {} alarms", alarms.len())),
            "{item}: {} alarms",
            alarms.len()
        );
    }
}
