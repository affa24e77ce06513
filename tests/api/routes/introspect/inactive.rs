//! What does not work is told as such and no more, at once where it was revoked, and the reason
//! stands in the log (RFC 7662 §2.2, §4).

use std::time::Duration;

use domain::{gate::Kyb, key_mode::BankEnvironment};
use serde_json::{Value, json};
use tests::{Platform, platform::ALLOWED};

use super::{introspect, told};
use crate::{credentials, five_second_bound::BOUND, promises::leak::logs, routes::customer_tokens};

/// The lines that introspection logged of a key: their reasons, in order.
fn reasons_logged(client_id: &str) -> Vec<String> {
    let written = logs().written.bytes();
    String::from_utf8_lossy(&written)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["outcome"] == "inactive" && line["client_id"] == client_id)
        .map(|line| {
            assert!(line["request_id"].is_string(), "{line}");
            line["reason"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// RFC 7662 §2.2: the answer has one member; which of a closed list of reasons it was, the log
/// says.
#[tokio::test]
async fn rfc_7662_200_inactive_alone_and_the_reason_in_the_log() {
    logs();
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    let client = &platform.seed.organization.key;
    let act = async |key: &str, verb: &str| {
        let answer = organization
            .post(&format!("/api/keys/{key}/{verb}"), &json!({}))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let (revoked, stopped, rotated, single) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let mut tokens = Vec::new();
    for key in [&revoked, &stopped, &rotated, &single] {
        tokens.push(platform.token(key).await);
        assert_eq!(
            told(&platform, client, tokens.last().unwrap()).await["active"],
            true
        );
    }
    act(&revoked.client_id, "revoke").await;
    act(&stopped.client_id, "deactivate").await;
    act(&rotated.client_id, "rotate").await;
    act(&rotated.client_id, "finish_rotation").await;
    let body = json!({
        "client_id": single.client_id,
        "client_secret": single.client_secret,
        "token": tokens[3],
    });
    assert_eq!(
        platform
            .anonymous()
            .post("/oauth/revoke", &body)
            .await
            .status,
        200
    );
    platform.advance(BOUND);
    let reasons = [
        "key_revoked",
        "key_suspended",
        "secret_revoked",
        "token_revoked",
    ];
    for (token, reason) in tokens.iter().zip(reasons) {
        let answer = introspect(&platform.anonymous(), client, token).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, r#"{"active":false}"#),
            "{reason}"
        );
    }
    for (key, reason) in [&revoked, &stopped, &rotated, &single]
        .into_iter()
        .zip(reasons)
    {
        assert_eq!(reasons_logged(&key.client_id), [reason]);
    }
    act(&stopped.client_id, "restore").await;
    platform.advance(BOUND);
    assert_eq!(told(&platform, client, &tokens[1]).await["active"], true);
    platform.advance(Duration::from_secs(1801));
    for token in &tokens {
        assert_eq!(
            told(&platform, client, token).await,
            json!({"active": false})
        );
    }
    assert_eq!(
        reasons_logged(&single.client_id),
        ["token_revoked", "token_expired"]
    );
}

/// RFC 7662 §2.2: the instance that revoked a token knows it by the next call; no time passes
/// between.
#[tokio::test]
async fn rfc_7662_200_inactive_at_once_on_the_instance_that_revoked() {
    let platform = Platform::start().await;
    platform.stop_clock();
    let anonymous = platform.anonymous();
    let key = &platform.seed.bank.key;
    let (parent, other) = (platform.token(key).await, platform.token(key).await);
    let bank = platform.bearer(&parent);
    let customer =
        customer_tokens::issue(&platform, &bank, &json!({"ip_allowlist": [ALLOWED]})).await;
    for token in [&parent, &other, customer.token()] {
        assert_eq!(told(&platform, key, token).await["active"], true);
    }
    for round in 0..3 {
        let token = platform.token(key).await;
        assert_eq!(told(&platform, key, &token).await["active"], true);
        let body = json!({
            "client_id": key.client_id, "client_secret": key.client_secret, "token": token,
        });
        assert_eq!(anonymous.post("/oauth/revoke", &body).await.status, 200);
        assert_eq!(
            told(&platform, key, &token).await,
            json!({"active": false}),
            "round {round}"
        );
        assert_eq!(told(&platform, key, &other).await["active"], true);
    }
    let body = json!({
        "client_id": key.client_id, "client_secret": key.client_secret, "token": parent,
    });
    assert_eq!(anonymous.post("/oauth/revoke", &body).await.status, 200);
    for token in [&parent, customer.token()] {
        assert_eq!(told(&platform, key, token).await, json!({"active": false}));
    }
    assert_eq!(told(&platform, key, &other).await["active"], true);
}

/// RFC 7662 §2.2, §4: of what is somebody else's, and of what is nothing, only that it is not
/// active; to the byte.
#[tokio::test]
async fn rfc_7662_200_inactive_and_no_more_of_what_is_not_the_clients() {
    let platform = Platform::start().await;
    let (_, their_organization, _, their_bank) = platform.neighbour().await;
    let (live_guid, live_organization) =
        credentials::live_organization(&platform, Kyb::Approved).await;
    let (_, live_bank) = platform
        .operator()
        .bank(live_guid, "Live bank", BankEnvironment::Production)
        .await
        .unwrap();
    let sibling = platform
        .organization()
        .await
        .post(
            "/api/banks",
            &json!({"name": "Sibling", "environment": "sandbox"}),
        )
        .await;
    let of_sibling = json!({"name": "sibling's", "bank_guid": sibling.body["guid"]});
    let of_sibling = platform
        .organization()
        .await
        .post("/api/bank_applications", &of_sibling)
        .await;
    let of_sibling = tests::platform::credentials(&of_sibling.body);
    let good = platform.token(&platform.seed.bank.key).await;
    let mut strangers = vec![
        platform.token(&their_organization).await,
        platform.token(&their_bank).await,
        platform.token(&live_organization).await,
        platform.token(&live_bank).await,
        their_bank.client_secret.clone(),
        "nonsense".to_owned(),
        format!("{}x", good),
        good.replacen('.', ".e30", 1),
        credentials::never_issued(
            &platform.seed.bank.key.client_id,
            domain::key_mode::KeyMode::Sandbox,
        ),
        "a".repeat(5000),
    ];
    let revoked = platform.token(&their_bank).await;
    let body = json!({
        "client_id": their_bank.client_id,
        "client_secret": their_bank.client_secret,
        "token": revoked,
    });
    assert_eq!(
        platform
            .anonymous()
            .post("/oauth/revoke", &body)
            .await
            .status,
        200
    );
    strangers.push(revoked);
    for client in [&platform.seed.organization.key, &platform.seed.bank.key] {
        for token in &strangers {
            let answer = introspect(&platform.anonymous(), client, token).await;
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (200, r#"{"active":false}"#),
                "{token}"
            );
        }
    }
    // A bank knows its own keys' alone, the organization its banks' too.
    let (bank, organization) = (&platform.seed.bank.key, &platform.seed.organization.key);
    for token in [
        platform.token(&of_sibling).await,
        platform.token(organization).await,
        platform.seed.users.owner.secret.clone(),
    ] {
        assert_eq!(
            told(&platform, bank, &token).await,
            json!({"active": false})
        );
        assert_eq!(told(&platform, organization, &token).await["active"], true);
    }
}

/// CBM-1: the secret of a machine's key gets tokens; as a bearer credential it is nothing, even to
/// its own client.
#[tokio::test]
async fn cbm_1_200_inactive_for_the_secret_of_a_machine() {
    let platform = Platform::start().await;
    let key = &platform.seed.bank.key;
    assert_eq!(
        told(&platform, key, &key.client_secret).await,
        json!({"active": false})
    );
}
