//! LEAK-11: "The secret may rotate and finish its own key, nothing else." Whatever its scopes and
//! its user's role are.

use std::time::Duration;

use domain::{key_mode::KeyMode, role::Role};
use serde_json::{Value, json};
use tests::{Caller, Platform};

use super::{PATH, Person, granted, item, make, of_bank, rotate, token};
use crate::{
    five_second_bound,
    management_keys::{seed_bank_key, seed_organization, seed_organization_key},
    organization_snapshot::{organization_snapshot, text},
    routes::customer_tokens,
};

/// A key of the seed bank with these scopes, and a token with all of them.
async fn of_scopes(platform: &Platform, scopes: &str) -> (Value, Caller) {
    let key = seed_bank_key(platform, scopes).await;
    let caller = platform.bearer(&granted(&token(platform, &key.client_secret).await));
    (
        json!({"client_id": key.client_id, "client_secret": key.client_secret}),
        caller,
    )
}

async fn finish(caller: &Caller, key: &Value, body: &Value) -> Value {
    let answer = caller.post(&item(key, "/finish_rotation"), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Whatever else there is to do to a key, and both of these to any other, is closed as it always
/// was.
async fn does_nothing_else(caller: &Caller, own: &Value, other: &Value, code: &str) {
    for key in [own, other] {
        caller
            .patch(&item(key, ""), &json!({"name": "renamed"}))
            .await
            .assert_error(403, code);
        caller.delete(&item(key, "")).await.assert_error(403, code);
        for operation in ["/revoke", "/deactivate", "/restore"] {
            caller
                .post(&item(key, operation), &json!({}))
                .await
                .assert_error(403, code);
        }
    }
    for operation in ["/rotate", "/finish_rotation"] {
        caller
            .post(&item(other, operation), &json!({}))
            .await
            .assert_error(403, code);
    }
}

#[tokio::test]
async fn leak_11_a_key_without_any_management_scope_rotates_and_finishes_itself_and_nothing_else() {
    let platform = Platform::start().await;
    let (key, first) = of_scopes(&platform, "accounts:read").await;
    let sibling = make(
        &platform.owner(),
        &of_bank(&platform, &json!({"scopes": ["accounts:read"]})),
    )
    .await;
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    does_nothing_else(&first, &key, &sibling, "insufficient_scope").await;
    for path in [PATH.to_owned(), item(&key, ""), item(&sibling, "")] {
        first
            .get(&path)
            .await
            .assert_error(403, "insufficient_scope");
    }
    first
        .post(
            PATH,
            &of_bank(&platform, &json!({"scopes": ["accounts:read"]})),
        )
        .await
        .assert_error(403, "insufficient_scope");
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );

    let rotated = rotate(&first, &key, &json!({"grace_period": null})).await;
    let second = platform.bearer(&granted(&token(&platform, &text(&rotated, "secret")).await));
    five_second_bound::live(&[&first, &second]).await;
    let refused = first
        .post(&item(&key, "/finish_rotation"), &json!({}))
        .await;
    refused.assert_error(403, "forbidden");
    assert!(refused.text.contains("previous secret"), "{refused:?}");
    finish(&second, &key, &json!({})).await;
    five_second_bound::die(&[&first]).await;
    five_second_bound::live(&[&second]).await;

    // By its guid too, and of an organization's key.
    let credentials = seed_organization_key(&platform, KeyMode::Sandbox, "accounts:read").await;
    let caller = platform.bearer(&granted(
        &token(&platform, &credentials.client_secret).await,
    ));
    let guid = credentials
        .client_id
        .parse::<domain::ids::ClientId>()
        .unwrap()
        .guid();
    rotate(
        &caller,
        &json!({"client_id": guid.to_string()}),
        &json!({"grace_period": 0}),
    )
    .await;
}

/// Nobody who was given a part of a key's authority takes the key: neither by a narrowed token nor
/// by a customer's.
#[tokio::test]
async fn leak_11_403_for_a_token_with_less_than_the_key() {
    let platform = Platform::start().await;
    let scopes = "accounts:read customers:read customers:write trades:execute trades:read";
    let (key, first) = of_scopes(&platform, scopes).await;
    let rotated = rotate(&first, &key, &json!({"grace_period": null})).await;
    let body = json!({"grant_type": "client_credentials", "client_id": key["client_id"],
        "client_secret": rotated["secret"], "scope": "accounts:read"});
    let narrow = platform.bearer(&text(
        &platform.anonymous().post("/oauth/token", &body).await.body,
        "access_token",
    ));
    let whole = platform.bearer(&granted(&token(&platform, &text(&rotated, "secret")).await));
    let customer = customer_tokens::issue(&platform, &whole, &json!({})).await;
    let all = platform.organization().await;
    let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
    for operation in ["/rotate", "/finish_rotation"] {
        narrow
            .post(&item(&key, operation), &json!({}))
            .await
            .assert_error(403, "insufficient_scope");
        customer
            .post(&item(&key, operation), &json!({}))
            .await
            .assert_error(403, "forbidden");
    }
    assert_eq!(
        organization_snapshot(&platform, &all, seed_organization(&platform)).await,
        before
    );
}

/// A personal key is a secret like any other: whoever may keep it may renew it.
#[tokio::test]
async fn leak_11_a_personal_key_of_any_role_rotates_and_finishes_itself() {
    let platform = Platform::start().await;
    let boss = Person::new(&platform, Role::Owner, KeyMode::Sandbox).await;
    let operator = platform.operator();
    for role in Role::ALL {
        let person = if role.is_staff() {
            let email = format!("{role}-itself@latchkey.example");
            let user = operator
                .user(domain::ids::Guid::PLATFORM, &email, role, None)
                .await
                .unwrap();
            let key = operator
                .personal_key(&user, KeyMode::Live, "personal")
                .await
                .unwrap();
            Person {
                user,
                client_id: key.client_id,
                caller: platform.bearer(&key.client_secret),
            }
        } else {
            Person::new(&platform, role, KeyMode::Sandbox).await
        };
        let rotated = rotate(
            &person.caller,
            &person.key(),
            &json!({"grace_period": null}),
        )
        .await;
        let second = platform.bearer(&text(&rotated, "secret"));
        person
            .caller
            .post(&item(&person.key(), "/finish_rotation"), &json!({}))
            .await
            .assert_error(403, "forbidden");
        finish(&second, &person.key(), &json!({})).await;
        five_second_bound::die(&[&person.caller]).await;
        if role == Role::Viewer {
            does_nothing_else(&second, &person.key(), &boss.key(), "forbidden").await;
        }
        for operation in ["/rotate", "/finish_rotation"] {
            let answer = second.post(&item(&boss.key(), operation), &json!({})).await;
            assert_eq!(
                answer.status,
                if role == Role::Owner { 200 } else { 403 },
                "{role}: {answer:?}"
            );
        }
    }
}

/// What a rotation function asks for: the old secret works until the new one is known to have
/// arrived, and a while longer.
#[tokio::test]
async fn leak_11_a_rotation_that_is_open_until_it_is_finished_in_a_while() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (key, first) = of_scopes(&platform, "accounts:read").await;
    let open = json!({"grace_period": null, "grace_starts": "first_use", "replaceable": true});
    let lost = rotate(&first, &key, &open).await;
    assert_eq!(
        (
            &lost["previous_secret"]["ends"],
            &lost["previous_secret"]["expires_at"]
        ),
        (&json!("when_finished"), &Value::Null)
    );
    first
        .post(&item(&key, "/rotate"), &open)
        .await
        .assert_error(403, "forbidden");
    let found = rotate(&first, &key, &json!({"replace": true})).await;
    token(&platform, &text(&lost, "secret"))
        .await
        .assert_oauth_error(401, "invalid_client");
    let second = platform.bearer(&granted(&token(&platform, &text(&found, "secret")).await));
    first
        .post(&item(&key, "/rotate"), &json!({"replace": true}))
        .await
        .assert_error(403, "forbidden");
    platform.advance(Duration::from_hours(24 * 365));
    let second_again = platform.bearer(&granted(&token(&platform, &text(&found, "secret")).await));
    granted(&token(&platform, &text(&key, "client_secret")).await);
    drop(second);

    let finished = finish(&second_again, &key, &json!({"grace_period": 600})).await;
    let end = text(&finished, "updated_at")
        .parse::<domain::time::Timestamp>()
        .unwrap()
        + Duration::from_mins(10);
    assert_eq!(
        (
            &finished["secrets"][1]["ends"],
            &finished["secrets"][1]["expires_at"]
        ),
        (&json!("at_expiry"), &json!(end))
    );
    let old = platform.bearer(&granted(
        &token(&platform, &text(&key, "client_secret")).await,
    ));
    platform.advance(Duration::from_mins(5));
    assert_eq!(
        finish(&second_again, &key, &json!({"grace_period": 600})).await,
        finished,
        "repeated, it gives no more time"
    );
    let earlier = finish(&second_again, &key, &json!({"grace_period": 60})).await;
    assert_ne!(
        earlier["secrets"][1]["expires_at"],
        finished["secrets"][1]["expires_at"]
    );
    five_second_bound::live(&[&old]).await;
    platform.advance(Duration::from_secs(61));
    five_second_bound::die(&[&old]).await;
    token(&platform, &text(&key, "client_secret"))
        .await
        .assert_oauth_error(401, "invalid_client");
    granted(&token(&platform, &text(&found, "secret")).await);
    assert_eq!(
        finish(&second_again, &key, &json!({"grace_period": 600})).await["secrets"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
