//! When the secret is read again, while it rotates and while it cannot be read.

use std::{sync::atomic::Ordering, time::Duration};

use serde_json::json;

use super::world::{VIEWER, World, event, proof};
use crate::proxy::SourceIpTrust;

/// A new proof is put beside the old one, the proxy sends it some minutes later, the old one is
/// dropped: no right request is refused on the way, and what was dropped ends within a minute.
#[tokio::test]
async fn a_rotation_refuses_no_right_proof() {
    let world = World::warm().await;
    world.hold(Some(json!({"current": proof('b'), "previous": proof('a')})));
    world.advance(Duration::from_secs(6));
    assert_eq!(world.by_proof(&proof('a')).await, SourceIpTrust::Proxied);
    assert_eq!(world.reads(), 1, "what is known is not looked for");
    assert_eq!(
        world.by_proof(&proof('b')).await,
        SourceIpTrust::Proxied,
        "what is not, is"
    );
    assert_eq!(world.reads(), 2);
    for sent in ['a', 'b', 'a'] {
        assert_eq!(world.by_proof(&proof(sent)).await, SourceIpTrust::Proxied);
    }
    world.hold(Some(json!({"current": proof('b')})));
    world.advance(Duration::from_secs(59));
    assert_eq!(world.by_proof(&proof('b')).await, SourceIpTrust::Proxied);
    world.advance(Duration::from_secs(1));
    assert_eq!(
        world.by_proof(&proof('a')).await,
        SourceIpTrust::Unproven,
        "dropped a minute ago"
    );
    assert_eq!(world.by_proof(&proof('b')).await, SourceIpTrust::Proxied);
    assert_eq!(world.reads(), 3);
}

#[tokio::test]
async fn guesses_cost_one_look_every_few_seconds_and_right_proofs_wait_for_none() {
    let world = World::warm().await;
    for _ in 0..10 {
        for guess in 0..50 {
            assert_eq!(
                world.by_proof(&format!("{guess:040}")).await,
                SourceIpTrust::Unproven
            );
            assert_eq!(world.by_proof(&proof('a')).await, SourceIpTrust::Proxied);
        }
        world.advance(Duration::from_secs(1));
    }
    assert!(
        (2..=3).contains(&world.reads()),
        "{} reads in ten seconds",
        world.reads()
    );
}

/// Who has no list needs no address, and who has one is told to try again (503): neither is refused
/// for good by an outage.
#[tokio::test]
async fn while_the_secret_cannot_be_read_the_address_is_undetermined_and_known_proofs_hold_for_an_hour()
 {
    let cold = World::new(None).await;
    assert_eq!(
        cold.by_proof(&proof('a')).await,
        SourceIpTrust::Undetermined
    );
    assert_eq!(
        cold.evaluate(event(&[("CloudFront-Viewer-Address", VIEWER)]))
            .await
            .0,
        SourceIpTrust::Direct,
        "without a proof none is needed"
    );
    let tries = cold.reads();
    assert_eq!(
        cold.by_proof(&proof('a')).await,
        SourceIpTrust::Undetermined
    );
    assert_eq!(cold.reads(), tries, "it is not asked at every call");
    for broken in [json!({}), json!({"current": "short"}), json!("x")] {
        cold.hold(Some(broken));
        cold.advance(Duration::from_secs(5));
        assert_eq!(cold.by_proof("short").await, SourceIpTrust::Undetermined);
    }
    cold.hold(Some(json!({"current": proof('a')})));
    cold.advance(Duration::from_secs(5));
    assert_eq!(cold.by_proof(&proof('a')).await, SourceIpTrust::Proxied);

    cold.hold(None);
    for _ in 0..59 {
        cold.advance(Duration::from_mins(1));
        assert_eq!(cold.by_proof(&proof('a')).await, SourceIpTrust::Proxied);
        assert_eq!(
            cold.by_proof(&proof('b')).await,
            SourceIpTrust::Undetermined,
            "it may be newer"
        );
    }
    cold.advance(Duration::from_mins(1));
    assert_eq!(
        cold.by_proof(&proof('a')).await,
        SourceIpTrust::Undetermined
    );
}

#[tokio::test]
async fn a_clock_that_was_set_back_makes_what_is_known_old() {
    let world = World::warm().await;
    world.ahead.fetch_sub(10_000, Ordering::SeqCst);
    world.hold(Some(json!({"current": proof('b')})));
    assert_eq!(world.by_proof(&proof('a')).await, SourceIpTrust::Unproven);
    assert_eq!(world.reads(), 2);
}
