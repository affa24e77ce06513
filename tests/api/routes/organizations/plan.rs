//! `PUT /api/organizations/{guid}/plan`: what an organization pays for opens and shuts its personal
//! keys (CBM-2).

use std::time::Duration;

use domain::{key_mode::KeyMode, role::Role, time::Timestamp};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use crate::{
    five_second_bound::BOUND,
    management_keys::{guid, seed_organization},
    organization_snapshot::{organization_snapshot, text},
    people::{Person, events, felt},
};

fn path(platform: &Platform) -> String {
    format!("/api/organizations/{}", platform.seed.organization.guid)
}

async fn change(platform: &Platform, caller: &Caller, body: &Value) -> Answer {
    caller.put(&format!("{}/plan", path(platform)), body).await
}

fn in_hours(platform: &Platform, hours: i64) -> String {
    let now = (platform.stack.services().ambient().clock)();
    Timestamp::from_millis(now.millis() + hours * 3_600_000).to_string()
}

#[tokio::test]
async fn cbm_2_a_downgrade_stops_personal_keys_and_an_upgrade_restores_them_within_five_seconds() {
    let platform = Platform::start().await;
    let (operations, owner, machine) = (
        platform.operations(),
        platform.owner(),
        platform.organization().await,
    );
    let developer = platform.developer();
    let use_it = async || developer.get("/api/banks").await;
    let over_the_sample = async || developer.get("/v1/whoami").await;
    for (plan, expected) in [
        ("starter", (403, "plan_upgrade_required")),
        ("pro", (200, "")),
        ("starter", (403, "plan_upgrade_required")),
        ("enterprise", (200, "")),
    ] {
        let changed = change(&platform, &operations, &json!({"plan": plan})).await;
        assert_eq!(
            (
                changed.status,
                &changed.body["plan"],
                &changed.body["plan_change"]
            ),
            (200, &json!(plan), &Value::Null)
        );
        felt(plan, use_it, expected).await;
        felt(plan, over_the_sample, expected).await;
        assert_eq!(
            machine.get("/api/banks").await.status,
            200,
            "machines have nothing to do with it"
        );
        if plan == "starter" {
            let refused = owner.post("/api/keys", &json!({})).await;
            refused.assert_error(403, "plan_upgrade_required");
            assert!(
                text(&refused.body, "message").contains("/plan"),
                "it says where to upgrade: {refused:?}"
            );
            assert_eq!(
                operations.get(&path(&platform)).await.status,
                200,
                "the platform's own plan is another"
            );
        }
    }
    let changes = events(&platform, seed_organization(&platform), "organization.plan").await;
    let by_operations = changes
        .iter()
        .filter(|event| event["actor"]["guid"] == platform.seed.staff.operations.guid);
    assert_eq!(
        by_operations
            .map(|event| event["changes"]["plan"].clone())
            .collect::<Vec<_>>(),
        ["starter", "pro", "starter", "enterprise"]
    );
}

#[tokio::test]
async fn cbm_2_a_downgrade_after_notice_comes_about_by_itself() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (operations, owner, machine) = (
        platform.operations(),
        platform.owner(),
        platform.organization().await,
    );
    let end = in_hours(&platform, 24);
    let noticed = change(
        &platform,
        &operations,
        &json!({"plan": "starter", "effective_at": end}),
    )
    .await;
    assert_eq!(
        (noticed.status, &noticed.body["plan"]),
        (200, &json!("pro")),
        "{noticed:?}"
    );
    assert_eq!(
        noticed.body["plan_change"],
        json!({"plan": "starter", "effective_at": end})
    );
    assert_eq!(owner.get(&path(&platform)).await.body, noticed.body);
    platform.advance(Duration::from_hours(23));
    assert_eq!(owner.get("/api/banks").await.status, 200);
    platform.advance(Duration::from_mins(59));
    assert_eq!(owner.get("/api/banks").await.status, 200);
    platform.advance(Duration::from_mins(1));
    felt(
        "the end of the notice",
        async || owner.get("/api/banks").await,
        (403, "plan_upgrade_required"),
    )
    .await;
    drop(machine);
    let shown = platform.operations().get(&path(&platform)).await;
    assert_eq!(
        (&shown.body["plan"], &shown.body["plan_change"]),
        (&json!("starter"), &Value::Null),
        "{shown:?}"
    );
    assert_eq!(
        change(&platform, &operations, &json!({"plan": "pro"}))
            .await
            .status,
        200
    );
    platform.advance(BOUND);
    felt(
        "the upgrade",
        async || owner.get("/api/banks").await,
        (200, ""),
    )
    .await;
}

#[tokio::test]
async fn cbm_2_owners_upgrade_at_once_cancel_a_notice_and_nothing_else() {
    let platform = Platform::start().await;
    let (operations, owner, machine) = (
        platform.operations(),
        platform.owner(),
        platform.organization().await,
    );
    let soon = in_hours(&platform, 1);
    assert_eq!(
        change(
            &platform,
            &operations,
            &json!({"plan": "starter", "effective_at": soon})
        )
        .await
        .status,
        200
    );
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    for body in [
        json!({"plan": "starter"}),
        json!({"plan": "starter", "effective_at": soon}),
        json!({"plan": "enterprise", "effective_at": soon}),
        json!({"plan": "pro", "effective_at": "2020-01-01T00:00:00Z"}),
    ] {
        change(&platform, &owner, &body)
            .await
            .assert_error(403, "forbidden");
    }
    let admin = Person::new(&platform, Role::Admin).await;
    let before_all = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    assert_eq!(before_all.lists, before.lists);
    for caller in [
        &admin.caller,
        &platform.developer(),
        &platform.viewer(),
        &platform.support(),
        &platform.security(),
        &machine,
    ] {
        change(&platform, caller, &json!({"plan": "enterprise"}))
            .await
            .assert_error(403, "forbidden");
    }
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before_all
    );
    let cancelled = change(&platform, &owner, &json!({"plan": "pro"})).await;
    assert_eq!(
        (
            cancelled.status,
            &cancelled.body["plan"],
            &cancelled.body["plan_change"]
        ),
        (200, &json!("pro"), &Value::Null)
    );
    platform.advance(Duration::from_hours(2));
    assert_eq!(owner.get("/api/banks").await.status, 200);
    let upgraded = change(&platform, &owner, &json!({"plan": "enterprise"})).await;
    assert_eq!(
        (upgraded.status, &upgraded.body["plan"]),
        (200, &json!("enterprise")),
        "{upgraded:?}"
    );
    change(&platform, &owner, &json!({"plan": "pro"}))
        .await
        .assert_error(403, "forbidden");
    let count = async || {
        events(&platform, seed_organization(&platform), "organization.plan")
            .await
            .len()
    };
    let events_before = count().await;
    assert_eq!(
        change(&platform, &owner, &json!({"plan": "enterprise"}))
            .await
            .status,
        200
    );
    assert_eq!(
        count().await,
        events_before,
        "what changes nothing is no change"
    );
}

#[tokio::test]
async fn cbm_2_422_for_a_notice_that_is_none_and_nothing_changes() {
    let platform = Platform::start().await;
    let (operations, machine) = (platform.operations(), platform.organization().await);
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    let (past, far, soon) = (
        in_hours(&platform, -1),
        in_hours(&platform, 24 * 90 + 1),
        in_hours(&platform, 1),
    );
    for (body, field, words) in [
        (json!({}), "plan", "is required"),
        (json!({"plan": "free"}), "plan", "must be"),
        (json!({"plan": null}), "plan", "must be"),
        (
            json!({"plan": "starter", "effective_at": past}),
            "effective_at",
            "is not in the future",
        ),
        (
            json!({"plan": "starter", "effective_at": far}),
            "effective_at",
            "at most 90 days",
        ),
        (
            json!({"plan": "starter", "effective_at": "tomorrow"}),
            "effective_at",
            "RFC 3339",
        ),
        (
            json!({"plan": "pro", "effective_at": soon}),
            "effective_at",
            "another plan than the present one",
        ),
        (json!({"plan": "pro", "at": soon}), "at", "is not a member"),
    ] {
        change(&platform, &operations, &body)
            .await
            .assert_field(field, words);
    }
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    assert_eq!(
        change(
            &platform,
            &operations,
            &json!({"plan": "pro", "effective_at": null})
        )
        .await
        .status,
        200
    );
}

/// A plan is one write however many personal keys there are, and it counts for both kinds of them.
#[tokio::test]
async fn cbm_2_new_organizations_start_without_personal_keys() {
    let platform = Platform::start().await;
    let operations = platform.operations();
    let made = operations
        .post(
            "/api/organizations",
            &json!({"name": "New", "owner_email": "ada@example.com"}),
        )
        .await
        .body;
    let organization = guid(&text(&made, "guid"));
    let owner = Person::of(&platform, organization, Role::Owner, KeyMode::Live).await;
    let read = async || owner.caller.get("/api/banks").await;
    read().await.assert_error(403, "plan_upgrade_required");
    let plan = format!("/api/organizations/{organization}/plan");
    owner
        .caller
        .put(&plan, &json!({"plan": "pro"}))
        .await
        .assert_error(403, "plan_upgrade_required");
    assert_eq!(
        operations.put(&plan, &json!({"plan": "pro"})).await.status,
        200
    );
    felt("the upgrade", read, (200, "")).await;
}

#[tokio::test]
async fn cbm_2_403_insufficient_scope_for_an_owner_who_is_narrowed_below_writing_the_organization()
{
    let platform = Platform::start().await;
    let machine = platform.organization().await;
    let narrowed = Person::narrowed(&platform, Role::Owner, "banks:read organizations:read").await;
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    for plan in ["pro", "enterprise"] {
        let refused = change(&platform, &narrowed.caller, &json!({"plan": plan})).await;
        refused.assert_error(403, "insufficient_scope");
        assert!(refused.text.contains("organizations:write"), "{refused:?}");
    }
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    let writes = Person::narrowed(&platform, Role::Owner, "organizations:write").await;
    assert_eq!(
        change(&platform, &writes.caller, &json!({"plan": "enterprise"}))
            .await
            .status,
        200
    );
}
