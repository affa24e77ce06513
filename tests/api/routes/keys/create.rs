//! POST: whose keys are made, with what, and what is refused.

mod invalid;

use std::time::Duration;

use domain::{
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
    scope::{Catalogue, Holder},
};
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, Person, body, granted, item, make, of_bank, of_organization, token};
use crate::{
    management_keys::{seed_bank_key, seed_organization},
    organization_snapshot::{appearance, organization_snapshot, text, without},
    routes::bank_applications::narrowed,
};

/// CBM-5: a key shows when it was made and when it expires.
#[tokio::test]
async fn arz_1_201_for_a_bank_key_with_every_member() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let members = json!({
        "name": "payouts",
        "description": "Asked for by Ada.\nTicket 7.",
        "environment": "sandbox",
        "scopes": ["trades:read", "accounts:read"],
        "ip_allowlist": ["8.8.8.0/24"],
        "expires_at": "2099-01-01T02:00:00+02:00",
        "destination": "account 4711",
        "webhook_url": "https://hooks.example.com/latchkey?token=1",
    });
    let made = caller.post(PATH, &of_bank(&platform, &members)).await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (201, "no-store"),
        "{made:?}"
    );
    let key = &made.body;
    let shown = without(key, &["secret"]);
    assert_eq!(
        without(
            &shown,
            &["guid", "client_id", "created_at", "updated_at", "secrets"]
        ),
        json!({
            "name": "payouts",
            "scopes": ["accounts:read", "trades:read"],
            "ip_allowlist": ["8.8.8.0/24"],
            "expires_at": "2099-01-01T00:00:00.000Z",
            "description": "Asked for by Ada.\nTicket 7.",
            "owner": {"type": "bank", "guid": platform.seed.bank.guid},
            "environment": "sandbox",
            "state": "active",
            "destination": "account 4711",
            "webhook_url": "https://hooks.example.com/latchkey?token=1",
        })
    );
    let secrets = key["secrets"].as_array().unwrap();
    let secret = json!({
        "created_at": key["created_at"],
        "expires_at": null,
        "ends": null,
        "grace_period": null,
        "minted_by": null,
        "known_to": null,
        "ended_by_minter": null,
    });
    assert_eq!((secrets.len(), without(&secrets[0], &["id"])), (1, secret));
    for spelling in ["client_id", "guid"] {
        let read = caller.get(&format!("{PATH}/{}", text(key, spelling))).await;
        assert_eq!((read.status, &read.body), (200, &shown));
        assert!(!read.text.contains(&text(key, "secret")), "CYB-2");
    }
    let bank = platform
        .bearer(&granted(
            &platform
                .anonymous()
                .from("8.8.8.8")
                .post("/v1/auth/token", &json!({"client_secret": key["secret"]}))
                .await,
        ))
        .from("8.8.8.8");
    assert_eq!(
        bank.get("/v1/whoami").await.body["bank"],
        json!(platform.seed.bank.guid)
    );
}

/// A secret is in the answer that made it and in no other; one that was lost is followed by
/// another.
#[tokio::test]
async fn cyb_2_a_secret_is_shown_once() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let key = make(&caller, &of_bank(&platform, &json!({}))).await;
    let rotated = super::rotate(&caller, &key, &json!({})).await;
    let secrets = [text(&key, "secret"), text(&rotated, "secret")];
    let path = item(&key, "");
    for answer in [
        caller.get(&path).await,
        caller.get(&format!("{PATH}?per_page=100")).await,
        caller
            .get(&format!(
                "/api/bank_applications/{}",
                text(&key, "client_id")
            ))
            .await,
        caller.patch(&path, &json!({"name": "renamed"})).await,
        caller
            .post(&item(&key, "/finish_rotation"), &Value::Null)
            .await,
        caller.post(&item(&key, "/deactivate"), &Value::Null).await,
        caller.post(&item(&key, "/restore"), &Value::Null).await,
        caller.post(&item(&key, "/revoke"), &Value::Null).await,
        caller.delete(&path).await,
    ] {
        assert!(matches!(answer.status, 200 | 204), "{answer:?}");
        for secret in &secrets {
            assert!(
                !answer.text.contains(&secret[secret.len() - 49..])
                    && answer.body.get("secret").is_none(),
                "{answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn cyb_11_201_with_the_defaults_of_the_owner_when_nothing_more_is_said() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for (holder, bare) in [
        (Holder::Bank, of_bank(&platform, &json!({}))),
        (Holder::Organization, of_organization(&platform, &json!({}))),
    ] {
        let defaults: Vec<String> = Catalogue::default()
            .defaults(holder)
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut nulls = bare.clone();
        for member in [
            "description",
            "environment",
            "scopes",
            "ip_allowlist",
            "expires_at",
            "destination",
            "webhook_url",
        ] {
            nulls[member] = Value::Null;
        }
        for body in [bare, nulls] {
            let key = make(&caller, &body).await;
            assert_eq!(key["scopes"], json!(defaults));
            for member in ["description", "expires_at", "destination", "webhook_url"] {
                assert_eq!(key[member], Value::Null, "{member}");
            }
            assert_eq!(
                (&key["environment"], &key["state"], &key["owner"]),
                (&json!("sandbox"), &json!("active"), &body["owner"])
            );
            granted(&token(&platform, &text(&key, "secret")).await);
        }
    }
}

/// What is somebody else's, or of the other kind, is refused with the words for what does not
/// exist.
#[tokio::test]
async fn cyb_4_422_for_an_owner_that_is_not_the_callers() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let owner = platform.owner();
    let (foreign_organization, _, foreign_bank, _) = platform.neighbour().await;
    let foreign_user = platform
        .operator()
        .user(foreign_organization, "ada@example.com", Role::Viewer, None)
        .await
        .unwrap()
        .guid;
    let (production, _) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, organization).await;
    for (owner_type, theirs) in [
        ("bank", vec![foreign_bank, production, organization]),
        ("organization", vec![foreign_organization]),
        ("user", vec![foreign_user, organization]),
    ] {
        let nothing = owner
            .post(PATH, &body(owner_type, &"1".repeat(32), &json!({})))
            .await;
        nothing.assert_field("owner.guid", "");
        for guid in theirs {
            let answer = owner
                .post(PATH, &body(owner_type, &guid.to_string(), &json!({})))
                .await;
            assert_eq!(
                appearance(&answer),
                appearance(&nothing),
                "{owner_type} {guid}"
            );
        }
    }
    let live = all
        .post(PATH, &of_bank(&platform, &json!({"environment": "live"})))
        .await;
    live.assert_error(403, "forbidden");
    assert!(
        live.text.contains("sandbox") && live.text.contains("live"),
        "{live:?}"
    );
    assert_eq!(
        organization_snapshot(&platform, &all, organization).await,
        before
    );
}

/// The scope is that of the owner whose key it will be.
#[tokio::test]
async fn cyb_11_403_without_the_scope_of_the_owner() {
    let platform = Platform::start().await;
    let banks = narrowed(&platform, "accounts:read bank_applications:execute").await;
    let organizations = narrowed(&platform, "banks:read organization_applications:execute").await;
    let (of_bank, of_organization) = (
        of_bank(&platform, &json!({})),
        of_organization(&platform, &json!({})),
    );
    for (caller, may, may_not) in [
        (&banks, &of_bank, &of_organization),
        (&organizations, &of_organization, &of_bank),
    ] {
        make(caller, may).await;
        caller
            .post(PATH, may_not)
            .await
            .assert_error(403, "insufficient_scope");
    }
    let reader = narrowed(
        &platform,
        "bank_applications:read bank_applications:write organization_applications:write",
    )
    .await;
    for body in [&of_bank, &of_organization] {
        reader
            .post(PATH, body)
            .await
            .assert_error(403, "insufficient_scope");
    }
    // It delegates what it holds and nothing else.
    let made = make(&organizations, &of_organization).await;
    assert_eq!(made["scopes"], json!(["banks:read"]));
    let mut beyond = of_organization.clone();
    beyond["scopes"] = json!(["accounts:read"]);
    organizations
        .post(PATH, &beyond)
        .await
        .assert_error(403, "insufficient_scope");
}

#[tokio::test]
async fn cyb_4_a_bank_token_makes_keys_of_its_bank_alone() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let other = all
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    let key = seed_bank_key(
        &platform,
        "bank_applications:execute bank_applications:read accounts:read",
    )
    .await;
    let bank = platform.bearer(&platform.token(&key).await);
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for guid in [text(&other, "guid"), "1".repeat(32)] {
        bank.post(PATH, &body("bank", &guid, &json!({})))
            .await
            .assert_error(403, "forbidden");
    }
    bank.post(PATH, &of_organization(&platform, &json!({})))
        .await
        .assert_error(403, "insufficient_scope");
    let user = body("user", &platform.seed.users.owner.guid, &json!({}));
    bank.post(PATH, &user)
        .await
        .assert_error(403, "insufficient_scope");
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
    let made = make(
        &bank,
        &of_bank(&platform, &json!({"bank_guid": other["guid"]})),
    )
    .await;
    assert_eq!(
        made["owner"],
        json!({"type": "bank", "guid": platform.seed.bank.guid}),
        "the token decides"
    );
}

/// Only owners and administrators delegate management scopes; developers make sandbox keys without.
#[tokio::test]
async fn cyb_11_owners_confer_granted_scopes_and_developers_do_not() {
    let platform = Platform::start().await;
    let granted = json!({"scopes": ["bank_applications:execute", "banks:read"]});
    let admin = Person::new(&platform, Role::Admin, KeyMode::Sandbox)
        .await
        .caller;
    for caller in [platform.owner(), admin] {
        for body in [
            of_bank(&platform, &granted),
            of_organization(&platform, &granted),
        ] {
            assert_eq!(make(&caller, &body).await["scopes"], granted["scopes"]);
        }
    }
    let developer = platform.developer();
    developer
        .post(PATH, &of_bank(&platform, &granted))
        .await
        .assert_error(403, "insufficient_scope");
    make(
        &developer,
        &of_bank(&platform, &json!({"scopes": ["banks:read"]})),
    )
    .await;
    make(&developer, &of_organization(&platform, &json!({}))).await;
    platform
        .viewer()
        .post(PATH, &of_bank(&platform, &json!({})))
        .await
        .assert_error(403, "forbidden");
}

/// The organization's policy ends keys (LEAK-10): those that name no end, and no later than it.
#[tokio::test]
async fn leak_10_keys_end_by_the_policy_for_their_age() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (owner, caller) = (platform.owner(), platform.organization().await);
    let old = make(&caller, &of_bank(&platform, &json!({}))).await;
    let path = format!("/api/organizations/{}", platform.seed.organization.guid);
    let set = owner.patch(&path, &json!({"max_key_age_days": 30})).await;
    assert_eq!(set.status, 200, "{set:?}");
    let days = |key: &Value, days: u64| {
        let created: domain::time::Timestamp = text(key, "created_at").parse().unwrap();
        created + Duration::from_hours(24 * days)
    };
    let application =
        json!({"name": "key", "bank_guid": platform.seed.bank.guid, "expires_at": null});
    let application = caller
        .post("/api/bank_applications", &application)
        .await
        .body;
    let new = make(&caller, &of_bank(&platform, &json!({}))).await;
    let personal = make(
        &owner,
        &body("user", &platform.seed.users.owner.guid, &json!({})),
    )
    .await;
    for key in [&application, &new, &personal] {
        assert_eq!(key["expires_at"], json!(days(key, 30)), "{key}");
    }
    let later = json!({"expires_at": "2099-01-01T00:00:00Z"});
    caller
        .post(PATH, &of_bank(&platform, &later))
        .await
        .assert_field("expires_at", "policy");
    caller
        .patch(&item(&new, ""), &later)
        .await
        .assert_field("expires_at", "policy");
    assert_eq!(old["expires_at"], Value::Null);
    let renamed = caller
        .patch(&item(&old, ""), &json!({"name": "renamed"}))
        .await;
    assert_eq!(
        (renamed.status, &renamed.body["expires_at"]),
        (200, &Value::Null),
        "what is left out stays"
    );
    let never = caller
        .patch(&item(&new, ""), &json!({"expires_at": null}))
        .await;
    assert_eq!(
        (never.status, &never.body["expires_at"]),
        (200, &json!(days(&new, 30))),
        "never, within the policy: {never:?}"
    );
}
