//! An instance that writes to the feed reads it before it next decides, however fresh it is.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};
use domain::{
    audit::{Actor, Origin},
    time::Clock,
};
use store::{Store, Tables, TokenToRevoke};
use tokio::join;

use super::fake_aws::sdk_config;
use crate::{
    feed_reader::FeedReader,
    testing::world::{NOW, claims},
};

/// A store whose every write succeeds, at one moment, and how often the feed was read.
fn store() -> (Store, Arc<AtomicUsize>) {
    let readings = Arc::new(AtomicUsize::new(0));
    let count = readings.clone();
    let aws = sdk_config(move |request: &HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let is_of_entries = body.windows(5).any(|part| part == b"\"F#0\"");
        if target.ends_with(".Query") && is_of_entries {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let mut response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from("{}"));
        let date = DateTime::from_millis(NOW.millis())
            .fmt(Format::HttpDate)
            .unwrap();
        response.headers_mut().insert("date", date);
        response
    });
    let tables = Tables {
        core: "core".into(),
        feed: "feed".into(),
        audit: "audit".into(),
    };
    let clock: Clock = Arc::new(|| NOW);
    (Store::new(&aws, tables, clock, || claims().jti), readings)
}

async fn revoke(store: &Store) {
    let (claims, operator) = (claims(), Origin::of(Actor::Operator));
    let token = TokenToRevoke {
        jti: claims.jti,
        client_id: claims.client_id,
        organization: claims.org,
        expires_at: claims.exp,
    };
    store.revoke_token(&token, &operator).await.unwrap();
}

#[tokio::test]
async fn a_fresh_feed_is_read_again_once_after_each_write_of_the_same_instance() {
    let (store, readings) = store();
    let reader = FeedReader::new(store.clone(), Arc::new(|| NOW));
    for writes in 0..3 {
        for _ in 0..2 {
            reader.current(None).await;
            assert_eq!(readings.load(Ordering::Relaxed), writes + 1);
        }
        revoke(&store).await;
    }
}

/// Whoever waits for it would decide by a feed without the entry.
#[tokio::test]
async fn a_reading_that_was_sent_before_the_write_is_not_enough() {
    let (store, readings) = store();
    let reader = FeedReader::new(store.clone(), Arc::new(|| NOW));
    reader.current(None).await;
    revoke(&store).await;
    let mut before = Box::pin(reader.current(None));
    let is_under_way = poll_fn(|context| Poll::Ready(before.as_mut().poll(context).is_pending()));
    assert!(is_under_way.await);
    revoke(&store).await;
    // In this order: the second waits for the first, which is under way.
    join!(reader.current(None), before);
    assert_eq!(readings.load(Ordering::Relaxed), 3);
    reader.current(None).await;
    assert_eq!(readings.load(Ordering::Relaxed), 3);
}
