//! Keeps the revocation feed fresh (docs/requirements.md, The hot path; the rules are
//! `domain::feed`'s).

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{
    feed::{Feed, Freshness, Rules},
    time::{Clock, Timestamp},
};
use store::Store;

use crate::flight::Flight;

const RULES: Rules = Rules::STANDARD;

/// The feed of this instance.
pub(crate) struct FeedReader {
    store: Store,
    clock: Clock,
    /// Replaced whole, so that whoever decides holds no lock and never sees half a read.
    feed: RwLock<Arc<Feed>>,
    flight: Flight,
}

impl FeedReader {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            feed: RwLock::default(),
            flight: Flight::default(),
        }
    }

    /// The feed after whatever reading its age asks for. It may still be stale: the decision finds
    /// that out.
    pub(crate) async fn current(&self, request_time: Option<Timestamp>) -> Arc<Feed> {
        let known = self.known();
        if known.freshness((self.clock)(), request_time) == Freshness::Fresh {
            return known;
        }
        self.flight.join(async || self.read_again().await).await;
        self.known()
    }

    /// The feed as it is.
    pub(crate) fn known(&self) -> Arc<Feed> {
        Arc::clone(&self.feed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads it ahead of the first call, when a connection takes longer and nobody waits.
    pub(crate) async fn warm(&self, timeout: Duration) {
        self.flight
            .join(async || _ = self.read(timeout).await)
            .await;
    }

    async fn read_again(&self) {
        for _ in 0..RULES.read_tries {
            if self.read(RULES.read_time / RULES.read_tries).await.is_ok() {
                return;
            }
        }
    }

    async fn read(&self, timeout: Duration) -> Result<(), ()> {
        let mut feed = Feed::clone(&self.known());
        let from = feed.query_start((self.clock)());
        let read = self
            .store
            .read_feed(from, timeout)
            .await
            .map_err(|error| not_read(&error))?;
        let (entries, exchange) = read;
        feed.absorb(entries, &exchange)
            .map_err(|error| not_read(&error))?;
        *self.feed.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(feed);
        Ok(())
    }
}

fn not_read(error: &dyn fmt::Display) {
    tracing::warn!(cause = %error, "the revocation feed was not read");
}
