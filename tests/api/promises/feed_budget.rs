//! One organization cannot fill the revocation feed, which every authorizer reads and without which
//! it admits nobody (CBM-4).

use std::time::Duration;

use serde_json::json;
use tests::{Answer, Platform};

use crate::five_second_bound::live;

/// Moves the clock, which stands, to the beginning of a minute.
fn begin_a_minute(platform: &Platform) {
    let now = (platform.stack.services().ambient().clock)().millis();
    platform.advance(Duration::from_millis(
        u64::try_from(60_000 - now % 60_000).unwrap(),
    ));
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer
        .header("retry-after")
        .parse()
        .unwrap_or_else(|_| panic!("no seconds in {answer:?}"));
    assert!((1..=60).contains(&seconds), "{answer:?}");
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn an_organization_that_loops_holds_up_itself_alone_and_no_emergency() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (key, other) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let (_, neighbour, _, neighbours_bank) = platform.neighbour().await;
    let (organization, token) = (platform.organization().await, platform.bank().await);
    let neighbour = platform.bearer(&platform.token(&neighbour).await);
    let path = format!("/api/keys/{}", key.client_id);
    let act = async |verb: &str, body| organization.post(&format!("{path}/{verb}"), &body).await;
    begin_a_minute(&platform);
    // Two entries each, its own and that of its end.
    for _ in 0..60 {
        let answer = act("rotate", json!({"replace": true})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let before = organization.get(&path).await;
    for refused in [
        act("rotate", json!({"replace": true})).await,
        act("rotate", json!({"grace_period": null})).await,
        organization
            .patch(&path, &json!({"expires_at": "2099-01-01T00:00:00Z"}))
            .await,
    ] {
        retry_after(refused.assert_error(429, "rate_limited"));
    }
    let bank = &platform.seed.bank.key;
    let body = json!({
        "client_id": bank.client_id,
        "client_secret": bank.client_secret,
        "token": token.token(),
    });
    let refused = platform.anonymous().post("/oauth/revoke", &body).await;
    retry_after(refused.assert_oauth_error(429, "temporarily_unavailable"));
    live(&[&token]).await;
    assert_eq!(organization.get(&path).await.body, before.body);

    // What says nothing to the feed goes on, and so does everybody else.
    let quiet = organization.patch(&path, &json!({"name": "looped"})).await;
    assert_eq!(quiet.status, 200, "{quiet:?}");
    let theirs = format!("/api/keys/{}", neighbours_bank.client_id);
    let theirs = neighbour
        .patch(&theirs, &json!({"expires_at": "2099-01-01T00:00:00Z"}))
        .await;
    assert_eq!(theirs.status, 200, "{theirs:?}");

    assert_eq!(act("deactivate", json!({})).await.status, 200);
    let refused = act("restore", json!({})).await;
    let wait = retry_after(refused.assert_error(429, "rate_limited"));
    assert_eq!(act("revoke", json!({})).await.status, 200);
    let path = format!("/api/keys/{}", other.client_id);
    let end = json!({"expires_at": "2099-01-01T00:00:00Z"});
    organization
        .patch(&path, &end)
        .await
        .assert_error(429, "rate_limited");
    assert_eq!(organization.delete(&path).await.status, 204);

    platform.advance(wait);
    let body = json!({
        "client_id": bank.client_id,
        "client_secret": bank.client_secret,
        "token": token.token(),
    });
    assert_eq!(
        platform
            .anonymous()
            .post("/oauth/revoke", &body)
            .await
            .status,
        200
    );
}
