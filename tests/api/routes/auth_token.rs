//! `POST /v1/auth/token`: a secret alone for a token (ARZ-2).

use domain::gate::Kyb;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Platform,
    platform::{ALLOWED, ELSEWHERE},
};

use crate::credentials::{self, claims};

const PATH: &str = "/v1/auth/token";

#[track_caller]
fn assert_token<'a>(answer: &'a Answer, environment: &str) -> &'a str {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (answer.header("cache-control"), answer.header("pragma")),
        ("no-store", "no-cache"),
        "{answer:?}"
    );
    let members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["access_token", "environment", "expires_in", "token_type"],
        "{answer:?}"
    );
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 1800);
    assert_eq!(answer.body["environment"], environment);
    answer.body["access_token"].as_str().unwrap()
}

/// ARZ-2: the secret alone suffices, in JSON and in a form, with `grant_type` or without.
#[tokio::test]
async fn arz_2_200_to_the_secret_alone() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    let secret = key.client_secret.as_str();
    for answer in [
        anonymous
            .post(PATH, &json!({"client_secret": secret}))
            .await,
        anonymous
            .post(
                PATH,
                &json!({"client_secret": secret, "grant_type": "client_credentials"}),
            )
            .await,
        anonymous
            .post(
                PATH,
                &json!({"client_secret": secret, "grant_type": null, "client_id": key.client_id}),
            )
            .await,
        anonymous
            .post_form(PATH, &[("client_secret", secret)])
            .await,
        anonymous
            .post_form(
                PATH,
                &[
                    ("client_secret", secret),
                    ("grant_type", "client_credentials"),
                ],
            )
            .await,
    ] {
        let token = assert_token(&answer, "sandbox");
        assert_eq!(
            (&claims(token)["env"], &claims(token)["client_id"]),
            (&json!("sandbox"), &json!(key.client_id))
        );
        let whoami = platform.bearer(token).get("/v1/whoami").await;
        assert_eq!(
            (whoami.status, whoami.body["environment"].as_str()),
            (200, Some("sandbox")),
            "{whoami:?}"
        );
    }
    let organization = anonymous
        .post(
            PATH,
            &json!({"client_secret": platform.seed.organization.key.client_secret}),
        )
        .await;
    assert_token(&organization, "sandbox");
}

/// ARZ-2, ARZ-3: a live key is inactive, and refused like any wrong secret, until the
/// organization's KYB is approved; then it works by itself, and sleeps again when the approval is
/// withdrawn.
#[tokio::test]
async fn arz_3_401_to_a_live_key_without_kyb() {
    let platform = Platform::start().await;
    let (organization, key) = credentials::live_organization(&platform, Kyb::Pending).await;
    assert!(key.client_secret.starts_with("lk_live_"));
    let ask = async || {
        platform
            .anonymous()
            .post(PATH, &json!({"client_secret": key.client_secret}))
            .await
    };
    let inactive = ask().await;
    inactive.assert_oauth_error(401, "invalid_client");
    let wrong = platform
        .anonymous()
        .post(PATH, &json!({"client_secret": "wrong"}))
        .await;
    assert_eq!(inactive.text, wrong.text);
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .unwrap();
    let answer = ask().await;
    assert_eq!(claims(assert_token(&answer, "live"))["env"], "live");
    platform
        .operator()
        .kyb(organization, Kyb::Rejected)
        .await
        .unwrap();
    ask().await.assert_oauth_error(401, "invalid_client");
}

/// ARZ-2: wrong, revoked, inactive and expired secrets are one answer.
#[tokio::test]
async fn arz_2_401_is_the_same_whatever_is_wrong() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    let mut texts = Vec::new();
    for (what, key) in credentials::refused(&platform).await {
        // That one is right here, where nobody asks for the name.
        if matches!(
            what,
            "the client_id of another key" | "the secret of another key"
        ) {
            let named = json!({"client_secret": key.client_secret, "client_id": key.client_id});
            texts.push((what, anonymous.post(PATH, &named).await));
        } else {
            texts.push((
                what,
                anonymous
                    .post_form(PATH, &[("client_secret", &key.client_secret)])
                    .await,
            ));
        }
    }
    texts.push(("nothing", anonymous.post(PATH, &json!({})).await));
    texts.push((
        "an empty one",
        anonymous.post(PATH, &json!({"client_secret": ""})).await,
    ));
    for (what, answer) in &texts {
        answer.assert_oauth_error(401, "invalid_client");
        assert_eq!(answer.text, texts[0].1.text, "{what}");
        assert_eq!(
            answer.header("x-amzn-remapped-www-authenticate"),
            "Basic realm=\"token\", charset=\"UTF-8\"",
            "{what}"
        );
    }
}

/// CYB-6: the list guards this endpoint too, with CYB-7's answer.
#[tokio::test]
async fn cyb_6_403_from_an_address_outside_the_allowlist() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let body = json!({"client_secret": key.client_secret});
    let answer = platform.anonymous().from(ALLOWED).post(PATH, &body).await;
    assert_eq!(
        claims(assert_token(&answer, "sandbox"))["ip_allowlist"],
        json!([ALLOWED])
    );
    let refused = platform.anonymous().from(ELSEWHERE).post(PATH, &body).await;
    refused.assert_oauth_error(403, "forbidden");
    assert_eq!(refused.body["message_code"], "ip_not_allowed");
    assert_eq!(refused.body["message"], "IP address not in allowlist");
    let forged = credentials::never_issued(&key.client_id, domain::key_mode::KeyMode::Sandbox);
    let refused = platform
        .anonymous()
        .from(ELSEWHERE)
        .post(PATH, &json!({"client_secret": forged}))
        .await;
    refused.assert_oauth_error(401, "invalid_client");
}

/// docs/requirements.md, Errors: bad input says what to do.
#[tokio::test]
async fn arz_2_4xx_to_bad_requests() {
    let platform = Platform::start().await;
    let (anonymous, secret) = (platform.anonymous(), &platform.seed.bank.key.client_secret);
    let other = anonymous
        .post(
            PATH,
            &json!({"client_secret": secret, "grant_type": "password"}),
        )
        .await;
    other.assert_oauth_error(400, "unsupported_grant_type");
    for value in [json!(7), json!([secret]), json!({"secret": secret})] {
        anonymous
            .post(PATH, &json!({"client_secret": value}))
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    let send = async |content_type: &str, body: String| {
        Answer::of(
            anonymous
                .request(Method::POST, PATH)
                .header("content-type", content_type)
                .body(body),
        )
        .await
    };
    let repeated = format!(r#"{{"client_secret":"{secret}","client_secret":"{secret}"}}"#);
    for body in [
        repeated,
        format!("\"{secret}\""),
        format!("{{\"client_secret\":\"{secret}\""),
        Value::Null.to_string(),
    ] {
        let answer = send("application/json", body).await;
        answer.assert_oauth_error(400, "invalid_request");
        assert!(!answer.text.contains(secret), "{answer:?}");
    }
    send("text/plain", secret.clone())
        .await
        .assert_oauth_error(415, "invalid_request");
    send("application/json", " ".repeat(64 * 1024 + 1))
        .await
        .assert_oauth_error(413, "invalid_request");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = Answer::of(anonymous.request(method, PATH)).await;
        answer.assert_oauth_error(405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST");
    }
}
