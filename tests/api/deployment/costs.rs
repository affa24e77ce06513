//! The calls to AWS services that `docs/cost.md` states for a guarded call and for a token are
//! those that the platform makes. A proxy counts them between the functions and the embedded
//! services.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use emulator::cloud::Cloud;
use local::services::{Options, TEMPLATE};
use serde_json::{Value, json};
use tests::{
    Caller, Platform,
    caller::SHORTEST_TIMEOUT,
    proxy::{Fault, Proxy},
};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md"));
const WHOAMI: &str = "/v1/whoami";

/// How often each operation was asked for.
type Counts = BTreeMap<String, usize>;

struct Metered {
    platform: Platform,
    /// One of the tables and one of the other services.
    proxies: [Proxy; 2],
    api: SocketAddr,
}

impl Metered {
    async fn start() -> Self {
        let tables = Proxy::start().await;
        let others = tables.beside().await;
        let endpoints = [
            ("AWS_ENDPOINT_URL_DYNAMODB", &tables),
            ("AWS_ENDPOINT_URL", &others),
        ];
        let endpoints = endpoints
            .map(|(name, proxy)| (name.to_owned(), proxy.url().to_owned()))
            .into();
        let (to_tables, to_others) = (tables.forward(), others.forward());
        let listening = move |cloud: &Cloud| {
            to_tables(cloud.dynamodb_address());
            to_others(cloud.api_address());
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
            proxies: [tables, others],
            api,
        }
    }

    /// How often each operation was asked for since the proxies were last set. A batch is as many
    /// reads as it names keys.
    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for request in self.proxies[0].requests() {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let tables = body["RequestItems"]
                .as_object()
                .into_iter()
                .flat_map(|tables| tables.values());
            let keys = tables
                .map(|table| table["Keys"].as_array().map_or(0, Vec::len))
                .sum::<usize>()
                .max(1);
            *counts.entry(request.operation).or_default() += keys;
        }
        counts
    }

    /// What ten calls ask for, each `after` the one before. They are made again where the machine
    /// was so slow with one of them that something may have been asked for twice.
    async fn ten(&self, after: Duration, call: impl AsyncFn()) -> Counts {
        for _ in 0..20 {
            self.platform.drain().await;
            self.proxies[0].set(Fault::None);
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
                return self.counts();
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
    // A metric is billed once, however many filters count it.
    let named = |filter: &String| {
        let (_, name) = filter.split_once("MetricName: ").unwrap();
        name.split(',').next().unwrap().to_owned()
    };
    let metrics: BTreeSet<String> = resources("AWS::Logs::MetricFilter")
        .iter()
        .map(named)
        .collect();
    assert_eq!(metrics.len(), stated("custom metrics"), "{metrics:?}");
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

/// Calls to `DynamoDB` that one request makes one after another, but for the count of the budget:
/// what belongs together is read in one batch.
async fn sequential_calls(metered: &Metered, request: impl AsyncFn()) -> usize {
    // On a busy machine a call may take longer, and then holds what was sent again.
    for _ in 0..500 {
        metered.platform.drain().await;
        metered.proxies[0].set(Fault::None);
        #[expect(
            clippy::disallowed_methods,
            reason = "how long the machine took is real time"
        )]
        let begun = Instant::now();
        request().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "how long the machine took is real time"
        )]
        let took = begun.elapsed();
        if took >= SHORTEST_TIMEOUT {
            continue;
        }
        let requests = metered.proxies[0].requests();
        let texts = requests
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body));
        // The links of the trail are made by another function, in another table.
        return texts
            .filter(|body| body.contains("CoreTable") && !body.contains("\"B#"))
            .count();
    }
    panic!("no request of less than {SHORTEST_TIMEOUT:?}")
}

#[tokio::test]
async fn a_rotation_makes_at_most_four_calls_and_a_revocation_three() {
    let metered = Metered::start().await;
    let platform = &metered.platform;
    let (machine, owner) = (platform.organization().await, platform.owner());
    // What an instance remembers of a caller it has read by then.
    for caller in [&machine, &owner] {
        assert_eq!(caller.get("/api/keys").await.status, 200);
    }
    for caller in [&machine, &owner] {
        for (verb, most) in [("rotate", 4), ("revoke", 3)] {
            let calls = sequential_calls(&metered, async || {
                let key = platform.bank_key(json!({})).await;
                metered.proxies[0].set(Fault::None);
                let path = format!("/api/keys/{}/{verb}", key.client_id);
                let answer = caller.post(&path, &json!({})).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            })
            .await;
            assert!((1..=most).contains(&calls), "{verb}: {calls} calls");
        }
    }
}
