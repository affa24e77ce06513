//! A key of one organization, bank or kind is nothing at all to those of another.

use domain::{
    gate::{Kyb, Plan},
    key_mode::{BankEnvironment, KeyMode},
    role::Role,
};
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, Person, body, item, make, of_bank, of_organization};
use crate::{
    management_keys::{seed_bank_key, seed_organization},
    organization_snapshot::{appearance, column, organization_snapshot, text},
};

/// Every operation that names a key, by method and what follows the key's path, with a body that it
/// takes.
const OPERATIONS: [(&str, &str, &str); 8] = [
    ("GET", "", ""),
    ("PATCH", "", r#"{"name": "mine now"}"#),
    ("DELETE", "", ""),
    ("POST", "/rotate", r#"{"grace_period": 0}"#),
    ("POST", "/finish_rotation", "{}"),
    ("POST", "/revoke", "{}"),
    ("POST", "/deactivate", "{}"),
    ("POST", "/restore", "{}"),
];

async fn send(caller: &Caller, method: &str, path: &str, body: &str) -> Answer {
    let request = caller.request(method.parse().unwrap(), path);
    Answer::of(if body.is_empty() {
        request
    } else {
        request
            .header("content-type", "application/json")
            .body(body.to_owned())
    })
    .await
}

/// Asserts that to these callers these keys look like nothing, whatever is tried.
async fn assert_nothing(callers: &[&Caller], keys: &[Value]) {
    for caller in callers {
        for (method, operation, body) in OPERATIONS {
            let nothing = send(
                caller,
                method,
                &format!("{PATH}/{}{operation}", "0".repeat(32)),
                body,
            )
            .await;
            nothing.assert_error(404, "not_found");
            for key in keys {
                let answer = send(caller, method, &item(key, operation), body).await;
                assert_eq!(
                    appearance(&answer),
                    appearance(&nothing),
                    "{method} {operation}"
                );
            }
        }
        let list = column(
            &caller.get(&format!("{PATH}?per_page=100")).await,
            "client_id",
        );
        assert!(
            keys.iter()
                .all(|key| !list.contains(&text(key, "client_id"))),
            "{list:?}"
        );
    }
}

#[tokio::test]
async fn a_key_of_one_organization_is_a_404_to_every_other() {
    let platform = Platform::start().await;
    let operator = platform.operator();
    let (neighbour, neighbour_key, neighbour_bank, _) = platform.neighbour().await;
    operator.plan(neighbour, Plan::Pro).await.unwrap();
    let owner = operator
        .user(neighbour, "owner@example.org", Role::Owner, None)
        .await
        .unwrap();
    let owner = platform.bearer(
        &operator
            .personal_key(&owner, KeyMode::Sandbox, "key")
            .await
            .unwrap()
            .client_secret,
    );
    let machine = platform.bearer(&platform.token(&neighbour_key).await);
    let managing = json!({
        "scopes": [
            "bank_applications:execute",
            "bank_applications:read",
            "bank_applications:write",
        ],
    });
    let bank = make(
        &owner,
        &body("bank", &neighbour_bank.to_string(), &managing),
    )
    .await;
    let bank = platform.bearer(&text(
        &super::token(&platform, &text(&bank, "secret")).await.body,
        "access_token",
    ));

    let ours = platform.owner();
    let keys = [
        make(&ours, &of_bank(&platform, &json!({}))).await,
        make(&ours, &of_organization(&platform, &json!({}))).await,
        make(
            &ours,
            &body("user", &platform.seed.users.owner.guid, &json!({})),
        )
        .await,
    ];
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    assert_nothing(&[&owner, &machine, &bank], &keys).await;
    for (owner_type, guid) in [
        ("bank", &platform.seed.bank.guid),
        ("organization", &platform.seed.organization.guid),
        ("user", &platform.seed.users.owner.guid),
    ] {
        owner
            .post(PATH, &body(owner_type, guid, &json!({})))
            .await
            .assert_field("owner.guid", "");
    }
    let named = format!(
        "{PATH}?organization_guid={}",
        platform.seed.organization.guid
    );
    owner
        .get(&named)
        .await
        .assert_field("organization_guid", "staff alone");
    assert_eq!(
        owner
            .get(&format!("{PATH}?owner_guid={}", platform.seed.bank.guid))
            .await
            .body["total"],
        0
    );
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
    for key in &keys[..2] {
        super::granted(&super::token(&platform, &text(key, "secret")).await);
    }
}

#[tokio::test]
async fn a_key_is_a_404_to_another_bank_and_to_the_other_kind() {
    let platform = Platform::start().await;
    let (operator, organization) = (platform.operator(), seed_organization(&platform));
    let ours = platform.owner();
    let other = ours
        .post(
            "/api/banks",
            &json!({"name": "Other", "environment": "sandbox"}),
        )
        .await
        .body;
    let key = seed_bank_key(
        &platform,
        "bank_applications:execute bank_applications:read bank_applications:write",
    )
    .await;
    let bank = platform.bearer(&platform.token(&key).await);
    let hidden = [
        make(&ours, &body("bank", &text(&other, "guid"), &json!({}))).await,
        make(&ours, &of_organization(&platform, &json!({}))).await,
        make(
            &ours,
            &body("user", &platform.seed.users.owner.guid, &json!({})),
        )
        .await,
    ];
    assert_nothing(&[&bank], &hidden).await;

    let (_, production_key) = operator
        .bank(organization, "Production", BankEnvironment::Production)
        .await
        .unwrap();
    operator.kyb(organization, Kyb::Approved).await.unwrap();
    let live = Person::new(&platform, Role::Owner, KeyMode::Live)
        .await
        .caller;
    let production = json!({"client_id": production_key.client_id});
    assert_nothing(&[&ours, &platform.organization().await], &[production]).await;
    assert_nothing(&[&live], &hidden[..2]).await;
}
