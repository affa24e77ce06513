//! APT-9: rate limits of a product, enforced by the gateway's own usage plan.

use std::time::Duration;

use local::services::Options;
use serde_json::json;
use tests::Platform;

async fn platform(parameters: &[(&str, &str)]) -> Platform {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn apt_9_a_burst_is_429_with_retry_after_and_recovers() {
    let platform = platform(&[("SampleRateLimit", "1"), ("SampleBurstLimit", "3")]).await;
    platform.stop_clock();
    let bank = platform.bank().await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(bank.get("/v1/whoami").await.status);
    }
    assert_eq!(statuses, [[200; 3].to_vec(), [429; 9].to_vec()].concat());
    platform.advance(Duration::from_mins(1));
    for _ in 0..3 {
        assert_eq!(bank.get("/v1/whoami").await.status, 200);
    }
    let refused = bank.get("/v1/whoami").await;
    refused.assert_error(429, "rate_limited");
    assert_eq!(
        (
            refused.header("retry-after"),
            refused.header("cache-control")
        ),
        ("1", "no-store")
    );

    // The plan counts the product's calls and nobody else's.
    assert_eq!(
        bank.get("/api/banks").await.status,
        200,
        "the management API has no usage plan"
    );
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    platform.advance(Duration::from_secs(seconds));
    assert_eq!(
        bank.get("/v1/whoami").await.status,
        200,
        "after as long as Retry-After says"
    );
}

/// What the authorizer refuses is not counted: somebody without a credential cannot use up what the
/// product's callers have.
#[tokio::test]
async fn apt_9_refused_calls_use_nothing_up() {
    let platform = platform(&[
        ("SampleRateLimit", "1"),
        ("SampleBurstLimit", "1"),
        ("SampleQuota", "1"),
    ])
    .await;
    let key = platform
        .bank_key(json!({"ip_allowlist": ["8.8.8.8"]}))
        .await;
    let token = platform
        .request_token(&key, platform.anonymous().from("8.8.8.8"))
        .await;
    let elsewhere = platform
        .bearer(token.body["access_token"].as_str().unwrap())
        .from("9.9.9.9");
    for _ in 0..3 {
        platform
            .anonymous()
            .get("/v1/whoami")
            .await
            .assert_error(401, "authentication_failed");
        elsewhere
            .get("/v1/whoami")
            .await
            .assert_error(403, "ip_not_allowed");
    }
    assert_eq!(platform.bank().await.get("/v1/whoami").await.status, 200);
}

#[tokio::test]
async fn apt_9_a_quota_is_429_until_the_next_period() {
    let platform = platform(&[("SampleQuota", "2"), ("SampleQuotaPeriod", "DAY")]).await;
    platform.stop_clock();
    let owner = platform.owner();
    for _ in 0..2 {
        assert_eq!(owner.get("/v1/whoami").await.status, 200);
    }
    let refused = owner.get("/v1/whoami").await;
    refused.assert_error(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "3600");
    platform.advance(Duration::from_hours(24));
    assert_eq!(owner.get("/v1/whoami").await.status, 200);
}
