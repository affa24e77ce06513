//! A roll over template updates (`a`, `ab`, `b`) and restarts: after each step everything stops and
//! starts again, as after a crash or a deployment, and tokens issued before are good after.

use std::path::Path;

use domain::{
    key_mode::KeyMode,
    signing::{SIGNER_REFRESH_INTERVAL, before_retiring, before_signing},
};
use emulator::cloud::Storage;
use local::services::Options;
use operator::{
    signing_keys::{Early, State},
    tenants::Credentials,
};
use tests::Platform;

use super::{exp, guarded, keys, kid, now, parameters, published};

/// The platform on this directory, as far ahead of the machine's clock as its last run was.
async fn start(directory: &Path, slots: &str, ahead: std::time::Duration) -> Platform {
    let storage = Storage::Directory(directory.to_owned());
    let platform = Platform::with(Options {
        storage,
        parameters: parameters(slots),
        ..Options::default()
    })
    .await;
    platform.advance(ahead);
    platform
}

async fn token(platform: &Platform, key: &Credentials) -> String {
    platform.token(key).await
}

#[tokio::test]
async fn a_roll_survives_a_stop_after_each_step() {
    let directory = tempfile::tempdir().unwrap();
    let mut ahead = std::time::Duration::ZERO;
    let platform = start(directory.path(), "a", ahead).await;
    let bank = platform.seed.bank.key.clone();
    let first = token(&platform, &bank).await;
    assert_eq!(
        keys(&platform).list(KeyMode::Sandbox).await.unwrap().len(),
        1
    );
    platform.stop().await;

    // The update that makes the other key: it does nothing yet.
    let platform = start(directory.path(), "ab", ahead).await;
    let second = token(&platform, &bank).await;
    assert_eq!(kid(&second), kid(&first));
    let new = keys(&platform)
        .publish(KeyMode::Sandbox, None)
        .await
        .unwrap()
        .kid;
    platform.stop().await;

    let platform = start(directory.path(), "ab", ahead).await;
    let refused = keys(&platform)
        .publish(KeyMode::Sandbox, None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("there is no unpublished key"),
        "a step that was taken says so: {refused}"
    );
    assert!(
        keys(&platform)
            .sign(KeyMode::Sandbox, None, Early::Refuse)
            .await
            .is_err(),
        "the wait outlasts a stop"
    );
    ahead += before_signing();
    platform.advance(before_signing());
    keys(&platform)
        .sign(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    platform.stop().await;

    let platform = start(directory.path(), "ab", ahead).await;
    let third = token(&platform, &bank).await;
    assert_eq!(kid(&third), new);
    for token in [&first, &second, &third] {
        assert_eq!(guarded(&platform.anonymous(), token).await, 200);
    }
    assert!(
        keys(&platform)
            .retire(KeyMode::Sandbox, None, Early::Refuse)
            .await
            .is_err(),
        "so does this one"
    );
    ahead += before_retiring();
    platform.advance(before_retiring());
    assert!(exp(&first) < now(&platform));
    keys(&platform)
        .retire(KeyMode::Sandbox, None, Early::Refuse)
        .await
        .unwrap();
    platform.stop().await;

    // The update that drops the old key from the stack; KMS keeps it.
    let platform = start(directory.path(), "b", ahead).await;
    assert_eq!(kid(&token(&platform, &bank).await), new);
    assert_eq!(
        published(&platform.anonymous())
            .await
            .iter()
            .filter(|kid| **kid == new)
            .count(),
        1
    );
    let statuses = keys(&platform).list(KeyMode::Sandbox).await.unwrap();
    let states: Vec<_> = statuses
        .iter()
        .map(|status| (status.state, status.key.is_some()))
        .collect();
    assert_eq!(states, [(State::Retired, false), (State::Signing, true)]);
    platform.stop().await;
}

/// The update that drops the key which signs, before another one does: nothing is signed by a key
/// that nobody expects.
#[tokio::test]
async fn an_update_too_early_stops_issuing_until_it_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let platform = start(directory.path(), "a", std::time::Duration::ZERO).await;
    let bank = platform.seed.bank.key.clone();
    let before = token(&platform, &bank).await;
    platform.stop().await;
    let platform = start(directory.path(), "b", std::time::Duration::ZERO).await;
    let refused = platform.request_token(&bank, platform.anonymous()).await;
    refused.assert_oauth_error(503, "temporarily_unavailable");
    assert_eq!(
        guarded(&platform.anonymous(), &before).await,
        200,
        "what was issued is good"
    );
    platform.stop().await;
    let platform = start(directory.path(), "ab", SIGNER_REFRESH_INTERVAL).await;
    assert_eq!(kid(&token(&platform, &bank).await), kid(&before));
    platform.stop().await;
}
