//! An emergency: the new key signs at once and the old one is retired at once.

use domain::{
    key_mode::KeyMode,
    signing::{SIGNER_REFRESH_INTERVAL, TRUST_TTL},
};
use operator::signing_keys::Early;

use super::{
    exp, guarded, introspected, issue, keys, kid, now,
    parties::{Instances, ThirdParty},
    platform, published,
};

/// An emergency: the new key signs at once and the old one is retired at once. Its tokens die in
/// the authorizers' five minutes, new ones work here from the first.
#[tokio::test]
async fn an_emergency_ends_every_token_of_the_old_key() {
    let platform = platform("ab").await;
    let (keys, other) = (keys(&platform), Instances::of(&platform).await);
    let doors = [platform.anonymous(), other.caller(&platform)];
    let old: Vec<String> = [
        issue(&platform, &doors[0]).await,
        issue(&platform, &doors[1]).await,
    ]
    .into();
    let mut verifier = ThirdParty::of(doors[0].clone());
    for token in &old {
        assert_eq!(guarded(&doors[0], token).await, 200);
        assert!(verifier.accepts(token, now(&platform)).await);
    }
    keys.publish(KeyMode::Sandbox, None).await.unwrap();
    keys.sign(KeyMode::Sandbox, None, Early::Now).await.unwrap();
    platform.advance(SIGNER_REFRESH_INTERVAL);
    let new = issue(&platform, &doors[0]).await;
    assert_ne!(kid(&new), kid(&old[0]));
    for door in &doors {
        assert_eq!(
            guarded(door, &new).await,
            200,
            "the authorizers look for a key that they do not know"
        );
    }
    assert!(
        !verifier.accepts(&new, now(&platform)).await,
        "that is what --now costs"
    );
    keys.retire(KeyMode::Sandbox, None, Early::Now)
        .await
        .unwrap();
    platform.advance(TRUST_TTL);
    for door in &doors {
        for token in &old {
            assert!(
                exp(token) > now(&platform),
                "it is not its end that ends it"
            );
            assert_eq!(guarded(door, token).await, 401);
            assert!(!introspected(&platform, door, token).await);
        }
        assert!(!published(door).await.contains(&kid(&old[0])));
        assert_eq!(guarded(door, &new).await, 200);
    }
    assert!(
        verifier.accepts(&new, now(&platform)).await
            && !verifier.accepts(&old[0], now(&platform)).await
    );
}
