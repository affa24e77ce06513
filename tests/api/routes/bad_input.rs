//! Bad input of every kind: a 4xx with the error members and a clear message, and nothing changed
//! (docs/requirements.md, Errors). Here the bodies.

mod targets;

use std::collections::BTreeMap;

use reqwest::Method;
use tests::{Answer, Caller, Platform};

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text},
    promises::tenancy::Guarded,
    routes::owner_keys::Family,
};

/// A route that reads a body, on things that exist, and a body that it would take.
struct Writer {
    method: Method,
    path: String,
    good: String,
}

impl Writer {
    /// Every route that reads a JSON body with a `name` and is open to machines.
    async fn all(platform: &Platform, caller: &Caller) -> Vec<Self> {
        let mut ids = BTreeMap::from([
            (
                "/api/organizations/{guid}",
                platform.seed.organization.guid.clone(),
            ),
            ("/api/banks/{guid}", platform.seed.bank.guid.clone()),
        ]);
        let keys = [
            "/api/bank_applications/{client_id}",
            "/api/organization_applications/{client_id}",
        ];
        for (item, family) in keys.into_iter().zip(Family::both(platform)) {
            let key = text(
                &family
                    .create(caller, serde_json::json!({"name": "kept"}))
                    .await,
                "client_id",
            );
            ids.insert("/api/keys/{client_id}", key.clone());
            ids.insert(item, key);
        }
        let writers: Vec<Self> = Guarded::all(platform)
            .into_iter()
            .filter(Guarded::is_for_machines)
            .filter_map(|route| {
                let good = route
                    .body(&platform.seed.bank.guid)
                    .filter(|body| body.get("name").is_some())?
                    .to_string();
                let path = route.path_of(ids.get(route.path.as_str()).map_or("", String::as_str));
                Some(Self {
                    method: route.method,
                    path,
                    good,
                })
            })
            .collect();
        assert!(writers.len() >= 9);
        writers
    }

    async fn send(
        &self,
        caller: &Caller,
        content_type: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = caller.request(self.method.clone(), &self.path).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        Answer::of(request).await
    }

    async fn send_json(&self, caller: &Caller, body: impl Into<reqwest::Body>) -> Answer {
        self.send(caller, Some("application/json"), body).await
    }

    /// The good body with `name` replaced by this text, and more members after it.
    fn with_name(&self, name: &str) -> String {
        self.good.replacen(r#""name":"n""#, name, 1)
    }
}

#[tokio::test]
async fn malformed_request_when_the_body_is_not_json() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let writers = Writer::all(&platform, &caller).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for writer in &writers {
        let good = &writer.good;
        let deep = "[".repeat(30_000);
        for body in [
            String::new(),
            "   ".into(),
            "{".into(),
            "nonsense".into(),
            "name=n".into(),
            "{'name': 'n'}".into(),
            format!("{good}x"),
            format!("{good}{good}"),
            format!("{good},"),
            good.replace('}', ",}"),
            format!("\u{feff}{good}"),
            writer.with_name(r#""name":"\ud800""#),
            writer.with_name(r#""name":"\x41""#),
            writer.with_name("\"name\":\"a\nb\""),
            writer.with_name(r#""name":NaN"#),
            deep.clone(),
            format!("{good}\u{0}"),
        ] {
            let answer = writer.send_json(&caller, body.clone()).await;
            answer.assert_error(400, "malformed_request");
            assert!(answer.text.contains("not JSON"), "{body:.80}: {answer:?}");
        }
        for bytes in [
            &b"{\"name\":\"\xff\"}"[..],
            b"\xff\xfe{\x00}\x00",
            b"{\"name\":\"\xc3\x28\"}",
            b"{\"name\":\"\xed\xa0\x80\"}",
        ] {
            let answer = writer.send_json(&caller, bytes.to_vec()).await;
            answer.assert_error(400, "malformed_request");
            assert!(
                answer.text.contains("UTF-8") || answer.text.contains("not JSON"),
                "{answer:?}"
            );
        }
        // Some routes know the member, the others refuse it before they come to what is in it.
        let nested = writer
            .send_json(&caller, format!(r#"{{"bank_guid":{deep}"#))
            .await;
        assert!(matches!(nested.status, 400 | 422), "{nested:?}");
        // A body that is good but for the bytes of its name, which the gateway spoils on the way.
        let (start, end) = good.split_once(r#""n""#).unwrap();
        let spoiled = [start.as_bytes(), b"\"n\xff\"", end.as_bytes()].concat();
        let answer = writer.send_json(&caller, spoiled).await;
        answer.assert_error(400, "malformed_request");
        assert!(answer.text.contains("UTF-8"), "{answer:?}");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn unprocessable_when_a_member_is_unknown_repeated_or_of_another_type() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let writers = Writer::all(&platform, &caller).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for writer in &writers {
        for (name, field, words) in [
            (
                r#""name":"n","colour":"red""#,
                "colour",
                "is not a member that this takes",
            ),
            (
                r#""colour":{"a":[1]},"name":"n""#,
                "colour",
                "is not a member that this takes",
            ),
            (r#""Name":"n""#, "Name", "is not a member that this takes"),
            (r#""":"n","name":"n""#, "", ""),
            (
                r#""__proto__":{},"name":"n""#,
                "__proto__",
                "is not a member that this takes",
            ),
            (r#""name":"n","name":"n""#, "name", "stands twice"),
            (r#""name":"n","n\u0061me":"m""#, "name", "stands twice"),
            (r#""name":7"#, "name", "must be a string"),
            (r#""name":1e400"#, "", ""),
            (r#""name":null"#, "name", "must be a string"),
            (r#""name":true"#, "name", "must be a string"),
            (r#""name":["n"]"#, "name", "must be a string"),
            (r#""name":{"n":1}"#, "name", "must be a string"),
        ] {
            let answer = writer.send_json(&caller, writer.with_name(name)).await;
            if field.is_empty() {
                assert!(matches!(answer.status, 400 | 422), "{name}: {answer:?}");
                answer.assert_error(
                    answer.status,
                    answer.body["message_code"].as_str().unwrap_or_default(),
                );
            } else {
                answer.assert_field(field, words);
                assert!(
                    answer.body["message"].as_str().unwrap().contains(field),
                    "{answer:?}"
                );
            }
        }
        let array = format!(r#"["n","{}"]"#, platform.seed.bank.guid);
        for other in [
            "[]",
            r#"["n"]"#,
            r#"["n","sandbox"]"#,
            &array,
            r#"[{"name":"n"}]"#,
            "null",
            "7",
            "true",
            r#""n""#,
            " \r\n\t[] ",
        ] {
            writer
                .send_json(&caller, other.to_owned())
                .await
                .assert_field("body", "must be an object");
        }
        let long = "x".repeat(10_000);
        let answer = writer
            .send_json(
                &caller,
                writer.with_name(&format!(r#""name":"n","{long}":1"#)),
            )
            .await;
        answer.assert_error(422, "invalid_parameter");
        assert!(
            answer.text.len() < 1000,
            "what is long is not sent back whole: {}",
            answer.text.len()
        );
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn unsupported_media_type_unless_it_is_json() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let writers = Writer::all(&platform, &caller).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for writer in &writers {
        for content_type in [
            None,
            Some(""),
            Some("text/plain"),
            Some("text/json"),
            Some("application/jsonx"),
            Some("application/merge-patch+json"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application"),
            Some("*/*"),
            Some("; application/json"),
        ] {
            let answer = writer
                .send(&caller, content_type, writer.good.clone())
                .await;
            answer.assert_error(415, "unsupported_media_type");
            assert!(answer.text.contains("application/json"), "{answer:?}");
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
    for (writer, content_type) in writers.iter().zip(
        [
            "application/json;charset=utf-8",
            "Application/JSON",
            "application/json ; x=y",
        ]
        .iter()
        .cycle(),
    ) {
        let answer = writer
            .send(&caller, Some(content_type), writer.good.clone())
            .await;
        assert!(
            matches!(answer.status, 200 | 201),
            "{content_type}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn payload_too_large_above_65536_bytes() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let writers = Writer::all(&platform, &caller).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let padded = |writer: &Writer, length: usize| {
        format!("{}{}", writer.good, " ".repeat(length - writer.good.len()))
    };
    for writer in &writers {
        for body in [
            padded(writer, 65_537),
            "x".repeat(65_537),
            "\u{1F511}".repeat(20_000),
            writer.with_name(&format!(r#""name":"{}""#, "n".repeat(66_000))),
        ] {
            writer
                .send_json(&caller, body)
                .await
                .assert_error(413, "payload_too_large");
        }
        writer
            .send_json(
                &caller,
                writer.with_name(&format!(r#""name":"{}""#, "n".repeat(65_000))),
            )
            .await
            .assert_field("name", "128 characters");
    }
    // More than a function's event may have: the gateway refuses it itself.
    let huge = "x".repeat(6_500_000);
    writers[0]
        .send_json(&caller, huge)
        .await
        .assert_error(413, "payload_too_large");
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
    for writer in &writers {
        let answer = writer.send_json(&caller, padded(writer, 65_536)).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    }
}
