//! One organization cannot fill the revocation feed, which every authorizer must read before it
//! admits anybody (CBM-4); and no change is refused to protect it.

use std::time::Duration;

use domain::role::Role;
use operator::tenants::Credentials;
use serde_json::json;
use tests::{Platform, platform::credentials};

use crate::{
    feed_items::feed_entries,
    five_second_bound::{die, live},
    people::Person,
};

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

/// The weakest key of an organization can have nothing refused, and nothing slowed but its own
/// calls: it has a budget of its own, and beyond it is covered itself.
#[tokio::test]
async fn cbm_4_a_key_that_rotates_itself_sixty_times_a_minute_is_covered_and_no_other_one() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (organization, owner) = (platform.organization().await, platform.owner());
    let (mut looped, other, revoked) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let person = Person::new(&platform, Role::Developer).await;
    let entries = async || feed_entries(&platform).await.unwrap();
    let before = entries().await;
    let mut old = Vec::new();
    for _ in 0..60 {
        let caller = platform.bearer(&platform.token(&looped).await);
        let path = format!("/api/keys/{}/rotate", looped.client_id);
        let answer = caller.post(&path, &json!({"grace_period": 0})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        looped = credentials(&answer.body);
        old.push(caller);
    }
    assert_eq!(entries().await, before + 12 + 1, "its twelve, and a cover");

    // A demotion, a revoked token and a rotation at once still reach every reader by entries.
    let of_other = platform.bearer(&platform.token(&other).await);
    let of_revoked = platform.bearer(&platform.token(&revoked).await);
    let before = entries().await;
    let demoted = owner
        .patch(&person.path(), &json!({"role": "viewer"}))
        .await;
    let body = json!({
        "client_id": revoked.client_id,
        "client_secret": revoked.client_secret,
        "token": of_revoked.token(),
    });
    let token = platform.anonymous().post("/oauth/revoke", &body).await;
    let path = format!("/api/keys/{}/rotate", other.client_id);
    let rotated = organization.post(&path, &json!({"grace_period": 0})).await;
    assert_eq!(
        [demoted, token, rotated].map(|answer| answer.status),
        [200; 3]
    );
    assert_eq!(entries().await, before + 3);
    platform.advance(Duration::from_secs(5));
    let ended: Vec<_> = old.iter().chain([&of_other, &of_revoked]).collect();
    die(&ended).await;
    let newest = platform.bearer(&platform.token(&looped).await);
    live(&[&newest, &organization, &owner]).await;
}
