//! Who may ask about a token (RFC 7662 §2.1, §4).

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, introspect};
use crate::{credentials, routes::customer_tokens};

async fn with_authorization(platform: &Platform, authorization: &str, form: &str) -> Answer {
    let request = platform
        .anonymous()
        .request(Method::POST, PATH)
        .header("authorization", authorization);
    Answer::of(
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned()),
    )
    .await
}

async fn with_bearer(caller: &Caller, token: &str) -> Answer {
    caller.post_form(PATH, &[("token", token)]).await
}

/// Clients as at `/oauth/token`, access tokens, and personal keys of any role.
#[tokio::test]
async fn rfc_7662_200_to_clients_tokens_and_personal_keys() {
    let platform = Platform::start().await;
    let (seed, token) = (
        &platform.seed,
        platform.token(&platform.seed.bank.key).await,
    );
    let pair = format!(
        "{}:{}",
        seed.bank.key.client_id, seed.bank.key.client_secret
    );
    let basic = format!("Basic {}", STANDARD.encode(pair));
    let mut first = None;
    for answer in [
        with_authorization(&platform, &basic, &format!("token={token}")).await,
        introspect(&platform.anonymous(), &seed.bank.key, &token).await,
        introspect(&platform.anonymous(), &seed.organization.key, &token).await,
        with_bearer(&platform.bank().await, &token).await,
        with_bearer(&platform.bearer(&token), &token).await,
        with_bearer(&platform.organization().await, &token).await,
        with_bearer(&platform.owner(), &token).await,
        with_bearer(&platform.viewer(), &token).await,
    ] {
        assert_eq!(
            (answer.status, &answer.body["active"]),
            (200, &json!(true)),
            "{answer:?}"
        );
        assert_eq!(
            first.get_or_insert_with(|| answer.body.clone()),
            &answer.body,
            "all of them are told the same"
        );
    }
}

/// RFC 6749 §5.2 for clients, RFC 6750 §3.1 for bearers; the gateway renames the challenge.
#[tokio::test]
async fn rfc_7662_401_to_nobody_and_to_wrong_credentials() {
    let platform = Platform::start().await;
    let token = platform.token(&platform.seed.bank.key).await;
    platform
        .anonymous()
        .post(PATH, &json!({"token": token}))
        .await
        .assert_oauth_error(401, "invalid_client");
    for (what, key) in credentials::refused(&platform).await {
        let answer = introspect(&platform.anonymous(), &key, &token).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.assert_oauth_error(401, "invalid_client");
    }
    for bearer in [
        "nonsense",
        &format!("{token}x"),
        &platform.seed.bank.key.client_secret,
    ] {
        let answer = with_bearer(&platform.bearer(bearer), &token).await;
        answer.assert_oauth_error(401, "invalid_token");
        assert_eq!(
            answer.header("x-amzn-remapped-www-authenticate"),
            "Bearer error=\"invalid_token\""
        );
    }
}

/// A customer's token is in a customer's hands: it tells nobody of the bank's.
#[tokio::test]
async fn cyb_8_403_to_a_customers_token() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let customer = customer_tokens::issue(&platform, &bank, &json!({})).await;
    for token in [bank.token(), customer.token(), "nonsense"] {
        with_bearer(&customer, token)
            .await
            .assert_oauth_error(403, "access_denied");
    }
}

/// docs/requirements.md, Roles: staff see no customers' data, whoever's token they hold.
#[tokio::test]
async fn rfc_7662_403_to_staff() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    for staff in [
        platform.support(),
        platform.security(),
        platform.operations(),
    ] {
        with_bearer(&staff, bank.token())
            .await
            .assert_oauth_error(403, "access_denied");
    }
}

/// RFC 6749 §2.3: one authentication, however it is given.
#[tokio::test]
async fn rfc_7662_400_to_two_authentications() {
    let platform = Platform::start().await;
    let key = &platform.seed.bank.key;
    let token = platform.token(key).await;
    let form = format!(
        "token={token}&client_id={}&client_secret={}",
        key.client_id, key.client_secret
    );
    let basic = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", key.client_id, key.client_secret))
    );
    for authorization in [&format!("Bearer {token}"), &basic] {
        with_authorization(&platform, authorization, &form)
            .await
            .assert_oauth_error(400, "invalid_request");
    }
    let request = platform
        .anonymous()
        .request(Method::POST, PATH)
        .header("authorization", format!("Bearer {token}"));
    let request = request
        .header("authorization", &basic)
        .header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(format!("token={token}")))
        .await
        .assert_oauth_error(400, "invalid_request");
}

/// CBM-1: a personal key is sent as it is; as a client's secret it is refused, once it is right,
/// here and at the token endpoints.
#[tokio::test]
async fn cbm_1_400_to_a_personal_key_as_a_client() {
    let platform = Platform::start().await;
    let secret = &platform.seed.users.owner.secret;
    let asked = platform.bearer(secret).get("/v1/whoami").await;
    let client_id = asked.body["client_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{asked:?}"))
        .to_owned();
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "token": "a",
    });
    for path in [PATH, "/oauth/token", "/v1/auth/token", "/oauth/revoke"] {
        let refused = platform.anonymous().post(path, &body).await;
        refused.assert_oauth_error(400, "unauthorized_client");
        assert!(
            refused.body["error_description"]
                .as_str()
                .unwrap()
                .contains("Authorization: Bearer"),
            "{refused:?}"
        );
        let mut wrong = body.clone();
        wrong["client_secret"] = Value::String(credentials::never_issued(
            &client_id,
            domain::key_mode::KeyMode::Sandbox,
        ));
        platform
            .anonymous()
            .post(path, &wrong)
            .await
            .assert_oauth_error(401, "invalid_client");
    }
}
