//! A rotation hands out a credential: whoever asks for it holds all that the key holds.

use std::time::Duration;

use domain::{key::Owner, key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{Person, granted, item, make, of_bank, of_organization, rotate};
use crate::{
    management_keys::{ManagementKey, seed_bank_key, seed_organization},
    organization_snapshot::{organization_snapshot, text},
    routes::bank_applications::narrowed,
};

async fn refused(caller: &Caller, key: &Value, code: &str) {
    caller
        .post(&item(key, "/rotate"), &json!({}))
        .await
        .assert_error(403, code);
}

#[tokio::test]
async fn cyb_11_403_for_a_key_that_holds_more_than_the_caller() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let before = organization_snapshot(
        &platform,
        &platform.organization().await,
        seed_organization(&platform),
    )
    .await;
    let organization_key = json!({"client_id": platform.seed.organization.key.client_id});
    let bank_key = json!({"client_id": platform.seed.bank.key.client_id});

    // Of its own key a token gets another secret only with all of that key's scopes: else a
    // narrowed token would widen itself.
    let narrow = narrowed(
        &platform,
        "bank_applications:write banks:read organization_applications:write",
    )
    .await;
    refused(&narrow, &organization_key, "insufficient_scope").await;
    // Of its banks' keys it delegates whatever those have of themselves.
    assert_eq!(
        narrow
            .post(&item(&bank_key, "/rotate"), &json!({"grace_period": 60}))
            .await
            .status,
        200
    );

    let managing = json!({"scopes": ["bank_applications:write", "banks:read"]});
    let manages_banks = make(&owner, &of_bank(&platform, &managing)).await;
    let manages_organization = make(&owner, &of_organization(&platform, &managing)).await;
    let all = platform.organization().await;
    for granted in [&manages_banks, &manages_organization] {
        refused(&all, granted, "insufficient_scope").await;
        refused(&platform.developer(), granted, "insufficient_scope").await;
        rotate(&owner, granted, &json!({})).await;
    }
    // A developer rotates sandbox keys that hold what developers hold, and none of an
    // administrator's scopes.
    let administrators = make(
        &owner,
        &of_organization(&platform, &json!({"scopes": ["banks:execute"]})),
    )
    .await;
    refused(&platform.developer(), &administrators, "insufficient_scope").await;
    rotate(
        &platform.developer(),
        &make(&owner, &of_bank(&platform, &json!({}))).await,
        &json!({}),
    )
    .await;
    let changed = organization_snapshot(&platform, &all, seed_organization(&platform))
        .await
        .audit_events
        - before.audit_events;
    assert_eq!(changed, 8, "four keys made, four rotated");
}

/// A bank's own key, with all its scopes, gets another secret of itself; a sibling only within what
/// it holds.
#[tokio::test]
async fn a_key_rotates_itself_with_all_its_scopes() {
    let platform = Platform::start().await;
    let scopes = "accounts:read bank_applications:read bank_applications:write";
    let key = seed_bank_key(&platform, scopes).await;
    let own = json!({"client_id": key.client_id});
    let token = async |scope: &str| {
        let body = json!({"grant_type": "client_credentials", "client_id": key.client_id,
            "client_secret": key.client_secret, "scope": scope});
        platform.bearer(&text(
            &platform.anonymous().post("/oauth/token", &body).await.body,
            "access_token",
        ))
    };
    refused(
        &token("bank_applications:write").await,
        &own,
        "insufficient_scope",
    )
    .await;
    let caller = token(scopes).await;
    let sibling = make(&platform.owner(), &of_bank(&platform, &json!({}))).await;
    refused(&caller, &sibling, "insufficient_scope").await;
    let within = make(
        &platform.owner(),
        &of_bank(&platform, &json!({"scopes": ["accounts:read"]})),
    )
    .await;
    rotate(&caller, &within, &json!({"bank_guid": "ignored"})).await;
    let rotated = rotate(&caller, &own, &json!({})).await;
    granted(&super::token(&platform, &text(&rotated, "secret")).await);
}

/// Neither an allowlist nor an end is escaped by the secret of another key.
#[tokio::test]
async fn nobody_rotates_themselves_out_of_their_allowlist_or_past_their_end() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (owner, organization) = (platform.owner(), seed_organization(&platform));
    let free = make(&owner, &of_bank(&platform, &json!({}))).await;
    let bound = make(
        &owner,
        &of_bank(&platform, &json!({"ip_allowlist": ["8.8.8.8"]})),
    )
    .await;
    let scopes = json!(["bank_applications:write", "banks:read"]);
    let listed = make(
        &owner,
        &of_organization(
            &platform,
            &json!({"scopes": scopes, "ip_allowlist": ["8.8.8.0/24"]}),
        ),
    )
    .await;
    let answer = platform
        .anonymous()
        .from("8.8.8.8")
        .post(
            "/v1/auth/token",
            &json!({"client_secret": listed["secret"]}),
        )
        .await;
    let caller = platform.bearer(&granted(&answer)).from("8.8.8.8");
    refused(&caller, &free, "forbidden").await;
    rotate(&caller, &bound, &json!({})).await;

    let now = (platform.stack.services().ambient().clock)();
    let end = now + Duration::from_hours(1);
    let minted = ManagementKey {
        organization,
        owner: Owner::Organization(organization),
        kind: KeyMode::Sandbox,
        scopes: "bank_applications:write organization_applications:write",
        expires_at: Some(end),
    };
    let credentials = minted.make(&platform).await;
    let caller = platform.bearer(&platform.token(&credentials).await);
    refused(&caller, &free, "forbidden").await;
    let as_short = make(&owner, &of_bank(&platform, &json!({"expires_at": end}))).await;
    rotate(&caller, &as_short, &json!({})).await;
    rotate(
        &caller,
        &json!({"client_id": credentials.client_id}),
        &json!({}),
    )
    .await;
}

/// What a previous secret may not do to the key that it was of.
async fn cannot_stay(previous: &Caller, key: &Value) {
    for body in [
        json!({}),
        json!({"replace": true}),
        json!({"grace_period": 0}),
        json!({"grace_period": null}),
    ] {
        let answer = previous.post(&item(key, "/rotate"), &body).await;
        answer.assert_error(403, "forbidden");
        assert!(
            answer.text.contains("previous secret") && answer.text.contains("another credential"),
            "{answer:?}"
        );
    }
}

/// Whoever got hold of a secret that is on its way out does not stay, nor locks out who holds the
/// current one.
#[tokio::test]
async fn cbm_3_403_for_a_previous_secrets_tokens_on_their_own_key() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let credentials =
        seed_bank_key(&platform, "bank_applications:read bank_applications:write").await;
    let key = json!({"client_id": credentials.client_id});
    let bearer =
        async |secret: &str| platform.bearer(&granted(&super::token(&platform, secret).await));
    let first = bearer(&credentials.client_secret).await;
    let second = text(
        &rotate(&first, &key, &json!({"grace_period": 3600})).await,
        "secret",
    );
    let later = bearer(&credentials.client_secret).await;
    for previous in [&first, &later] {
        cannot_stay(previous, &key).await;
    }
    let current = bearer(&second).await;
    assert_eq!(
        first.get(&item(&key, "")).await.status,
        200,
        "it works on for what is left of it"
    );
    let replaced = rotate(&current, &key, &json!({"replace": true})).await;
    cannot_stay(&later, &key).await;
    let current = bearer(&text(&replaced, "secret")).await;
    assert_eq!(
        current
            .post(&item(&key, "/finish_rotation"), &json!({}))
            .await
            .status,
        200
    );

    // Nobody has used the new secret: it may be lost, and the previous one gets another in its
    // place.
    let waiting = json!({"grace_period": 3600, "grace_starts": "first_use", "replaceable": true});
    rotate(&current, &key, &waiting).await;
    current
        .post(&item(&key, "/rotate"), &json!({}))
        .await
        .assert_error(403, "forbidden");
    let found = rotate(&current, &key, &json!({"replace": true})).await;
    bearer(&text(&found, "secret")).await;
    cannot_stay(&current, &key).await;
    rotate(&owner, &key, &json!({"replace": true})).await;
}

#[tokio::test]
async fn x_3_403_for_a_previous_personal_secret_on_its_own_key() {
    let platform = Platform::start().await;
    let person = Person::new(&platform, Role::Developer, KeyMode::Sandbox).await;
    let (first, key) = (&person.caller, person.key());
    let second = platform.bearer(&text(
        &rotate(first, &key, &json!({"grace_period": 3600})).await,
        "secret",
    ));
    cannot_stay(first, &key).await;
    assert_eq!(
        second
            .post(&item(&key, "/finish_rotation"), &json!({}))
            .await
            .status,
        200
    );

    let waiting = json!({"grace_period": 3600, "grace_starts": "first_use", "replaceable": true});
    rotate(&second, &key, &waiting).await;
    second
        .post(&item(&key, "/rotate"), &json!({}))
        .await
        .assert_error(403, "forbidden");
    let third = platform.bearer(&text(
        &rotate(&second, &key, &json!({"replace": true})).await,
        "secret",
    ));
    assert_eq!(third.get("/v1/whoami").await.status, 200);
    cannot_stay(&second, &key).await;
    rotate(&third, &key, &json!({"replace": true})).await;
}
