//! What `docs/cost.md` says a call and a token cost: its sums are those of `docs/cost.csv`, and what the code asks of AWS for each is
//! counted here, between the functions and the embedded services.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Request, Response},
};
use latchkey::{
    cloud::Ports,
    stack::{Options, TEMPLATE},
};
use serde_json::{Value, json};
use tests::{Caller, Platform};

const WHOAMI: &str = "/v1/whoami";

/// How often each operation was asked for.
type Counts = BTreeMap<String, usize>;

/// A service with a counter in front of it.
#[derive(Clone)]
struct Meter {
    service: SocketAddr,
    http: reqwest::Client,
    counts: Arc<Mutex<Counts>>,
}

impl Meter {
    /// Counts what goes to `service`, under the address that it answers with.
    async fn before(service: SocketAddr, counts: Arc<Mutex<Counts>>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let meter = Self { service, http: reqwest::Client::new(), counts };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass).with_state(meter)).await });
        format!("http://{address}")
    }
}

async fn pass(State(meter): State<Meter>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit_once('.').map_or(target, |(_, operation)| operation).to_owned();
    // A batch is as many reads as it names keys.
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let items = request["RequestItems"].as_object().into_iter().flat_map(|tables| tables.values());
    let keys = items.map(|table| table["Keys"].as_array().map_or(0, Vec::len)).sum::<usize>().max(1);
    *meter.counts.lock().unwrap().entry(operation).or_default() += keys;
    // With the host that the caller signed.
    let url = format!("http://{}{}", meter.service, parts.uri);
    let sent = meter.http.request(parts.method, url).headers(parts.headers).body(body);
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
        let port = || std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let ports = Ports { dynamodb: port(), api: port() };
        let (counts, local) = (Arc::default(), |port: u16| SocketAddr::from(([127, 0, 0, 1], port)));
        let endpoints = BTreeMap::from([
            ("AWS_ENDPOINT_URL_DYNAMODB".to_owned(), Meter::before(local(ports.dynamodb), Arc::clone(&counts)).await),
            ("AWS_ENDPOINT_URL".to_owned(), Meter::before(local(ports.api), Arc::clone(&counts)).await),
        ]);
        let platform = Platform::with(Options { service_ports: ports, endpoints, ..Options::default() }).await;
        Self { platform, counts, api: local(ports.api) }
    }

    /// What ten calls ask for, each `after` the one before.
    async fn ten(&self, after: Duration, call: impl AsyncFn()) -> Counts {
        self.platform.stack.settle().await.unwrap();
        self.counts.lock().unwrap().clear();
        for _ in 0..10 {
            self.platform.advance(after);
            call().await;
        }
        self.counts.lock().unwrap().clone()
    }
}

async fn ok(caller: &Caller) {
    assert_eq!(caller.get(WHOAMI).await.status, 200);
}

fn counts(expected: &[(&str, usize)]) -> Counts {
    expected.iter().map(|(operation, count)| ((*operation).to_owned(), *count)).collect()
}

/// A guarded call by a token costs one read of the feed, and not even that within a second of the last one; by a personal key it
/// costs the same, and each minute the reads of the key.
#[tokio::test]
async fn a_guarded_call_costs_at_most_one_read() {
    let metered = Metered::start().await;
    let caller = metered.platform.bank().await;
    ok(&caller).await;
    let apart = metered.ten(Duration::from_millis(1100), async || ok(&caller).await).await;
    assert_eq!(apart, counts(&[("Query", 10)]));
    let together = metered.ten(Duration::ZERO, async || ok(&caller).await).await;
    assert!(together.values().sum::<usize>() <= 3, "{together:?}");

    let developer = metered.platform.developer();
    ok(&developer).await;
    let apart = metered.ten(Duration::from_millis(1100), async || ok(&developer).await).await;
    assert_eq!(apart, counts(&[("Query", 10)]));
}

/// A token costs its reads and one signature.
#[tokio::test]
async fn a_token_costs_three_reads_and_one_signature() {
    let metered = Metered::start().await;
    let key = &metered.platform.seed.bank.key;
    metered.platform.token(key).await;
    let tokens = metered.ten(Duration::from_millis(1100), async || drop(metered.platform.token(key).await)).await;
    let reads: usize = ["GetItem", "BatchGetItem", "Query"].iter().filter_map(|operation| tokens.get(*operation)).sum();
    assert_eq!(tokens.get("Sign"), Some(&10), "{tokens:?}");
    let told = count(&rows(), "token", "DynamoDB reads") / 1e6;
    assert_eq!(plain(told), plain(f64::from(u32::try_from(reads).unwrap()) / 10.0), "{tokens:?}");
    assert!(!tokens.keys().any(|operation| operation.contains("Put") || operation.contains("Update")), "{tokens:?}");
}

/// A line of the stage's access log.
#[tokio::test]
async fn a_call_leaves_an_access_log_line_of_this_length() {
    let metered = Metered::start().await;
    let caller = metered.platform.bank().await;
    ok(&caller).await;
    let group = metered.platform.stack.services().operator()["LATCHKEY_ACCESS_LOGS"].clone();
    let request = json!({"logGroupName": group});
    let authorization = "AWS4-HMAC-SHA256 Credential=local/20300101/eu-west-1/logs/aws4_request, SignedHeaders=host, Signature=0";
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
    let lines = answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap());
    let longest = lines.filter(|line| line.contains(WHOAMI)).map(str::len).max().unwrap();
    // AWS's identifiers of calls and keys are longer than those here, in sum by less than a hundred characters.
    assert!((600..=900).contains(&longest), "{longest} bytes: docs/cost.csv counts with 900");
}

/// A row of `docs/cost.csv`.
struct Row {
    table: String,
    item: String,
    /// How many: numbers with `*` between them.
    count: String,
    price: f64,
    per: f64,
    because: String,
}

fn document(name: &str) -> String {
    fs::read_to_string(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn rows() -> Vec<Row> {
    let csv = document("cost.csv");
    let records = csv::Reader::from_reader(csv.as_bytes()).into_records().map(Result::unwrap);
    let row = |record: csv::StringRecord| {
        let text = |column: usize| record[column].to_owned();
        let number = |column: usize| record[column].parse().unwrap_or_else(|_| panic!("{record:?}"));
        Row { table: text(0), item: text(1), count: text(2), price: number(3), per: number(4), because: text(5) }
    };
    records.map(row).collect()
}

impl Row {
    fn count(&self) -> f64 {
        self.count.split('*').map(|factor| factor.trim().parse::<f64>().unwrap_or_else(|_| panic!("{}", self.count))).product()
    }

    fn cost(&self) -> f64 {
        self.count() * self.price / self.per
    }
}

fn count(rows: &[Row], table: &str, item: &str) -> f64 {
    let mut found = rows.iter().filter(|row| row.table == table && row.item == item);
    found.next().unwrap_or_else(|| panic!("no {item} of {table}")).count()
}

/// A number as people write it.
fn plain(number: f64) -> String {
    // Without what floating point adds at the far end.
    let number = (number * 1e10).round() / 1e10;
    let text = if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number}") };
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &rest
}

fn rendered(rows: &[Row], table: &str) -> String {
    let mut text = String::from("| what | how many | price | costs | because |\n|---|---|---|---|---|\n");
    let (mut sum, mut options) = (0.0, 0.0);
    for row in rows.iter().filter(|row| row.table.trim_end_matches('?') == table) {
        let is_option = row.table.ends_with('?');
        *(if is_option { &mut options } else { &mut sum }) += row.cost();
        let per = if plain(row.per) == "1" { String::new() } else { format!(" per {}", plain(row.per)) };
        let factors = row.count.split('*').map(|factor| plain(factor.trim().parse().unwrap())).collect::<Vec<_>>();
        let arithmetic = if factors.len() > 1 { format!("{} = ", factors.join(" × ")) } else { String::new() };
        let item = if is_option { format!("*option:* {}", row.item) } else { row.item.clone() };
        let (count, price, cost, because) = (plain(row.count()), row.price, row.cost(), &row.because);
        writeln!(text, "| {item} | {arithmetic}{count} | ${price}{per} | ${cost:.2} | {because} |").unwrap();
    }
    writeln!(text, "| **sum** | | | **${sum:.2}** | |").unwrap();
    if options > 0.0 {
        writeln!(text, "| with every option | | | ${:.2} | |", sum + options).unwrap();
    }
    text
}

/// The tables of the document are those that follow from its inputs.
#[test]
fn the_sums_are_right() {
    let (rows, mut text) = (rows(), document("cost.md"));
    for table in ["call", "token", "month"] {
        let (begin, end) = (format!("<!-- {table} -->\n"), format!("<!-- /{table} -->\n"));
        let from = text.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
        let to = text.find(&end).unwrap_or_else(|| panic!("no {end}"));
        text.replace_range(from..to, &rendered(&rows, table));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(format!("{}/../docs/cost.md", env!("CARGO_MANIFEST_DIR")), &text).unwrap();
    }
    assert!(text == document("cost.md"), "docs/cost.md is another: run this test with UPDATE_DOCS=1 set");
}

/// What the inputs take from the template.
#[test]
fn the_memory_and_the_kinds_of_things_are_the_templates() {
    assert!(TEMPLATE.contains("MemorySize: 512"));
    let rows = rows();
    let resources = |kind: &str| TEMPLATE.split(&format!("\n    Type: {kind}\n")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    let month = |item: &str| {
        let ours = rows.iter().filter(|row| row.table.starts_with("month") && row.item.starts_with(item));
        plain(ours.map(Row::count).sum())
    };
    let number = |count: usize| plain(f64::from(u32::try_from(count).unwrap()));
    assert_eq!(month("KMS keys"), number(resources("AWS::KMS::Key").len()));
    assert_eq!(month("secrets"), number(resources("AWS::SecretsManager::Secret").len()));
    assert_eq!(month("custom metrics"), number(resources("AWS::Logs::MetricFilter").len()));
    assert_eq!(month("dashboard"), number(resources("AWS::CloudWatch::Dashboard").len()));
    // Each is billed by the metrics that it looks at.
    let metrics = |alarm: &String| alarm.split("\n    Type: ").next().unwrap_or_default().matches("MetricStat:").count().max(1);
    let alarms = resources("AWS::CloudWatch::Alarm");
    // Those of the canary exist only with it.
    let (optional, always): (Vec<_>, Vec<_>) = alarms.iter().partition(|alarm| alarm.starts_with("    Condition: RunsCanary\n"));
    let told = |table: &str, alarms: &[&String]| {
        let mut ours = rows.iter().filter(|row| row.table == table && row.item.starts_with("metrics of alarms"));
        let row = ours.next().unwrap_or_else(|| panic!("no metrics of alarms of {table}"));
        assert_eq!(plain(row.count()), number(alarms.iter().copied().map(metrics).sum()));
        assert!(row.because.starts_with(&format!("{} alarms", alarms.len())), "{}", row.because);
    };
    told("month", &always);
    told("month?", &optional);
}
