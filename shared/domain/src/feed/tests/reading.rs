//! How much is read, and how old a read may be.

use super::{MIDNIGHT, entry, exchange, feed_of, key, read, shifted};
use crate::{
    feed::{Effect, EntryKey, Exchange, Feed, Freshness, Page, Start},
    time::Timestamp,
};

fn asks_from(feed: &Feed, now: Timestamp) -> Start {
    feed.query(now).start
}

/// A page with one revoked key at this time, and more behind it.
fn page(time: Timestamp, at: Timestamp) -> Page {
    let entry = entry(time, Effect::Revoke, key("key"));
    Page {
        more_after: Some(EntryKey {
            time,
            id: entry.id.clone(),
        }),
        entries: vec![entry],
        exchange: exchange(at),
    }
}

fn seconds(seconds: i64) -> Timestamp {
    shifted(MIDNIGHT, seconds * 1_000)
}

#[test]
fn a_cold_feed_is_stale_and_reads_as_far_back_as_a_cover_matters() {
    let feed = Feed::default();
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Stale);
    assert_eq!(asks_from(&feed, MIDNIGHT), Start::At(seconds(-4_800)));
}

#[test]
fn a_warm_feed_reads_from_the_overlap_before_the_last_pass_began() {
    for entries in [
        vec![],
        vec![entry(seconds(-70), Effect::Revoke, key("key"))],
        // One from the future hides none of those before it.
        vec![entry(seconds(3_600), Effect::Revoke, key("key"))],
    ] {
        let feed = feed_of(entries);
        assert_eq!(asks_from(&feed, seconds(1)), Start::At(seconds(-30)));
        assert_eq!(feed.complete_until(), Some(seconds(-30)));
    }
}

/// The clock may run a second ahead of the `Date`, which says whole seconds.
#[test]
fn a_pass_in_pages_goes_on_where_it_was_and_counts_from_its_first_page_once_it_is_over() {
    let mut feed = feed_of([]);
    let query = feed.query(seconds(10));
    feed.absorb(&query, page(seconds(-10), seconds(10)))
        .unwrap();
    assert_eq!(feed.freshness(seconds(10), None), Freshness::Stale);
    assert!(matches!(asks_from(&feed, seconds(13)), Start::After(key)
        if key.time == seconds(-10)));
    let query = feed.query(seconds(13));
    read(&mut feed, [], exchange(seconds(13)));
    assert!(matches!(query.start, Start::After(_)));
    assert_eq!(
        feed.complete_until(),
        Some(seconds(-20)),
        "ten less the overlap"
    );
    assert_eq!(feed.freshness(seconds(13), None), Freshness::Ageing);
    assert_eq!(feed.freshness(seconds(15), None), Freshness::Stale);
}

#[test]
fn where_a_page_ends_in_what_is_complete_the_next_one_begins_a_pass() {
    let mut feed = Feed::default();
    for (at, reached, begins_a_pass, complete_until) in [
        (0, -3_000, true, -3_000),
        (2, -29, true, -29),
        (3, -20, true, -27),
        (4, -10, false, -27),
    ] {
        let query = feed.query(seconds(at));
        assert_eq!(query.begins_a_pass, begins_a_pass, "{at}");
        feed.absorb(&query, page(seconds(reached), seconds(at)))
            .unwrap();
        assert_eq!(feed.complete_until(), Some(seconds(complete_until)), "{at}");
    }
    read(&mut feed, [], exchange(seconds(5)));
    assert_eq!(feed.freshness(seconds(4), None), Freshness::Fresh);
    assert_eq!(
        feed.freshness(seconds(5), None),
        Freshness::Ageing,
        "it counts from the page of three seconds"
    );
}

/// The clock was ahead when it said from where to read, and right when the page was sent: what is
/// skipped would never be read.
#[test]
fn a_page_whose_query_was_asked_by_another_clock_does_not_count() {
    for ahead in [1, 5_000] {
        let mut feed = feed_of([]);
        let before = feed.clone();
        let query = feed.query(seconds(ahead));
        let page = Page {
            entries: vec![],
            more_after: None,
            exchange: exchange(MIDNIGHT),
        };
        assert!(feed.absorb(&query, page).is_err());
        assert_eq!(feed, before);
    }
}

/// It was asked for before another one, and arrives after it.
#[test]
fn a_page_that_is_not_the_next_one_completes_nothing() {
    let mut feed = Feed::default();
    let query = feed.query(MIDNIGHT);
    feed.absorb(&query, page(seconds(-10), MIDNIGHT)).unwrap();
    let late = feed.query(MIDNIGHT);
    read(&mut feed, [], exchange(MIDNIGHT));
    let before = feed.complete_until();
    feed.absorb(&late, page(seconds(50), seconds(60))).unwrap();
    assert_eq!(feed.complete_until(), before);
    assert_eq!(feed.freshness(seconds(60), None), Freshness::Stale);
    assert!(feed.query(seconds(60)).begins_a_pass);
}

#[test]
fn a_cursor_from_before_the_reach_is_dropped_with_its_pass() {
    let mut feed = Feed::default();
    let query = feed.query(MIDNIGHT);
    feed.absorb(&query, page(seconds(-10), MIDNIGHT)).unwrap();
    let later = seconds(4_800);
    assert!(matches!(asks_from(&feed, seconds(4_790)), Start::After(_)));
    assert_eq!(asks_from(&feed, later), Start::At(MIDNIGHT));
    read(&mut feed, [], exchange(later));
    assert_eq!(feed.freshness(later, None), Freshness::Fresh);
}

#[test]
fn the_age_runs_by_the_later_clock_and_must_not_be_negative() {
    let feed = feed_of([]);
    let at = |millis| feed.freshness(shifted(MIDNIGHT, millis), None);
    assert_eq!([-1, 0, 1_000, 1_001, 4_000, 4_001].map(at), {
        use Freshness::{Ageing, Fresh, Stale};
        [Stale, Fresh, Fresh, Ageing, Ageing, Stale]
    });
    let frozen = |request| feed.freshness(MIDNIGHT, Some(shifted(MIDNIGHT, request)));
    assert_eq!(
        [-60_000, 1_001, 4_001].map(frozen),
        [Freshness::Fresh, Freshness::Ageing, Freshness::Stale]
    );
}

#[test]
fn a_clock_that_ran_ahead_during_the_read_does_not_make_it_younger() {
    let mut feed = Feed::default();
    let ahead = Exchange {
        sent: shifted(MIDNIGHT, 4_000),
        answered: shifted(MIDNIGHT, 4_000),
        date: MIDNIGHT,
    };
    read(&mut feed, [], ahead);
    assert_eq!(
        feed.freshness(shifted(MIDNIGHT, 5_000), None),
        Freshness::Ageing
    );
    assert_eq!(
        feed.freshness(shifted(MIDNIGHT, 5_001), None),
        Freshness::Stale
    );
}

#[test]
fn a_read_by_a_clock_out_of_bound_does_not_count() {
    let mut feed = Feed::default();
    let ahead = Exchange {
        sent: shifted(MIDNIGHT, 3_600_000),
        answered: shifted(MIDNIGHT, 3_600_000),
        date: MIDNIGHT,
    };
    let query = feed.query(ahead.sent);
    let page = Page {
        entries: vec![entry(MIDNIGHT, Effect::Revoke, key("key"))],
        more_after: None,
        exchange: ahead,
    };
    assert!(feed.absorb(&query, page).is_err());
    assert_eq!(feed, Feed::default());
}

#[test]
fn after_the_clock_was_set_back_the_next_read_counts() {
    let mut feed = Feed::default();
    read(&mut feed, [], exchange(shifted(MIDNIGHT, 9_000)));
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Stale);
    read(&mut feed, [], exchange(MIDNIGHT));
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Fresh);
}
