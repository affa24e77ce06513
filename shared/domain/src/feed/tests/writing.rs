//! When an entry counts as published, and how long the table keeps it.

use std::time::Duration;

use super::{MIDNIGHT, RULES, exchange, shifted};
use crate::feed::{Exchange, Publication};

#[test]
fn an_entry_counts_when_known_visible_within_five_seconds_of_its_own_time() {
    let answered_after = |millis| RULES.publication(&exchange(shifted(MIDNIGHT, millis)), MIDNIGHT);
    assert_eq!([0, 5_000].map(answered_after), [Publication::Published; 2]);
    assert_eq!(
        [-1, 5_001].map(answered_after),
        [Publication::WriteAgain; 2]
    );
}

#[test]
fn an_entry_by_a_clock_out_of_bound_never_counts() {
    let ahead = Exchange {
        date: shifted(MIDNIGHT, -6_000),
        ..exchange(MIDNIGHT)
    };
    assert_eq!(RULES.publication(&ahead, MIDNIGHT), Publication::WriteAgain);
}

#[test]
fn the_header_s_resolution_and_a_slow_answer_count_against_the_clock() {
    let within = |sent, answered| {
        RULES.clock_within_bound(&Exchange {
            sent: shifted(MIDNIGHT, sent),
            answered: shifted(MIDNIGHT, answered),
            date: MIDNIGHT,
        })
    };
    assert!(
        within(0, 0) && within(999, 999),
        "a right clock, anywhere in the header's second"
    );
    assert!(
        within(5_000, 5_000) && !within(5_001, 5_001),
        "ahead: the second may just have begun"
    );
    assert!(
        within(-4_000, -4_000) && !within(-4_001, -4_001),
        "behind: the second may be nearly over"
    );
    assert!(within(-4_000, 5_000) && !within(0, 5_001), "slow");
}

#[test]
fn the_table_keeps_an_entry_for_a_day_after_it_ceased_to_matter() {
    assert_eq!(
        RULES.entry_expires(MIDNIGHT),
        MIDNIGHT + Duration::from_mins(70) + Duration::from_hours(24)
    );
}
