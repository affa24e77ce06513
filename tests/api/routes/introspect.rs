//! `POST /oauth/introspect` (RFC 7662): what a token is, and to those who may know why it is
//! nothing.

mod clients;
mod inactive;

use std::time::Duration;

use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE},
};

use crate::{credentials::claims, routes::customer_tokens};

const PATH: &str = "/oauth/introspect";

/// Asks with a client's secret.
async fn introspect(caller: &Caller, client: &Credentials, token: &str) -> Answer {
    let body = json!({
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "token": token,
    });
    caller.post(PATH, &body).await
}

/// What a client is told of a token, and that nobody keeps it.
async fn told(platform: &Platform, client: &Credentials, token: &str) -> Value {
    let answer = introspect(&platform.anonymous(), client, token).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "no-store"),
        "{answer:?}"
    );
    assert_eq!(
        answer.header("content-type"),
        "application/json",
        "{answer:?}"
    );
    answer.body
}

/// RFC 7662 §2.2: of a token that works, what it says; in the words that the guarded API is told of
/// it too.
#[tokio::test]
async fn rfc_7662_200_tells_what_a_token_is() {
    let platform = Platform::start().await;
    let (bank, organization) = (&platform.seed.bank, &platform.seed.organization);
    let token = platform.token(&bank.key).await;
    let claims = claims(&token);
    let expected = json!({
        "active": true,
        "scope": claims["scope"],
        "client_id": bank.key.client_id,
        "token_type": "Bearer",
        "exp": claims["exp"],
        "iat": claims["iat"],
        "nbf": claims["nbf"],
        "sub": bank.key.client_id,
        "aud": claims["aud"],
        "iss": platform.stack.base_url(),
        "jti": claims["jti"],
        "sid": claims["sid"],
        "organization": organization.guid,
        "owner": format!("bank:{}", bank.guid),
        "bank": bank.guid,
        "environment": "sandbox",
        "ip_allowlist": [],
    });
    assert_eq!(
        told(&platform, &organization.key, &token).await,
        expected,
        "to the organization"
    );
    assert_eq!(
        told(&platform, &bank.key, &token).await,
        expected,
        "to the bank"
    );
    let token = platform.token(&organization.key).await;
    let of_organization = told(&platform, &organization.key, &token).await;
    assert_eq!(
        of_organization["owner"],
        format!("organization:{}", organization.guid)
    );
    assert_eq!(of_organization.get("bank"), None);
}

/// CYB-8: a customer's token names the customer, and is the bank's.
#[tokio::test]
async fn rfc_7662_200_tells_the_customer() {
    let platform = Platform::start().await;
    let customer = customer_tokens::issue(
        &platform,
        &platform.bank().await,
        &json!({"ip_allowlist": [ALLOWED]}),
    )
    .await;
    let told = told(&platform, &platform.seed.bank.key, customer.token()).await;
    assert_eq!(told["active"], true, "{told}");
    assert_eq!(
        (&told["customer"], &told["sub"]),
        (
            &json!(customer_tokens::CUSTOMER),
            &json!(customer_tokens::CUSTOMER)
        )
    );
    assert_eq!(told["client_id"], platform.seed.bank.key.client_id);
    assert_eq!(told["ip_allowlist"], json!([ALLOWED]));
    assert_eq!(told["scope"], "accounts:read trades:execute");
}

/// CBM-1: what guarded APIs are sent as a bearer credential can be asked about, a personal key as
/// well: its user, and role and scopes as they are now.
#[tokio::test]
async fn rfc_7662_200_tells_what_a_personal_key_is() {
    let platform = Platform::start().await;
    let developer = &platform.seed.users.developer;
    let told = told(
        &platform,
        &platform.seed.organization.key,
        &developer.secret,
    )
    .await;
    assert_eq!(
        (&told["active"], &told["role"]),
        (&json!(true), &json!("developer")),
        "{told}"
    );
    assert_eq!(told["username"], "developer@demo.example");
    assert_eq!(
        (&told["owner"], &told["sub"]),
        (
            &json!(format!("user:{}", developer.guid)),
            &json!(developer.guid)
        )
    );
    let whoami = platform.developer().get("/v1/whoami").await;
    assert_eq!(whoami.status, 200, "{whoami:?}");
    for (member, same) in [
        ("scope", "scopes"),
        ("sid", "sid"),
        ("client_id", "client_id"),
        ("environment", "environment"),
    ] {
        assert_eq!(told[member], whoami.body[same], "{member}");
    }
    for member in ["jti", "nbf", "exp", "bank", "customer"] {
        assert_eq!(told.get(member), None, "{member}");
    }
}

/// RFC 7662 §2.1: `token_type_hint` is a hint, and other parameters are ignored; a form as the
/// standard has it, and JSON.
#[tokio::test]
async fn rfc_7662_200_to_a_form_with_any_hint() {
    let platform = Platform::start().await;
    let key = &platform.seed.bank.key;
    let token = platform.token(key).await;
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let form = [
            ("token", token.as_str()),
            ("token_type_hint", hint),
            ("client_id", key.client_id.as_str()),
            ("client_secret", key.client_secret.as_str()),
            ("resource", "x"),
        ];
        let answer = platform.anonymous().post_form(PATH, &form).await;
        assert_eq!(
            (answer.status, &answer.body["active"]),
            (200, &json!(true)),
            "{answer:?}"
        );
    }
}

/// The token's list is told, for the API to enforce, and not asked: who asks is not who uses it.
/// The client's own list guards this endpoint as it does `/oauth/token` (CYB-6).
#[tokio::test]
async fn cyb_6_403_by_the_list_of_the_client_and_not_of_the_token() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let token = platform
        .request_token(&key, platform.anonymous().from(ALLOWED))
        .await
        .body["access_token"]
        .clone();
    let token = token.as_str().unwrap();
    let from = |address| platform.anonymous().from(address);
    let other = introspect(&from(ELSEWHERE), &platform.seed.bank.key, token).await;
    assert_eq!(
        (&other.body["active"], &other.body["ip_allowlist"]),
        (&json!(true), &json!([ALLOWED])),
        "{other:?}"
    );
    assert_eq!(
        introspect(&from(ALLOWED), &key, token).await.body["active"],
        true
    );
    let refused = introspect(&from(ELSEWHERE), &key, token).await;
    refused.assert_oauth_error(403, "forbidden");
    assert_eq!(refused.body["message_code"], "ip_not_allowed");
}

/// RFC 6749 §5.2: what is no such request.
#[tokio::test]
async fn rfc_7662_4xx_to_bad_requests() {
    let platform = Platform::start().await;
    let (anonymous, key) = (platform.anonymous(), &platform.seed.bank.key);
    for token in [json!(null), json!(""), json!(7), json!(["a"])] {
        let body =
            json!({"client_id": key.client_id, "client_secret": key.client_secret, "token": token});
        anonymous
            .post(PATH, &body)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    let pair = [
        ("client_id", key.client_id.as_str()),
        ("client_secret", key.client_secret.as_str()),
    ];
    anonymous
        .post_form(PATH, &pair)
        .await
        .assert_oauth_error(400, "invalid_request");
    let twice = [pair[0], pair[1], ("token", "a"), ("token", "a")];
    anonymous
        .post_form(PATH, &twice)
        .await
        .assert_oauth_error(400, "invalid_request");
    let text = anonymous
        .request(Method::POST, PATH)
        .header("content-type", "text/plain")
        .body("token=a");
    Answer::of(text)
        .await
        .assert_oauth_error(415, "invalid_request");
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer =
            Answer::of(anonymous.request(method.clone(), &format!("{PATH}?token=a"))).await;
        answer.assert_oauth_error(405, "invalid_request");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
}

/// A token that is past its end, and everything of another kind, is told to nobody as active.
#[tokio::test]
async fn rfc_7662_200_inactive_at_the_very_end_of_the_token() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let key = &platform.seed.bank.key;
    let token = platform.token(key).await;
    platform.advance(Duration::from_secs(1700));
    assert_eq!(told(&platform, key, &token).await["active"], true);
    platform.advance(Duration::from_secs(101));
    assert_eq!(told(&platform, key, &token).await, json!({"active": false}));
}
