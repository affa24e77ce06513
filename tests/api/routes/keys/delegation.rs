//! A longer life, more places to be used from, a life again: who gives a key any of them must hold
//! what the key holds.

use domain::{key_mode::KeyMode, role::Role, scope::ScopeSet};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{Person, granted, item, make, of_bank, of_organization, token};
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text},
    routes::bank_applications::narrowed,
};

const LIST: &str = "8.8.8.0/24";

/// An end, many years from now.
fn day(day: u8) -> String {
    format!("2098-01-{day:02}T00:00:00.000Z")
}

/// What makes a key narrow: a list and an end.
fn narrow(scopes: &Value) -> Value {
    let mut members = json!({"ip_allowlist": [LIST], "expires_at": day(10)});
    if !scopes.is_null() {
        members["scopes"] = scopes.clone();
    }
    members
}

/// Every edit that gives a narrow key something.
fn gifts() -> [Value; 5] {
    [
        json!({"ip_allowlist": []}),
        json!({"ip_allowlist": ["8.8.8.8", "9.9.9.9"]}),
        json!({"expires_at": null}),
        json!({"expires_at": day(11)}),
        json!({"name": "renamed", "expires_at": day(9), "ip_allowlist": ["8.8.0.0/16"]}),
    ]
}

async fn gives_nothing(caller: &Caller, key: &Value, code: &str) {
    for gift in gifts() {
        caller
            .patch(&item(key, ""), &gift)
            .await
            .assert_error(403, code);
    }
    caller
        .post(&item(key, "/restore"), &Value::Null)
        .await
        .assert_error(403, code);
}

async fn extends(caller: &Caller, key: &Value) {
    for gift in gifts() {
        let answer = caller.patch(&item(key, ""), &gift).await;
        assert_eq!(answer.status, 200, "{gift}: {answer:?}");
        let narrow = json!({"ip_allowlist": [LIST], "expires_at": day(10)});
        assert_eq!(
            caller.patch(&item(key, ""), &narrow).await.status,
            200,
            "{answer:?}"
        );
    }
    stops_and_restores(caller, key).await;
}

async fn stops_and_restores(caller: &Caller, key: &Value) {
    for (operation, state) in [("/deactivate", "deactivated"), ("/restore", "active")] {
        let answer = caller.post(&item(key, operation), &Value::Null).await;
        assert_eq!(answer.body["state"], state, "{answer:?}");
    }
}

async fn change_by(caller: &Caller, key: &Value, change: &Value) {
    let answer = caller.patch(&item(key, ""), change).await;
    assert_eq!(answer.status, 200, "{change}: {answer:?}");
}

/// What gives nothing to a key that has no bounds yet or these.
fn bounds() -> [Value; 2] {
    [
        json!({"name": "renamed", "description": "by another"}),
        json!({"ip_allowlist": [LIST], "expires_at": day(10)}),
    ]
}

/// A key with scopes that people granted: machines and developers neither make nor rotate one.
#[tokio::test]
async fn cyb_11_403_for_giving_a_key_that_holds_more_than_the_caller() {
    let platform = Platform::start().await;
    let (owner, all, developer) = (
        platform.owner(),
        platform.organization().await,
        platform.developer(),
    );
    let managing = narrow(&json!(["bank_applications:write", "banks:read"]));
    for body in [
        of_bank(&platform, &managing),
        of_organization(&platform, &managing),
    ] {
        for caller in [&all, &developer] {
            let key = make(&owner, &body).await;
            assert_eq!(
                caller
                    .post(&item(&key, "/deactivate"), &Value::Null)
                    .await
                    .status,
                200,
                "it stops the key"
            );
            for change in bounds() {
                change_by(caller, &key, &change).await;
            }
            let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
            gives_nothing(caller, &key, "insufficient_scope").await;
            let family = if key["owner"]["type"] == "bank" {
                "bank"
            } else {
                "organization"
            };
            let application = format!("/api/{family}_applications/{}", text(&key, "client_id"));
            for list in [json!([]), json!(["9.9.9.9"])] {
                let wider = json!({"ip_allowlist": list});
                caller
                    .patch(&application, &wider)
                    .await
                    .assert_error(403, "insufficient_scope");
            }
            assert_eq!(
                organization_snapshot(&platform, &all, seed_organization(&platform)).await,
                before
            );
            assert_eq!(
                caller
                    .patch(
                        &application,
                        &json!({"ip_allowlist": ["8.8.8.0/25"], "name": "n"})
                    )
                    .await
                    .status,
                200
            );
            for change in [
                json!({"ip_allowlist": ["8.8.8.8"]}),
                json!({"expires_at": day(9)}),
            ] {
                change_by(caller, &key, &change).await;
            }
            assert_eq!(
                owner.post(&item(&key, "/restore"), &Value::Null).await.body["state"],
                "active"
            );
            extends(&owner, &key).await;
        }
    }
}

/// An organization gives the keys of its banks what those have of themselves; a token its own key
/// by all of that key's scopes.
#[tokio::test]
async fn an_organizations_token_widens_default_keys_and_its_own() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    extends(
        &all,
        &make(&all, &of_bank(&platform, &narrow(&Value::Null))).await,
    )
    .await;
    extends(
        &all,
        &make(&all, &of_organization(&platform, &narrow(&Value::Null))).await,
    )
    .await;

    let own = json!({"client_id": platform.seed.organization.key.client_id});
    let some = narrowed(
        &platform,
        "organization_applications:read organization_applications:write",
    )
    .await;
    let bounds = json!({"ip_allowlist": [LIST], "expires_at": day(10)});
    assert_eq!(
        some.patch(&item(&own, ""), &bounds).await.status,
        200,
        "it narrows itself"
    );
    let application = format!("/api/organization_applications/{}", text(&own, "client_id"));
    for path in [&item(&own, ""), &application] {
        some.patch(path, &json!({"ip_allowlist": []}))
            .await
            .assert_error(403, "insufficient_scope");
        let answer = all.patch(path, &json!({"ip_allowlist": []})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            all.patch(path, &json!({"ip_allowlist": [LIST]}))
                .await
                .status,
            200
        );
    }
}

/// A short-lived caller brings no key back that outlives it.
#[tokio::test]
async fn a_short_lived_caller_restores_only_what_ends_before_it() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let scopes = json!(["bank_applications:write", "banks:read"]);
    let short = make(
        &owner,
        &of_organization(&platform, &json!({"scopes": scopes, "expires_at": day(5)})),
    )
    .await;
    let caller = platform.bearer(&granted(&token(&platform, &text(&short, "secret")).await));
    let (longer, shorter) = (day(6), day(5));
    let longer = make(&owner, &of_bank(&platform, &json!({"expires_at": longer}))).await;
    let shorter = make(&owner, &of_bank(&platform, &json!({"expires_at": shorter}))).await;
    stops_and_restores(&caller, &shorter).await;
    assert_eq!(
        caller
            .post(&item(&longer, "/deactivate"), &Value::Null)
            .await
            .status,
        200
    );
    caller
        .post(&item(&longer, "/restore"), &Value::Null)
        .await
        .assert_error(403, "forbidden");
    stops_and_restores(&owner, &shorter).await;
}

/// A personal key holds what its user does: of whom the caller must hold all, unless it is the
/// caller.
#[tokio::test]
async fn cbm_1_403_for_giving_somebody_more_than_one_holds() {
    let platform = Platform::start().await;
    let viewer = Person::new(&platform, Role::Viewer, KeyMode::Sandbox).await;
    let admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox).await;
    let scopes: ScopeSet = "organization_applications:read organization_applications:write"
        .parse()
        .unwrap();
    let operator = platform.operator();
    let user = operator
        .user(
            seed_organization(&platform),
            "narrow@example.com",
            Role::Admin,
            Some(scopes),
        )
        .await
        .unwrap();
    let narrow_admin = platform.bearer(
        &operator
            .personal_key(&user, KeyMode::Sandbox, "first")
            .await
            .unwrap()
            .client_secret,
    );
    let sibling = json!({
        "client_id": operator.personal_key(
            &user,
            KeyMode::Sandbox,
            "second"
        ).await.unwrap().client_id,
    });
    for change in bounds() {
        change_by(&narrow_admin, &viewer.key(), &change).await;
        change_by(&narrow_admin, &sibling, &change).await;
    }
    assert_eq!(
        narrow_admin
            .post(&item(&viewer.key(), "/deactivate"), &Value::Null)
            .await
            .status,
        200
    );
    gives_nothing(&narrow_admin, &viewer.key(), "insufficient_scope").await;
    assert_eq!(
        admin
            .caller
            .post(&item(&viewer.key(), "/restore"), &Value::Null)
            .await
            .body["state"],
        "active"
    );
    for (caller, key) in [
        (&admin.caller, &viewer.key()),
        (&admin.caller, &sibling),
        (&narrow_admin, &sibling),
    ] {
        extends(caller, key).await;
    }
}
