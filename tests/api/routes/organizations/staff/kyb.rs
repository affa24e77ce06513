//! PUT /api/organizations/{guid}/kyb: who may decide, and what the decision does to live keys.

use domain::key_mode::KeyMode;
use serde_json::json;
use tests::Platform;

use super::PATH;
use crate::{
    management_keys::seed_organization,
    organization_snapshot::organization_snapshot,
    people::{events, felt},
};

#[tokio::test]
async fn arz_3_operations_decide_kyb_and_live_keys_wake_and_sleep_within_five_seconds() {
    let platform = Platform::start().await;
    let (live, key) = platform
        .operator()
        .organization("Live", KeyMode::Live)
        .await
        .unwrap();
    let operations = platform.operations();
    let (path, kyb) = (format!("{PATH}/{live}"), format!("{PATH}/{live}/kyb"));
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    let approved = operations.put(&kyb, &json!({"status": "approved"})).await;
    assert_eq!(
        (approved.status, &approved.body["kyb"]),
        (200, &json!("approved")),
        "{approved:?}"
    );
    assert_eq!(operations.get(&path).await.body, approved.body);
    let caller = platform.bearer(&platform.token(&key).await);
    assert_eq!(caller.get(&path).await.status, 200);
    for (status, expected) in [
        ("rejected", (401, "authentication_failed")),
        ("approved", (200, "")),
        ("pending", (401, "authentication_failed")),
    ] {
        assert_eq!(
            operations
                .put(&kyb, &json!({"status": status}))
                .await
                .status,
            200
        );
        felt(status, async || caller.get(&path).await, expected).await;
    }
    let decided = events(&platform, live, "organization.kyb").await;
    let decisions: Vec<_> = decided
        .iter()
        .map(|event| event["changes"]["kyb"].clone())
        .collect();
    assert_eq!(decisions, ["approved", "rejected", "approved", "pending"]);
    assert!(
        decided
            .iter()
            .all(|event| event["actor"]["guid"] == platform.seed.staff.operations.guid)
    );
}

#[tokio::test]
async fn arz_3_403_for_everybody_else_who_decides_kyb_and_422_for_no_status() {
    let platform = Platform::start().await;
    let (organization, machine) = (
        &platform.seed.organization.guid,
        platform.organization().await,
    );
    let path = format!("{PATH}/{organization}/kyb");
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    for caller in [
        platform.owner(),
        platform.viewer(),
        platform.support(),
        platform.security(),
        machine.clone(),
        platform.bank().await,
    ] {
        caller
            .put(&path, &json!({"status": "approved"}))
            .await
            .assert_error(403, "forbidden");
    }
    let operations = platform.operations();
    for (body, field) in [
        (json!({}), "status"),
        (json!({"status": "done"}), "status"),
        (json!({"status": 1}), "status"),
        (json!({"status": null}), "status"),
        (json!({"status": "approved", "reason": "ok"}), "reason"),
    ] {
        operations.put(&path, &body).await.assert_field(field, "");
    }
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
}
