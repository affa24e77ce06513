//! Who may make, rotate, edit and stop whose personal keys.

use domain::{key_mode::KeyMode, role::Role};
use serde_json::json;
use tests::Platform;

use super::of_user;
use crate::{
    five_second_bound,
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text},
    routes::keys::{PATH, Person, item, make, rotate},
};

#[tokio::test]
async fn cbm_1_who_makes_personal_keys_for_whom() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox).await;
    let second_admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox).await;
    let (owner, developer, viewer) = (platform.owner(), platform.developer(), platform.viewer());
    let users = &platform.seed.users;
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for (caller, whose, status, code) in [
        (&developer, &users.viewer.guid, 403, "forbidden"),
        (&developer, &users.owner.guid, 403, "forbidden"),
        (&viewer, &users.viewer.guid, 403, "forbidden"),
        (&admin.caller, &users.owner.guid, 403, "forbidden"),
        (&all, &users.developer.guid, 403, "forbidden"),
        (
            &platform.support(),
            &platform.seed.staff.support.guid,
            403,
            "forbidden",
        ),
    ] {
        caller
            .post(PATH, &of_user(whose, &json!({})))
            .await
            .assert_error(status, code);
    }
    let scoped = of_user(&users.owner.guid, &json!({"scopes": ["banks:read"]}));
    owner
        .post(PATH, &scoped)
        .await
        .assert_field("scopes", "personal");
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
    for (caller, whose) in [
        (&admin.caller, &users.developer.guid),
        (&admin.caller, &second_admin.guid()),
        (&owner, &admin.guid()),
        (&owner, &users.viewer.guid),
        (&developer, &users.developer.guid),
    ] {
        make(caller, &of_user(whose, &json!({}))).await;
    }
    let disabled = owner
        .delete(&format!("/api/users/{}", second_admin.guid()))
        .await;
    assert_eq!(disabled.status, 204, "{disabled:?}");
    owner
        .post(PATH, &of_user(&second_admin.guid(), &json!({})))
        .await
        .assert_error(409, "conflict");
}

#[tokio::test]
async fn cbm_1_who_rotates_edits_and_stops_whose_personal_keys() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox).await;
    let developer = Person::new(&platform, Role::Developer, KeyMode::Sandbox).await;
    let other = Person::new(&platform, Role::Developer, KeyMode::Sandbox).await;
    let boss = Person::new(&platform, Role::Owner, KeyMode::Sandbox).await;
    let all = platform.organization().await;
    for (caller, key, code) in [
        (&developer.caller, other.key(), "forbidden"),
        (&developer.caller, boss.key(), "forbidden"),
        (&platform.viewer(), developer.key(), "forbidden"),
        (&admin.caller, boss.key(), "forbidden"),
        (&all, developer.key(), "forbidden"),
    ] {
        caller
            .post(&item(&key, "/rotate"), &json!({}))
            .await
            .assert_error(403, code);
    }
    for operation in ["/finish_rotation", "/revoke", "/deactivate", "/restore"] {
        developer
            .caller
            .post(&item(&other.key(), operation), &json!({}))
            .await
            .assert_error(403, "forbidden");
    }
    developer
        .caller
        .patch(&item(&other.key(), ""), &json!({"name": "n"}))
        .await
        .assert_error(403, "forbidden");
    developer
        .caller
        .delete(&item(&other.key(), ""))
        .await
        .assert_error(403, "forbidden");

    // One's own, by whichever of one's keys; an administrator those of others who hold no more.
    let second = make(&developer.caller, &of_user(&developer.guid(), &json!({}))).await;
    let second_caller = platform.bearer(&text(&second, "secret"));
    let rotated = rotate(
        &second_caller,
        &developer.key(),
        &json!({"grace_period": 0}),
    )
    .await;
    five_second_bound::die(&[&developer.caller]).await;
    five_second_bound::live(&[&platform.bearer(&text(&rotated, "secret"))]).await;
    let rotated = rotate(&second_caller, &second, &json!({})).await;
    five_second_bound::live(&[&second_caller, &platform.bearer(&text(&rotated, "secret"))]).await;
    rotate(&admin.caller, &second, &json!({"replace": true})).await;
    assert_eq!(
        admin
            .caller
            .patch(&item(&other.key(), ""), &json!({"name": "stopped soon"}))
            .await
            .status,
        200
    );
    assert_eq!(
        admin
            .caller
            .post(&item(&other.key(), "/revoke"), &json!({}))
            .await
            .body["state"],
        "revoked"
    );
    five_second_bound::die(&[&other.caller]).await;
    assert_eq!(
        platform
            .owner()
            .post(&item(&boss.key(), "/revoke"), &json!({}))
            .await
            .body["state"],
        "revoked"
    );
    five_second_bound::die(&[&boss.caller]).await;
}

/// Machines read personal keys; an administrator is no more rid of an owner by the keys than by the
/// user. What the disabled left behind may be stopped.
#[tokio::test]
async fn cbm_1_403_for_stopping_whoever_one_has_no_say_over() {
    let platform = Platform::start().await;
    let admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox).await;
    let (boss, viewer) = (
        Person::new(&platform, Role::Owner, KeyMode::Sandbox).await,
        Person::new(&platform, Role::Viewer, KeyMode::Sandbox).await,
    );
    let (owner, all) = (platform.owner(), platform.organization().await);
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for (caller, key) in [
        (&all, viewer.key()),
        (&all, boss.key()),
        (&admin.caller, boss.key()),
    ] {
        assert_eq!(caller.get(&item(&key, "")).await.status, 200);
        for operation in [
            "/revoke",
            "/deactivate",
            "/finish_rotation",
            "/restore",
            "/rotate",
        ] {
            caller
                .post(&item(&key, operation), &json!({}))
                .await
                .assert_error(403, "forbidden");
        }
        caller
            .delete(&item(&key, ""))
            .await
            .assert_error(403, "forbidden");
        caller
            .patch(&item(&key, ""), &json!({"name": "n"}))
            .await
            .assert_error(403, "forbidden");
    }
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
    five_second_bound::live(&[&boss.caller, &viewer.caller]).await;

    assert_eq!(
        owner
            .delete(&format!("/api/users/{}", boss.guid()))
            .await
            .status,
        204
    );
    assert_eq!(
        admin
            .caller
            .post(&item(&boss.key(), "/revoke"), &json!({}))
            .await
            .body["state"],
        "revoked"
    );
    all.post(&item(&viewer.key(), "/revoke"), &json!({}))
        .await
        .assert_error(403, "forbidden");
    let request = json!({"reason": "ticket 7"});
    assert_eq!(
        platform
            .support()
            .post(&item(&viewer.key(), "/revoke"), &request)
            .await
            .body["state"],
        "revoked"
    );
    five_second_bound::die(&[&viewer.caller]).await;
}
