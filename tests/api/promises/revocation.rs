//! Revocation (CBM-4, X-1): the key and its live tokens die together, on every instance, within
//! five seconds.

#![expect(clippy::disallowed_methods, reason = "these tests measure real time")]

mod measured;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use emulator::cloud::Storage;
use local::services::Options;
use operator::tenants::Credentials;
use serde_json::{Value, json};
use tests::{
    Platform,
    proxy::{Fault, Proxy},
    wait,
};
use tokio::time::sleep;

use crate::{
    authorizer_processes::Processes,
    five_second_bound::{BOUND, die},
};

#[tokio::test]
async fn cbm_4_401_for_key_and_live_tokens_within_five_seconds() {
    let platform = Platform::start().await;
    let key = platform.bank_key(json!({})).await;
    let caller = platform.bearer(&platform.token(&key).await);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    let path = format!("/api/bank_applications/{}", key.client_id);
    assert_eq!(
        platform.organization().await.delete(&path).await.status,
        204
    );
    let refused_token = platform.request_token(&key, platform.anonymous()).await;
    refused_token.assert_oauth_error(401, "invalid_client");
    die(&[&caller]).await;
}

/// Three instances that share only the tables, each of which has the token in its cache of verified
/// ones.
#[tokio::test]
async fn cbm_4_three_authorizer_processes_refuse_within_five_seconds() {
    let platform = Platform::start().await;
    let processes = Processes::start(&platform, &BTreeMap::new()).await;
    let key = platform.bank_key(json!({})).await;
    let token = platform.token(&key).await;
    processes.until(&token, "Allow").await;
    let answer = platform
        .organization()
        .await
        .post(&format!("/api/keys/{}/revoke", key.client_id), &Value::Null)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answered = Instant::now();
    let mut last_allow = None;
    while answered.elapsed() < BOUND + Duration::from_secs(1) {
        let asked = answered.elapsed();
        let effects = processes.effects(&token).await;
        if effects.iter().any(|effect| effect == "Allow") {
            last_allow = Some(asked);
        } else {
            // A process that did not get to read the feed in time is no fault: it admits nobody.
            assert!(
                effects
                    .iter()
                    .all(|effect| effect == "Unauthorized" || effect.starts_with("Unavailable")),
                "{effects:?}"
            );
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(
        last_allow.is_none_or(|last| last < BOUND),
        "a call was allowed that began {last_allow:?} after the revoke"
    );
    eprintln!("the last call that was allowed began {last_allow:?} after the answer of the revoke");
    // These begin after the bound, however slow the loop was.
    assert!(
        !processes
            .effects(&token)
            .await
            .contains(&"Allow".to_owned())
    );
    processes.until(&token, "Unauthorized").await;
}

/// Fail closed, and recover without help.
#[tokio::test]
async fn cbm_4_503_while_the_feed_is_out_of_reach() {
    for fault in [Fault::LoseRequest, Fault::Hold] {
        let platform = Platform::start().await;
        let proxy = Proxy::to(platform.stack.services().cloud().dynamodb_address()).await;
        let endpoints = BTreeMap::from([(
            "AWS_ENDPOINT_URL_DYNAMODB".to_owned(),
            proxy.url().to_owned(),
        )]);
        let processes = Processes::start(&platform, &endpoints).await;
        let token = platform.token(&platform.seed.bank.key).await;
        processes.until(&token, "Allow").await;
        proxy.set(fault.clone());
        let cut = Instant::now();
        let mut first_all_refused = None;
        while cut.elapsed() < BOUND + Duration::from_secs(3) {
            let asked = cut.elapsed();
            let effects = processes.effects(&token).await;
            let refused = effects
                .iter()
                .all(|effect| effect.starts_with("Unavailable"));
            assert!(
                refused || asked < BOUND,
                "{fault:?}: {effects:?} {asked:?} after the feed was lost"
            );
            if refused {
                first_all_refused = first_all_refused.or(Some(asked));
            } else {
                assert!(
                    first_all_refused.is_none(),
                    "{fault:?}: {effects:?} after a refusal, with the feed still lost"
                );
            }
            sleep(Duration::from_millis(200)).await;
        }
        proxy.set(Fault::None);
        processes.until(&token, "Allow").await;
    }
}

/// At the gateway the same is a 503 with its body and `Retry-After`.
#[tokio::test]
async fn cbm_4_503_at_the_gateway_while_the_tables_are_out_of_reach() {
    let (platform, proxy) =
        Platform::behind_proxy("AWS_ENDPOINT_URL_DYNAMODB", Options::default()).await;
    let organization = platform.organization().await;
    assert_eq!(organization.get("/v1/whoami").await.status, 200);
    proxy.set(Fault::LoseRequest);
    platform.advance(BOUND);
    let refused = organization.get("/v1/whoami").await;
    refused.assert_error(503, "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    let token = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    token.assert_oauth_error(503, "temporarily_unavailable");
    proxy.set(Fault::None);
    wait::until("the tables came back", async || {
        organization.get("/v1/whoami").await.status == 200
    })
    .await;
}

/// A token request that read the key before the revoke and signed after it yields a token that is
/// refused: issue time is never compared.
#[tokio::test]
async fn x_1_401_for_a_token_signed_after_the_revoke_from_a_read_before_it() {
    let (platform, kms) = Platform::behind_proxy("AWS_ENDPOINT_URL_KMS", Options::default()).await;
    let organization = platform.organization().await;
    let key = platform.bank_key(json!({})).await;
    kms.set(Fault::Hold);
    let (body, anonymous) = (body(&key), platform.anonymous());
    let request = tokio::spawn(async move { anonymous.post("/oauth/token", &body).await });
    // The request waits for KMS, after it has read the key.
    kms.until_held().await;
    assert_eq!(
        organization
            .delete(&format!("/api/bank_applications/{}", key.client_id))
            .await
            .status,
        204
    );
    kms.set(Fault::None);
    let answer = request.await.expect("the request ends");
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    platform.advance(BOUND);
    platform
        .bearer(&token)
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
}

/// A revoke succeeds whatever else happens to the key at the same moment, and nothing brings the
/// key back.
#[tokio::test]
async fn cbm_4_a_revoke_among_concurrent_edits_wins() {
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    for round in 0..5 {
        let key = platform.bank_key(json!({})).await;
        let path = format!("/api/bank_applications/{}", key.client_id);
        let edits: Vec<_> = (0..6)
            .map(|edit| {
                let (organization, path) = (organization.clone(), path.clone());
                tokio::spawn(async move {
                    organization
                        .patch(&path, &json!({"name": format!("edit {round}.{edit}")}))
                        .await
                        .status
                })
            })
            .collect();
        let revokes: Vec<_> = (0..3)
            .map(|_| {
                let (organization, path) = (organization.clone(), path.clone());
                tokio::spawn(async move { organization.delete(&path).await.status })
            })
            .collect();
        for revoke in revokes {
            assert_eq!(revoke.await.expect("the revoke ends"), 204);
        }
        for edit in edits {
            let status = edit.await.expect("the edit ends");
            assert!([200, 404, 409].contains(&status), "{status}");
        }
        assert_eq!(organization.get(&path).await.status, 404);
        platform
            .request_token(&key, platform.anonymous())
            .await
            .assert_oauth_error(401, "invalid_client");
    }
}

/// KYB withdrawn puts live keys back to sleep and kills their tokens; approved again, they work
/// again.
#[tokio::test]
async fn arz_3_kyb_withdrawn_stops_live_tokens_and_approved_wakes_them() {
    use domain::{gate::Kyb, key_mode::KeyMode};
    let platform = Platform::with(Options {
        parameters: BTreeMap::from([("SampleEnvironment".to_owned(), "live".to_owned())]),
        ..Options::default()
    })
    .await;
    let operator = platform.operator();
    let (guid, key) = operator
        .organization("Live one", KeyMode::Live)
        .await
        .unwrap();
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    operator.kyb(guid, Kyb::Approved).await.unwrap();
    let caller = platform.bearer(&platform.token(&key).await);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    operator.kyb(guid, Kyb::Rejected).await.unwrap();
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    platform.advance(BOUND);
    caller
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    operator.kyb(guid, Kyb::Approved).await.unwrap();
    platform.advance(BOUND);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
}

/// A deactivated key and its tokens stop, and work again when it is restored; illegal transitions
/// name both states.
#[tokio::test]
async fn deactivated_keys_and_suspended_organizations_stop_and_work_again() {
    let platform = Platform::start().await;
    let organization = platform.organization().await;
    let key = platform.bank_key(json!({})).await;
    let caller = platform.bearer(&platform.token(&key).await);
    let act = async |verb: &str| {
        organization
            .post(&format!("/api/keys/{}/{verb}", key.client_id), &Value::Null)
            .await
    };
    let stopped = act("deactivate").await;
    assert_eq!(
        (stopped.status, stopped.body["state"].as_str()),
        (200, Some("deactivated")),
        "{stopped:?}"
    );
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    platform.advance(BOUND);
    caller
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    let again = act("deactivate").await;
    again.assert_error(409, "conflict");
    assert_eq!(
        again.body["message"],
        "The key is deactivated and cannot become deactivated"
    );
    assert_eq!(act("restore").await.body["state"], "active");
    platform.advance(BOUND);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    act("restore").await.assert_error(409, "conflict");

    let guid = platform.seed.organization.guid.parse().unwrap();
    platform.operator().suspension(guid, true).await.unwrap();
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    platform.advance(BOUND);
    caller
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    platform.operator().suspension(guid, false).await.unwrap();
    platform.advance(BOUND);
    assert_eq!(caller.get("/v1/whoami").await.status, 200);
    assert_eq!(act("revoke").await.body["state"], "revoked");
    act("restore").await.assert_error(409, "conflict");
}

/// What was written is there after a restart, the signing keys too: a token outlives the process
/// that issued it.
#[tokio::test]
async fn a_restart_keeps_keys_tokens_and_revocations() {
    let directory = tempfile::tempdir().unwrap();
    // Tokens name who issued them, which is the gateway's address unless it has a name; and the
    // second one has another port.
    let parameters = BTreeMap::from([("Issuer".to_owned(), "https://auth.example.com".to_owned())]);
    let start = async || {
        let storage = Storage::Directory(directory.path().to_owned());
        Platform::with(Options {
            storage,
            parameters: parameters.clone(),
            ..Options::default()
        })
        .await
    };
    let first = start().await;
    let (kept, revoked) = (
        first.bank_key(json!({})).await,
        first.bank_key(json!({})).await,
    );
    let (kept_token, revoked_token) = (first.token(&kept).await, first.token(&revoked).await);
    let organization = first.organization().await;
    assert_eq!(
        organization
            .delete(&format!("/api/bank_applications/{}", revoked.client_id))
            .await
            .status,
        204
    );
    first.stop().await;
    let second = start().await;
    assert_eq!(
        second.bearer(&kept_token).get("/v1/whoami").await.status,
        200
    );
    second
        .bearer(&revoked_token)
        .get("/v1/whoami")
        .await
        .assert_error(401, "authentication_failed");
    assert_eq!(
        second.request_token(&kept, second.anonymous()).await.status,
        200
    );
}

fn body(key: &Credentials) -> Value {
    json!({
        "grant_type": "client_credentials",
        "client_id": key.client_id,
        "client_secret": key.client_secret,
    })
}
