//! `POST /api/customer_tokens`: a customer's token for a bank's (CYB-8).

mod derived;
mod refused;

use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::credentials::claims;

const PATH: &str = "/api/customer_tokens";
/// Some customer's; whose they are is the bank's affair.
pub const CUSTOMER: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";

/// A good body, with these members more or instead.
fn body(more: &Value) -> Value {
    let mut body =
        json!({"customer_guid": CUSTOMER, "scopes": ["accounts:read", "trades:execute"]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

/// The token of a 201 that has nothing else.
#[track_caller]
fn issued(answer: &Answer) -> String {
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (201, "no-store"),
        "{answer:?}"
    );
    let members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token"], "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

/// A customer's token for this caller's, with these members more or instead.
pub async fn issue(platform: &Platform, bank: &Caller, more: &Value) -> Caller {
    platform.bearer(&issued(&bank.post(PATH, &body(more)).await))
}

/// CYB-8: the answer is the token alone; its claims are the bank's but for the customer, the
/// scopes, the list and the parent.
#[tokio::test]
async fn cyb_8_201_with_the_claims_of_the_parent() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let bank = platform.bank().await;
    platform.advance(std::time::Duration::from_mins(1));
    let customer = issue(&platform, &bank, &json!({})).await;
    let (parent, mut child) = (claims(bank.token()), claims(customer.token()));
    assert_eq!(child["sub"], CUSTOMER);
    assert_eq!(child["customer"], CUSTOMER);
    assert_eq!(child["scope"], "accounts:read trades:execute");
    assert_eq!(
        child["parent"],
        json!({"client_id": parent["client_id"], "sid": parent["sid"], "jti": parent["jti"]}),
        "revoking any of them ends it"
    );
    assert_ne!(child["jti"], parent["jti"]);
    assert_eq!(
        child["iat"].as_i64().unwrap(),
        parent["iat"].as_i64().unwrap() + 60,
        "{child}"
    );
    assert_eq!(child["nbf"], child["iat"]);
    for member in [
        "iss",
        "aud",
        "client_id",
        "sid",
        "org",
        "owner",
        "bank",
        "env",
        "key_created",
        "exp",
    ] {
        assert_eq!(child[member], parent[member], "{member}");
    }
    let known = [
        "sub",
        "customer",
        "scope",
        "parent",
        "jti",
        "iat",
        "nbf",
        "iss",
        "aud",
        "client_id",
        "sid",
        "org",
        "owner",
    ];
    for member in known
        .into_iter()
        .chain(["bank", "env", "key_created", "exp"])
    {
        child.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(child, json!({}), "and no list");
}

/// CYB-4: the guarded API learns for whom it is called.
#[tokio::test]
async fn cyb_8_whoami_shows_the_customer() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let customer = issue(&platform, &bank, &json!({})).await;
    let whoami = customer.get("/v1/whoami").await;
    assert_eq!(whoami.status, 200, "{whoami:?}");
    assert_eq!(whoami.body["customer"], CUSTOMER);
    assert_eq!(whoami.body["scopes"], "accounts:read trades:execute");
    let parents = bank.get("/v1/whoami").await.body;
    assert!(parents.get("customer").is_none(), "{parents}");
    for member in [
        "bank",
        "organization",
        "client_id",
        "owner",
        "environment",
        "sid",
        "expires_at",
    ] {
        assert_eq!(whoami.body[member], parents[member], "{member}");
    }
}

/// Each call issues another token, whatever `Idempotency-Key` it has: nothing is kept of a token
/// that could be given again.
#[tokio::test]
async fn cyb_8_201_with_another_token_each_time() {
    let platform = Platform::start().await;
    let bank = platform.bank().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let request = bank
            .request(reqwest::Method::POST, PATH)
            .header("idempotency-key", "once")
            .json(&body(&json!({})));
        let answer = Answer::of(request).await;
        tokens.push(issued(&answer));
        assert_eq!(answer.header("idempotency-replayed"), "");
    }
    assert_ne!(claims(&tokens[0])["jti"], claims(&tokens[1])["jti"]);
}

/// CYB-8: without `inherit_ip_allowlist` the application's list does not concern the token; with it
/// both lists unite.
#[tokio::test]
async fn cyb_8_201_with_the_own_list_and_on_request_the_inherited_one() {
    let platform = Platform::start().await;
    let (home, branch, away) = ("8.8.8.8", "1.1.1.1", "9.9.9.9");
    let key = platform.bank_key(json!({"ip_allowlist": [home]})).await;
    let answer = platform
        .request_token(&key, platform.anonymous().from(home))
        .await;
    let bank = platform
        .bearer(answer.body["access_token"].as_str().unwrap())
        .from(home);
    let open = [
        json!({}),
        json!({"inherit_ip_allowlist": false}),
        json!({"inherit_ip_allowlist": null, "ip_allowlist": null}),
    ];
    for more in open.into_iter().chain([json!({"ip_allowlist": []})]) {
        let customer = issue(&platform, &bank, &more).await;
        assert_eq!(claims(customer.token()).get("ip_allowlist"), None, "{more}");
        assert_eq!(
            customer.from(away).get("/v1/whoami").await.status,
            200,
            "{more}"
        );
    }
    for (more, list) in [
        (json!({"ip_allowlist": [branch]}), json!([branch])),
        (json!({"inherit_ip_allowlist": true}), json!([home])),
        (
            json!({"inherit_ip_allowlist": true, "ip_allowlist": [branch]}),
            json!([home, branch]),
        ),
        (
            json!({"inherit_ip_allowlist": true, "ip_allowlist": [home, branch]}),
            json!([home, branch]),
        ),
    ] {
        let customer = issue(&platform, &bank, &more).await;
        assert_eq!(claims(customer.token())["ip_allowlist"], list, "{more}");
        for address in [home, branch, away] {
            let answer = customer.from(address).get("/v1/whoami").await;
            if list.as_array().unwrap().contains(&json!(address)) {
                assert_eq!(answer.status, 200, "{more} {answer:?}");
            } else {
                answer.assert_error(403, "ip_not_allowed");
            }
        }
    }
}

/// CYB-8: what is inherited is the key's list as it stands now, not the one that the bank's token
/// was sealed with; three entries of each list make six.
#[tokio::test]
async fn cyb_8_201_inherits_the_list_as_it_stands_now() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({})).await;
    let bank = platform.bearer(&platform.token(&key).await);
    let inherit =
        json!({"inherit_ip_allowlist": true, "ip_allowlist": ["1.0.0.1", "1.0.0.2", "1.0.0.3"]});
    let list =
        async || claims(issue(&platform, &bank, &inherit).await.token())["ip_allowlist"].clone();
    assert_eq!(
        list().await,
        json!(["1.0.0.1", "1.0.0.2", "1.0.0.3"]),
        "a key without a list lets in whom the token names"
    );
    let edit = json!({"ip_allowlist": ["8.8.4.0/24", "8.8.8.8", "8.8.8.9"]});
    let path = format!("/api/bank_applications/{}", key.client_id);
    assert_eq!(
        platform
            .organization()
            .await
            .patch(&path, &edit)
            .await
            .status,
        200
    );
    assert_eq!(
        list().await,
        json!([
            "8.8.4.0/24",
            "8.8.8.8",
            "8.8.8.9",
            "1.0.0.1",
            "1.0.0.2",
            "1.0.0.3"
        ])
    );
    let customer = issue(&platform, &bank, &inherit).await;
    assert_eq!(customer.from("1.0.0.3").get("/v1/whoami").await.status, 200);
    assert_eq!(customer.from("8.8.4.4").get("/v1/whoami").await.status, 200);
    customer
        .from("1.0.0.4")
        .get("/v1/whoami")
        .await
        .assert_error(403, "ip_not_allowed");
}
