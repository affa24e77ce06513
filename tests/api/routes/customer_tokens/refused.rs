//! Whom and what `POST /api/customer_tokens` refuses.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Platform};

use super::{CUSTOMER, PATH, body, issue};
use crate::{
    credentials::UNAUTHENTICATED,
    management_keys::{seed_bank_key, seed_organization},
    organization_snapshot::organization_snapshot,
};

/// CYB-8: a bank's token alone, with both scopes; the refusal names them.
#[tokio::test]
async fn cyb_8_403_to_whoever_is_no_bank_with_both_scopes() {
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    let refused = organization.post(PATH, &body(&json!({}))).await;
    refused.assert_error(403, "forbidden");
    for person in [
        platform.owner(),
        platform.developer(),
        platform.viewer(),
        platform.support(),
        platform.operations(),
    ] {
        person
            .post(PATH, &body(&json!({})))
            .await
            .assert_error(403, "forbidden");
    }
    let all = json!({"scopes": ["customers:read", "customers:write", "accounts:read"]});
    let customer = issue(&platform, &platform.bank().await, &all).await;
    customer
        .post(PATH, &body(&json!({})))
        .await
        .assert_error(403, "forbidden");

    let key = &platform.seed.bank.key;
    for (held, by_the_gateway) in [
        ("customers:read accounts:read", false),
        ("customers:write", true),
        ("accounts:read", true),
    ] {
        let request = json!({
            "grant_type": "client_credentials", "client_id": key.client_id,
            "client_secret": key.client_secret, "scope": held,
        });
        let token = platform
            .anonymous()
            .post("/oauth/token", &request)
            .await
            .body["access_token"]
            .clone();
        let refused = platform
            .bearer(token.as_str().unwrap())
            .post(PATH, &body(&json!({})))
            .await;
        refused.assert_error(403, "insufficient_scope");
        let message = refused.body["message"].as_str().unwrap();
        assert!(
            by_the_gateway || message.contains("customers:read and customers:write"),
            "{refused:?}"
        );
    }
}

/// CYB-8: scopes that the bank's key does not hold are not for its customers either; the refusal
/// names the scope.
#[tokio::test]
async fn cyb_8_403_to_a_scope_that_the_bank_key_lacks() {
    let platform = Platform::start().await;
    let key = seed_bank_key(&platform, "customers:read customers:write accounts:read").await;
    let bank = platform.bearer(&platform.token(&key).await);
    issue(
        &platform,
        &bank,
        &json!({"scopes": ["accounts:read", "customers:write"]}),
    )
    .await;
    let refused = bank.post(PATH, &body(&json!({}))).await;
    refused.assert_error(403, "insufficient_scope");
    assert!(
        refused.body["message"]
            .as_str()
            .unwrap()
            .contains("trades:execute"),
        "{refused:?}"
    );

    // It is the key that bounds them, not the token: a bank asks for what it needs itself.
    let request = json!({
        "grant_type": "client_credentials", "client_id": key.client_id,
        "client_secret": key.client_secret,
        "scope": "customers:read customers:write",
    });
    let narrow = platform
        .anonymous()
        .post("/oauth/token", &request)
        .await
        .body["access_token"]
        .clone();
    issue(
        &platform,
        &platform.bearer(narrow.as_str().unwrap()),
        &json!({"scopes": ["accounts:read"]}),
    )
    .await;
}

/// docs/requirements.md, Errors: what is not acceptable is named, all of it at once, and changes
/// nothing.
#[tokio::test]
async fn cyb_8_422_names_every_bad_member() {
    let platform = Platform::start().await;
    let (bank, organization) = (platform.bank().await, platform.organization().await);
    let before =
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await;
    for (more, field, words) in bad_members() {
        bank.post(PATH, &body(&more))
            .await
            .assert_field(field, words);
    }
    let both = bank
        .post(
            PATH,
            &body(&json!({"scopes": ["banks:read"], "ip_allowlist": ["10.0.0.1"]})),
        )
        .await;
    both.assert_field("scopes[0]", "customer's token")
        .assert_field("ip_allowlist[0]", "private");
    for missing in ["customer_guid", "scopes"] {
        let mut body = body(&json!({}));
        body.as_object_mut().unwrap().remove(missing);
        bank.post(PATH, &body)
            .await
            .assert_field(missing, "required");
    }
    assert_eq!(
        organization_snapshot(&platform, &organization, seed_organization(&platform)).await,
        before
    );
}

/// A bad member, the field that is refused, and words of the refusal.
fn bad_members() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!({"customer_guid": null}),
            "customer_guid",
            "must be a string",
        ),
        (
            json!({"customer_guid": 7}),
            "customer_guid",
            "must be a string",
        ),
        (
            json!({"customer_guid": "C0FFEE00C0FFEE00C0FFEE00C0FFEE00"}),
            "customer_guid",
            "32 lower-case",
        ),
        (
            json!({"customer_guid": ""}),
            "customer_guid",
            "32 lower-case",
        ),
        (json!({"scopes": null}), "scopes", "must be a"),
        (json!({"scopes": []}), "scopes", "at least one"),
        (json!({"scopes": "accounts:read"}), "scopes", "must be a"),
        (
            json!({"scopes": ["accounts:read", 7]}),
            "scopes[1]",
            "must be a string",
        ),
        (
            json!({"scopes": ["accounts:read", "accounts:read"]}),
            "scopes[1]",
            "duplicate",
        ),
        (
            json!({"scopes": ["accounts:read", "banks:read"]}),
            "scopes[1]",
            "customer's token",
        ),
        (
            json!({"scopes": ["customers:execute"]}),
            "scopes[0]",
            "customer's token",
        ),
        (
            json!({"scopes": ["accounts:all"]}),
            "scopes[0]",
            "is not a scope",
        ),
        (
            json!({"ip_allowlist": ["8.8.8.8", "10.0.0.1"]}),
            "ip_allowlist[1]",
            "private",
        ),
        (
            json!({"ip_allowlist": ["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4"]}),
            "ip_allowlist",
            "at most 3",
        ),
        (
            json!({"ip_allowlist": "8.8.8.8"}),
            "ip_allowlist",
            "must be a",
        ),
        (
            json!({"inherit_ip_allowlist": "true"}),
            "inherit_ip_allowlist",
            "must be a boolean",
        ),
        (
            json!({"inherit_ip_allowlist": 1}),
            "inherit_ip_allowlist",
            "must be a boolean",
        ),
        (json!({"colour": "red"}), "colour", "not a member"),
    ]
}

/// CYB-4: `bank_guid` is accepted and ignored, whatever it holds; the token decides.
#[tokio::test]
async fn cyb_4_201_whatever_bank_is_named() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let (_, _, other, _) = platform.neighbour().await;
    for named in [
        json!(platform.seed.bank.guid),
        json!(other.to_string()),
        json!(null),
        json!({"guid": 7}),
    ] {
        let customer = issue(&platform, &bank, &json!({"bank_guid": named})).await;
        assert_eq!(
            customer.get("/v1/whoami").await.body["bank"],
            platform.seed.bank.guid,
            "{named}"
        );
    }
}

/// docs/requirements.md, Errors: what is no JSON object of this size.
#[tokio::test]
async fn cyb_8_4xx_to_what_is_no_such_request() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let send = async |content_type: &str, body: String| {
        Answer::of(
            bank.request(Method::POST, PATH)
                .header("content-type", content_type)
                .body(body),
        )
        .await
    };
    send("application/json", "{".into())
        .await
        .assert_error(400, "malformed_request");
    send("application/json", "[]".into())
        .await
        .assert_field("body", "object");
    send(
        "application/x-www-form-urlencoded",
        format!("customer_guid={CUSTOMER}"),
    )
    .await
    .assert_error(415, "unsupported_media_type");
    send(
        "application/json",
        format!("{{\"a\":\"{}\"}}", "a".repeat(64 * 1024)),
    )
    .await
    .assert_error(413, "payload_too_large");
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = Answer::of(platform.anonymous().request(method.clone(), PATH)).await;
        answer.assert_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "POST", "{method}");
    }
}

/// CYB-9: without a token, or with one that has expired, there is nothing to derive one from.
#[tokio::test]
async fn cyb_8_401_without_a_token_that_works() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    platform.advance(Duration::from_secs(1801));
    for caller in [platform.anonymous(), bank, platform.bearer("nonsense")] {
        let refused = caller.post(PATH, &body(&json!({}))).await;
        refused.assert_error(401, "authentication_failed");
        assert_eq!(refused.body["message"], UNAUTHENTICATED);
    }
}

/// The bank's key is read when the token is made: whatever the authorizer remembers, a stopped one
/// obtains nothing from the very moment on that it was stopped.
#[tokio::test]
async fn cyb_8_401_at_once_when_the_bank_key_is_stopped() {
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    for verb in ["deactivate", "revoke"] {
        let key = platform.bank_key(json!({})).await;
        let bank = platform.bearer(&platform.token(&key).await);
        issue(&platform, &bank, &json!({})).await;
        assert_eq!(
            organization
                .post(&format!("/api/keys/{}/{verb}", key.client_id), &Value::Null)
                .await
                .status,
            200
        );
        bank.post(PATH, &body(&json!({})))
            .await
            .assert_error(401, "authentication_failed");
    }
}

/// CYB-8: a customer's token is for the guarded APIs; the management API does not know it, whatever
/// scopes it has.
#[tokio::test]
async fn cyb_8_403_to_customers_at_the_management_api() {
    let platform = Platform::start().await;
    let scopes =
        json!({"scopes": ["customers:read", "customers:write", "accounts:read", "accounts:write"]});
    let customer = issue(&platform, &platform.bank().await, &scopes).await;
    for path in [
        "/api/organizations",
        "/api/banks",
        "/api/bank_applications",
        "/api/organization_applications",
        "/api/keys",
        "/api/users",
    ] {
        let refused = customer.get(path).await;
        assert!(refused.status == 403, "{path}: {refused:?}");
    }
    let key = &platform.seed.bank.key.client_id;
    for (path, body) in [
        (format!("/api/keys/{key}/rotate"), json!({})),
        (format!("/api/keys/{key}/revoke"), json!({})),
        ("/api/bank_applications".into(), json!({"name": "mine"})),
    ] {
        assert_eq!(customer.post(&path, &body).await.status, 403, "{path}");
    }
}
