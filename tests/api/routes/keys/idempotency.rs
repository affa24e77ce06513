//! `Idempotency-Key` on every creation of a key.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{PATH, body, granted, of_bank, of_organization, token};
use crate::{
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text, without},
};

async fn post(caller: &Caller, path: &str, key: &str, body: &Value) -> Answer {
    Answer::of(
        caller
            .request(Method::POST, path)
            .header("Idempotency-Key", key)
            .json(body),
    )
    .await
}

/// Each route that makes keys, with a body.
fn creations(platform: &Platform) -> [(&'static str, Value); 5] {
    [
        (PATH, of_bank(platform, &json!({}))),
        (PATH, of_organization(platform, &json!({}))),
        (
            PATH,
            body("user", &platform.seed.users.owner.guid, &json!({})),
        ),
        (
            "/api/bank_applications",
            json!({"name": "key", "bank_guid": platform.seed.bank.guid}),
        ),
        ("/api/organization_applications", json!({"name": "key"})),
    ]
}

#[tokio::test]
async fn x_8_a_retried_create_answers_with_the_same_key_without_its_secret() {
    let platform = Platform::start().await;
    let (caller, all) = (platform.owner(), platform.organization().await);
    for (number, (path, body)) in creations(&platform).into_iter().enumerate() {
        let key = format!("create-{number}");
        let made = post(&caller, path, &key, &body).await;
        assert_eq!(
            (made.status, made.header("idempotency-replayed")),
            (201, ""),
            "{made:?}"
        );
        let before = organization_snapshot(&platform, &all, seed_organization(&platform)).await;
        platform.advance(Duration::from_secs(2));
        for _ in 0..2 {
            let again = post(&caller, path, &key, &body).await;
            assert_eq!(
                (again.status, again.header("idempotency-replayed")),
                (201, "true"),
                "{again:?}"
            );
            assert_eq!(again.header("cache-control"), "no-store");
            assert_eq!(again.body, without(&made.body, &["secret"]));
            assert!(!again.text.contains(&text(&made.body, "secret")));
        }
        let mut other = body.clone();
        other["name"] = json!("another");
        post(&caller, path, &key, &other)
            .await
            .assert_error(422, "idempotency_key_reused");
        assert_eq!(
            organization_snapshot(&platform, &all, seed_organization(&platform)).await,
            before
        );
        let another = post(&caller, path, &format!("{key}-b"), &body).await;
        assert_ne!(another.body["client_id"], made.body["client_id"]);
        let elsewhere = post(&caller, path, "elsewhere", &body).await;
        assert_eq!(
            elsewhere.status == 201,
            number == 0,
            "another path or body is another request: {elsewhere:?}"
        );
    }
}

/// It is the thing as it is now that is answered with; and what a lost answer held is got by
/// `replace`.
#[tokio::test]
async fn x_8_the_key_as_it_is_now_and_replace_for_its_secret() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    let body = of_bank(&platform, &json!({}));
    let made = post(&caller, PATH, "k", &body).await.body;
    assert_eq!(
        caller
            .patch(&super::item(&made, ""), &json!({"name": "renamed"}))
            .await
            .status,
        200
    );
    let again = post(&caller, PATH, "k", &body).await;
    assert_eq!(
        (&again.body["name"], &again.body["client_id"]),
        (&json!("renamed"), &made["client_id"])
    );
    let replaced = super::rotate(&caller, &made, &json!({"replace": true})).await;
    assert_eq!(
        (
            replaced["secrets"].as_array().unwrap().len(),
            &replaced["previous_secret"]
        ),
        (1, &Value::Null)
    );
    token(&platform, &text(&made, "secret"))
        .await
        .assert_oauth_error(401, "invalid_client");
    granted(&token(&platform, &text(&replaced, "secret")).await);
    assert_eq!(caller.delete(&super::item(&made, "")).await.status, 204);
    let again = post(&caller, PATH, "k", &body).await;
    assert_eq!(
        (again.status, &again.body["state"]),
        (201, &json!("revoked"))
    );
}

#[tokio::test]
async fn x_8_per_principal_and_for_24_hours() {
    let platform = Platform::start().await;
    let body = of_bank(&platform, &json!({}));
    let (owner, machine) = (platform.owner(), platform.organization().await);
    let mut made = BTreeSet::new();
    for caller in [&owner, &platform.developer(), &machine] {
        made.insert(text(
            &post(caller, PATH, "same", &body).await.body,
            "client_id",
        ));
    }
    assert_eq!(made.len(), 3, "nobody meets the request of somebody else");
    // A person is one principal, whichever of their keys they use; a machine's key is, whichever
    // token it uses.
    let second = super::make(
        &owner,
        &super::body("user", &platform.seed.users.owner.guid, &json!({})),
    )
    .await;
    let second = platform.bearer(&text(&second, "secret"));
    for caller in [&second, &platform.organization().await] {
        let again = post(caller, PATH, "same", &body).await;
        assert!(made.contains(&text(&again.body, "client_id")), "{again:?}");
    }
    platform.advance(Duration::from_hours(24));
    let day_after = post(&owner, PATH, "same", &body).await;
    assert_eq!(day_after.header("idempotency-replayed"), "");
    assert!(!made.contains(&text(&day_after.body, "client_id")));
}

/// Of requests at the same moment one makes the key, and one alone shows its secret.
#[tokio::test]
async fn x_8_requests_at_the_same_moment_make_one_key() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for (number, (path, body)) in creations(&platform)
        .into_iter()
        .enumerate()
        .filter(|(number, _)| *number != 2)
    {
        let key = format!("same-{number}");
        let (a, b, c, d) = tokio::join!(
            post(&caller, path, &key, &body),
            post(&caller, path, &key, &body),
            post(&caller, path, &key, &body),
            post(&caller, path, &key, &body),
        );
        let answers = [a, b, c, d];
        let made: BTreeSet<_> = answers
            .iter()
            .map(|answer| text(&answer.body, "client_id"))
            .collect();
        let secrets = answers
            .iter()
            .filter(|answer| answer.body.get("secret").is_some())
            .count();
        let replayed = answers
            .iter()
            .filter(|answer| answer.header("idempotency-replayed") == "true")
            .count();
        assert_eq!((made.len(), secrets, replayed), (1, 1, 3), "{answers:?}");
    }
}

#[tokio::test]
async fn x_8_what_is_refused_is_not_remembered_and_the_header_is_read_strictly() {
    let platform = Platform::start().await;
    let caller = platform.organization().await;
    for (path, body) in [&creations(&platform)[0], &creations(&platform)[3]] {
        let mut wrong = body.clone();
        wrong["expires_at"] = json!("2001-01-01T00:00:00Z");
        let key = format!("first {path}").replace(' ', "-");
        post(&caller, path, &key, &wrong)
            .await
            .assert_field("expires_at", "future");
        assert_eq!(
            post(&caller, path, &key, body).await.status,
            201,
            "its first success counts"
        );
        for bad in ["", "two words", &"x".repeat(256)] {
            post(&caller, path, bad, body)
                .await
                .assert_error(400, "malformed_request");
        }
        let twice = caller
            .request(Method::POST, path)
            .header("Idempotency-Key", "a")
            .header("Idempotency-Key", "a");
        Answer::of(twice.json(body))
            .await
            .assert_error(400, "malformed_request");
    }
}
