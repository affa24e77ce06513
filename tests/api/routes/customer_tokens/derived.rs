//! A customer's token lives no longer than what it was derived from (CYB-8;
//! docs/requirements.md, Tokens).

use std::time::Duration;

use domain::{gate::Kyb, key_mode::BankEnvironment};
use local::services::Options;
use operator::tenants::Credentials;
use serde_json::{Value, json};
use tests::{Caller, Platform, proxy::Fault};

use super::{CUSTOMER, issue, issued};
use crate::{
    credentials::{claims, in_future, live_organization},
    five_second_bound::{die, live},
};

fn exp(caller: &Caller) -> i64 {
    claims(caller.token())["exp"].as_i64().unwrap()
}

async fn bank(platform: &Platform, key: &Credentials) -> Caller {
    platform.bearer(&platform.token(key).await)
}

/// Three generations of a key's tokens: one that is to die with its customer's, and a bystander of
/// another key with its own.
async fn families(platform: &Platform) -> (Credentials, [Caller; 2], [Caller; 2]) {
    let (key, other) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let (bank, bystander) = (bank(platform, &key).await, bank(platform, &other).await);
    let customer = issue(platform, &bank, &json!({})).await;
    let bystanders_customer = issue(platform, &bystander, &json!({})).await;
    live(&[&bank, &customer, &bystander, &bystanders_customer]).await;
    (key, [bank, customer], [bystander, bystanders_customer])
}

#[tokio::test]
async fn cyb_8_revoking_the_key_kills_the_customers_token() {
    let platform = Platform::start().await;
    let (key, [bank, customer], [bystander, bystanders_customer]) = families(&platform).await;
    let revoke = format!("/api/keys/{}/revoke", key.client_id);
    assert_eq!(
        platform
            .organization()
            .await
            .post(&revoke, &Value::Null)
            .await
            .status,
        200
    );
    die(&[&customer, &bank]).await;
    live(&[&bystander, &bystanders_customer]).await;
}

/// CBM-3: the tokens of the old secret go with it, and those derived from them; the new secret's
/// stay.
#[tokio::test]
async fn cyb_8_finishing_a_rotation_kills_the_customers_token() {
    let platform = Platform::start().await;
    let (key, [bank, customer], [bystander, bystanders_customer]) = families(&platform).await;
    let organization = platform.organization().await;
    let act = async |verb: &str| {
        organization
            .post(&format!("/api/keys/{}/{verb}", key.client_id), &json!({}))
            .await
    };
    let rotated = act("rotate").await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let renewed = Credentials {
        client_secret: rotated.body["secret"].as_str().unwrap().to_owned(),
        ..key.clone()
    };
    let renewed = self::bank(&platform, &renewed).await;
    let renewed_customer = issue(&platform, &renewed, &json!({})).await;
    live(&[&bank, &customer, &renewed, &renewed_customer]).await;
    assert_eq!(act("finish_rotation").await.status, 200);
    die(&[&customer, &bank]).await;
    live(&[
        &renewed,
        &renewed_customer,
        &bystander,
        &bystanders_customer,
    ])
    .await;
    bank.post(super::PATH, &super::body(&json!({})))
        .await
        .assert_error(401, "authentication_failed");
}

/// RFC 7009 §2.1: with a token go those that were derived from it; others of the same key stay.
#[tokio::test]
async fn cyb_8_revoking_the_token_kills_the_customers_token() {
    let platform = Platform::start().await;
    let (key, [bank, customer], bystanders) = families(&platform).await;
    let sibling = self::bank(&platform, &key).await;
    let siblings_customer = issue(&platform, &sibling, &json!({})).await;
    let body = json!({
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": bank.token(),
    });
    let revoked = platform.anonymous().post("/oauth/revoke", &body).await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    die(&[&customer, &bank]).await;
    live(&[&sibling, &siblings_customer, &bystanders[0], &bystanders[1]]).await;
}

/// A request that read the bank's key before its token was revoked, and is signed after it, yields
/// a token that is refused: it names its parent, and the feed the parent.
#[tokio::test]
async fn cyb_8_a_token_that_is_signed_after_the_revocation_of_its_parent_is_dead() {
    let (platform, kms) = Platform::behind_proxy("AWS_ENDPOINT_URL_KMS", Options::default()).await;
    let key = platform.seed.bank.key.clone();
    let bank = bank(&platform, &key).await;
    kms.set(Fault::Hold);
    let slow = bank.clone();
    let request =
        tokio::spawn(async move { slow.post(super::PATH, &super::body(&json!({}))).await });
    kms.until_held().await;
    let body = json!({
        "client_id": key.client_id,
        "client_secret": key.client_secret,
        "token": bank.token(),
    });
    assert_eq!(
        platform
            .anonymous()
            .post("/oauth/revoke", &body)
            .await
            .status,
        200
    );
    kms.set(Fault::None);
    let customer = platform.bearer(&issued(&request.await.unwrap()));
    die(&[&customer]).await;
}

/// docs/requirements.md, Tokens: the parent token's end, the key's and the secret's, whichever is
/// first. The lifetime of its own is never the least: the parent's began earlier.
#[tokio::test]
async fn cyb_8_the_customers_token_ends_with_its_parent_key_or_secret() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let organization = platform.organization().await;
    let key = platform.bank_key(json!({})).await;
    let bank = bank(&platform, &key).await;
    platform.advance(Duration::from_mins(10));
    assert_eq!(
        exp(&issue(&platform, &bank, &json!({})).await),
        exp(&bank),
        "the parent's"
    );

    let in_15_minutes = in_future(&platform, Duration::from_mins(15));
    let edited = organization
        .patch(
            &format!("/api/keys/{}", key.client_id),
            &json!({"expires_at": in_15_minutes}),
        )
        .await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let seconds = |time: &str| domain::time::Timestamp::parse(time).unwrap().seconds();
    assert_eq!(
        exp(&issue(&platform, &bank, &json!({})).await),
        seconds(&in_15_minutes),
        "the key's"
    );

    let rotate = format!("/api/keys/{}/rotate", key.client_id);
    let rotated = organization
        .post(&rotate, &json!({"grace_period": 300}))
        .await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let ends = rotated.body["previous_secret"]["expires_at"]
        .as_str()
        .unwrap();
    let customer = issue(&platform, &bank, &json!({})).await;
    assert_eq!(exp(&customer), seconds(ends), "the secret's");
    live(&[&customer]).await;
    platform.advance(Duration::from_secs(301));
    customer
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    bank.post(super::PATH, &super::body(&json!({})))
        .await
        .assert_error(401, "authentication_failed");
}

/// A live bank's customers have live tokens: of the live audience, and nothing in the sandbox.
#[tokio::test]
async fn cyb_8_a_live_banks_customer_has_a_live_token() {
    let platform = Platform::start().await;
    let (organization, _) = live_organization(&platform, Kyb::Approved).await;
    let (_, key) = platform
        .operator()
        .bank(organization, "Live bank", BankEnvironment::Production)
        .await
        .unwrap();
    let bank = bank(&platform, &key).await;
    let customer = issue(&platform, &bank, &json!({})).await;
    let (parent, child) = (claims(bank.token()), claims(customer.token()));
    assert_eq!(
        (&child["env"], &child["aud"], &child["sub"]),
        (&json!("live"), &parent["aud"], &json!(CUSTOMER))
    );
    customer
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
}
