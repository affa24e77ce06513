//! Tokens by the secrets of a key that is being rotated (CBM-3, ARZ-5, X-3).

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::Client;
use local::services::Options;
use operator::tenants::Credentials;
use serde_json::{Value, json};
use tests::{Platform, platform::ALLOWED};

use super::{PATH, parameters};
use crate::{
    credentials::{claims, never_issued},
    five_second_bound::live,
    management_keys::seed_organization,
};

/// Rotates a key of the seed bank; its credentials by the new secret, and the answer.
async fn rotate(platform: &Platform, key: &Credentials, body: &Value) -> (Credentials, Value) {
    let answer = platform
        .organization()
        .await
        .post(&format!("/api/keys/{}/rotate", key.client_id), body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let client_secret = answer.body["secret"].as_str().unwrap().to_owned();
    (
        Credentials {
            client_secret,
            ..key.clone()
        },
        answer.body,
    )
}

async fn status(platform: &Platform, key: &Credentials) -> u16 {
    platform
        .request_token(key, platform.anonymous())
        .await
        .status
}

fn seconds(time: &Value) -> i64 {
    domain::time::Timestamp::parse(time.as_str().unwrap())
        .unwrap()
        .seconds()
}

/// CBM-3: both secrets work until the old one's end, each names itself in its tokens, and those of
/// the old one end with it.
#[tokio::test]
async fn cbm_3_200_to_both_secrets_until_the_old_one_ends() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let key = platform.bank_key(json!({})).await;
    let before = claims(&platform.token(&key).await);
    let (renewed, rotated) = rotate(&platform, &key, &json!({"grace_period": 600})).await;
    let answer = platform.request_token(&key, platform.anonymous()).await;
    let old = claims(answer.body["access_token"].as_str().unwrap());
    let new = claims(&platform.token(&renewed).await);
    assert_eq!(
        (&old["sid"], &old["client_id"]),
        (&before["sid"], &new["client_id"])
    );
    assert_ne!(old["sid"], new["sid"]);
    assert_eq!(
        old["exp"].as_i64().unwrap(),
        seconds(&rotated["previous_secret"]["expires_at"])
    );
    let life = old["exp"].as_i64().unwrap() - old["iat"].as_i64().unwrap();
    assert_eq!(answer.body["expires_in"], life, "the answer says so too");
    assert_eq!(
        new["exp"].as_i64().unwrap() - new["iat"].as_i64().unwrap(),
        1800
    );
    platform.advance(Duration::from_secs(601));
    // The table has not swept it: its end is compared at each use.
    assert_eq!(
        (
            status(&platform, &key).await,
            status(&platform, &renewed).await
        ),
        (401, 200)
    );
}

/// ARZ-5: an open end lasts until it is finished, none at all ends the old secret at once.
#[tokio::test]
async fn arz_5_the_old_secret_lasts_as_long_as_was_said() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let organization = platform.organization().await;
    let key = platform.bank_key(json!({})).await;
    let (renewed, _) = rotate(&platform, &key, &json!({"grace_period": null})).await;
    let open = claims(&platform.token(&key).await);
    assert_eq!(
        open["exp"].as_i64().unwrap() - open["iat"].as_i64().unwrap(),
        1800,
        "no end is known"
    );
    assert_eq!(
        (
            status(&platform, &key).await,
            status(&platform, &renewed).await
        ),
        (200, 200)
    );
    let finish = format!("/api/keys/{}/finish_rotation", key.client_id);
    assert_eq!(organization.post(&finish, &json!({})).await.status, 200);
    assert_eq!(
        (
            status(&platform, &key).await,
            status(&platform, &renewed).await
        ),
        (401, 200)
    );
    let (last, _) = rotate(&platform, &renewed, &json!({"grace_period": 0})).await;
    assert_eq!(
        (
            status(&platform, &renewed).await,
            status(&platform, &last).await
        ),
        (401, 200)
    );
}

/// the first token for the new secret starts the grace; nothing before it does, a refused call
/// least of all.
#[tokio::test]
async fn x_3_the_first_use_of_the_new_secret_starts_the_grace() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let key = platform.bank_key(json!({"ip_allowlist": [ALLOWED]})).await;
    let from_home = async |key: &Credentials| {
        platform
            .anonymous()
            .from(ALLOWED)
            .post(PATH, &parameters(key, &json!({})))
            .await
    };
    let (renewed, rotated) = rotate(
        &platform,
        &key,
        &json!({"grace_period": 60, "grace_starts": "first_use"}),
    )
    .await;
    assert_eq!(
        rotated["previous_secret"]["expires_at"],
        json!(null),
        "{rotated}"
    );
    let graces = async || {
        let chain = platform
            .stack
            .services()
            .store()
            .unwrap()
            .audit_chain(seed_organization(&platform))
            .await
            .unwrap();
        chain
            .events
            .values()
            .filter(|event| event.contains("key.grace"))
            .count()
    };
    platform.advance(Duration::from_hours(1));
    assert_eq!(
        from_home(&key).await.status,
        200,
        "the old secret starts nothing"
    );
    assert_eq!(status(&platform, &renewed).await, 403, "from elsewhere");
    let forged = Credentials {
        client_secret: never_issued(&key.client_id, domain::key_mode::KeyMode::Sandbox),
        ..key.clone()
    };
    assert_eq!(from_home(&forged).await.status, 401);
    assert_eq!(graces().await, 0);

    let old_token = from_home(&key).await.body["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(from_home(&renewed).await.status, 200);
    assert_eq!(graces().await, 1);
    assert_eq!(from_home(&renewed).await.status, 200);
    assert_eq!(graces().await, 1, "once");
    let answer = from_home(&key).await;
    assert_eq!(answer.body["expires_in"], 60);
    let old = platform.bearer(&old_token).from(ALLOWED);
    live(&[&old]).await;
    platform.advance(Duration::from_secs(61));
    assert_eq!(
        (
            from_home(&key).await.status,
            from_home(&renewed).await.status
        ),
        (401, 200)
    );
    // a token that knew of no end ends with its secret all the same.
    old.get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
}

/// a grace that cannot be started refuses nobody; the old secret works on until a later use
/// starts it.
#[tokio::test]
async fn x_3_200_though_the_grace_cannot_be_started() {
    let parameters = BTreeMap::from([("DeletionProtection".to_owned(), "false".to_owned())]);
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    let key = platform.bank_key(json!({})).await;
    let (renewed, _) = rotate(
        &platform,
        &key,
        &json!({"grace_period": 60, "grace_starts": "first_use"}),
    )
    .await;
    let services = platform.stack.services();
    let audit_table = &services.variables("tokens")["LATCHKEY_AUDIT_TABLE"];
    // Without it no change can be written, and every key can be read.
    Client::new(&services.ambient().aws)
        .delete_table()
        .table_name(audit_table)
        .send()
        .await
        .unwrap();
    assert_eq!(status(&platform, &renewed).await, 200);
    platform.advance(Duration::from_hours(1));
    assert_eq!(
        (
            status(&platform, &key).await,
            status(&platform, &renewed).await
        ),
        (200, 200)
    );
}
