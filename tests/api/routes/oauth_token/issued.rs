//! What a key gets: scopes, the guard of its allowlist, the token's life and size.

use std::time::Duration;

use domain::scope::{Catalogue, Holder};
use local::services::Options;
use operator::tenants::Credentials;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Caller, Platform,
    platform::{ALLOWED, ELSEWHERE},
};

use super::{PATH, assert_token, parameters};
use crate::credentials::{self, claims};

/// CYB-10: a subset, in any order and with repetitions; what the key lacks or nobody knows is
/// `invalid_scope`.
#[tokio::test]
async fn cyb_10_scopes_are_a_subset_of_the_keys() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    let key = platform
        .bank_key(json!({"scopes": ["accounts:read", "accounts:write", "customers:read"]}))
        .await;
    for (scope, expected) in [
        ("accounts:read", "accounts:read"),
        (
            "customers:read accounts:read",
            "accounts:read customers:read",
        ),
        ("accounts:read accounts:read", "accounts:read"),
        (
            "  accounts:read  customers:read ",
            "accounts:read customers:read",
        ),
    ] {
        let answer = anonymous
            .post(PATH, &parameters(&key, &json!({"scope": scope})))
            .await;
        let token = assert_token(&answer);
        assert_eq!(
            (
                answer.body["scope"].as_str(),
                claims(token)["scope"].as_str()
            ),
            (Some(expected), Some(expected)),
            "{scope}"
        );
    }
    for scope in [
        "customers:write",
        "accounts:read customers:write",
        "banks:execute",
        "no_such:read",
        "accounts",
        "accounts:READ",
        "accounts:read,customers:read",
        "*",
        "\"quoted\\\"",
        "accounts:read\u{0}",
        "übung:read",
        " ",
    ] {
        let answer = anonymous
            .post(PATH, &parameters(&key, &json!({"scope": scope})))
            .await;
        answer.assert_oauth_error(400, "invalid_scope");
        let description = answer.body["error_description"].as_str().unwrap();
        // RFC 6749 §5.2's characters.
        assert!(
            description
                .bytes()
                .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{description}"
        );
    }
}

/// CYB-10: management scopes that the key lacks are dropped when others remain.
#[tokio::test]
async fn cyb_10_management_scopes_are_dropped() {
    let platform = Platform::start().await;
    let anonymous = platform.anonymous();
    let bank = &platform.seed.bank.key;
    let asked = json!({"scope": "accounts:read bank_applications:execute bank_applications:write"});
    let answer = anonymous.post(PATH, &parameters(bank, &asked)).await;
    assert_eq!(claims(assert_token(&answer))["scope"], "accounts:read");
    assert_eq!(answer.body["scope"], "accounts:read");
    let alone = anonymous
        .post(
            PATH,
            &parameters(bank, &json!({"scope": "bank_applications:execute"})),
        )
        .await;
    alone.assert_oauth_error(400, "invalid_scope");
    // Those too that no bank key can hold, and that only keys of another owner hold.
    let asked = json!({"scope": "accounts:read organization_applications:execute users:write"});
    let answer = anonymous.post(PATH, &parameters(bank, &asked)).await;
    assert_eq!(claims(assert_token(&answer))["scope"], "accounts:read");
    assert_eq!(answer.body["scope"], "accounts:read");
    for scope in [
        "organization_applications:execute users:write",
        "organization_applications:execute",
        "users:write",
    ] {
        let alone = anonymous
            .post(PATH, &parameters(bank, &json!({"scope": scope})))
            .await;
        alone.assert_oauth_error(400, "invalid_scope");
    }
    // Dropping forgives nothing else.
    let wrong = json!({"scope": "accounts:read bank_applications:execute no_such:read"});
    anonymous
        .post(PATH, &parameters(bank, &wrong))
        .await
        .assert_oauth_error(400, "invalid_scope");
    // What the key holds stays.
    let organization = &platform.seed.organization.key;
    let answer = anonymous
        .post(
            PATH,
            &parameters(
                organization,
                &json!({"scope": "bank_applications:execute banks:read"}),
            ),
        )
        .await;
    assert_eq!(answer.body["scope"], "bank_applications:execute banks:read");
}

/// CYB-6: the list guards the endpoint after the secret has been verified, with CYB-7's answer.
#[tokio::test]
async fn cyb_6_403_from_an_address_outside_the_allowlist() {
    let platform = Platform::start().await;
    let key = platform
        .bank_key(json!({"ip_allowlist": [ALLOWED, "1.1.1.0/24"]}))
        .await;
    let forged = Credentials {
        client_secret: credentials::never_issued(
            &key.client_id,
            domain::key_mode::KeyMode::Sandbox,
        ),
        ..key.clone()
    };
    let (allowed, elsewhere) = (
        platform.anonymous().from(ALLOWED),
        platform.anonymous().from(ELSEWHERE),
    );
    for address in [ALLOWED, "1.1.1.255", "::ffff:8.8.8.8"] {
        assert_token(
            &allowed
                .from(address)
                .post(PATH, &parameters(&key, &json!({})))
                .await,
        );
    }
    for address in [
        ELSEWHERE,
        "1.1.2.0",
        "127.0.0.1",
        "2001:4860:4860::8888",
        "::1",
        "::ffff:9.9.9.9",
    ] {
        let answer = allowed
            .from(address)
            .post(PATH, &parameters(&key, &json!({})))
            .await;
        answer.assert_oauth_error(403, "forbidden");
        let expected = json!({
            "error": "forbidden",
            "error_description": "IP address not in allowlist",
            "message_code": "ip_not_allowed",
            "message": "IP address not in allowlist",
        });
        assert_eq!(answer.body, expected, "{address}");
        assert!(
            answer
                .headers
                .get("x-amzn-remapped-www-authenticate")
                .is_none()
        );
    }
    // Who does not know the secret learns nothing of the list.
    elsewhere
        .post(PATH, &parameters(&forged, &json!({})))
        .await
        .assert_oauth_error(401, "invalid_client");
    allowed
        .post(PATH, &parameters(&forged, &json!({})))
        .await
        .assert_oauth_error(401, "invalid_client");
    // No header is believed.
    for name in [
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
    ] {
        let request = elsewhere
            .request(Method::POST, PATH)
            .header(name, ALLOWED)
            .json(&parameters(&key, &json!({})));
        Answer::of(request)
            .await
            .assert_oauth_error(403, "forbidden");
    }
    // A revoked key's list says nothing either.
    let revoked = platform
        .organization()
        .await
        .delete(&format!("/api/bank_applications/{}", key.client_id))
        .await;
    assert_eq!(revoked.status, 204);
    elsewhere
        .post(PATH, &parameters(&key, &json!({})))
        .await
        .assert_oauth_error(401, "invalid_client");
}

/// CYB-6: an edit applies at once here and at the next issuance; tokens in flight keep theirs.
#[tokio::test]
async fn cyb_6_edits_apply_at_the_next_issuance() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let (allowed, elsewhere) = (
        platform.anonymous().from(ALLOWED),
        platform.anonymous().from(ELSEWHERE),
    );
    let edit = async |list: Value| {
        let path = format!("/api/bank_applications/{}", key.client_id);
        let answer = platform
            .organization()
            .await
            .patch(&path, &json!({"ip_allowlist": list}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let whoami = async |token: &str, from: &str| {
        platform
            .bearer(token)
            .from(from)
            .get("/v1/whoami")
            .await
            .status
    };
    let ask = async |from: &Caller| from.post(PATH, &parameters(&key, &json!({}))).await;

    let first = assert_token(&ask(&allowed).await).to_owned();
    assert_eq!(claims(&first)["ip_allowlist"], json!([ALLOWED]));
    edit(json!([ELSEWHERE])).await;
    ask(&allowed).await.assert_oauth_error(403, "forbidden");
    let second = assert_token(&ask(&elsewhere).await).to_owned();
    assert_eq!(claims(&second)["ip_allowlist"], json!([ELSEWHERE]));
    edit(json!([])).await;
    let third = assert_token(&ask(&allowed).await).to_owned();
    assert!(claims(&third).get("ip_allowlist").is_none());
    for (token, statuses) in [
        (first, (200, 403)),
        (second, (403, 200)),
        (third, (200, 200)),
    ] {
        assert_eq!(
            (
                whoami(&token, ALLOWED).await,
                whoami(&token, ELSEWHERE).await
            ),
            statuses
        );
    }
}

/// docs/requirements.md, Tokens: `exp` is the least of the lifetime and the key's expiry.
#[tokio::test]
async fn tokens_end_with_their_key() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let expiry = credentials::in_future(&platform, Duration::from_mins(10));
    let key = platform.bank_key(json!({"expires_at": expiry})).await;
    let answer = platform.request_token(&key, platform.anonymous()).await;
    let token = assert_token(&answer);
    let said = claims(token);
    let end = domain::time::Timestamp::parse(&expiry).unwrap().seconds();
    assert_eq!(said["exp"], end);
    assert_eq!(
        answer.body["expires_in"],
        end - said["iat"].as_i64().unwrap()
    );
    assert_eq!(answer.body["expires_in"], 600);
    let caller = platform.bearer(token);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    platform.advance(Duration::from_mins(10));
    caller
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
}

/// The template's parameter `TokenLifetimeSeconds`.
#[tokio::test]
async fn tokens_live_as_long_as_configured() {
    let parameters = [("TokenLifetimeSeconds".to_owned(), "60".to_owned())].into();
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    platform.stop_clock();
    let answer = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    let token = assert_token(&answer);
    assert_eq!(answer.body["expires_in"], 60);
    assert_eq!(
        claims(token)["exp"].as_i64().unwrap() - claims(token)["iat"].as_i64().unwrap(),
        60
    );
    let caller = platform.bearer(token);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    platform.advance(Duration::from_mins(1));
    caller
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
}

/// docs/requirements.md, Tokens: at most 4 KB, for the key that holds most.
#[tokio::test]
async fn tokens_have_at_most_4_kb() {
    let platform = Platform::start().await;
    let (key, scopes) = (
        &platform.seed.organization.key,
        Catalogue::default().all(Holder::Organization).to_string(),
    );
    let list = [
        "101.102.103.104/32",
        "111.112.113.114/32",
        "121.122.123.124/32",
    ];
    let path = format!("/api/organization_applications/{}", key.client_id);
    let patched = platform
        .organization()
        .await
        .patch(&path, &json!({"ip_allowlist": list}))
        .await;
    assert_eq!(patched.status, 200, "{patched:?}");
    let answer = platform
        .request_token(key, platform.anonymous().from("101.102.103.104"))
        .await;
    let token = assert_token(&answer);
    assert!((1024..=4096).contains(&token.len()), "{}", token.len());
    assert_eq!(claims(token)["scope"], scopes);
    assert_eq!(claims(token)["ip_allowlist"], json!(list));
    assert_eq!(
        platform
            .bearer(token)
            .from("121.122.123.124")
            .get("/v1/whoami")
            .await
            .status,
        200
    );
}
