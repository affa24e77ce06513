//! LEAK-7: whoever refuses, the refusal is one line of one form in that function's log group, and
//! the group's metric filters count it: at the gateway's authorizers, at the guards of functions
//! that answer what no authorizer was asked about, and at every endpoint that takes a secret.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use domain::{key_mode::KeyMode, role::Role};
use local::services::Options;
use operator::tenants::Credentials;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE},
    proxy::Fault,
};

use super::{Pattern, all, template};
use crate::{
    credentials::never_issued,
    five_second_bound::BOUND,
    people::Person,
    promises::{
        leak::{Logs, logs},
        trusted_proxy::{Behind, EDGE, PROOF_HEADER},
    },
};

const MANAGEMENT: &str = "ManagementFunction";
const KEYS: &str = "KeysFunction";
const TOKENS: &str = "TokensFunction";
const AUTHORIZER: &str = "ManagementAuthorizerFunction";
const SAMPLE: &str = "SampleAuthorizerFunction";

/// A refusal as it stands in the log: who refuses, what becomes of the call, and why.
type Expected = (&'static str, &'static str, &'static str);

/// Whether an address, a secret or the feed is counted, by the reason.
fn metric(reason: &str) -> Option<&'static str> {
    match reason {
        "ip_not_allowed" | "ip_unknown" => Some("IpNotAllowed"),
        "secret_wrong" => Some("WrongSecrets"),
        "feed_stale" => Some("FeedStale"),
        _ => None,
    }
}

/// The function that decides about a call of this route: HEAD has no authorizer of the gateway's.
fn decider(route: &str) -> &'static str {
    match route {
        "GET /v1/whoami" => SAMPLE,
        "HEAD /api/banks" => MANAGEMENT,
        "HEAD /api/keys" => KEYS,
        _ if route.starts_with("POST /oauth/") || route == "POST /v1/auth/token" => TOKENS,
        _ => AUTHORIZER,
    }
}

/// The metric filters of each log group, and which of them have counted something.
struct Counts {
    groups: BTreeMap<String, String>,
    filters: BTreeMap<String, Value>,
    counted: BTreeSet<String>,
    logs: &'static Logs,
}

impl Counts {
    fn new() -> Self {
        let (template, physical) = template();
        let functions = template.of_kind("AWS::Serverless::Function").unwrap();
        let group = |function: String| {
            let properties = template.properties(&function, &physical).unwrap();
            let group = properties["LoggingConfig"]["LogGroup"].as_str().unwrap();
            (function, group.to_owned())
        };
        Self {
            groups: functions.into_iter().map(group).collect(),
            filters: all("AWS::Logs::MetricFilter"),
            counted: BTreeSet::new(),
            logs: logs(),
        }
    }

    /// The filters that read this function's log group.
    fn of(&self, function: &str) -> impl Iterator<Item = (&String, &Value)> {
        let group = self.groups[function].clone();
        let reads = move |filter: &Value| filter["LogGroupName"] == group.as_str();
        self.filters.iter().filter(move |(_, filter)| reads(filter))
    }

    /// Sends a call and sees its refusal logged once, in the one form, and counted.
    async fn sees(&mut self, call: RequestBuilder, route: &str, refusal: Expected) -> Answer {
        let (function, outcome, reason) = refusal;
        let answer = Answer::of(call).await;
        let id = answer.header("x-amzn-requestid").to_owned();
        let written = String::from_utf8(self.logs.written.bytes()).unwrap();
        let lines: Vec<Value> = written
            .lines()
            .filter(|line| line.contains(&id))
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|line: &Value| line["message"] == "refused")
            .collect();
        let [line] = &lines[..] else {
            panic!("{route} {refusal:?}: {answer:?} {lines:#?}")
        };
        for (member, value) in [
            ("outcome", outcome),
            ("reason", reason),
            ("request_id", &id),
            ("route", route),
            ("target", "web::refusal"),
        ] {
            assert_eq!(line[member], value, "{route} {refusal:?}: {line}");
        }
        assert_eq!(line["spans"][0]["function"], function, "{line}");
        assert_eq!(
            line["source_ip"].is_string(),
            reason != "ip_unknown",
            "{line}"
        );
        let known = reason.starts_with("ip_") || reason == "secret_wrong" || outcome == "denied";
        assert!(!known || line["client_id"].is_string(), "{line}");

        let counting = |(id, filter): (&String, &Value)| {
            let pattern = Pattern::parse(filter["FilterPattern"].as_str().unwrap());
            let name = filter["MetricTransformations"][0]["MetricName"].as_str();
            pattern
                .matches(line)
                .then(|| (id.clone(), name.unwrap().to_owned()))
        };
        let counted: Vec<_> = self.of(function).filter_map(counting).collect();
        let metrics: Vec<&str> = counted.iter().map(|(_, metric)| metric.as_str()).collect();
        let expected: Vec<&str> = metric(reason).into_iter().collect();
        assert_eq!(metrics, expected, "{route} {refusal:?}");
        self.counted.extend(counted.into_iter().map(|(id, _)| id));
        answer
    }
}

fn client(key: &Credentials) -> Value {
    json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": "x",
    })
}

/// The routes at which a bearer credential is decided about, each by another function.
const BEARER: [&str; 5] = [
    "GET /api/banks",
    "GET /v1/whoami",
    "HEAD /api/banks",
    "HEAD /api/keys",
    "POST /oauth/introspect",
];
/// Those that take a client's secret.
const CLIENT: [&str; 3] = [
    "POST /oauth/token",
    "POST /oauth/introspect",
    "POST /oauth/revoke",
];

fn request(caller: &Caller, route: &str) -> RequestBuilder {
    let (method, path) = route.split_once(' ').unwrap();
    caller.request(method.parse().unwrap(), path)
}

fn by_bearer(caller: &Caller, route: &str) -> RequestBuilder {
    let request = request(caller, route);
    if route.starts_with("POST") {
        request.json(&json!({"token": "x"}))
    } else {
        request
    }
}

async fn listed(platform: &Platform) -> (Credentials, Caller) {
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let from = platform.anonymous().from(ALLOWED);
    let answer = platform.request_token(&key, from).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let caller = platform.bearer(token).from(ELSEWHERE);
    (key, caller)
}

async fn addresses(platform: &Platform, counts: &mut Counts) {
    let (key, caller) = listed(platform).await;
    for route in BEARER {
        let refusal = (decider(route), "denied", "ip_not_allowed");
        let answer = counts.sees(by_bearer(&caller, route), route, refusal).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let elsewhere = platform.anonymous().from(ELSEWHERE);
    for route in CLIENT {
        let call = request(&elsewhere, route).json(&client(&key));
        let refusal = (TOKENS, "denied", "ip_not_allowed");
        assert_eq!(counts.sees(call, route, refusal).await.status, 403);
    }
    let route = "POST /v1/auth/token";
    let call = request(&elsewhere, route).json(&json!({"client_secret": key.client_secret}));
    let refusal = (TOKENS, "denied", "ip_not_allowed");
    assert_eq!(counts.sees(call, route, refusal).await.status, 403);
    let route = "POST /api/customer_tokens";
    let call = request(&caller, route).json(&json!({}));
    let refusal = (AUTHORIZER, "denied", "ip_not_allowed");
    assert_eq!(counts.sees(call, route, refusal).await.status, 403);
}

async fn secrets(platform: &Platform, counts: &mut Counts) {
    let owner = &platform.seed.users.owner.secret[8..30];
    let wrong = never_issued(owner, KeyMode::Sandbox);
    let caller = platform.bearer(&wrong);
    for route in BEARER {
        let refusal = (decider(route), "unauthorized", "secret_wrong");
        let answer = counts.sees(by_bearer(&caller, route), route, refusal).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let key = Credentials {
        client_id: platform.seed.bank.key.client_id.clone(),
        client_secret: never_issued(&platform.seed.bank.key.client_id, KeyMode::Sandbox),
    };
    let anybody = platform.anonymous();
    let refusal = (TOKENS, "unauthorized", "secret_wrong");
    for route in CLIENT {
        let call = request(&anybody, route).json(&client(&key));
        assert_eq!(counts.sees(call, route, refusal).await.status, 401);
    }
    let route = "POST /v1/auth/token";
    let call = request(&anybody, route).json(&json!({"client_secret": key.client_secret}));
    assert_eq!(counts.sees(call, route, refusal).await.status, 401);
    // Not used, but asked about: an oracle for whoever guesses, if nobody counted.
    let route = "POST /oauth/introspect";
    let mut asked = client(&platform.seed.bank.key);
    asked["token"] = wrong.into();
    let call = request(&anybody, route).json(&asked);
    let refusal = (TOKENS, "inactive", "secret_wrong");
    assert_eq!(counts.sees(call, route, refusal).await.status, 200);
}

/// What no filter counts has the same form: no credential, and what handlers refuse.
async fn uncounted(platform: &Platform, counts: &mut Counts) {
    let anybody = platform.anonymous();
    for route in ["GET /api/banks", "GET /v1/whoami", "HEAD /api/banks"] {
        let refusal = (decider(route), "unauthorized", "credential_absent");
        let answer = counts.sees(request(&anybody, route), route, refusal).await;
        assert_eq!(answer.status, 401);
    }
    for route in CLIENT {
        let call = request(&anybody, route);
        let call = call.json(&json!({"grant_type": "client_credentials", "client_id": "x"}));
        let refusal = (TOKENS, "unauthorized", "credential_absent");
        assert_eq!(counts.sees(call, route, refusal).await.status, 401);
    }
    let (key, other) = (&platform.seed.bank.key, &platform.seed.organization.key);
    let mut mixed = client(key);
    mixed["client_id"] = other.client_id.clone().into();
    let route = "POST /oauth/token";
    let call = request(&anybody, route).json(&mixed);
    let refusal = (TOKENS, "unauthorized", "secret_of_other_client");
    assert_eq!(counts.sees(call, route, refusal).await.status, 401);

    let narrow = platform
        .bank_key(json!({"scopes": ["customers:read"]}))
        .await;
    let caller = platform.bearer(&platform.token(&narrow).await);
    let route = "POST /api/customer_tokens";
    let call = request(&caller, route).json(&json!({}));
    let refusal = (TOKENS, "denied", "insufficient_scope");
    assert_eq!(counts.sees(call, route, refusal).await.status, 403);

    let mut foreign = client(key);
    let token = platform.token(other).await;
    foreign["token"] = token.into();
    let route = "POST /oauth/revoke";
    let call = request(&anybody, route).json(&foreign);
    let refusal = (TOKENS, "denied", "unauthorized_client");
    assert_eq!(counts.sees(call, route, refusal).await.status, 400);

    let admin = Person::new(platform, Role::Admin).await;
    let path = format!("/api/users/{}", platform.seed.users.owner.guid);
    let call = admin.caller.request(Method::DELETE, &path);
    let refusal = (MANAGEMENT, "denied", "forbidden");
    let answer = counts.sees(call, "DELETE /api/users/{guid}", refusal).await;
    answer.assert_error(403, "forbidden");
}

/// Nobody can read the feed, and each door says so by itself (CBM-4).
async fn stale_feeds(counts: &mut Counts) {
    let of_tables = "AWS_ENDPOINT_URL_DYNAMODB";
    let (platform, tables) = Platform::behind_proxy(of_tables, Options::default()).await;
    platform.stop_clock();
    let caller = platform.organization().await;
    // Each guard knows the signing keys by now.
    for route in BEARER {
        let answer = Answer::of(by_bearer(&caller, route)).await;
        assert_eq!(answer.status, 200, "{route}: {answer:?}");
    }
    tables.set(Fault::LoseRequest);
    platform.advance(BOUND);
    for route in BEARER {
        let refusal = (decider(route), "unavailable", "feed_stale");
        let answer = counts.sees(by_bearer(&caller, route), route, refusal).await;
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    platform.stack.stop().await.ok();
}

/// Whoever sends the proof of a trusted proxy wrong hides where they call from, and is counted all
/// the same.
async fn hidden_addresses(counts: &mut Counts) {
    let behind = Behind::start().await;
    let (key, token) = behind.listed_key().await;
    let proxy = behind.platform.anonymous().from(EDGE);
    let caller = proxy.clone().with_token(&token);
    let wrong = "a-proof-that-is-none".repeat(2);
    for route in BEARER {
        let call = by_bearer(&caller, route).header(PROOF_HEADER, &wrong);
        let refusal = (decider(route), "denied", "ip_unknown");
        let answer = counts.sees(call, route, refusal).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    for route in CLIENT {
        let call = request(&proxy, route).json(&client(&key));
        let refusal = (TOKENS, "denied", "ip_unknown");
        let call = call.header(PROOF_HEADER, &wrong);
        assert_eq!(counts.sees(call, route, refusal).await.status, 403);
    }
    behind.platform.stop().await;
}

#[tokio::test]
async fn leak_7_every_refusal_at_every_door_is_one_line_that_is_counted() {
    let mut counts = Counts::new();
    let platform = Platform::start().await;
    addresses(&platform, &mut counts).await;
    secrets(&platform, &mut counts).await;
    uncounted(&platform, &mut counts).await;
    platform.stop().await;
    stale_feeds(&mut counts).await;
    hidden_addresses(&mut counts).await;

    let reads_refusals = |filter: &Value| {
        let pattern = filter["FilterPattern"].as_str().unwrap();
        pattern.contains(r#"$.message = "refused""#)
    };
    let silent: Vec<_> = counts
        .filters
        .iter()
        .filter(|(id, filter)| reads_refusals(filter) && !counts.counted.contains(*id))
        .map(|(id, _)| id)
        .collect();
    assert!(silent.is_empty(), "no refusal was counted by {silent:?}");
}

/// LEAK-7: a function that has a guard may refuse for any of its reasons, so its log group has
/// every filter; who adds a function, or another guard, need not remember.
#[test]
fn leak_7_every_function_with_a_guard_has_the_filters() {
    let counts = Counts::new();
    let (template, physical) = template();
    let description = template.resolve(&physical).unwrap();
    let mut guarding = 0;
    for (name, function) in &description.functions {
        let manifest = format!(
            "{}/../functions/{}/Cargo.toml",
            env!("CARGO_MANIFEST_DIR"),
            function.binary
        );
        let manifest = fs::read_to_string(manifest).unwrap();
        if !manifest.contains("\nguard.workspace = true\n") {
            continue;
        }
        guarding += 1;
        let metrics: BTreeSet<&str> = counts
            .of(name)
            .filter_map(|(_, filter)| filter["MetricTransformations"][0]["MetricName"].as_str())
            .collect();
        for metric in ["FeedStale", "IpNotAllowed", "WrongSecrets"] {
            assert!(metrics.contains(metric), "{name} {metric}: {metrics:?}");
        }
    }
    assert_eq!(guarding, 5);
}
