//! The first key of a deployment names itself: whichever instance is first, and after a crash in
//! between.

use domain::{
    key_mode::KeyMode,
    signing::{SIGNER_REFRESH_INTERVAL, before_signing},
};
use local::services::Options;
use serde_json::json;
use store::PublishedKey;
use tests::{Platform, proxy::Fault};

use super::{Instances, JWKS, issue, keys, kid, now, platform, published};

/// Instances that start at once agree on the key that signs, and nobody waits for it.
#[tokio::test]
async fn instances_that_start_at_once_sign_by_one_key() {
    let platform = platform("ab").await;
    let others = [
        Instances::of(&platform).await,
        Instances::of(&platform).await,
    ];
    let doors = [
        platform.anonymous(),
        others[0].caller(&platform),
        others[1].caller(&platform),
    ];
    let (a, b, c) = tokio::join!(
        issue(&platform, &doors[0]),
        issue(&platform, &doors[1]),
        issue(&platform, &doors[2])
    );
    assert_eq!([kid(&b), kid(&c)], [kid(&a), kid(&a)]);
    let signer = platform
        .stack
        .services()
        .store()
        .unwrap()
        .signer(KeyMode::Sandbox)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(signer.kid, kid(&a));
    assert_eq!(
        published(&doors[0]).await.len(),
        2,
        "one of each kind: the other slot waits for its roll"
    );
}

/// An instance that ended between publishing the first key and naming it leaves nothing that the
/// next one minds.
#[tokio::test]
async fn a_first_key_that_was_published_and_not_named_signs() {
    let platform = platform("a").await;
    let published = keys(&platform)
        .publish(KeyMode::Sandbox, None)
        .await
        .unwrap();
    let store = platform.stack.services().store().unwrap();
    assert_eq!(store.signer(KeyMode::Sandbox).await.unwrap(), None);
    assert_eq!(
        kid(&issue(&platform, &platform.anonymous()).await),
        published.kid
    );
}

/// Where another key is published and none is named, somebody may hold a list without ours: it
/// waits as any other.
#[tokio::test]
async fn a_first_key_beside_another_one_waits() {
    let platform = platform("a").await;
    let store = platform.stack.services().store().unwrap();
    let foreign = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"});
    let foreign = key(
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
        foreign,
        now(&platform),
    );
    store
        .publish_signing_key(KeyMode::Sandbox, &foreign)
        .await
        .unwrap();
    let refused = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    refused.assert_oauth_error(503, "temporarily_unavailable");
    assert_eq!(store.signer(KeyMode::Sandbox).await.unwrap(), None);
    platform.advance(before_signing());
    issue(&platform, &platform.anonymous()).await;
}

/// One key, named for each kind by another text: a sandbox token must not verify under a live key.
#[tokio::test]
async fn a_first_key_of_the_other_kind_does_not_sign() {
    let platform = platform("a").await;
    let store = platform.stack.services().store().unwrap();
    let ours = keys(&platform).list(KeyMode::Sandbox).await.unwrap()[0]
        .kid
        .clone();
    store
        .publish_signing_key(
            KeyMode::Live,
            &key(&ours, json!({"kid": ours}), now(&platform)),
        )
        .await
        .unwrap();
    let refused = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    refused.assert_oauth_error(503, "temporarily_unavailable");
    assert_eq!(store.signer(KeyMode::Sandbox).await.unwrap(), None);
    assert_eq!(store.all_signing_keys(KeyMode::Sandbox).await.unwrap(), []);
}

/// An instance without the key that signs says that it cannot, and does not sign by another one.
#[tokio::test]
async fn an_instance_without_the_key_that_signs_is_unavailable() {
    let platform = platform("a").await;
    issue(&platform, &platform.anonymous()).await;
    let store = platform.stack.services().store().unwrap();
    let signer = store.signer(KeyMode::Sandbox).await.unwrap().unwrap();
    let foreign = key(
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
        json!({}),
        now(&platform),
    );
    store
        .publish_signing_key(KeyMode::Sandbox, &foreign)
        .await
        .unwrap();
    let operator = domain::audit::Origin::of(domain::audit::Actor::Operator);
    store
        .change_signer(KeyMode::Sandbox, Some(&signer), &foreign.kid, &operator)
        .await
        .unwrap();
    platform.advance(SIGNER_REFRESH_INTERVAL);
    let refused = platform
        .request_token(&platform.seed.bank.key, platform.anonymous())
        .await;
    refused.assert_oauth_error(503, "temporarily_unavailable");
}

/// A list without a key that may sign at any moment is kept by nobody.
#[tokio::test]
async fn a_document_without_a_key_of_each_kind_is_not_kept() {
    let (platform, kms) = Platform::behind_proxy("AWS_ENDPOINT_URL_KMS", Options::default()).await;
    kms.set(Fault::LoseRequest);
    let empty = platform.anonymous().get(JWKS).await;
    assert_eq!(
        (empty.status, empty.header("cache-control"), &empty.body),
        (200, "no-store", &json!({"keys": []}))
    );
    kms.set(Fault::None);
    let whole = platform.anonymous().get(JWKS).await;
    assert_eq!(
        (
            whole.header("cache-control"),
            whole.body["keys"].as_array().unwrap().len()
        ),
        ("public, max-age=300", 2)
    );
}

fn key(kid: &str, jwk: serde_json::Value, at: domain::time::Timestamp) -> PublishedKey {
    PublishedKey {
        kid: kid.to_owned(),
        jwk,
        published_at: at,
        stopped_at: None,
        retired_at: None,
    }
}
