//! How much is read, and how old a read may be.

use std::time::Duration;

use super::{MIDNIGHT, entry, exchange, feed_of, key, shifted};
use crate::feed::{Effect, Exchange, Feed, Freshness};

#[test]
fn a_cold_feed_is_stale_and_reads_the_whole_window() {
    let feed = Feed::default();
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Stale);
    assert_eq!(
        feed.query_start(MIDNIGHT),
        MIDNIGHT.earlier_by(Duration::from_mins(70))
    );
}

#[test]
fn a_warm_feed_reads_from_the_overlap_before_the_newest_entry() {
    let feed = feed_of([entry(shifted(MIDNIGHT, -5_000), Effect::Revoke, key("key"))]);
    assert_eq!(feed.query_start(MIDNIGHT), shifted(MIDNIGHT, -65_000));
}

#[test]
fn an_entry_from_the_future_does_not_hide_those_before_it() {
    let feed = feed_of([entry(
        shifted(MIDNIGHT, 3_600_000),
        Effect::Revoke,
        key("key"),
    )]);
    assert_eq!(feed.query_start(MIDNIGHT), shifted(MIDNIGHT, -60_000));
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
        sent: shifted(MIDNIGHT, 9_000),
        answered: shifted(MIDNIGHT, 9_000),
        date: MIDNIGHT,
    };
    feed.absorb([], &ahead).unwrap();
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
    assert!(
        feed.absorb([entry(MIDNIGHT, Effect::Revoke, key("key"))], &ahead)
            .is_err()
    );
    assert_eq!(feed, Feed::default());
}

#[test]
fn after_the_clock_was_set_back_the_next_read_counts() {
    let mut feed = Feed::default();
    feed.absorb([], &exchange(shifted(MIDNIGHT, 9_000)))
        .unwrap();
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Stale);
    feed.absorb([], &exchange(MIDNIGHT)).unwrap();
    assert_eq!(feed.freshness(MIDNIGHT, None), Freshness::Fresh);
}
