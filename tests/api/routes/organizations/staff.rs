//! `/api/organizations` in the hands of platform staff, and what an organization's owners decide.

mod kyb;
mod onboarding;

use domain::{ids::Guid, key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::{seed_organization, seed_organization_key},
    organization_snapshot::{appearance, column, organization_snapshot, text},
    people::{Person, events, felt},
};

const PATH: &str = "/api/organizations";

fn item(organization: &Value) -> String {
    format!("{PATH}/{}", text(organization, "guid"))
}

#[tokio::test]
async fn leak_3_staff_list_every_customer_in_order_and_customers_their_own() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let operations = platform.operations();
    let made = operations.post(PATH, &json!({"name": "Third"})).await;
    let all = [
        platform.seed.organization.guid.clone(),
        neighbour.to_string(),
        text(&made.body, "guid"),
    ];
    for staff in [platform.support(), operations] {
        let list = staff.get(PATH).await;
        assert_eq!(
            (&list.body["total"], column(&list, "guid")),
            (&json!(3), all.to_vec())
        );
        let page = staff.get(&format!("{PATH}?page=1&per_page=2")).await;
        assert_eq!(
            (&page.body["total"], column(&page, "guid")),
            (&json!(3), all[2..].to_vec())
        );
        assert_eq!(staff.get(&format!("{PATH}/{neighbour}")).await.status, 200);
        staff
            .get(&format!("{PATH}/{}", Guid::PLATFORM))
            .await
            .assert_error(404, "not_found");
    }
    let security = platform.security().get(PATH).await;
    assert_eq!(
        column(&security, "guid").len(),
        4,
        "and the platform's own people: {security:?}"
    );
    assert_eq!(
        platform
            .security()
            .get(&format!("{PATH}/{}", Guid::PLATFORM))
            .await
            .status,
        200
    );
    for caller in [
        platform.owner(),
        platform.viewer(),
        platform.organization().await,
    ] {
        assert_eq!(column(&caller.get(PATH).await, "guid"), all[..1]);
        let nothing = caller.get(&format!("{PATH}/{}", "1".repeat(32))).await;
        nothing.assert_error(404, "not_found");
        for foreign in [neighbour, Guid::PLATFORM] {
            assert_eq!(
                appearance(&caller.get(&format!("{PATH}/{foreign}")).await),
                appearance(&nothing)
            );
        }
    }
}

#[tokio::test]
async fn not_found_for_an_owner_who_decides_about_another_organization() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let owner = platform.owner();
    let before = platform
        .support()
        .get(&format!("{PATH}/{neighbour}"))
        .await
        .body;
    for guid in [
        neighbour.to_string(),
        Guid::PLATFORM.to_string(),
        "1".repeat(32),
        "x".into(),
    ] {
        let answers = [
            owner
                .patch(&format!("{PATH}/{guid}"), &json!({"name": "n"}))
                .await,
            owner
                .put(
                    &format!("{PATH}/{guid}/plan"),
                    &json!({"plan": "enterprise"}),
                )
                .await,
        ];
        for answer in answers {
            answer.assert_error(404, "not_found");
        }
    }
    let operations = platform.operations();
    for guid in [Guid::PLATFORM.to_string(), "1".repeat(32)] {
        let path = format!("{PATH}/{guid}");
        operations
            .put(&format!("{path}/plan"), &json!({"plan": "starter"}))
            .await
            .assert_error(404, "not_found");
        operations
            .put(&format!("{path}/kyb"), &json!({"status": "rejected"}))
            .await
            .assert_error(404, "not_found");
    }
    assert_eq!(
        platform
            .support()
            .get(&format!("{PATH}/{neighbour}"))
            .await
            .body,
        before
    );
}

#[tokio::test]
async fn leak_10_owners_alone_set_how_old_keys_grow() {
    let platform = Platform::start().await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let path = format!("{PATH}/{}", platform.seed.organization.guid);
    let admin = Person::new(&platform, Role::Admin).await.caller;
    let before = organization_snapshot(&platform, &machine, seed_organization(&platform)).await;
    for caller in [&admin, &machine] {
        for days in [json!(30), Value::Null] {
            caller
                .patch(&path, &json!({"max_key_age_days": days}))
                .await
                .assert_error(403, "forbidden");
        }
    }
    for days in [
        json!(0),
        json!(3651),
        json!(-1),
        json!(1.5),
        json!("30"),
        json!(4_294_967_297_u64),
        json!([30]),
    ] {
        owner
            .patch(&path, &json!({"max_key_age_days": days}))
            .await
            .assert_field("max_key_age_days", "must be");
    }
    platform
        .operations()
        .patch(&path, &json!({"name": "n"}))
        .await
        .assert_error(403, "forbidden");
    platform
        .developer()
        .patch(&path, &json!({"name": "n"}))
        .await
        .assert_error(403, "forbidden");
    assert_eq!(
        organization_snapshot(&platform, &machine, seed_organization(&platform)).await,
        before
    );
    for days in [json!(1), json!(3650), Value::Null] {
        let set = owner.patch(&path, &json!({"max_key_age_days": days})).await;
        assert_eq!(
            (set.status, &set.body["max_key_age_days"]),
            (200, &days),
            "{set:?}"
        );
        assert_eq!(owner.get(&path).await.body, set.body);
    }
    assert_eq!(
        owner
            .patch(&path, &json!({"max_key_age_days": 90}))
            .await
            .status,
        200
    );
    let renamed = owner.patch(&path, &json!({"name": "Renamed"})).await;
    assert_eq!(
        (&renamed.body["name"], &renamed.body["max_key_age_days"]),
        (&json!("Renamed"), &json!(90))
    );
    let key = json!({"name": "key", "bank_guid": platform.seed.bank.guid});
    let key = owner.post("/api/bank_applications", &key).await;
    assert!(
        key.body["expires_at"].is_string(),
        "keys made from then on end: {key:?}"
    );
    let changes: Vec<_> = events(
        &platform,
        seed_organization(&platform),
        "organization.update",
    )
    .await
    .iter()
    .map(|event| event["changes"].clone())
    .collect();
    assert_eq!(
        changes[..3],
        [
            json!({"max_key_age_days": 1}),
            json!({"max_key_age_days": 3650}),
            json!({"max_key_age_days": null})
        ]
    );
}

/// A person's role is read as it is when a change is made, not as the authorizer saw it.
#[tokio::test]
async fn cyb_11_people_change_their_organization_by_role_and_machines_by_scope() {
    let platform = Platform::start().await;
    let path = format!("{PATH}/{}", platform.seed.organization.guid);
    let admin = Person::new(&platform, Role::Admin).await;
    assert_eq!(
        admin
            .caller
            .patch(&path, &json!({"name": "By an admin"}))
            .await
            .status,
        200
    );
    let write = seed_organization_key(&platform, KeyMode::Sandbox, "organizations:write").await;
    let write = platform.bearer(&platform.token(&write).await);
    assert_eq!(
        write
            .patch(&path, &json!({"name": "By a machine"}))
            .await
            .status,
        200
    );
    assert_eq!(
        platform
            .owner()
            .patch(
                &admin.path(),
                &json!({"allowed_scopes": ["organizations:read"]})
            )
            .await
            .status,
        200
    );
    admin
        .caller
        .patch(&path, &json!({"name": "n"}))
        .await
        .assert_error(403, "insufficient_scope");
    assert_eq!(
        platform
            .owner()
            .patch(
                &admin.path(),
                &json!({"role": "viewer", "allowed_scopes": null})
            )
            .await
            .status,
        200
    );
    assert_eq!(
        admin
            .caller
            .patch(&path, &json!({"name": "n"}))
            .await
            .status,
        403,
        "whatever the authorizer knows yet"
    );
    felt(
        "the role",
        async || admin.caller.patch(&path, &json!({"name": "n"})).await,
        (403, "forbidden"),
    )
    .await;
    assert_eq!(
        platform.viewer().get(&path).await.body["name"],
        "By a machine"
    );
}
