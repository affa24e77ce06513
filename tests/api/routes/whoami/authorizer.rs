//! `GET /v1/whoami` as the authorizer guards it: who is refused, and with what.

mod forgeries;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::gate::Kyb;
use local::services::{Options, TEMPLATE};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE},
};

use crate::credentials::{self, UNAUTHENTICATED, claims};

const PATH: &str = "/v1/whoami";

/// The one static 401 (docs/requirements.md, Errors), to the byte the same for every reason.
#[track_caller]
fn assert_static_401(answer: &Answer, why: &str) {
    assert_eq!(answer.status, 401, "{why}: {answer:?}");
    answer.assert_error(401, "authentication_failed");
    assert_eq!(
        (&answer.body["message"], &answer.body["error_message"]),
        (&json!(UNAUTHENTICATED), &json!(UNAUTHENTICATED)),
        "{why}"
    );
    assert_eq!(
        answer.body.as_object().unwrap().len(),
        5,
        "{why}: {answer:?}"
    );
    assert_eq!(
        (
            answer.header("www-authenticate"),
            answer.header("cache-control")
        ),
        ("Bearer", "no-store"),
        "{why}: {answer:?}"
    );
}

async fn with_header(platform: &Platform, value: impl AsRef<[u8]>) -> Answer {
    let value = reqwest::header::HeaderValue::from_bytes(value.as_ref()).unwrap();
    Answer::of(
        platform
            .anonymous()
            .request(Method::GET, PATH)
            .header("authorization", value),
    )
    .await
}

/// CYB-4: the guarded API learns whom it serves, member by member.
#[tokio::test]
async fn cyb_4_200_with_the_callers_context() {
    let platform = Platform::start().await;
    let key = platform
        .bank_key(json!({
            "ip_allowlist": [ALLOWED, "1.1.1.0/24"],
            "scopes": ["accounts:read", "customers:read"],
        }))
        .await;
    let token = platform
        .request_token(&key, platform.anonymous().from(ALLOWED))
        .await
        .body["access_token"]
        .clone();
    let token = token.as_str().unwrap();
    let answer = platform.bearer(token).from(ALLOWED).get(PATH).await;
    let said = claims(token);
    let exp = domain::time::Timestamp::from_seconds(said["exp"].as_i64().unwrap()).to_string();
    let mut context = answer.body.as_object().unwrap().clone();
    // API Gateway's own.
    context.retain(|name, _| !matches!(name.as_str(), "principalId" | "integrationLatency"));
    let expected = json!({
        "organization": platform.seed.organization.guid,
        "bank": platform.seed.bank.guid,
        "client_id": key.client_id,
        "owner": format!("bank:{}", platform.seed.bank.guid),
        "scopes": "accounts:read customers:read",
        "environment": "sandbox",
        "jti": said["jti"],
        "sid": said["sid"],
        "ip_allowlist": format!("{ALLOWED},1.1.1.0/24"),
        "expires_at": exp,
    });
    assert_eq!(Value::Object(context), expected);
    assert_eq!(answer.body["principalId"], key.client_id);
    let organization = platform.organization().await.get(PATH).await;
    assert_eq!(organization.status, 200);
    assert!(
        organization.body.get("bank").is_none() && organization.body.get("ip_allowlist").is_none(),
        "{organization:?}"
    );
}

/// CYB-9: an expired token is the static 401, which says `Signature has expired`; a fresh token
/// needs no rotation.
#[tokio::test]
async fn cyb_9_401_to_an_expired_token() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.bank().await;
    platform.advance(Duration::from_secs(29 * 60 + 50));
    assert_eq!(caller.get(PATH).await.status, 200);
    platform.advance(Duration::from_secs(70));
    let expired = caller.get(PATH).await;
    assert_static_401(&expired, "expired");
    assert!(
        expired.body["message"]
            .as_str()
            .unwrap()
            .contains("Signature has expired")
    );
    assert_eq!(platform.bank().await.get(PATH).await.status, 200);
}

/// RFC 6750 §2.1: one `Authorization` header of the scheme `Bearer` and nothing else.
#[tokio::test]
async fn a_401_without_exactly_one_bearer_token() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.bank.key).await;
    assert_static_401(&platform.anonymous().get(PATH).await, "absent");
    for scheme in ["bearer", "BEARER", "BeArEr"] {
        assert_eq!(
            with_header(&platform, format!("{scheme} {token}"))
                .await
                .status,
            200,
            "{scheme}"
        );
    }
    let padded = "=".repeat(9 * 1024 - token.len());
    for value in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        token.clone(),
        format!("Bearer{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},Bearer {token}"),
        format!("Bearer \"{token}\""),
        format!("Basic {token}"),
        format!(
            "Basic {}",
            STANDARD.encode(format!(
                "{}:{}",
                platform.seed.bank.key.client_id, platform.seed.bank.key.client_secret
            ))
        ),
        format!("Token {token}"),
        format!("Bearer {}", platform.seed.bank.key.client_secret),
        format!("Bearer {token}{padded}"),
        format!("Bearer {}", "a".repeat(9 * 1024)),
    ] {
        assert_static_401(
            &with_header(&platform, &value).await,
            &value[..value.len().min(40)],
        );
    }
    assert_static_401(
        &with_header(&platform, b"Bearer \xff\xfe").await,
        "not ASCII",
    );
    let other = platform.token(&platform.seed.bank.key).await;
    let wrong = "x".to_owned();
    for (first, second) in [
        (&token, &token),
        (&token, &other),
        (&token, &wrong),
        (&wrong, &token),
    ] {
        let twice = platform
            .bearer(first)
            .request(Method::GET, PATH)
            .header("authorization", format!("Bearer {second}"));
        assert_static_401(&Answer::of(twice).await, "two headers");
    }
    // In no other place.
    let elsewhere = platform
        .anonymous()
        .request(Method::GET, &format!("{PATH}?access_token={token}"))
        .header("cookie", format!("access_token={token}"));
    assert_static_401(
        &Answer::of(elsewhere.header("x-authorization", format!("Bearer {token}"))).await,
        "elsewhere",
    );
}

/// What is longer than the gateway takes is refused before anybody looks at it.
#[tokio::test]
async fn a_431_to_headers_that_are_too_long() {
    let platform = Platform::start().await;
    let answer = with_header(&platform, format!("Bearer {}", "a".repeat(11 * 1024))).await;
    assert_eq!(answer.status, 431, "{answer:?}");
}

/// docs/requirements.md, Kinds: a sandbox token never passes a live API, nor the reverse; the
/// management API takes both.
#[tokio::test]
async fn a_401_to_tokens_of_the_other_kind() {
    for (accepted, name) in [(0, "sandbox"), (1, "live")] {
        let parameters = [("SampleEnvironment".to_owned(), name.to_owned())].into();
        let platform = Platform::with(Options {
            parameters,
            ..Options::default()
        })
        .await;
        let (_, live) = credentials::live_organization(&platform, Kyb::Approved).await;
        let callers = [
            platform.organization().await,
            platform.bearer(&platform.token(&live).await),
        ];
        for caller in &callers {
            assert_eq!(caller.get("/api/organizations").await.status, 200, "{name}");
        }
        let admitted = callers[accepted].get(PATH).await;
        assert_eq!(
            (admitted.status, &admitted.body["environment"]),
            (200, &json!(name)),
            "{admitted:?}"
        );
        assert_static_401(&callers[1 - accepted].get(PATH).await, name);
    }
}

/// CYB-6, CYB-7: only the gateway's own word on the caller's address counts.
#[tokio::test]
async fn cyb_7_403_by_the_gateways_address_alone() {
    let platform = Platform::start().await;
    let key = platform
        .bank_key(json!({"ip_allowlist": [ALLOWED, "1.1.1.0/24"]}))
        .await;
    let token = platform
        .request_token(&key, platform.anonymous().from(ALLOWED))
        .await;
    let caller = platform.bearer(token.body["access_token"].as_str().unwrap());
    for address in [
        ALLOWED,
        "1.1.1.0",
        "1.1.1.255",
        "::ffff:8.8.8.8",
        "::ffff:101:101",
    ] {
        assert_eq!(
            caller.from(address).get(PATH).await.status,
            200,
            "{address}"
        );
    }
    let assert_refused = |answer: &Answer, from: &str| {
        answer.assert_error(403, "ip_not_allowed");
        let exact = (
            answer.body["error"].as_str(),
            answer.body["message"].as_str(),
        );
        assert_eq!(
            exact,
            (Some("forbidden"), Some("IP address not in allowlist")),
            "{from}"
        );
    };
    for address in [
        ELSEWHERE,
        "8.8.8.9",
        "1.1.2.0",
        "127.0.0.1",
        "2001:4860:4860::8888",
        "::8.8.8.8",
        "::1",
        "::ffff:9.9.9.9",
        "64:ff9b::808:808",
    ] {
        assert_refused(&caller.from(address).get(PATH).await, address);
    }
    // From the test's own address, nothing said.
    assert_refused(&caller.get(PATH).await, "loopback");
    for name in [
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "X-Source-Ip",
    ] {
        for value in [
            ALLOWED.to_owned(),
            format!("{ALLOWED}, {ALLOWED}"),
            format!("for={ALLOWED}"),
        ] {
            let spoofed = caller
                .from(ELSEWHERE)
                .request(Method::GET, PATH)
                .header(name, value);
            assert_refused(&Answer::of(spoofed).await, name);
        }
    }
}

async fn with_routes(routes: &str) -> (Platform, Caller) {
    let shipped = r#"{"GET /v1/whoami": []}"#;
    assert_eq!(TEMPLATE.matches(shipped).count(), 1);
    let template = TEMPLATE.replace(shipped, routes);
    let platform = Platform::with(Options {
        template,
        ..Options::default()
    })
    .await;
    let caller = platform.bank().await;
    (platform, caller)
}

/// X-7: default deny. A route that the map does not list is closed to every token.
#[tokio::test]
async fn a_403_to_routes_that_are_not_in_the_map() {
    for routes in [
        "{}",
        r#"{"GET /v1/other": []}"#,
        r#"{"POST /v1/whoami": []}"#,
        r#"{"GET /v1/whoami/{more}": []}"#,
    ] {
        let (platform, caller) = with_routes(routes).await;
        let denied = caller.get(PATH).await;
        denied.assert_error(403, "forbidden");
        assert_eq!(
            denied.body["message"], "This operation is not open to this caller",
            "{routes}"
        );
        assert_static_401(&platform.anonymous().get(PATH).await, routes);
    }
}

/// CYB-11: any one of a route's scopes opens it; a token without them is `insufficient_scope`.
#[tokio::test]
async fn a_403_without_a_scope_that_the_route_needs() {
    let (platform, caller) =
        with_routes(r#"{"GET /v1/whoami": ["customers:write", "invoices:read"]}"#).await;
    assert_eq!(caller.get(PATH).await.status, 200);
    for (scope, status) in [
        ("customers:read", 403),
        ("invoices:write", 403),
        ("invoices:read", 200),
        ("accounts:read customers:write", 200),
    ] {
        let key = platform
            .bank_key(json!({"scopes": scope.split(' ').collect::<Vec<_>>()}))
            .await;
        let answer = platform.bearer(&platform.token(&key).await).get(PATH).await;
        assert_eq!(answer.status, status, "{scope}: {answer:?}");
        if status == 403 {
            answer.assert_error(403, "insufficient_scope");
        }
    }
}

/// Other methods are the function's own 405, and no method tells a caller without a token anything.
#[tokio::test]
async fn a_405_to_other_methods() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    for method in [
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        let answer = Answer::of(bank.request(method.clone(), PATH)).await;
        answer.assert_error(405, "method_not_allowed");
        assert!(
            answer.header("allow").starts_with("GET"),
            "{method}: {answer:?}"
        );
    }
    let head = Answer::of(platform.anonymous().request(Method::HEAD, PATH)).await;
    assert!([401, 405].contains(&head.status), "{head:?}");
    // A method that names another one is matched by that other one, and guarded by it.
    let overridden = platform
        .anonymous()
        .request(Method::POST, PATH)
        .header("x-http-method-override", "GET");
    assert_static_401(&Answer::of(overridden).await, "overridden");
    for path in [
        "/v1/whoami/",
        "/v1/whoam",
        "/v1",
        "/",
        "/V1/WHOAMI",
        "/v1//whoami",
    ] {
        let answer = bank.get(path).await;
        assert!([200, 404].contains(&answer.status), "{path}: {answer:?}");
        assert_ne!(platform.anonymous().get(path).await.status, 200, "{path}");
    }
}
