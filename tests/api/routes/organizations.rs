//! `/api/organizations`: one's own, and no other.

pub(crate) mod plan;
pub(crate) mod staff;

use std::time::Duration;

use domain::{gate::Kyb, key_mode::KeyMode};
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::seed_organization,
    organization_snapshot::{appearance, organization_snapshot, text, without},
    routes::bank_applications::narrowed,
};

#[tokio::test]
async fn cyb_1_200_for_ones_own_organization() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    platform.neighbour().await;
    let path = format!("/api/organizations/{}", platform.seed.organization.guid);
    let own = caller.get(&path).await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(own.header("content-type"), "application/json");
    assert_eq!(
        without(&own.body, &["created_at", "updated_at"]),
        json!({
            "guid": platform.seed.organization.guid,
            "name": "Demo Organization",
            "plan": "pro",
            "plan_change": null,
            "kyb": "pending",
            "suspended": false,
            "max_key_age_days": null,
        })
    );
    assert_eq!(own.body["created_at"], own.body["updated_at"]);
    let list = caller.get("/api/organizations").await;
    assert_eq!(
        list.body,
        json!({"total": 1, "page": 0, "per_page": 10, "objects": [own.body]})
    );
    let second = caller.get("/api/organizations?page=1&per_page=1").await;
    assert_eq!(
        second.body,
        json!({"total": 1, "page": 1, "per_page": 1, "objects": []})
    );
}

#[tokio::test]
async fn cyb_1_200_for_a_new_name_and_nothing_else() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    let path = format!("/api/organizations/{}", platform.seed.organization.guid);
    let before = caller.get(&path).await.body;
    platform.advance(Duration::from_secs(2));
    for nothing in [json!({}), json!({"name": "Demo Organization"})] {
        let answer = caller.patch(&path, &nothing).await;
        assert_eq!(
            (answer.status, &answer.body),
            (200, &before),
            "what changes nothing is no update"
        );
    }
    for name in ["x".to_owned(), "é".repeat(128)] {
        let renamed = caller.patch(&path, &json!({"name": name})).await;
        assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!(name)));
        assert!(text(&renamed.body, "updated_at") > text(&before, "updated_at"));
        assert_eq!(
            without(&renamed.body, &["name", "updated_at"]),
            without(&before, &["name", "updated_at"])
        );
        assert_eq!(caller.get(&path).await.body, renamed.body);
    }
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for name in [
        json!(""),
        json!("x".repeat(129)),
        json!(" "),
        json!("a\tb"),
        json!(null),
        json!(7),
        json!(["x"]),
    ] {
        caller
            .patch(&path, &json!({"name": name}))
            .await
            .assert_field("name", "must");
    }
    for member in [
        "guid",
        "plan",
        "kyb",
        "suspended",
        "created_at",
        "version",
        "bank_guid",
    ] {
        let answer = caller
            .patch(&path, &json!({"name": "n", member: Value::Null}))
            .await;
        answer.assert_field(member, "is not a member that this takes");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn cyb_11_403_insufficient_scope_without_organization_scopes() {
    let platform = Platform::start().await;
    let path = format!("/api/organizations/{}", platform.seed.organization.guid);
    let (read, write) = (
        narrowed(&platform, "organizations:read").await,
        narrowed(&platform, "organizations:write").await,
    );
    assert_eq!(read.get(&path).await.status, 200);
    assert_eq!(
        write.patch(&path, &json!({"name": "Renamed"})).await.status,
        200
    );
    for answer in [
        read.patch(&path, &json!({"name": "n"})).await,
        write.get(&path).await,
        write.get("/api/organizations").await,
        platform.bank().await.get(&path).await,
        platform.bank().await.get("/api/organizations").await,
        platform
            .bank()
            .await
            .patch(&path, &json!({"name": "n"}))
            .await,
    ] {
        answer.assert_error(403, "insufficient_scope");
    }
    assert_eq!(read.get(&path).await.body["name"], "Renamed");
}

/// A bank, a key and another tenant are no organization of ours; a live key sees the same one.
#[tokio::test]
async fn not_found_when_the_guid_is_of_anything_else() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let (foreign, ..) = platform.neighbour().await;
    let nothing = appearance(
        &caller
            .get(&format!("/api/organizations/{}", "0".repeat(32)))
            .await,
    );
    assert_eq!(nothing.0, 404);
    let key = caller.get("/api/organization_applications").await.body["objects"][0]["guid"].clone();
    for other in [
        foreign.to_string(),
        platform.seed.bank.guid.clone(),
        key.as_str().unwrap().to_owned(),
    ] {
        let path = format!("/api/organizations/{other}");
        assert_eq!(appearance(&caller.get(&path).await), nothing, "{other}");
        assert_eq!(
            appearance(&caller.patch(&path, &json!({"name": "n"})).await),
            nothing,
            "{other}"
        );
    }
    let (live, key) = platform
        .operator()
        .organization("Live", KeyMode::Live)
        .await
        .unwrap();
    platform.operator().kyb(live, Kyb::Approved).await.unwrap();
    let live_caller = platform.bearer(&platform.token(&key).await);
    let list = live_caller.get("/api/organizations").await;
    assert_eq!(
        (&list.body["total"], &list.body["objects"][0]["guid"]),
        (&json!(1), &json!(live)),
        "{list:?}"
    );
    let renamed = live_caller
        .patch(
            &format!("/api/organizations/{live}"),
            &json!({"name": "Livelier"}),
        )
        .await;
    assert_eq!(
        (renamed.status, &renamed.body["kyb"]),
        (200, &json!("approved")),
        "{renamed:?}"
    );
}
