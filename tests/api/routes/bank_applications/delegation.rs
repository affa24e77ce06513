//! What a new bank key may hold, and who may make one (CYB-11).

use std::time::Duration;

use domain::{
    key::Owner,
    key_mode::KeyMode,
    scope::{Catalogue, Holder},
};
use serde_json::{Value, json};
use tests::Platform;

use super::{PATH, create, narrowed};
use crate::{
    management_keys::{ManagementKey, seed_bank_key, seed_organization},
    organization_snapshot::{column, organization_snapshot, text},
};

/// Listing is open to any one of three scopes; the rest needs its own (CYB-11).
#[tokio::test]
async fn cyb_11_403_insufficient_scope_without_the_scope_of_the_verb() {
    let platform = Platform::start().await;
    let organization = seed_organization(&platform);
    let all = platform.organization().await;
    let key = create(
        &all,
        json!({"name": "key", "bank_guid": platform.seed.bank.guid}),
    )
    .await;
    let before = organization_snapshot(&platform, &all, organization).await;
    for (family, key) in [
        ("bank_applications", text(&key, "client_id")),
        (
            "organization_applications",
            platform.seed.organization.key.client_id.clone(),
        ),
    ] {
        let (path, item) = (format!("/api/{family}"), format!("/api/{family}/{key}"));
        for scope in [
            "accounts:read",
            "banks:read",
            "organizations:read",
            "{f}:read",
            "{f}:write",
            "{f}:execute",
        ] {
            let caller = narrowed(&platform, &scope.replace("{f}", family)).await;
            let lists = match scope {
                "banks:read" => family == "bank_applications",
                "organizations:read" | "{f}:read" => true,
                _ => false,
            };
            for (answer, open) in [
                (caller.get(&path).await, lists),
                (caller.get(&item).await, scope == "{f}:read"),
                (caller.patch(&item, &json!({})).await, scope == "{f}:write"),
                // Open, and then refused for what it asks.
                (caller.post(&path, &json!({})).await, scope == "{f}:execute"),
                (
                    caller.delete(&format!("{path}/{}", "0".repeat(32))).await,
                    scope == "{f}:execute",
                ),
            ] {
                assert_eq!(answer.status != 403, open, "{scope}: {answer:?}");
                if !open {
                    answer.assert_error(403, "insufficient_scope");
                }
            }
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &all, organization).await,
        before
    );
}

#[tokio::test]
async fn cyb_11_scopes_of_a_new_bank_key() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let defaults: Vec<String> = Catalogue::default()
        .defaults(Holder::Bank)
        .iter()
        .map(ToString::to_string)
        .collect();
    let bank_guid = &platform.seed.bank.guid;
    let with = |scopes: Value| json!({"name": "key", "bank_guid": bank_guid, "scopes": scopes});
    assert_eq!(
        create(&caller, with(json!(null))).await["scopes"],
        json!(defaults),
        "every yes of its kind"
    );
    assert_eq!(
        create(&caller, with(json!(defaults))).await["scopes"],
        json!(defaults),
        "an organization key confers each of them"
    );
    let subset = create(
        &caller,
        with(json!([
            "trades:read",
            "accounts:execute",
            "customers:pii:read"
        ])),
    )
    .await;
    assert_eq!(
        subset["scopes"],
        json!(["accounts:execute", "customers:pii:read", "trades:read"])
    );
    let narrow = narrowed(&platform, "bank_applications:execute").await;
    assert_eq!(
        create(&narrow, with(json!(null))).await["scopes"],
        json!(defaults),
        "whatever its own token holds"
    );

    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (scopes, field, words) in invalid_scopes() {
        caller
            .post(PATH, &with(scopes))
            .await
            .assert_field(field, words);
    }
    for granted in ["bank_applications:execute", "bank_applications:write"] {
        let answer = caller
            .post(PATH, &with(json!(["banks:read", granted])))
            .await;
        answer.assert_error(403, "insufficient_scope");
        assert!(answer.text.contains(granted), "{answer:?}");
    }
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

/// Scopes that no key of a bank may hold, the field that is refused, and words of the refusal.
fn invalid_scopes() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (
            json!(["banks:read", "unknown:read"]),
            "scopes[1]",
            "is not a scope that a key of this owner may hold",
        ),
        (
            json!(["banks:execute"]),
            "scopes[0]",
            "is not a scope that a key of this owner may hold",
        ),
        (
            json!(["organizations:read"]),
            "scopes[0]",
            "is not a scope that a key of this owner may hold",
        ),
        (json!(["banks"]), "scopes[0]", "is not a scope such as"),
        (
            json!(["banks:read "]),
            "scopes[0]",
            "is not a scope such as",
        ),
        (
            json!(["banks:read trades:read"]),
            "scopes[0]",
            "is not a scope such as",
        ),
        (json!(["BANKS:READ"]), "scopes[0]", "is not a scope such as"),
        (json!([""]), "scopes[0]", "is not a scope such as"),
        (json!(["*"]), "scopes[0]", "is not a scope such as"),
        (
            json!(["banks:read", "banks:read"]),
            "scopes[1]",
            "is a duplicate",
        ),
        (json!([]), "scopes", "at least one"),
        (json!("banks:read"), "scopes", "must be"),
        (json!([7]), "scopes[0]", "must be a string"),
        (
            json!(["bank_applications:execute", "unknown:read"]),
            "scopes[1]",
            "is not a scope",
        ),
    ]
}

/// A bank's token delegates what it holds and no more.
#[tokio::test]
async fn cyb_11_a_bank_token_confers_only_what_it_holds() {
    let platform = Platform::start().await;
    let key = seed_bank_key(
        &platform,
        "bank_applications:execute bank_applications:read banks:read accounts:read",
    )
    .await;
    let caller = platform.bearer(&platform.token(&key).await);
    let held = json!(["accounts:read", "bank_applications:read", "banks:read"]);
    assert_eq!(
        create(&caller, json!({"name": "key"})).await["scopes"],
        held
    );
    assert_eq!(
        create(&caller, json!({"name": "key", "scopes": ["banks:read"]})).await["scopes"],
        json!(["banks:read"])
    );
    let before = column(&caller.get(PATH).await, "client_id");
    for beyond in [
        "trades:read",
        "accounts:write",
        "bank_applications:execute",
        "bank_applications:write",
    ] {
        let answer = caller
            .post(
                PATH,
                &json!({"name": "key", "scopes": ["banks:read", beyond]}),
            )
            .await;
        answer.assert_error(403, "insufficient_scope");
        assert!(answer.text.contains(beyond), "{answer:?}");
    }
    caller
        .post("/api/organization_applications", &json!({"name": "key"}))
        .await
        .assert_error(403, "insufficient_scope");
    assert_eq!(column(&caller.get(PATH).await, "client_id"), before);
}

/// No key outlives the one that made it.
#[tokio::test]
async fn cyb_11_422_for_an_end_later_than_the_callers_own() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let organization = seed_organization(&platform);
    let now = (platform.stack.services().ambient().clock)();
    let end = now + Duration::from_hours(1);
    let minted = ManagementKey {
        organization,
        owner: Owner::Organization(organization),
        kind: KeyMode::Sandbox,
        scopes: "bank_applications:execute organization_applications:execute banks:read",
        expires_at: Some(end),
    };
    let caller = platform.bearer(&platform.token(&minted.make(&platform).await).await);
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, organization).await;
    for (path, bank_guid) in [
        (PATH, json!(platform.seed.bank.guid)),
        ("/api/organization_applications", json!(null)),
    ] {
        let later = end + Duration::from_millis(1);
        for wrong in [
            json!({}),
            json!({"expires_at": null}),
            json!({"expires_at": later}),
            json!({"expires_at": "9999-12-31T23:59:59Z"}),
        ] {
            let mut body = json!({"name": "key", "bank_guid": bank_guid});
            body.as_object_mut()
                .unwrap()
                .extend(wrong.as_object().unwrap().clone());
            caller
                .post(path, &body)
                .await
                .assert_field("expires_at", &format!("must be {end} or earlier"));
        }
    }
    assert_eq!(
        organization_snapshot(&platform, &all, organization).await,
        before
    );
    for (path, bank_guid) in [
        (PATH, json!(platform.seed.bank.guid)),
        ("/api/organization_applications", json!(null)),
    ] {
        for right in [end, now + Duration::from_mins(1)] {
            let answer = caller
                .post(
                    path,
                    &json!({"name": "key", "bank_guid": bank_guid, "expires_at": right}),
                )
                .await;
            assert_eq!(
                (answer.status, &answer.body["expires_at"]),
                (201, &json!(right)),
                "{answer:?}"
            );
        }
    }
}
