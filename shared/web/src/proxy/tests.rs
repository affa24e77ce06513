//! The proxy over a Secrets Manager of the test's own, which counts how often it is asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::post};
use domain::time::Timestamp;
use serde_json::{Value, json};

use runtime::Entropy;

use super::*;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:proxy-AbCdEf";
const PEER: &str = "130.176.0.1";
const VIEWER: &str = "8.8.8.8:46532";

fn proof(byte: char) -> String {
    byte.to_string().repeat(40)
}

struct World {
    proxy: TrustedProxy,
    /// What the secret holds; nothing when it cannot be read.
    secret: Arc<Mutex<Option<Value>>>,
    reads: Arc<AtomicUsize>,
    ahead: Arc<AtomicI64>,
}

impl World {
    async fn new(secret: Option<Value>) -> Self {
        let (secret, reads, ahead) = (Arc::new(Mutex::new(secret)), Arc::default(), Arc::new(AtomicI64::new(1_900_000_000_000)));
        let (held, counted, now): (_, Arc<AtomicUsize>, _) = (Arc::clone(&secret), Arc::clone(&reads), Arc::clone(&ahead));
        let answer = async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let held = held.lock().unwrap();
            let readable =
                held.as_ref().map(|value| Json(json!({"ARN": ARN, "SecretString": value.to_string()})).into_response());
            let refused = || (StatusCode::BAD_REQUEST, Json(json!({"__type": "AccessDeniedException"}))).into_response();
            readable.unwrap_or_else(refused)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
        let aws = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
            .endpoint_url(format!("http://{address}"))
            .build();
        let clock: domain::time::Clock = Arc::new(move || Timestamp::from_millis(now.load(Ordering::SeqCst)));
        let edge = Edge { clock, entropy: Entropy::from_fn(|bytes| bytes.fill(1)), aws };
        let proxy = TrustedProxy::read(&env(&[]), &edge).unwrap().unwrap();
        Self { proxy, secret, reads, ahead }
    }

    /// Whose secret has one proof, and has been read.
    async fn warm() -> Self {
        let world = Self::new(Some(json!({"current": proof('a')}))).await;
        world.proxy.warm().await;
        assert_eq!(world.reads(), 1);
        world
    }

    fn hold(&self, secret: Option<Value>) {
        *self.secret.lock().unwrap() = secret;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn advance(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    async fn judge(&self, mut event: Value) -> (Judged, Value) {
        let judged = self.proxy.settle(&mut event).await;
        (judged, event)
    }

    async fn by_proof(&self, proof: &str) -> Judged {
        self.judge(event(&[("X-Proof", proof), ("CloudFront-Viewer-Address", VIEWER)])).await.0
    }
}

fn env(changes: &[(&str, &str)]) -> Env {
    let mut variables = BTreeMap::from([(ADDRESS_HEADER, "CloudFront-Viewer-Address"), (PROOF_HEADER, "X-Proof"), (SECRET, ARN)]);
    variables.extend(changes.iter().copied());
    Env::from_map(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// A REST event with these headers, each sent once.
fn event(headers: &[(&str, &str)]) -> Value {
    let single: BTreeMap<_, _> = headers.iter().copied().collect();
    let multi: BTreeMap<_, _> = headers.iter().map(|(name, value)| (*name, [*value])).collect();
    json!({"headers": single, "multiValueHeaders": multi, "requestContext": {"identity": {"sourceIp": PEER}, "requestId": "r"}})
}

fn source_ip(event: &Value) -> &Value {
    &event["requestContext"]["identity"]["sourceIp"]
}

#[tokio::test]
async fn all_three_settings_or_none() {
    let edge = Edge {
        clock: Arc::new(|| Timestamp::from_seconds(0)),
        entropy: Entropy::system(),
        aws: aws_config::SdkConfig::builder().build(),
    };
    let names = [ADDRESS_HEADER, PROOF_HEADER, SECRET];
    assert!(TrustedProxy::read(&env(&names.map(|name| (name, ""))), &edge).unwrap().is_none());
    for set in names {
        for missing in names.into_iter().filter(|name| *name != set) {
            let one_empty = TrustedProxy::read(&env(&[(missing, "")]), &edge).unwrap_err().to_string();
            assert!(one_empty.starts_with(missing) && one_empty.contains("all three or none"), "{one_empty}");
        }
        let others = names.into_iter().filter(|name| *name != set).map(|name| (name, "")).collect::<Vec<_>>();
        let one_set = TrustedProxy::read(&env(&others), &edge).unwrap_err().to_string();
        assert!(others.iter().any(|(name, _)| one_set.starts_with(name)), "{one_set}");
    }
    for (name, value) in [
        (ADDRESS_HEADER, "X-Forwarded-For"),
        (ADDRESS_HEADER, "x-forwarded-for"),
        (ADDRESS_HEADER, "Forwarded"),
        (ADDRESS_HEADER, "an address"),
        (ADDRESS_HEADER, "Address:"),
        (PROOF_HEADER, "Authorization"),
        (PROOF_HEADER, "Cookie"),
        (PROOF_HEADER, "Host"),
        (PROOF_HEADER, "cloudfront-viewer-address"),
        (SECRET, "proxy"),
        (SECRET, "arn:aws:kms:eu-west-1:123456789012:key/1"),
    ] {
        let error = TrustedProxy::read(&env(&[(name, value)]), &edge).unwrap_err().to_string();
        assert!(error.starts_with(name), "{name}={value}: {error}");
    }
}

#[tokio::test]
async fn a_right_proof_makes_the_header_the_address_in_every_shape() {
    let world = World::warm().await;
    let (proof, headers) =
        (proof('a'), |name: &str| json!({name: proof('a'), "cloudfront-viewer-address": VIEWER, "accept": "*/*"}));
    let (judged, settled) =
        world.judge(event(&[("X-Proof", &proof), ("CloudFront-Viewer-Address", VIEWER), ("Accept", "*/*")])).await;
    assert_eq!((judged, source_ip(&settled)), (Judged::Proxied, &json!("8.8.8.8")));
    assert_eq!(settled["headers"], json!({"Accept": "*/*"}), "neither the proof nor the port goes further");
    assert_eq!(settled["multiValueHeaders"], json!({"Accept": ["*/*"]}));
    for name in ["x-proof", "X-PROOF", "X-Proof"] {
        let http_api = json!({"version": "2.0", "headers": headers(name), "requestContext": {"http": {"sourceIp": PEER}}});
        let (judged, settled) = world.judge(http_api).await;
        assert_eq!((judged, &settled["requestContext"]["http"]["sourceIp"]), (Judged::Proxied, &json!("8.8.8.8")));
        assert_eq!(settled["headers"], json!({"accept": "*/*"}));
    }
    let (judged, settled) = world.judge(event(&[("X-Proof", &proof), ("CloudFront-Viewer-Address", "2001:db8::7:46532")])).await;
    assert_eq!((judged, source_ip(&settled)), (Judged::Proxied, &json!("2001:db8::7")));
    let (judged, settled) =
        world.judge(event(&[("X-Proof", &proof), ("CloudFront-Viewer-Address", "[::ffff:8.8.8.8]:46532")])).await;
    assert_eq!((judged, source_ip(&settled)), (Judged::Proxied, &json!("8.8.8.8")));
    // It has no headers and no place for an address.
    let token = json!({"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "arn"});
    assert_eq!(world.judge(token.clone()).await, (Judged::Direct, token));
}

#[tokio::test]
async fn without_a_proof_the_peer_is_the_caller_whatever_the_headers_say() {
    let world = World::warm().await;
    for name in ["CloudFront-Viewer-Address", "X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "X-Proof-2", "Proof"]
    {
        for value in [VIEWER, "8.8.8.8", "for=8.8.8.8"] {
            let (judged, settled) = world.judge(event(&[(name, value)])).await;
            assert_eq!((judged, source_ip(&settled)), (Judged::Direct, &json!(PEER)), "{name}: {value}");
        }
    }
    assert_eq!(world.reads(), 1);
}

#[tokio::test]
async fn a_wrong_or_repeated_proof_makes_the_address_unknown() {
    let world = World::warm().await;
    let (good, address) = (proof('a'), ("CloudFront-Viewer-Address", VIEWER));
    for wrong in ["", "a", &proof('b'), &good[1..], &format!("{good}a"), &format!("{good},{good}"), &format!(" {good}")] {
        let (judged, settled) = world.judge(event(&[("X-Proof", wrong), address])).await;
        assert_eq!((judged, source_ip(&settled)), (Judged::Unproven, &Value::Null), "{wrong:?}");
        assert_eq!(settled["headers"], json!({}), "nor is it handed on");
    }
    let maps = |single: Value, multi: Value| {
        let mut event = event(&[]);
        (event["headers"], event["multiValueHeaders"]) = (single, multi);
        event
    };
    let sent = |values: Value| json!({"X-Proof": values, "CloudFront-Viewer-Address": [VIEWER]});
    let one = json!({"X-Proof": good, "CloudFront-Viewer-Address": VIEWER});
    for repeated in [
        maps(one.clone(), sent(json!([good, good]))),
        maps(one.clone(), sent(json!([proof('b'), good]))),
        maps(one.clone(), sent(json!([proof('b')]))),
        maps(one.clone(), json!({"CloudFront-Viewer-Address": [VIEWER]})),
        maps(json!({"CloudFront-Viewer-Address": VIEWER}), sent(json!([good]))),
        maps(json!({"X-Proof": good, "x-proof": good, "CloudFront-Viewer-Address": VIEWER}), Value::Null),
        maps(json!({"X-Proof": proof('b'), "x-PROOF": good, "CloudFront-Viewer-Address": VIEWER}), Value::Null),
    ] {
        let (judged, settled) = world.judge(repeated.clone()).await;
        assert_eq!((judged, source_ip(&settled)), (Judged::Unproven, &Value::Null), "{repeated}");
    }
}

#[tokio::test]
async fn a_proxy_that_names_no_one_address_leaves_it_unknown() {
    let world = World::warm().await;
    let good = proof('a');
    for address in ["", "8.8.8.8", "8.8.8.8:443, 9.9.9.9:443", "1.2.3.4:5:6", "unknown:1"] {
        let (judged, settled) = world.judge(event(&[("X-Proof", &good), ("CloudFront-Viewer-Address", address)])).await;
        assert_eq!((judged, source_ip(&settled)), (Judged::Unproven, &Value::Null), "{address:?}");
    }
    let (judged, _) = world.judge(event(&[("X-Proof", &good), ("X-Forwarded-For", "8.8.8.8")])).await;
    assert_eq!(judged, Judged::Unproven);
    let mut twice = event(&[("X-Proof", &good), ("CloudFront-Viewer-Address", VIEWER)]);
    twice["multiValueHeaders"]["cloudfront-viewer-address"] = json!([VIEWER]);
    assert_eq!(world.judge(twice).await.0, Judged::Unproven);
}

/// A new proof is put beside the old one, the proxy sends it some minutes later, the old one is dropped: no right request is refused
/// on the way, and what was dropped ends within a minute.
#[tokio::test]
async fn a_rotation_refuses_no_right_proof() {
    let world = World::warm().await;
    world.hold(Some(json!({"current": proof('b'), "previous": proof('a')})));
    world.advance(Duration::from_secs(6));
    assert_eq!(world.by_proof(&proof('a')).await, Judged::Proxied);
    assert_eq!(world.reads(), 1, "what is known is not looked for");
    assert_eq!(world.by_proof(&proof('b')).await, Judged::Proxied, "what is not, is");
    assert_eq!(world.reads(), 2);
    for sent in ['a', 'b', 'a'] {
        assert_eq!(world.by_proof(&proof(sent)).await, Judged::Proxied);
    }
    world.hold(Some(json!({"current": proof('b')})));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.by_proof(&proof('b')).await, Judged::Proxied);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.by_proof(&proof('a')).await, Judged::Unproven, "dropped a minute ago");
    assert_eq!(world.by_proof(&proof('b')).await, Judged::Proxied);
    assert_eq!(world.reads(), 3);
}

#[tokio::test]
async fn guesses_cost_one_look_every_few_seconds_and_right_proofs_wait_for_none() {
    let world = World::warm().await;
    for _ in 0..10 {
        for guess in 0..50 {
            assert_eq!(world.by_proof(&format!("{guess:040}")).await, Judged::Unproven);
            assert_eq!(world.by_proof(&proof('a')).await, Judged::Proxied);
        }
        world.advance(Duration::from_secs(1));
    }
    assert!((2..=3).contains(&world.reads()), "{} reads in ten seconds", world.reads());
}

/// Who has no list needs no address, and who has one is told to try again (503): neither is refused for good by an outage.
#[tokio::test]
async fn while_the_secret_cannot_be_read_the_address_is_undetermined_and_known_proofs_hold_for_an_hour() {
    let cold = World::new(None).await;
    assert_eq!(cold.by_proof(&proof('a')).await, Judged::Undetermined);
    assert_eq!(
        cold.judge(event(&[("CloudFront-Viewer-Address", VIEWER)])).await.0,
        Judged::Direct,
        "without a proof none is needed"
    );
    let tries = cold.reads();
    assert_eq!(cold.by_proof(&proof('a')).await, Judged::Undetermined);
    assert_eq!(cold.reads(), tries, "it is not asked at every call");
    for broken in [json!({}), json!({"current": "short"}), json!("x")] {
        cold.hold(Some(broken));
        cold.advance(Duration::from_secs(5));
        assert_eq!(cold.by_proof("short").await, Judged::Undetermined);
    }
    cold.hold(Some(json!({"current": proof('a')})));
    cold.advance(Duration::from_secs(5));
    assert_eq!(cold.by_proof(&proof('a')).await, Judged::Proxied);

    cold.hold(None);
    for _ in 0..59 {
        cold.advance(Duration::from_mins(1));
        assert_eq!(cold.by_proof(&proof('a')).await, Judged::Proxied);
        assert_eq!(cold.by_proof(&proof('b')).await, Judged::Undetermined, "it may be newer");
    }
    cold.advance(Duration::from_mins(1));
    assert_eq!(cold.by_proof(&proof('a')).await, Judged::Undetermined);
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_what_is_known_old() {
    let world = World::warm().await;
    world.ahead.fetch_sub(10_000, Ordering::SeqCst);
    world.hold(Some(json!({"current": proof('b')})));
    assert_eq!(world.by_proof(&proof('a')).await, Judged::Unproven);
    assert_eq!(world.reads(), 2);
}

/// Where the log of this thread goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// LEAK-1: one line for each call, which says whose it is and nothing that was sent.
#[tokio::test]
async fn leak_1_neither_a_proof_nor_what_stood_in_the_headers_is_logged() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    // With one alone, a line that another test's thread reaches first would be off for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let logged = || String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
    let world = World::warm().await;
    let good = proof('a');
    for (headers, reason) in [
        (&[("X-Proof", "guessed"), ("CloudFront-Viewer-Address", VIEWER)][..], "proxy_proof_wrong"),
        (&[("X-Proof", &good), ("x-proof", &good), ("CloudFront-Viewer-Address", VIEWER)], "proxy_proof_repeated"),
        (&[("X-Proof", &good)], "proxy_address_absent"),
        (&[("X-Proof", &good), ("CloudFront-Viewer-Address", "8.8.8.8:46532:46532")], "proxy_address_malformed"),
    ] {
        world.judge(event(headers)).await;
        let lines = logged();
        let line: Value = serde_json::from_str(&lines).unwrap_or_else(|error| panic!("one line: {error}: {lines}"));
        let said = [&line["reason"], &line["peer"], &line["request_id"], &line["level"]];
        assert_eq!(said, [&json!(reason), &json!(PEER), &json!("r"), &json!("WARN")], "{lines}");
        assert!(!lines.contains("guessed") && !lines.contains("46532") && !lines.contains(&good[..8]), "{lines}");
    }
    assert_eq!(world.by_proof(&good).await, Judged::Proxied);
    assert_eq!(logged(), "", "a right one is not worth a line");
    world.hold(Some(json!({"current": "too-short-a-proof"})));
    world.advance(Duration::from_mins(1));
    world.by_proof(&good).await;
    let lines = logged();
    assert!(lines.contains("cannot be read") && !lines.contains("too-short-a-proof"), "{lines}");
    assert!(!format!("{:?}", world.proxy).contains("aaaa"));
}
