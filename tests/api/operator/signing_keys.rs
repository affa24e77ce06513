//! The roll of a signing key (docs/signing-keys.md): publish, wait, sign, wait, retire. Tokens are
//! issued and verified throughout, by two instances of everything and by verifiers that know
//! nothing of ours and keep the JWKS document for as long as they may.

mod commands;
mod emergency;
mod first;
mod parties;
mod restarts;

use std::time::Duration;

use domain::{
    key_mode::KeyMode,
    signing::{SIGNER_REFRESH_INTERVAL, before_retiring, before_signing},
    time::Timestamp,
};
use local::services::Options;
use operator::signing_keys::{Early, SigningKeys, State};
use serde_json::json;
use tests::{Caller, Platform};

pub(crate) use self::parties::Instances;
use self::parties::{Everybody, ThirdParty};
use crate::credentials::part;

const JWKS: &str = "/.well-known/jwks.json";
const ISSUER: &str = "https://auth.example.com";

/// A platform whose sandbox tokens have these keys; its tokens live as long as any may.
async fn platform(slots: &str) -> Platform {
    Platform::with(Options {
        parameters: parameters(slots),
        ..Options::default()
    })
    .await
}

fn parameters(slots: &str) -> std::collections::BTreeMap<String, String> {
    let parameters = [
        ("SandboxSigningKeys", slots),
        ("TokenLifetimeSeconds", "3600"),
        ("Issuer", ISSUER),
    ];
    parameters
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn keys(platform: &Platform) -> SigningKeys {
    SigningKeys::open(
        &platform.stack.services().env("tokens"),
        platform.stack.services().ambient(),
    )
    .unwrap()
}

fn now(platform: &Platform) -> Timestamp {
    (platform.stack.services().ambient().clock)()
}

/// Issues a token of the seed's bank here.
async fn issue(platform: &Platform, at: &Caller) -> String {
    let answer = platform
        .request_token(&platform.seed.bank.key, at.clone())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

fn exp(token: &str) -> Timestamp {
    Timestamp::from_seconds(part(token, 1)["exp"].as_i64().unwrap())
}

/// The status that the guarded API gives a token here.
async fn guarded(at: &Caller, token: &str) -> u16 {
    at.clone().with_token(token).get("/v1/whoami").await.status
}

/// Whether introspection here calls it active.
async fn introspected(platform: &Platform, at: &Caller, token: &str) -> bool {
    let key = &platform.seed.bank.key;
    let body =
        json!({"client_id": key.client_id, "client_secret": key.client_secret, "token": token});
    let answer = at.post("/oauth/introspect", &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["active"].as_bool().unwrap()
}

/// The kids that the document names here, now.
async fn published(at: &Caller) -> Vec<String> {
    let answer = at.get(JWKS).await;
    let keys = answer.body["keys"].as_array().unwrap();
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

/// A whole roll: nobody refuses a token that lives, at any moment, whatever they remember.
#[tokio::test]
async fn a_roll_refuses_nobody() {
    let platform = platform("ab").await;
    platform.stop_clock();
    let (keys, other) = (keys(&platform), Instances::of(&platform).await);
    let doors = vec![platform.anonymous(), other.caller(&platform)];
    let mut all = Everybody {
        platform: &platform,
        doors: doors.clone(),
        verifiers: Vec::new(),
        tokens: Vec::new(),
    };
    // Verifiers that began at different moments forget at different moments, and ask different
    // instances.
    for round in 0..6 {
        all.verifiers.push(ThirdParty::of(doors[round % 2].clone()));
        all.live(Duration::from_secs(50)).await;
    }
    let old = all.newest()[0].clone();
    let slots = keys.list(KeyMode::Sandbox).await.unwrap();
    assert_eq!(
        [slots[0].state, slots[1].state],
        [State::Signing, State::Unpublished],
        "{slots:?}"
    );
    assert_eq!(
        (slots[0].kid.as_str(), slots[0].signs_since.is_some()),
        (old.as_str(), true)
    );
    let new = slots[1].kid.clone();
    publish_and_wait(&keys, &mut all, &old, &new).await;
    switch_to(&keys, &mut all, &old, &new).await;
    wait_and_retire(&keys, &mut all, &old, &new).await;
    assert_retired_for_good(&platform, &keys, &old, &new).await;
}

/// Publishes the new key. Before that it cannot sign; after it, not before verifiers know it.
async fn publish_and_wait(keys: &SigningKeys, all: &mut Everybody<'_>, old: &str, new: &str) {
    let refused = keys
        .sign(KeyMode::Sandbox, Some(new), Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is not published"), "{refused}");
    let begun = now(all.platform);
    let status = keys.publish(KeyMode::Sandbox, None).await.unwrap();
    assert_eq!((status.kid.as_str(), status.state), (new, State::Published));
    assert_eq!(
        status.may_sign_at,
        status.published_at.map(|at| at + before_signing())
    );
    let refused = keys
        .sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("in 6 min") && refused.contains("--wait"),
        "{refused}"
    );
    let may_sign = status.may_sign_at.unwrap();
    let almost = may_sign.earlier_by(Duration::from_secs(2));
    all.live(Duration::from_millis(
        u64::try_from(almost.since(now(all.platform))).unwrap(),
    ))
    .await;
    let refused = keys
        .sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&format!("from {may_sign} on")),
        "{refused}"
    );
    assert!(now(all.platform) < begun + before_signing());
    assert_eq!(all.newest(), [old, old]);
    all.platform.advance(SIGNER_REFRESH_INTERVAL);
    all.step().await;
}

/// Has the new key sign. An instance that has just read which key signs goes on by that one for a
/// minute, and nobody minds.
async fn switch_to(keys: &SigningKeys, all: &mut Everybody<'_>, old: &str, new: &str) {
    let status = keys
        .sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    assert_eq!((status.kid.as_str(), status.state), (new, State::Signing));
    all.step().await;
    assert!(
        all.newest().iter().any(|kid| kid == old),
        "an instance that remembers"
    );
    all.live(SIGNER_REFRESH_INTERVAL).await;
    assert_eq!(all.newest(), [new, new]);
}

/// Retires the old key, not before its last token is over; the new one cannot be retired at all.
async fn wait_and_retire(keys: &SigningKeys, all: &mut Everybody<'_>, old: &str, new: &str) {
    let refused = keys
        .retire(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(old) && refused.contains("in 64 min"),
        "{refused}"
    );
    let refused = keys
        .retire(KeyMode::Sandbox, Some(new), Early::Now)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("signs: have another key sign first"),
        "{refused}"
    );
    let stopped = keys.list(KeyMode::Sandbox).await.unwrap()[0].clone();
    assert_eq!(
        (stopped.kid.as_str(), stopped.state),
        (old, State::Published)
    );
    let may_retire = stopped.may_retire_at.unwrap();
    assert_eq!(may_retire, stopped.stopped_at.unwrap() + before_retiring());
    let almost = may_retire.earlier_by(Duration::from_secs(2));
    all.live(Duration::from_millis(
        u64::try_from(almost.since(now(all.platform))).unwrap(),
    ))
    .await;
    assert!(
        keys.retire(KeyMode::Sandbox, None, Early::Refuse)
            .await
            .is_err()
    );
    assert!(
        all.tokens.iter().all(|token| kid(token) == new),
        "every token of the old key is over"
    );
    all.platform.advance(Duration::from_secs(3));
    let status = keys
        .retire(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    assert_eq!((status.kid.as_str(), status.state), (old, State::Retired));
    all.live(Duration::from_mins(6)).await;
    for door in &all.doors {
        let published = published(door).await;
        assert!(
            published.iter().any(|kid| kid == new) && !published.iter().any(|kid| kid == old),
            "{published:?}"
        );
    }
}

/// The retired key never comes back, although the settings still name it.
async fn assert_retired_for_good(platform: &Platform, keys: &SigningKeys, old: &str, new: &str) {
    let newcomer = Instances::of(platform).await;
    assert_eq!(kid(&issue(platform, &newcomer.caller(platform)).await), new);
    assert!(
        published(&newcomer.caller(platform))
            .await
            .iter()
            .all(|kid| kid != old)
    );
    let retired = keys.list(KeyMode::Sandbox).await.unwrap()[0].clone();
    assert_eq!(
        (retired.state, retired.may_sign_at, retired.may_retire_at),
        (State::Retired, None, None)
    );
    let refused = keys
        .publish(KeyMode::Sandbox, retired.key.as_deref())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("never published again"), "{refused}");
    let refused = keys
        .sign(KeyMode::Sandbox, Some(old), Early::Now)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("was retired"), "{refused}");
}

/// A switch that was a mistake is taken back at once: the old key has been known for long.
#[tokio::test]
async fn a_switch_is_taken_back() {
    let platform = platform("ab").await;
    let keys = keys(&platform);
    let old = kid(&issue(&platform, &platform.anonymous()).await);
    let new = keys.publish(KeyMode::Sandbox, None).await.unwrap().kid;
    platform.advance(before_signing());
    keys.sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    platform.advance(SIGNER_REFRESH_INTERVAL);
    assert_eq!(kid(&issue(&platform, &platform.anonymous()).await), new);
    let back = keys
        .sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    assert_eq!((back.kid.as_str(), back.stopped_at), (old.as_str(), None));
    platform.advance(SIGNER_REFRESH_INTERVAL);
    assert_eq!(kid(&issue(&platform, &platform.anonymous()).await), old);
    let refused = keys
        .sign(KeyMode::Sandbox, Some(&old), Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("signs already"), "{refused}");
    let refused = keys
        .retire(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&new),
        "the other one signed too: {refused}"
    );
}

/// A key that never signed is retired without a wait, for there is no token of it; but only by
/// its name, for it may be the next.
#[tokio::test]
async fn a_key_that_never_signed_is_retired_at_once() {
    let platform = platform("ab").await;
    let keys = keys(&platform);
    let refused = keys
        .retire(KeyMode::Live, None, Early::Refuse)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("there is no published key"), "{refused}");
    issue(&platform, &platform.anonymous()).await;
    let new = keys.publish(KeyMode::Sandbox, None).await.unwrap().kid;
    for early in [Early::Refuse, Early::Now] {
        let refused = keys
            .retire(KeyMode::Sandbox, None, early)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("one that never signed must be named by --kid"),
            "{refused}"
        );
    }
    assert_eq!(
        keys.list(KeyMode::Sandbox).await.unwrap()[1].state,
        State::Published
    );
    let retired = keys
        .retire(KeyMode::Sandbox, Some(&new), Early::Refuse)
        .await
        .unwrap();
    assert_eq!((retired.kid, retired.state), (new, State::Retired));
}

/// Of two operators at once, one is told to look again.
#[tokio::test]
async fn two_operators_do_not_undo_each_other() {
    let platform = platform("ab").await;
    let (one, two) = (keys(&platform), keys(&platform));
    issue(&platform, &platform.anonymous()).await;
    let (first, second) = tokio::join!(
        one.publish(KeyMode::Sandbox, None),
        two.publish(KeyMode::Sandbox, None)
    );
    assert_eq!(
        [&first, &second].iter().filter(|done| done.is_ok()).count(),
        1,
        "{first:?} {second:?}"
    );
    platform.advance(before_signing());
    let kid = keys(&platform).list(KeyMode::Sandbox).await.unwrap()[1]
        .kid
        .clone();
    let sign =
        async |keys: &SigningKeys| keys.sign(KeyMode::Sandbox, Some(&kid), Early::Refuse).await;
    let retire = async |keys: &SigningKeys| {
        keys.retire(KeyMode::Sandbox, Some(&kid), Early::Refuse)
            .await
    };
    let (signed, retired) = tokio::join!(sign(&one), retire(&two));
    assert!(signed.is_ok() != retired.is_ok(), "{signed:?} {retired:?}");
    issue(&platform, &platform.anonymous()).await;
}
