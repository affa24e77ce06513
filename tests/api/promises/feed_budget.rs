//! One organization cannot fill the revocation feed, which every authorizer must read before it
//! admits anybody (CBM-4); and no change is refused to protect it.

use std::time::Duration;

use operator::tenants::Credentials;
use serde_json::json;
use tests::{Platform, platform::credentials};

use crate::five_second_bound::{die, live};

/// An organization that changes too often is covered: its calls are looked up, every change counts
/// within five seconds, and no other organization is affected.
#[tokio::test]
async fn cbm_4_an_organization_that_loops_is_refused_nothing_and_its_revocations_count() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (looped, stopped, revoked) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let (_, neighbour, _, _) = platform.neighbour().await;
    let neighbour = platform.bearer(&platform.token(&neighbour).await);
    let (organization, token) = (platform.organization().await, platform.bank().await);
    let path = |key: &Credentials, verb: &str| format!("/api/keys/{}/{verb}", key.client_id);
    let mut looped = looped;
    let mut old = Vec::new();
    // More than the 96 entries that an organization has in a minute.
    for round in 0..120 {
        if round > 90 {
            old.push(platform.bearer(&platform.token(&looped).await));
        }
        let answer = organization
            .post(&path(&looped, "rotate"), &json!({"grace_period": 0}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        looped = credentials(&answer.body);
    }
    let newest = platform.bearer(&platform.token(&looped).await);
    platform.advance(Duration::from_secs(5));
    die(&old.iter().collect::<Vec<_>>()).await;
    live(&[&newest, &token, &organization, &neighbour]).await;

    let of_stopped = platform.bearer(&platform.token(&stopped).await);
    let of_revoked = platform.bearer(&platform.token(&revoked).await);
    let act = async |key, verb| {
        let answer = organization.post(&path(key, verb), &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        platform.advance(Duration::from_secs(5));
    };
    act(&stopped, "deactivate").await;
    die(&[&of_stopped]).await;
    live(&[&of_revoked]).await;
    act(&stopped, "restore").await;
    live(&[&of_stopped]).await;
    act(&revoked, "revoke").await;
    die(&[&of_revoked]).await;
    let bank = &platform.seed.bank.key;
    let body = json!({
        "client_id": bank.client_id,
        "client_secret": bank.client_secret,
        "token": token.token(),
    });
    let answer = platform.anonymous().post("/oauth/revoke", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    platform.advance(Duration::from_secs(5));
    die(&[&token]).await;
    live(&[&of_stopped, &newest, &neighbour]).await;
}
