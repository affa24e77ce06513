//! Personal keys: a user's own, with that user's role and scopes as they are (CBM-1, CBM-2).

mod permissions;

use std::time::Duration;

use domain::{
    gate::{Kyb, Plan},
    key_mode::KeyMode,
    role::Role,
    scope::Catalogue,
};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{PATH, Person, body, item, make, rotate, token};
use crate::{
    five_second_bound,
    management_keys::{guid, seed_organization, seed_organization_key},
    organization_snapshot::text,
    people::{self, felt},
};

fn of_user(guid: &str, members: &Value) -> Value {
    body("user", guid, members)
}

#[tokio::test]
async fn cbm_1_201_for_a_key_of_ones_own_with_the_users_scopes_as_they_are() {
    let platform = Platform::start().await;
    for (caller, me, role) in [
        (
            platform.developer(),
            &platform.seed.users.developer.guid,
            Role::Developer,
        ),
        (
            platform.owner(),
            &platform.seed.users.owner.guid,
            Role::Owner,
        ),
    ] {
        let members = json!({
            "name": "laptop",
            "ip_allowlist": ["8.8.8.8"],
            "description": "mine",
            "environment": "sandbox",
        });
        let key = make(&caller, &of_user(me, &members)).await;
        let scopes: Vec<String> = role
            .scopes(&Catalogue::default(), KeyMode::Sandbox)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(key["scopes"], json!(scopes));
        assert_eq!(key["owner"], json!({"type": "user", "guid": me}));
        assert_eq!(
            (&key["state"], &key["environment"], &key["expires_at"]),
            (&json!("active"), &json!("sandbox"), &Value::Null)
        );
        let bearer = platform.bearer(&text(&key, "secret"));
        let me = bearer.from("8.8.8.8").get("/v1/whoami").await;
        assert_eq!(
            (me.status, &me.body["client_id"]),
            (200, &key["client_id"]),
            "{me:?}"
        );
        bearer
            .from("9.9.9.9")
            .get("/v1/whoami")
            .await
            .assert_error(403, "ip_not_allowed");
        assert_ne!(
            token(&platform, &text(&key, "secret")).await.status,
            200,
            "it is never exchanged for a token"
        );
    }
    let (owner, developer) = (platform.owner(), &platform.seed.users.developer.guid);
    let before = make(&platform.developer(), &of_user(developer, &json!({}))).await;
    let narrowed = json!({"role": "viewer"});
    assert_eq!(
        owner
            .patch(&format!("/api/users/{developer}"), &narrowed)
            .await
            .status,
        200
    );
    let after = owner.get(&item(&before, "")).await;
    let reads: Vec<String> = Role::Viewer
        .scopes(&Catalogue::default(), KeyMode::Sandbox)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        after.body["scopes"],
        json!(reads),
        "as they are now, not as they were"
    );
}

/// A bearer key's allowlist and end apply to the key itself, within five seconds.
#[tokio::test]
async fn cbm_1_an_edited_allowlist_and_end_apply_to_the_bearer_key() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let person = Person::new(&platform, Role::Viewer, KeyMode::Sandbox).await;
    let owner = platform.owner();
    five_second_bound::live(&[&person.caller]).await;
    let edit = async |change: Value| {
        let answer = owner.patch(&item(&person.key(), ""), &change).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    edit(json!({"ip_allowlist": ["8.8.8.8"]})).await;
    platform.advance(five_second_bound::BOUND);
    person
        .caller
        .from("9.9.9.9")
        .get("/v1/whoami")
        .await
        .assert_error(403, "ip_not_allowed");
    five_second_bound::live(&[&person.caller.from("8.8.8.8")]).await;
    edit(json!({
        "ip_allowlist": [],
        "expires_at": (platform.stack.services().ambient().clock)() + Duration::from_mins(1),
    }))
    .await;
    platform.advance(Duration::from_mins(1));
    five_second_bound::die(&[&person.caller]).await;
}

/// A starter organization makes and uses no personal keys; an upgrade restores them (CBM-2).
#[tokio::test]
async fn cbm_2_403_plan_upgrade_required_on_the_plan_starter() {
    let platform = Platform::start().await;
    let (operator, organization, owner) = (
        platform.operator(),
        seed_organization(&platform),
        platform.owner(),
    );
    let own = of_user(&platform.seed.users.owner.guid, &json!({}));
    let all = platform.organization().await;
    operator.plan(organization, Plan::Starter).await.unwrap();
    platform.advance(five_second_bound::BOUND);
    owner
        .post(PATH, &own)
        .await
        .assert_error(403, "plan_upgrade_required");
    let listed = all.get(&format!("{PATH}?owner_type=user")).await;
    let states: Vec<_> = listed.body["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["state"].clone())
        .collect();
    assert_eq!(states, ["inactive", "inactive", "inactive"]);
    assert_eq!(
        all.get(&format!("{PATH}?state=inactive")).await.body["total"],
        3
    );
    operator.plan(organization, Plan::Pro).await.unwrap();
    platform.advance(five_second_bound::BOUND);
    make(&owner, &own).await;
}

/// A disabled user's keys stay stopped: restoring one would only look as if it worked.
#[tokio::test]
async fn leak_9_409_for_restoring_a_key_of_a_disabled_user() {
    let platform = Platform::start().await;
    let person = Person::new(&platform, Role::Developer, KeyMode::Sandbox).await;
    let owner = platform.owner();
    assert_eq!(
        owner
            .post(&item(&person.key(), "/deactivate"), &Value::Null)
            .await
            .body["state"],
        "deactivated"
    );
    assert_eq!(
        owner
            .delete(&format!("/api/users/{}", person.guid()))
            .await
            .status,
        204
    );
    let answer = owner
        .post(&item(&person.key(), "/restore"), &Value::Null)
        .await;
    answer.assert_error(409, "conflict");
    assert!(answer.text.contains("disabled"), "{answer:?}");
    assert_eq!(
        owner.get(&item(&person.key(), "")).await.body["state"],
        "deactivated"
    );
}

/// People see the personal keys of both kinds, so that they can stop what is theirs; a sandbox
/// credential gives nothing of a live one.
#[tokio::test]
async fn a_credential_of_one_kind_only_stops_personal_keys_of_the_other() {
    let platform = Platform::start().await;
    let operator = platform.operator();
    let user = owner_user(&platform, &platform.seed.users.owner.guid).await;
    let live = operator
        .personal_key(&user, KeyMode::Live, "live")
        .await
        .unwrap();
    let (key, bearer) = (
        json!({"client_id": live.client_id}),
        platform.bearer(&live.client_secret),
    );
    let owner = platform.owner();
    assert_eq!(owner.get(&item(&key, "")).await.body["environment"], "live");
    let refused = async |caller: &Caller| {
        for (operation, body) in [("/rotate", json!({})), ("/restore", Value::Null)] {
            caller
                .post(&item(&key, operation), &body)
                .await
                .assert_error(403, "forbidden");
        }
        caller
            .patch(&item(&key, ""), &json!({"ip_allowlist": []}))
            .await
            .assert_error(403, "forbidden");
    };
    refused(&owner).await;
    platform
        .organization()
        .await
        .get(&item(&key, ""))
        .await
        .assert_error(404, "not_found");
    rotate(&bearer, &key, &json!({})).await;
    assert_eq!(
        owner
            .post(&item(&key, "/finish_rotation"), &json!({}))
            .await
            .status,
        200
    );
    assert_eq!(
        owner.post(&item(&key, "/revoke"), &json!({})).await.body["state"],
        "revoked"
    );
}

async fn owner_user(platform: &Platform, text: &str) -> domain::user::User {
    platform
        .stack
        .services()
        .store()
        .unwrap()
        .user(guid(text))
        .await
        .unwrap()
        .unwrap()
}

/// KYB gates the live keys of machines alone; a suspension of the organization stops everybody.
#[tokio::test]
async fn arz_3_a_live_personal_key_outlives_kyb_and_not_a_suspension() {
    let platform = Platform::start().await;
    let (organization, operator) = (seed_organization(&platform), platform.operator());
    operator.kyb(organization, Kyb::Approved).await.unwrap();
    let machine = platform.bearer(
        &platform
            .token(&seed_organization_key(&platform, KeyMode::Live, "banks:read").await)
            .await,
    );
    let person = people::Person::of(&platform, organization, Role::Developer, KeyMode::Live)
        .await
        .caller;
    let call = async |caller: &Caller| caller.get("/api/banks").await;
    for caller in [&machine, &person] {
        assert_eq!(call(caller).await.status, 200);
    }
    let kyb = format!("/api/organizations/{organization}/kyb");
    let rejected = platform
        .operations()
        .put(&kyb, &json!({"status": "rejected"}))
        .await;
    assert_eq!(rejected.status, 200, "{rejected:?}");
    felt(
        "KYB by a machine",
        async || call(&machine).await,
        (401, "authentication_failed"),
    )
    .await;
    // The authorizer has seen the entry by now.
    felt("KYB by a person", async || call(&person).await, (200, "")).await;
    platform.advance(Duration::from_mins(1));
    assert_eq!(call(&person).await.status, 200, "read anew");

    operator.suspension(organization, true).await.unwrap();
    felt(
        "the suspension",
        async || call(&person).await,
        (401, "authentication_failed"),
    )
    .await;
    operator.suspension(organization, false).await.unwrap();
    felt("its end", async || call(&person).await, (200, "")).await;
    assert_eq!(call(&machine).await.status, 401, "KYB is rejected still");
}
