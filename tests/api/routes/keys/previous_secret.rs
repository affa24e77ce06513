//! What a previous secret makes ends no later than it does (LEAK-9), and it locks nobody out.

use std::time::Duration;

use domain::{key::Owner, key_mode::KeyMode};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::PATH;
use crate::{
    management_keys::{ManagementKey, seed_organization},
    organization_snapshot::text,
};

const SCOPES: &str = "bank_applications:execute bank_applications:write \
                      organization_applications:execute organization_applications:write \
                      users:execute banks:execute accounts:read";

/// An organization's key that was rotated so, and callers by its previous and its new secret.
async fn rotated(platform: &Platform, rotation: &Value) -> (Value, Caller, Caller) {
    let organization = seed_organization(platform);
    let key = ManagementKey {
        organization,
        owner: Owner::Organization(organization),
        kind: KeyMode::Sandbox,
        scopes: SCOPES,
        expires_at: None,
    }
    .make(platform)
    .await;
    let previous = platform.bearer(&platform.token(&key).await);
    let answer = platform
        .owner()
        .post(&format!("{PATH}/{}/rotate", key.client_id), rotation)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let new = operator::tenants::Credentials {
        client_secret: text(&answer.body, "secret"),
        ..key
    };
    // By its token, as it was obtained before or after: the secret decides.
    let current = if rotation["grace_starts"] == "first_use" {
        previous.clone()
    } else {
        platform.bearer(&platform.token(&new).await)
    };
    (answer.body, previous, current)
}

async fn make(caller: &Caller, platform: &Platform, expires_at: Option<&str>) -> Answer {
    let mut body = json!({
        "owner": {"type": "bank", "guid": platform.seed.bank.guid},
        "name": "made by a secret on its way out",
    });
    if let Some(end) = expires_at {
        body["expires_at"] = json!(end);
    }
    caller.post(PATH, &body).await
}

#[tokio::test]
async fn leak_9_422_for_a_key_that_outlives_the_previous_secret_that_makes_it() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (key, previous, current) = rotated(&platform, &json!({"grace_period": 300})).await;
    let end = text(&key["previous_secret"], "expires_at");
    let later = (platform.stack.services().ambient().clock)() + Duration::from_secs(301);
    make(&previous, &platform, None)
        .await
        .assert_field("expires_at", &end);
    make(&previous, &platform, Some(&later.to_string()))
        .await
        .assert_field("expires_at", &end);
    let made = make(&previous, &platform, Some(&end)).await;
    assert_eq!(
        (made.status, &made.body["expires_at"]),
        (201, &json!(end)),
        "{made:?}"
    );
    assert_eq!(make(&current, &platform, None).await.status, 201);
}

#[tokio::test]
async fn leak_9_403_for_what_lasts_from_a_previous_secret_whose_end_is_open() {
    let platform = Platform::start().await;
    platform.stop_clock();
    for rotation in [
        json!({"grace_period": null}),
        json!({"grace_period": 60, "grace_starts": "first_use"}),
        json!({"grace_period": null, "grace_starts": "first_use"}),
    ] {
        let (_, previous, _) = rotated(&platform, &rotation).await;
        let soon = (platform.stack.services().ambient().clock)() + Duration::from_secs(30);
        for end in [None, Some(soon.to_string())] {
            let refused = make(&previous, &platform, end.as_deref()).await;
            refused.assert_error(403, "forbidden");
            assert!(refused.text.contains("previous secret"), "{refused:?}");
        }
        let other = platform.bank_key(json!({})).await;
        let act = async |what: &str| {
            let path = format!("{PATH}/{}/{what}", other.client_id);
            previous.post(&path, &json!({})).await
        };
        act("rotate").await.assert_error(403, "forbidden");
        assert_eq!(act("deactivate").await.status, 200, "that only stops");
        act("restore").await.assert_error(403, "forbidden");
        let edit = json!({"webhook_url": "https://hooks.example.com/elsewhere"});
        let path = format!("{PATH}/{}", other.client_id);
        previous
            .patch(&path, &edit)
            .await
            .assert_error(403, "forbidden");
        let bank = json!({"name": "A bank", "environment": "sandbox"});
        let refused = previous.post("/api/banks", &bank).await;
        refused.assert_error(403, "forbidden");
        assert!(refused.text.contains("previous secret"), "{refused:?}");
        let user = json!({"email": "ada@example.com", "role": "viewer"});
        let refused = previous.post("/api/users", &user).await;
        refused.assert_error(403, "forbidden");
        assert!(refused.text.contains("previous secret"), "{refused:?}");
    }
}

/// What has no end of its own outlives a grace, however long that is.
#[tokio::test]
async fn leak_9_403_for_a_wider_list_another_webhook_or_a_user_from_a_previous_secret() {
    let platform = Platform::start().await;
    let (_, previous, current) = rotated(&platform, &json!({"grace_period": 300})).await;
    let listed = platform
        .bank_key(json!({"ip_allowlist": ["8.8.8.8"]}))
        .await;
    let path = format!("{PATH}/{}", listed.client_id);
    for edit in [
        json!({"ip_allowlist": []}),
        json!({"ip_allowlist": ["8.8.8.8", "9.9.9.9"]}),
        json!({"webhook_url": "https://hooks.example.com/elsewhere"}),
    ] {
        let refused = previous.patch(&path, &edit).await;
        refused.assert_error(403, "forbidden");
        assert!(
            refused.text.contains("previous secret"),
            "{edit}: {refused:?}"
        );
    }
    let user = json!({"email": "ada@example.com", "role": "viewer"});
    previous
        .post("/api/users", &user)
        .await
        .assert_error(403, "forbidden");
    for narrower in [
        json!({"name": "another"}),
        json!({"ip_allowlist": ["8.8.8.8"]}),
    ] {
        assert_eq!(previous.patch(&path, &narrower).await.status, 200);
    }
    let wider = json!({"webhook_url": "https://hooks.example.com/elsewhere"});
    assert_eq!(current.patch(&path, &wider).await.status, 200);
}

/// Whoever holds an old secret after a leak must not take the key from its owner.
#[tokio::test]
async fn x_3_403_for_a_previous_secret_that_replaces_an_unused_one_unasked() {
    let platform = Platform::start().await;
    let first_use = json!({"grace_period": 60, "grace_starts": "first_use"});
    let (key, previous, _) = rotated(&platform, &first_use).await;
    let path = format!("{PATH}/{}/rotate", text(&key, "client_id"));
    previous
        .post(&path, &json!({"replace": true}))
        .await
        .assert_error(403, "forbidden");

    let mut asked_for = first_use;
    asked_for["replaceable"] = json!(true);
    let (key, previous, _) = rotated(&platform, &asked_for).await;
    let path = format!("{PATH}/{}/rotate", text(&key, "client_id"));
    let replaced = previous.post(&path, &json!({"replace": true})).await;
    assert_eq!(replaced.status, 200, "{replaced:?}");
}

#[tokio::test]
async fn x_3_422_for_replaceable_where_no_first_use_is_waited_for() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({})).await;
    let owner = platform.owner();
    let path = format!("{PATH}/{}/rotate", key.client_id);
    for body in [
        json!({"replaceable": true}),
        json!({"replaceable": true, "grace_period": 60}),
        json!({"replaceable": true, "grace_starts": "now"}),
    ] {
        owner
            .post(&path, &body)
            .await
            .assert_field("replaceable", "first_use");
    }
    owner
        .post(&path, &json!({"replace": true, "replaceable": true}))
        .await
        .assert_field("replace", "replaceable");
}
