//! Rotation: another secret on the same key, the old one ending as it was asked to (CBM-3, ARZ-5,
//!

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Answer, Caller, Platform};

use super::{granted, item, make, of_bank, rotate, token};
use crate::{
    five_second_bound,
    management_keys::seed_organization,
    organization_snapshot::{organization_snapshot, text, without},
};

/// A key, who manages it, and its first secret.
async fn subject(platform: &Platform) -> (Caller, Value, String) {
    let caller = platform.organization().await;
    let key = make(&caller, &of_bank(platform, &json!({}))).await;
    let secret = text(&key, "secret");
    (caller, key, secret)
}

async fn secrets(caller: &Caller, key: &Value) -> Vec<Value> {
    let read = caller.get(&item(key, "")).await;
    assert_eq!(read.status, 200, "{read:?}");
    read.body["secrets"].as_array().unwrap().clone()
}

async fn finish(caller: &Caller, key: &Value) -> Answer {
    caller
        .post(&item(key, "/finish_rotation"), &json!({}))
        .await
}

#[tokio::test]
async fn cbm_3_200_with_another_secret_the_old_one_valid_for_24_hours() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (caller, key, old) = subject(&platform).await;
    platform.advance(Duration::from_secs(1));
    let answer = Answer::of(caller.request(reqwest::Method::POST, &item(&key, "/rotate"))).await;
    assert_eq!(
        (answer.status, answer.header("cache-control")),
        (200, "no-store"),
        "{answer:?}"
    );
    let (rotated, new) = (&answer.body, text(&answer.body, "secret"));
    assert_ne!(new, old);
    let unchanged = ["updated_at", "secrets", "secret"];
    assert_eq!(
        without(&without(rotated, &["previous_secret"]), &unchanged),
        without(&key, &unchanged),
        "the key stays the key"
    );
    let end = text(rotated, "updated_at")
        .parse::<domain::time::Timestamp>()
        .unwrap()
        + Duration::from_hours(24);
    let (first, listed) = (&key["secrets"][0], rotated["secrets"].as_array().unwrap());
    assert_eq!(
        rotated["previous_secret"],
        json!({
            "id": first["id"],
            "created_at": first["created_at"],
            "expires_at": end,
            "ends": "at_expiry",
            "grace_period": null,
            "minted_by": null,
            "known_to": null,
            "ended_by_minter": null,
        })
    );
    assert_eq!(
        (listed.len(), &listed[1]),
        (2, &rotated["previous_secret"]),
        "the newest first"
    );
    assert_eq!(listed[0]["created_at"], rotated["updated_at"]);
    let read = caller.get(&item(&key, "")).await;
    assert_eq!(read.body, without(rotated, &["secret", "previous_secret"]));
    assert!(!read.text.contains(&new), "CYB-2: shown once");

    for secret in [&old, &new] {
        granted(&token(&platform, secret).await);
    }
    platform.advance(Duration::from_hours(24).saturating_sub(Duration::from_secs(5)));
    granted(&token(&platform, &old).await);
    platform.advance(Duration::from_secs(5));
    token(&platform, &old)
        .await
        .assert_oauth_error(401, "invalid_client");
    granted(&token(&platform, &new).await);
    let caller = platform.organization().await;
    assert_eq!(
        secrets(&caller, &key).await.len(),
        1,
        "what has ended is not shown"
    );
    rotate(&caller, &key, &json!({})).await;
}

#[tokio::test]
async fn arz_5_an_open_end_until_finished_and_finishing_kills_tokens_of_the_old_secret_alone() {
    let platform = Platform::start().await;
    let (caller, key, old) = subject(&platform).await;
    let rotated = rotate(&caller, &key, &json!({"grace_period": null})).await;
    let previous = &rotated["previous_secret"];
    assert_eq!(
        (&previous["expires_at"], &previous["ends"]),
        (&Value::Null, &json!("when_finished"))
    );
    platform.advance(Duration::from_hours(24 * 365));
    let caller = platform.organization().await;
    let bearer = async |secret: &str| platform.bearer(&granted(&token(&platform, secret).await));
    let (of_old, of_new) = (bearer(&old).await, bearer(&text(&rotated, "secret")).await);
    five_second_bound::live(&[&of_old, &of_new]).await;

    let finished = finish(&caller, &key).await;
    assert_eq!(finished.status, 200, "{finished:?}");
    five_second_bound::die(&[&of_old]).await;
    five_second_bound::live(&[&of_new]).await;
    token(&platform, &old)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(finished.body["secrets"], json!([rotated["secrets"][0]]));
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let again = finish(&caller, &key).await;
    assert_eq!(
        (again.status, &again.body),
        (200, &finished.body),
        "repeated, it changes nothing"
    );
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
}

#[tokio::test]
async fn arz_5_any_grace_from_0_to_90_days() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (caller, key, mut old) = subject(&platform).await;
    for grace in [0_u64, 1, 3600, 7_776_000] {
        let rotated = rotate(
            &caller,
            &key,
            &json!({"grace_period": grace, "grace_starts": "now"}),
        )
        .await;
        let new = text(&rotated, "secret");
        if grace == 0 {
            assert_eq!(
                (
                    &rotated["previous_secret"],
                    rotated["secrets"].as_array().unwrap().len()
                ),
                (&Value::Null, 1)
            );
            token(&platform, &old)
                .await
                .assert_oauth_error(401, "invalid_client");
        } else {
            let end = text(&rotated, "updated_at")
                .parse::<domain::time::Timestamp>()
                .unwrap()
                + Duration::from_secs(grace);
            assert_eq!(rotated["previous_secret"]["expires_at"], json!(end));
            let busy = caller.post(&item(&key, "/rotate"), &json!({})).await;
            if grace > 1 {
                busy.assert_error(409, "conflict");
                assert_eq!(finish(&caller, &key).await.status, 200);
            } else {
                platform.advance(Duration::from_secs(1));
            }
            token(&platform, &old)
                .await
                .assert_oauth_error(401, "invalid_client");
        }
        granted(&token(&platform, &new).await);
        old = new;
    }
}

#[tokio::test]
async fn x_3_a_grace_that_starts_at_the_new_secrets_first_use() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (caller, key, old) = subject(&platform).await;
    let rotated = rotate(
        &caller,
        &key,
        &json!({"grace_period": 600, "grace_starts": "first_use"}),
    )
    .await;
    let previous = &rotated["previous_secret"];
    assert_eq!(
        [
            &previous["expires_at"],
            &previous["ends"],
            &previous["grace_period"]
        ],
        [&Value::Null, &json!("after_first_use"), &json!(600)]
    );
    platform.advance(Duration::from_hours(24 * 100));
    let caller = platform.organization().await;
    granted(&token(&platform, &old).await);
    assert_eq!(
        secrets(&caller, &key).await[1],
        *previous,
        "the old secret's use starts nothing"
    );
    granted(&token(&platform, &text(&rotated, "secret")).await);
    let started = &secrets(&caller, &key).await[1];
    assert_eq!(
        (&started["id"], &started["ends"]),
        (&previous["id"], &json!("at_expiry"))
    );
    granted(&token(&platform, &text(&rotated, "secret")).await);
    assert_eq!(
        secrets(&caller, &key).await[1],
        *started,
        "the first use alone"
    );
    granted(&token(&platform, &old).await);
    platform.advance(Duration::from_secs(601));
    token(&platform, &old)
        .await
        .assert_oauth_error(401, "invalid_client");
    let default = rotate(
        &platform.organization().await,
        &key,
        &json!({"grace_starts": "first_use"}),
    )
    .await;
    assert_eq!(default["previous_secret"]["grace_period"], 86_400);
}

#[tokio::test]
async fn x_8_replace_ends_the_newest_secret_and_leaves_an_older_one() {
    let platform = Platform::start().await;
    let (caller, key, first) = subject(&platform).await;
    let second = rotate(&caller, &key, &json!({"grace_period": 3600})).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    let third = caller.post(&item(&key, "/rotate"), &json!({})).await;
    third.assert_error(409, "conflict");
    assert!(
        third.text.contains("previous secret still works"),
        "{third:?}"
    );
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );

    let lost = text(&second, "secret");
    let of_lost = platform.bearer(&granted(&token(&platform, &lost).await));
    let replaced = rotate(&caller, &key, &json!({"replace": true})).await;
    five_second_bound::die(&[&of_lost]).await;
    token(&platform, &lost)
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(
        replaced["previous_secret"], second["previous_secret"],
        "never more than one old secret, and that one stays"
    );
    assert_eq!(replaced["secrets"].as_array().unwrap().len(), 2);
    for secret in [&first, &text(&replaced, "secret")] {
        granted(&token(&platform, secret).await);
    }
    assert_eq!(finish(&caller, &key).await.status, 200);
    let alone = rotate(&caller, &key, &json!({"replace": true})).await;
    assert_eq!(
        (
            &alone["previous_secret"],
            alone["secrets"].as_array().unwrap().len()
        ),
        (&Value::Null, 1)
    );
    token(&platform, &text(&replaced, "secret"))
        .await
        .assert_oauth_error(401, "invalid_client");
}

#[tokio::test]
async fn unprocessable_for_what_makes_no_rotation() {
    let platform = Platform::start().await;
    let (caller, key, _) = subject(&platform).await;
    let before = organization_snapshot(&platform, &caller, seed_organization(&platform)).await;
    for (body, field, words) in invalid_rotations(&platform) {
        caller
            .post(&item(&key, "/rotate"), &body)
            .await
            .assert_field(field, words);
    }
    for (body, field, words) in invalid_finishes(&platform) {
        caller
            .post(&item(&key, "/finish_rotation"), &body)
            .await
            .assert_field(field, words);
    }
    finish(&caller, &key).await;
    assert_eq!(
        organization_snapshot(&platform, &caller, seed_organization(&platform)).await,
        before
    );
    let kept = rotate(
        &caller,
        &key,
        &json!({"replace": false, "grace_period": 60}),
    )
    .await;
    assert_eq!(
        kept["previous_secret"]["ends"], "at_expiry",
        "replace: false is a rotation like any other"
    );
}

/// A body, the field that is refused, and words of the refusal.
type Invalid = (Value, &'static str, &'static str);

/// Bodies that `rotate` refuses.
fn invalid_rotations(platform: &Platform) -> Vec<Invalid> {
    vec![
        (json!({"grace_period": -1}), "grace_period", "0 to 7776000"),
        (
            json!({"grace_period": 7_776_001}),
            "grace_period",
            "0 to 7776000",
        ),
        (json!({"grace_period": 1.5}), "grace_period", "whole number"),
        (
            json!({"grace_period": "60"}),
            "grace_period",
            "whole number",
        ),
        (
            json!({"grace_period": 1e300}),
            "grace_period",
            "whole number",
        ),
        (
            json!({"grace_starts": "later"}),
            "grace_starts",
            "first_use",
        ),
        (
            json!({"grace_starts": null}),
            "grace_starts",
            "must be a string",
        ),
        (
            json!({"replace": true, "grace_period": 60}),
            "replace",
            "without grace_period",
        ),
        (
            json!({"replace": true, "grace_period": null}),
            "replace",
            "without grace_period",
        ),
        (
            json!({"replace": true, "grace_starts": "now"}),
            "replace",
            "without grace_period",
        ),
        (json!({"replace": null}), "replace", "must be"),
        (json!({"replace": "yes"}), "replace", "must be"),
        (json!({"grace": 60}), "grace", "is not a member"),
        (
            json!({"bank_guid": platform.seed.bank.guid}),
            "bank_guid",
            "is not a member",
        ),
        (json!([]), "body", "an object"),
    ]
}

/// Bodies that `finish_rotation` refuses.
fn invalid_finishes(platform: &Platform) -> Vec<Invalid> {
    vec![
        (json!({"grace_period": -1}), "grace_period", "0 to 7776000"),
        (
            json!({"grace_period": 7_776_001}),
            "grace_period",
            "or be left out",
        ),
        (
            json!({"grace_period": "60"}),
            "grace_period",
            "whole number",
        ),
        (json!({"grace_period": null}), "grace_period", "must be"),
        (
            json!({"grace_starts": "now"}),
            "grace_starts",
            "is not a member",
        ),
        (
            json!({"bank_guid": platform.seed.bank.guid}),
            "bank_guid",
            "is not a member",
        ),
    ]
}

#[tokio::test]
async fn conflict_for_a_key_that_is_over() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let (caller, revoked, _) = subject(&platform).await;
    let end = (platform.stack.services().ambient().clock)() + Duration::from_mins(1);
    let expired = make(&caller, &of_bank(&platform, &json!({"expires_at": end}))).await;
    rotate(&caller, &revoked, &json!({"grace_period": null})).await;
    caller.delete(&item(&revoked, "")).await;
    platform.advance(Duration::from_mins(1));
    for (key, state) in [(&revoked, "revoked"), (&expired, "expired")] {
        for body in [
            json!({}),
            json!({"replace": true}),
            json!({"grace_period": 0}),
        ] {
            let answer = caller.post(&item(key, "/rotate"), &body).await;
            answer.assert_error(409, "conflict");
            assert!(
                answer
                    .text
                    .contains(&format!("The key is {state} and cannot be rotated")),
                "{answer:?}"
            );
        }
        assert_eq!(
            caller.get(&item(key, "")).await.body["secrets"],
            json!([]),
            "none of them works"
        );
    }
    finish(&caller, &revoked)
        .await
        .assert_error(409, "conflict");
    assert_eq!(
        finish(&caller, &expired).await.status,
        200,
        "nothing to finish"
    );
    let stopped = make(&caller, &of_bank(&platform, &json!({}))).await;
    caller
        .post(&item(&stopped, "/deactivate"), &json!({}))
        .await;
    let rotated = rotate(&caller, &stopped, &json!({})).await;
    assert_eq!(rotated["state"], "deactivated", "it stays what it was");
    token(&platform, &text(&rotated, "secret"))
        .await
        .assert_oauth_error(401, "invalid_client");
}
