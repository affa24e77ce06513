//! How often the trusted keys are read, and how long they are used (docs/signing-keys.md).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use domain::{
    key_mode::KeyMode,
    time::{Clock, Timestamp},
};
use serde_json::json;
use store::{Store, Tables};

use super::fake_aws::{item, items, sdk_config};
use crate::{
    keys::Keys,
    testing::{
        person::MADE,
        world::{NOW, SANDBOX, claims},
    },
};

struct Scene {
    keys: Keys,
    now: Arc<AtomicI64>,
    reads: Arc<AtomicUsize>,
    is_published: Arc<AtomicBool>,
    is_down: Arc<AtomicBool>,
}

impl Scene {
    fn new() -> Self {
        let now = Arc::new(AtomicI64::new(NOW.millis()));
        let (reads, is_published, is_down) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(true)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, published, down) = (reads.clone(), is_published.clone(), is_down.clone());
        let aws = sdk_config(move |_: &HttpRequest| {
            count.fetch_add(1, Ordering::Relaxed);
            let jwk = SANDBOX.jwk();
            let row = json!({"kid": jwk.kid(), "jwk": jwk, "published_at": MADE});
            let rows = published
                .load(Ordering::Relaxed)
                .then(|| item("P#sandbox", jwk.kid(), &row));
            let status: u16 = if down.load(Ordering::Relaxed) {
                400
            } else {
                200
            };
            let body = SdkBody::from(items(rows).to_string());
            HttpResponse::new(status.try_into().unwrap(), body)
        });
        let tables = Tables {
            core: "core".into(),
            feed: "feed".into(),
            audit: "audit".into(),
        };
        let time = now.clone();
        let clock: Clock = Arc::new(move || Timestamp::from_millis(time.load(Ordering::Relaxed)));
        let store = Store::new(&aws, tables, clock.clone(), || claims().jti);
        Self {
            keys: Keys::new(store, clock, vec![KeyMode::Sandbox]),
            now,
            reads,
            is_published,
            is_down,
        }
    }

    /// Moves the clock to this many milliseconds after the start.
    fn at(&self, millis: i64) {
        self.now.store(NOW.millis() + millis, Ordering::Relaxed);
    }

    async fn is_current(&self) -> bool {
        let now = Timestamp::from_millis(self.now.load(Ordering::Relaxed));
        self.keys.current(now).await.is_ok()
    }

    async fn is_known(&self) -> bool {
        self.keys.refresh_for_unknown_kid().await.is_ok()
    }

    /// How many reads there were since this was asked last.
    fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

#[tokio::test]
async fn trusted_keys_are_read_again_after_four_minutes_and_not_used_after_five() {
    let scene = Scene::new();
    for (millis, reads) in [(0, 1), (239_999, 0), (240_000, 1)] {
        scene.at(millis);
        assert!(scene.is_current().await, "{millis}");
        assert_eq!(scene.reads(), reads, "{millis}");
    }
    scene.is_down.store(true, Ordering::Relaxed);
    for (millis, reads) in [(480_000, 1), (482_999, 0), (483_000, 1), (539_999, 1)] {
        scene.at(millis);
        assert!(scene.is_current().await, "{millis}");
        assert_eq!(scene.reads(), reads, "{millis}");
    }
    scene.at(540_000);
    assert!(!scene.is_current().await);
}

#[tokio::test]
async fn an_unknown_kid_causes_a_read_every_three_seconds_at_most() {
    let scene = Scene::new();
    assert!(scene.is_current().await);
    assert_eq!(scene.reads(), 1);
    for (millis, reads) in [(0, 1), (2_999, 0), (3_000, 1), (5_999, 0)] {
        scene.at(millis);
        for reads in [reads, 0] {
            assert!(scene.is_known().await, "{millis}");
            assert_eq!(scene.reads(), reads, "{millis}");
        }
    }
    scene.is_down.store(true, Ordering::Relaxed);
    scene.at(6_000);
    assert!(
        !scene.is_known().await,
        "nobody knows whether it is published"
    );
    assert!(scene.is_current().await, "the others are");
}

#[tokio::test]
async fn while_no_key_is_published_each_call_reads() {
    let scene = Scene::new();
    scene.is_published.store(false, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(scene.is_current().await);
        assert_eq!(scene.reads(), 1);
    }
    scene.is_published.store(true, Ordering::Relaxed);
    assert!(scene.is_current().await);
    assert!(scene.is_current().await);
    assert_eq!(scene.reads(), 1);
}
