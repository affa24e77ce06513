//! PATCH: what may change about a key, and what never (ARZ-4).

use std::time::Duration;

use domain::{
    gate::Kyb,
    key::Owner,
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
    time::Timestamp,
};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{Person, body, granted, item, make, of_bank, of_organization, token};
use crate::{
    five_second_bound,
    management_keys::{ManagementKey, seed_organization},
    organization_snapshot::{organization_snapshot, text, without},
    routes::bank_applications::narrowed,
};

const HOOK: &str = "https://hooks.example.com/a";

async fn patched(caller: &Caller, key: &Value, change: &Value) -> Value {
    let answer = caller.patch(&item(key, ""), change).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

#[tokio::test]
async fn arz_4_what_is_left_out_stays_null_clears_and_the_rest_is_set() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    let key = make(
        &caller,
        &of_bank(
            &platform,
            &json!({"webhook_url": HOOK, "destination": "a", "description": "b"}),
        ),
    )
    .await;
    let mut expected = without(&key, &["secret"]);
    for change in [
        json!({}),
        json!({"name": "renamed"}),
        json!({"description": "another"}),
        json!({"webhook_url": "https://hooks.example.com/b"}),
        json!({"destination": "another"}),
        json!({"destination": null, "webhook_url": null, "description": null}),
        json!({"ip_allowlist": ["8.8.8.8"]}),
        json!({"ip_allowlist": []}),
        json!({"expires_at": "2098-01-01T00:00:00.000Z"}),
        json!({"expires_at": "2099-01-01T00:00:00.000Z"}),
        json!({"expires_at": null}),
        json!({"destination": "a", "webhook_url": HOOK, "name": "all at once"}),
    ] {
        platform.advance(Duration::from_secs(1));
        let answer = patched(&caller, &key, &change).await;
        expected
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        if change == json!({}) {
            assert_eq!(answer, expected, "what changes nothing is no update");
        } else {
            assert!(text(&answer, "updated_at") > text(&expected, "updated_at"));
            expected["updated_at"] = answer["updated_at"].clone();
        }
        assert_eq!(answer, expected, "{change}");
        assert_eq!(caller.get(&item(&key, "")).await.body, expected);
    }
}

#[tokio::test]
async fn arz_4_409_for_another_destination_of_a_live_key() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let (production, _) = platform
        .operator()
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    platform
        .operator()
        .kyb(organization, Kyb::Approved)
        .await
        .unwrap();
    let caller = Person::new(&platform, Role::Owner, KeyMode::Live)
        .await
        .caller;
    let members = json!({"destination": "a", "webhook_url": HOOK});
    let key = make(&caller, &body("bank", &production.to_string(), &members)).await;
    for change in [
        json!({"destination": "b"}),
        json!({"destination": null}),
        json!({"destination": "b", "name": "n"}),
    ] {
        let answer = caller.patch(&item(&key, ""), &change).await;
        answer.assert_error(409, "conflict");
        assert!(answer.text.contains("create a new key"), "{answer:?}");
    }
    let same = json!({
        "destination": "a",
        "webhook_url": "https://hooks.example.com/b",
        "description": "moved",
    });
    let answer = patched(&caller, &key, &same).await;
    assert_eq!(
        (&answer["destination"], &answer["webhook_url"]),
        (&json!("a"), &same["webhook_url"])
    );
}

/// An earlier end is one for tokens in flight too, within five seconds.
#[tokio::test]
async fn arz_4_an_earlier_end_cuts_tokens_too() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let caller = platform.organization().await;
    let key = make(&caller, &of_bank(&platform, &json!({}))).await;
    let secret = text(&key, "secret");
    let bearer = platform.bearer(&granted(&token(&platform, &secret).await));
    five_second_bound::live(&[&bearer]).await;
    let end = (platform.stack.services().ambient().clock)() + Duration::from_mins(1);
    patched(&caller, &key, &json!({"expires_at": end})).await;
    five_second_bound::live(&[&bearer]).await;
    platform.advance(Duration::from_mins(1));
    five_second_bound::die(&[&bearer]).await;
    token(&platform, &secret)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(caller.get(&item(&key, "")).await.body["state"], "expired");
    let longer = caller
        .patch(&item(&key, ""), &json!({"expires_at": null}))
        .await;
    longer.assert_error(409, "conflict");
    assert!(longer.text.contains("expired"), "{longer:?}");
}

#[tokio::test]
async fn unprocessable_or_conflict_and_nothing_changed() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let key = make(
        &caller,
        &of_bank(&platform, &json!({"webhook_url": HOOK, "destination": "a"})),
    )
    .await;
    let other = make(&caller, &of_organization(&platform, &json!({}))).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (change, field) in [
        (json!({"name": null}), "name"),
        (json!({"name": "x".repeat(129)}), "name"),
        (json!({"ip_allowlist": null}), "ip_allowlist"),
        (json!({"ip_allowlist": ["1.1.1.1/8"]}), "ip_allowlist[0]"),
        (json!({"description": "x".repeat(513)}), "description"),
        (json!({"webhook_url": null}), "webhook_url"),
        (json!({"webhook_url": "https://localhost/"}), "webhook_url"),
        (json!({"expires_at": "2001-01-01T00:00:00Z"}), "expires_at"),
        (json!({"expires_at": 7}), "expires_at"),
        (json!({"scopes": []}), "scopes"),
        (json!({"owner": key["owner"]}), "owner"),
        (json!({"environment": "sandbox"}), "environment"),
        (json!({"state": "active"}), "state"),
        (json!({"bank_guid": platform.seed.bank.guid}), "bank_guid"),
    ] {
        caller
            .patch(&item(&key, ""), &change)
            .await
            .assert_field(field, "");
    }
    for change in [json!({"webhook_url": HOOK}), json!({"destination": "a"})] {
        let member = change.as_object().unwrap().keys().next().unwrap().clone();
        caller
            .patch(&item(&other, ""), &change)
            .await
            .assert_field(&member, "banks alone");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
    assert_eq!(caller.delete(&item(&key, "")).await.status, 204);
    let revoked = caller
        .patch(&item(&key, ""), &json!({"name": "undead"}))
        .await;
    revoked.assert_error(409, "conflict");
    assert!(
        revoked
            .text
            .contains("The key is revoked and cannot be changed"),
        "{revoked:?}"
    );
}

/// Nobody gives a key a longer life than their own; bringing its end forward, or leaving it, takes
/// no life at all.
#[tokio::test]
async fn a_short_lived_caller_lends_no_life_but_may_shorten_one() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let organization = seed_organization(&platform);
    let now = (platform.stack.services().ambient().clock)();
    let days = |days: u64| -> Timestamp { now + Duration::from_hours(24 * days) };
    let minted = ManagementKey {
        organization,
        owner: Owner::Organization(organization),
        kind: KeyMode::Sandbox,
        scopes: "bank_applications:write organization_applications:write",
        expires_at: Some(days(1)),
    };
    let credentials = minted.make(&platform).await;
    let caller = platform.bearer(&platform.token(&credentials).await);
    let all = platform.organization().await;
    let (endless, ending) = (
        make(&all, &of_bank(&platform, &json!({}))).await,
        make(&all, &of_bank(&platform, &json!({"expires_at": days(3)}))).await,
    );
    patched(
        &caller,
        &endless,
        &json!({"name": "renamed", "expires_at": null}),
    )
    .await;
    patched(
        &caller,
        &ending,
        &json!({"name": "renamed", "expires_at": days(3)}),
    )
    .await;
    for later in [json!(null), json!(days(4))] {
        caller
            .patch(&item(&ending, ""), &json!({"expires_at": later}))
            .await
            .assert_field("expires_at", "outlives");
    }
    assert_eq!(
        patched(&caller, &ending, &json!({"expires_at": days(2)})).await["expires_at"],
        json!(days(2))
    );
    assert_eq!(
        patched(&caller, &endless, &json!({"expires_at": days(30)})).await["expires_at"],
        json!(days(30))
    );
    let own = json!({"client_id": credentials.client_id});
    caller
        .patch(&item(&own, ""), &json!({"expires_at": null}))
        .await
        .assert_field("expires_at", "outlives");
}

/// The scope is that of the key's owner, and an allowlist of the caller's widens none.
#[tokio::test]
async fn cyb_11_403_without_the_scope_or_the_addresses() {
    let platform = Platform::start().await;
    let all = platform.organization().await;
    let bank_key = make(
        &all,
        &of_bank(&platform, &json!({"ip_allowlist": ["8.8.8.8"]})),
    )
    .await;
    let organization_key = make(&all, &of_organization(&platform, &json!({}))).await;
    let banks = narrowed(
        &platform,
        "bank_applications:write organization_applications:read",
    )
    .await;
    let organizations = narrowed(
        &platform,
        "bank_applications:read organization_applications:write",
    )
    .await;
    for (caller, may, may_not) in [
        (&banks, &bank_key, &organization_key),
        (&organizations, &organization_key, &bank_key),
    ] {
        patched(caller, may, &json!({"name": "renamed"})).await;
        caller
            .patch(&item(may_not, ""), &json!({"name": "renamed"}))
            .await
            .assert_error(403, "insufficient_scope");
    }
    let scopes = json!(["bank_applications:write"]);
    let narrow = make(
        &platform.owner(),
        &of_organization(
            &platform,
            &json!({"scopes": scopes, "ip_allowlist": ["8.8.8.0/24"]}),
        ),
    )
    .await;
    let narrow = platform
        .anonymous()
        .from("8.8.8.8")
        .post(
            "/v1/auth/token",
            &json!({"client_secret": narrow["secret"]}),
        )
        .await;
    let narrow = platform.bearer(&granted(&narrow)).from("8.8.8.8");
    for wider in [json!([]), json!(["8.8.8.0/24"]), json!(["9.9.9.9"])] {
        narrow
            .patch(&item(&bank_key, ""), &json!({"ip_allowlist": wider}))
            .await
            .assert_error(403, "forbidden");
    }
}
