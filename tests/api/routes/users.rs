//! `/api/users`: the people of an organization, in the shape of the vendor's client.

mod create;
mod delegation;
mod effect_within_five_seconds;
mod last_owner;
mod list;
mod privilege_escalation;
mod secrets_shown;

use std::time::Duration;

use domain::{key_mode::KeyMode, role::Role};
use reqwest::Method;
use serde_json::{Value, json};
use tests::Platform;

use crate::{
    management_keys::{seed_bank_key, seed_organization},
    organization_snapshot::{appearance, text},
    people::{Person, events},
};

const PATH: &str = "/api/users";

fn item(user: &Value) -> String {
    format!("{PATH}/{}", text(user, "guid"))
}

#[tokio::test]
async fn leak_9_a_disabled_user_is_still_there_and_their_address_is_free_again() {
    let platform = Platform::start().await;
    let owner = platform.owner();
    let body = json!({"email": "ada@example.com"});
    let made = owner.post(PATH, &body).await.body;
    owner
        .post(PATH, &json!({"email": "ADA@example.com"}))
        .await
        .assert_error(409, "conflict");
    for _ in 0..2 {
        let gone = owner.delete(&item(&made)).await;
        assert_eq!((gone.status, gone.text.as_str()), (204, ""), "{gone:?}");
    }
    let shown = owner.get(&item(&made)).await;
    assert_eq!(
        (shown.status, &shown.body["state"]),
        (200, &json!("disabled"))
    );
    let before = owner.get(PATH).await.body;
    for patch in [
        json!({}),
        json!({"role": "developer"}),
        json!({"allowed_scopes": null}),
    ] {
        owner
            .patch(&item(&made), &patch)
            .await
            .assert_error(409, "conflict");
    }
    assert_eq!(owner.get(PATH).await.body, before);
    let again = owner.post(PATH, &body).await;
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.body["guid"], made["guid"]);
    assert_eq!(
        owner.delete(&item(&made)).await.status,
        204,
        "of the former one, whose address another one has by now"
    );
    owner.post(PATH, &body).await.assert_error(409, "conflict");
    let disabled = events(&platform, seed_organization(&platform), "user.disable").await;
    assert_eq!(disabled.len(), 1, "{disabled:?}");
    assert_eq!(disabled[0]["changes"]["state"], "disabled");
}

#[tokio::test]
async fn cbm_1_a_patch_changes_what_it_names_and_null_clears() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let owner = platform.owner();
    let made = owner
        .post(
            PATH,
            &json!({"email": "ada@example.com", "allowed_scopes": ["banks:read"]}),
        )
        .await
        .body;
    let patch = async |body: Value| {
        platform.advance(Duration::from_millis(1));
        owner.patch(&item(&made), &body).await
    };
    for nothing in [
        json!({}),
        json!({"role": "viewer"}),
        json!({"allowed_scopes": ["banks:read"]}),
    ] {
        let answer = patch(nothing).await;
        assert_eq!(
            (answer.status, &answer.body),
            (200, &made),
            "what changes nothing is no update"
        );
    }
    let developer = patch(json!({"role": "developer"})).await;
    assert_eq!(
        (&developer.body["role"], &developer.body["allowed_scopes"]),
        (&json!("developer"), &json!(["banks:read"]))
    );
    assert!(text(&developer.body, "updated_at") > text(&made, "updated_at"));
    let wider = patch(json!({"allowed_scopes": ["banks:read", "users:read"]})).await;
    assert_eq!(
        (&wider.body["role"], &wider.body["allowed_scopes"]),
        (&json!("developer"), &json!(["banks:read", "users:read"]))
    );
    let whole = patch(json!({"allowed_scopes": null})).await;
    assert_eq!(
        (whole.status, &whole.body["allowed_scopes"]),
        (200, &Value::Null),
        "{whole:?}"
    );
    assert_eq!(owner.get(&item(&made)).await.body, whole.body);
    let updates = events(&platform, seed_organization(&platform), "user.update").await;
    let changes: Vec<_> = updates
        .iter()
        .map(|event| event["changes"].clone())
        .collect();
    assert_eq!(
        changes,
        [
            json!({"role": "developer"}),
            json!({"allowed_scopes": ["banks:read", "users:read"]}),
            json!({"allowed_scopes": null})
        ]
    );
}

#[tokio::test]
async fn not_found_for_whoever_is_of_another_organization_or_of_the_platform() {
    let platform = Platform::start().await;
    let (neighbour, ..) = platform.neighbour().await;
    let foreign = platform
        .operator()
        .user(neighbour, "ada@example.com", Role::Viewer, None)
        .await
        .unwrap();
    let own = Person::new(&platform, Role::Viewer).await;
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let staff = text(
        &platform
            .security()
            .get(&format!("{PATH}?organization_guid={}", "0".repeat(32)))
            .await
            .body["objects"][0],
        "guid",
    );
    for caller in [&owner, &machine] {
        let nothing = caller.get(&format!("{PATH}/{}", "1".repeat(32))).await;
        nothing.assert_error(404, "not_found");
        for guid in [
            foreign.guid.to_string(),
            staff.clone(),
            own.client_id.clone(),
            "x".to_owned(),
        ] {
            let path = format!("{PATH}/{guid}");
            for method in [Method::GET, Method::PATCH, Method::DELETE] {
                let request = caller.request(method.clone(), &path);
                let request = if method == Method::PATCH {
                    request.json(&json!({"role": "viewer"}))
                } else {
                    request
                };
                let answer = tests::Answer::of(request).await;
                assert_eq!(appearance(&answer), appearance(&nothing), "{method} {path}");
            }
        }
    }
    assert_eq!(owner.get(&own.path()).await.status, 200);
}

#[tokio::test]
async fn cyb_11_a_machine_needs_users_scopes_and_a_banks_has_none() {
    let platform = Platform::start().await;
    let made = platform
        .organization()
        .await
        .post(PATH, &json!({"email": "ada@example.com"}))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let readers =
        crate::management_keys::seed_organization_key(&platform, KeyMode::Sandbox, "users:read")
            .await;
    let reader = platform.bearer(&platform.token(&readers).await);
    assert_eq!(reader.get(PATH).await.status, 200);
    assert_eq!(reader.get(&item(&made.body)).await.status, 200);
    for answer in [
        reader
            .post(PATH, &json!({"email": "bob@example.com"}))
            .await,
        reader
            .patch(&item(&made.body), &json!({"role": "viewer"}))
            .await,
        reader.delete(&item(&made.body)).await,
        platform.bank().await.get(PATH).await,
        platform
            .bank()
            .await
            .post(PATH, &json!({"email": "bob@example.com"}))
            .await,
    ] {
        answer.assert_error(403, "insufficient_scope");
    }
    // A catalogue that a deployment replaces might let banks hold them.
    let odd = seed_bank_key(&platform, "users:read users:write users:execute").await;
    let odd = platform.bearer(&platform.token(&odd).await);
    for answer in [
        odd.get(PATH).await,
        odd.get(&item(&made.body)).await,
        odd.post(PATH, &json!({"email": "bob@example.com"})).await,
        odd.patch(&item(&made.body), &json!({"role": "viewer"}))
            .await,
        odd.delete(&item(&made.body)).await,
    ] {
        answer.assert_error(403, "forbidden");
    }
}
