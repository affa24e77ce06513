//! Keeps the revocation feed fresh (docs/requirements.md, The hot path; the rules are
//! `domain::feed`'s).

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use domain::{
    feed::{Feed, Freshness, Rules},
    time::{Clock, Timestamp},
};
use runtime::flight::Flight;
use store::Store;
use tokio::time::timeout;

const RULES: Rules = Rules::STANDARD;

/// How many entries are asked for in a page at first, and at most: a page of `DynamoDB` ends at 1
/// MB anyway.
const MOST_ENTRIES: u32 = 13_000;
/// However slow pages are, they are no shorter than this.
const FEWEST_ENTRIES: u32 = 250;

/// How long after a failed read of segments none is made.
const SEGMENTS_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The feed of this instance.
pub(crate) struct FeedReader {
    store: Store,
    clock: Clock,
    read: RwLock<Read>,
    /// How many entries the next page has at most: fewer after a page that failed.
    page_entries: AtomicU32,
    flight: Flight,
}

/// The feed as far as it was read.
#[derive(Clone, Default)]
struct Read {
    /// Whoever decides has it to himself: pages that arrive meanwhile go into a copy.
    feed: Arc<Feed>,
    /// The store's count of its own writes when the pass under way began.
    own_writes_of_pass: u64,
    /// The same of the last pass that is over.
    own_writes: u64,
    /// When segments were last asked for in vain.
    segments_failed_at: Option<Timestamp>,
}

/// What became of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// It came, and it was the last.
    Last,
    /// It came, and there are more.
    More,
    /// It did not come, or does not count.
    None,
}

/// A page of segments did not come, or does not count.
struct PageFailed;

impl FeedReader {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            read: RwLock::default(),
            page_entries: AtomicU32::new(MOST_ENTRIES),
            flight: Flight::default(),
        }
    }

    /// The feed after whatever reading its age asks for, or what this instance wrote into it since
    /// (`Store::feed_writes`): an instance that revoked something knows it at once. The feed may
    /// still be stale: the decision finds that out.
    pub(crate) async fn current(&self, request_time: Option<Timestamp>) -> Arc<Feed> {
        let own_writes = self.store.feed_writes();
        let freshness = || {
            let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
            let freshness = read.feed.freshness((self.clock)(), request_time);
            (freshness, read.own_writes >= own_writes)
        };
        if freshness() == (Freshness::Fresh, true) {
            return self.known();
        }
        let read_again = async || {
            let patience = match freshness().0 {
                Freshness::Stale => RULES.read_time_stale,
                Freshness::Fresh | Freshness::Ageing => RULES.read_time,
            };
            let is_enough = || matches!(freshness(), (Freshness::Fresh | Freshness::Ageing, true));
            self.read_within(patience, RULES.page_time, is_enough).await;
            true
        };
        let mut is_own = false;
        self.flight
            .join(async || {
                is_own = true;
                read_again().await
            })
            .await;
        // What was under way may have been sent before this instance wrote.
        if !is_own && !freshness().1 {
            self.flight.join(read_again).await;
        }
        self.known()
    }

    /// The feed as it is.
    pub(crate) fn known(&self) -> Arc<Feed> {
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&read.feed)
    }

    /// Reads it ahead of the first call, when a connection takes longer and nobody waits.
    pub(crate) async fn warm(&self, patience: Duration) {
        self.flight
            .join(async || {
                self.read_within(patience, patience, || true).await;
                true
            })
            .await;
    }

    /// Reads page after page, until the last one came or too many in a row failed. A pass that an
    /// earlier call began may be too old for this decision: then one more pass is read.
    async fn read_within(
        &self,
        patience: Duration,
        page_time: Duration,
        is_enough: impl Fn() -> bool,
    ) {
        let reading = async {
            let (mut lost, mut passes) = (0, 0);
            if self
                .read_segments(page_time.min(patience / 2))
                .await
                .is_err()
            {
                lost += 1;
            }
            while lost < RULES.page_tries {
                match self.read_page(page_time).await {
                    Arrival::Last if passes > 0 || is_enough() => return,
                    Arrival::Last => (lost, passes) = (0, passes + 1),
                    Arrival::More => lost = 0,
                    Arrival::None => lost += 1,
                }
            }
        };
        if timeout(patience, reading).await.is_err() {
            // A page was slow, or there were many: the next call asks for shorter pages.
            self.ask_for(self.page_entries.load(Ordering::Relaxed) / 2);
            tracing::warn!("the revocation feed was not read to its end: the next call goes on");
        }
    }

    /// Reads segments, as long as the feed asks for them. After a failure it reads entry by entry,
    /// and no segments for a while.
    async fn read_segments(&self, page_time: Duration) -> Result<(), PageFailed> {
        let has_failed = |read: &Read| {
            let now = (self.clock)();
            let failed_at = read.segments_failed_at;
            failed_at.is_some_and(|at| at <= now && now < at + SEGMENTS_RETRY_AFTER)
        };
        if has_failed(&self.read.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        while let Some(query) = self.known().segment_query((self.clock)()) {
            let page = self.store.read_segments(&query, page_time).await;
            let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
            let absorbed = page.map_err(|error| error.to_string()).and_then(|page| {
                let feed = Arc::make_mut(&mut read.feed);
                feed.absorb_segments(&query, page)
                    .map_err(|error| error.to_string())
            });
            if let Err(cause) = absorbed {
                tracing::warn!(cause, "segments of the revocation feed were not read");
                read.segments_failed_at = Some((self.clock)());
                return Err(PageFailed);
            }
        }
        Ok(())
    }

    fn ask_for(&self, entries: u32) {
        let entries = entries.clamp(FEWEST_ENTRIES, MOST_ENTRIES);
        self.page_entries.store(entries, Ordering::Relaxed);
    }

    async fn read_page(&self, page_time: Duration) -> Arrival {
        let query = self.known().query((self.clock)());
        let own_writes = self.store.feed_writes();
        let limit = self.page_entries.load(Ordering::Relaxed);
        let page = self
            .store
            .read_feed_page(&query.start, limit, page_time)
            .await;
        self.ask_for(match &page {
            Ok(_) => limit.saturating_mul(2),
            Err(_) => limit / 2,
        });
        let page = match page {
            Ok(page) => page,
            Err(error) => return not_read(&error),
        };
        let arrival = match page.more_after {
            Some(_) => Arrival::More,
            None => Arrival::Last,
        };
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = Arc::make_mut(&mut read.feed).absorb(&query, page) {
            return not_read(&error);
        }
        if query.begins_a_pass {
            read.own_writes_of_pass = own_writes;
        }
        if arrival == Arrival::Last {
            read.own_writes = read.own_writes_of_pass;
        }
        arrival
    }
}

fn not_read(error: &dyn fmt::Display) -> Arrival {
    tracing::warn!(cause = %error, "the revocation feed was not read");
    Arrival::None
}
