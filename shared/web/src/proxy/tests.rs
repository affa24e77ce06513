//! Which address a request gets from a trusted proxy, and what it takes to be believed.

mod rotation;
mod world;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::time::Timestamp;
use runtime::Entropy;
use serde_json::{Value, json};

use self::world::{PEER, VIEWER, World, env, event, proof};
use super::*;

fn source_ip(event: &Value) -> &Value {
    &event["requestContext"]["identity"]["sourceIp"]
}

#[tokio::test]
async fn all_three_settings_or_none() {
    let ambient = Ambient {
        clock: Arc::new(|| Timestamp::from_seconds(0)),
        entropy: Entropy::system(),
        aws: aws_config::SdkConfig::builder().build(),
    };
    let names = [ADDRESS_HEADER, PROOF_HEADER, SECRET];
    assert!(
        TrustedProxy::read(&env(&names.map(|name| (name, ""))), &ambient)
            .unwrap()
            .is_none()
    );
    for set in names {
        for missing in names.into_iter().filter(|name| *name != set) {
            let one_empty = TrustedProxy::read(&env(&[(missing, "")]), &ambient)
                .unwrap_err()
                .to_string();
            assert!(
                one_empty.starts_with(missing) && one_empty.contains("all three or none"),
                "{one_empty}"
            );
        }
        let others = names
            .into_iter()
            .filter(|name| *name != set)
            .map(|name| (name, ""))
            .collect::<Vec<_>>();
        let one_set = TrustedProxy::read(&env(&others), &ambient)
            .unwrap_err()
            .to_string();
        assert!(
            others.iter().any(|(name, _)| one_set.starts_with(name)),
            "{one_set}"
        );
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
        let error = TrustedProxy::read(&env(&[(name, value)]), &ambient)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(name), "{name}={value}: {error}");
    }
}

#[tokio::test]
async fn a_right_proof_makes_the_header_the_address_in_every_shape() {
    let world = World::warm().await;
    let (proof, headers) = (proof('a'), |name: &str| {
        json!({
            name: proof('a'),
            "cloudfront-viewer-address": VIEWER,
            "accept": "*/*",
        })
    });
    let (source_ip_trust, resolved) = world
        .evaluate(event(&[
            ("X-Proof", &proof),
            ("CloudFront-Viewer-Address", VIEWER),
            ("Accept", "*/*"),
        ]))
        .await;
    assert_eq!(
        (source_ip_trust, source_ip(&resolved)),
        (SourceIpTrust::Proxied, &json!("8.8.8.8"))
    );
    assert_eq!(
        resolved["headers"],
        json!({"Accept": "*/*"}),
        "neither the proof nor the port goes further"
    );
    assert_eq!(resolved["multiValueHeaders"], json!({"Accept": ["*/*"]}));
    for name in ["x-proof", "X-PROOF", "X-Proof"] {
        let http_api = json!({
            "version": "2.0",
            "headers": headers(name),
            "requestContext": {"http": {"sourceIp": PEER}},
        });
        let (source_ip_trust, resolved) = world.evaluate(http_api).await;
        assert_eq!(
            (
                source_ip_trust,
                &resolved["requestContext"]["http"]["sourceIp"]
            ),
            (SourceIpTrust::Proxied, &json!("8.8.8.8"))
        );
        assert_eq!(resolved["headers"], json!({"accept": "*/*"}));
    }
    let (source_ip_trust, resolved) = world
        .evaluate(event(&[
            ("X-Proof", &proof),
            ("CloudFront-Viewer-Address", "2001:db8::7:46532"),
        ]))
        .await;
    assert_eq!(
        (source_ip_trust, source_ip(&resolved)),
        (SourceIpTrust::Proxied, &json!("2001:db8::7"))
    );
    let (source_ip_trust, resolved) = world
        .evaluate(event(&[
            ("X-Proof", &proof),
            ("CloudFront-Viewer-Address", "[::ffff:8.8.8.8]:46532"),
        ]))
        .await;
    assert_eq!(
        (source_ip_trust, source_ip(&resolved)),
        (SourceIpTrust::Proxied, &json!("8.8.8.8"))
    );
    // It has no headers and no place for an address.
    let token = json!({"type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": "arn"});
    assert_eq!(
        world.evaluate(token.clone()).await,
        (SourceIpTrust::Direct, token)
    );
}

#[tokio::test]
async fn without_a_proof_the_peer_is_the_caller_whatever_the_headers_say() {
    let world = World::warm().await;
    for name in [
        "CloudFront-Viewer-Address",
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "X-Proof-2",
        "Proof",
    ] {
        for value in [VIEWER, "8.8.8.8", "for=8.8.8.8"] {
            let (source_ip_trust, resolved) = world.evaluate(event(&[(name, value)])).await;
            assert_eq!(
                (source_ip_trust, source_ip(&resolved)),
                (SourceIpTrust::Direct, &json!(PEER)),
                "{name}: {value}"
            );
        }
    }
    assert_eq!(world.reads(), 1);
}

#[tokio::test]
async fn a_wrong_or_repeated_proof_makes_the_address_unknown() {
    let world = World::warm().await;
    let (good, address) = (proof('a'), ("CloudFront-Viewer-Address", VIEWER));
    for wrong in [
        "",
        "a",
        &proof('b'),
        &good[1..],
        &format!("{good}a"),
        &format!("{good},{good}"),
        &format!(" {good}"),
    ] {
        let (source_ip_trust, resolved) =
            world.evaluate(event(&[("X-Proof", wrong), address])).await;
        assert_eq!(
            (source_ip_trust, source_ip(&resolved)),
            (SourceIpTrust::Unproven, &Value::Null),
            "{wrong:?}"
        );
        assert_eq!(resolved["headers"], json!({}), "nor is it handed on");
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
        maps(
            json!({"CloudFront-Viewer-Address": VIEWER}),
            sent(json!([good])),
        ),
        maps(
            json!({"X-Proof": good, "x-proof": good, "CloudFront-Viewer-Address": VIEWER}),
            Value::Null,
        ),
        maps(
            json!({"X-Proof": proof('b'), "x-PROOF": good, "CloudFront-Viewer-Address": VIEWER}),
            Value::Null,
        ),
    ] {
        let (source_ip_trust, resolved) = world.evaluate(repeated.clone()).await;
        assert_eq!(
            (source_ip_trust, source_ip(&resolved)),
            (SourceIpTrust::Unproven, &Value::Null),
            "{repeated}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_names_no_one_address_leaves_it_unknown() {
    let world = World::warm().await;
    let good = proof('a');
    for address in [
        "",
        "8.8.8.8",
        "8.8.8.8:443, 9.9.9.9:443",
        "1.2.3.4:5:6",
        "unknown:1",
    ] {
        let (source_ip_trust, resolved) = world
            .evaluate(event(&[
                ("X-Proof", &good),
                ("CloudFront-Viewer-Address", address),
            ]))
            .await;
        assert_eq!(
            (source_ip_trust, source_ip(&resolved)),
            (SourceIpTrust::Unproven, &Value::Null),
            "{address:?}"
        );
    }
    let (source_ip_trust, _) = world
        .evaluate(event(&[("X-Proof", &good), ("X-Forwarded-For", "8.8.8.8")]))
        .await;
    assert_eq!(source_ip_trust, SourceIpTrust::Unproven);
    let mut twice = event(&[("X-Proof", &good), ("CloudFront-Viewer-Address", VIEWER)]);
    twice["multiValueHeaders"]["cloudfront-viewer-address"] = json!([VIEWER]);
    assert_eq!(world.evaluate(twice).await.0, SourceIpTrust::Unproven);
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
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    // With one alone, a line that another test's thread reaches first would be off for all threads.
    let _second = tracing::Dispatch::new(
        tracing_subscriber::fmt()
            .with_writer(std::io::sink)
            .finish(),
    );
    let logged = || String::from_utf8(std::mem::take(&mut *lines.0.lock().unwrap())).unwrap();
    let world = World::warm().await;
    let good = proof('a');
    for (headers, reason) in [
        (
            &[
                ("X-Proof", "guessed"),
                ("CloudFront-Viewer-Address", VIEWER),
            ][..],
            "proxy_proof_wrong",
        ),
        (
            &[
                ("X-Proof", &good),
                ("x-proof", &good),
                ("CloudFront-Viewer-Address", VIEWER),
            ],
            "proxy_proof_repeated",
        ),
        (&[("X-Proof", &good)], "proxy_address_absent"),
        (
            &[
                ("X-Proof", &good),
                ("CloudFront-Viewer-Address", "8.8.8.8:46532:46532"),
            ],
            "proxy_address_malformed",
        ),
    ] {
        world.evaluate(event(headers)).await;
        let lines = logged();
        let line: Value = serde_json::from_str(&lines)
            .unwrap_or_else(|error| panic!("one line: {error}: {lines}"));
        let said = [
            &line["reason"],
            &line["peer"],
            &line["request_id"],
            &line["level"],
        ];
        assert_eq!(
            said,
            [&json!(reason), &json!(PEER), &json!("r"), &json!("WARN")],
            "{lines}"
        );
        assert!(
            !lines.contains("guessed") && !lines.contains("46532") && !lines.contains(&good[..8]),
            "{lines}"
        );
    }
    assert_eq!(world.by_proof(&good).await, SourceIpTrust::Proxied);
    assert_eq!(logged(), "", "a right one is not worth a line");
    world.hold(Some(json!({"current": "too-short-a-proof"})));
    world.advance(Duration::from_mins(1));
    world.by_proof(&good).await;
    let lines = logged();
    assert!(
        lines.contains("cannot be read") && !lines.contains("too-short-a-proof"),
        "{lines}"
    );
    assert!(!format!("{:?}", world.proxy).contains("aaaa"));
}
