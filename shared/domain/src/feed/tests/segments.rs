//! Segments: what a compactor makes, what a reader takes in, and for how long it keeps that.

use std::{slice, time::Duration};

use super::{
    CREDENTIAL, MIDNIGHT, OWNER, RULES, USER, entry, exchange, key, named, organization, read,
    secret, shifted,
};
use crate::{
    feed::{
        Cohort, Compaction, Credential, Effect, Entry, EntryKey, Fact, Feed, Hints, Invalidation,
        Page, Parent, Rules, Segment, SegmentPage, Start, Subject, Validity,
    },
    ids::{ClientId, Guid},
    time::Timestamp,
};

fn minutes(minutes: i64) -> Timestamp {
    seconds(60 * minutes)
}

fn seconds(seconds: i64) -> Timestamp {
    shifted(MIDNIGHT, seconds * 1_000)
}

/// A compactor that waits for nothing, and makes one segment of everything.
pub(super) const EAGER: Rules = Rules {
    segment_entries: 1,
    segment_interval: Duration::ZERO,
    longest_segment: Duration::from_hours(2),
    ..RULES
};

/// As it is, but that it waits for nothing.
const QUARTERS: Rules = Rules {
    longest_segment: RULES.longest_segment,
    ..EAGER
};

/// Every segment that a compactor makes at midnight of a feed with these entries, read in one page.
pub(super) fn segments(rules: &Rules, mut entries: Vec<Entry>) -> Vec<Segment> {
    entries.sort();
    let mut compaction = Compaction::after(*rules, None, &exchange(MIDNIGHT)).unwrap();
    if let Some(query) = compaction.query() {
        let page = Page {
            entries,
            more_after: None,
            exchange: exchange(MIDNIGHT),
        };
        compaction.absorb(&query, page).unwrap();
    }
    let mut segments = Vec::new();
    while let Some(segment) = compaction.segment().unwrap() {
        compaction.go_on_after(&segment);
        segments.push(segment);
    }
    segments
}

fn take_in(feed: &mut Feed, now: Timestamp, segments: &[Segment]) {
    let query = feed.segment_query(now).expect("it lacks minutes");
    let asked_for = segments.iter().filter(|segment| segment.from >= query.from);
    let page = SegmentPage {
        segments: asked_for.cloned().collect(),
        has_more: false,
        exchange: exchange(now),
    };
    feed.absorb_segments(&query, page).unwrap();
}

/// A cold reader that found these segments, and then this tail.
pub(super) fn cold_feed(segments: &[Segment], entries: &[Entry]) -> Feed {
    let mut feed = Feed::default();
    take_in(&mut feed, MIDNIGHT, segments);
    let Start::At(from) = feed.query(MIDNIGHT).start else {
        panic!("a pass is under way");
    };
    let tail = entries.iter().filter(|entry| entry.time >= from).cloned();
    read(&mut feed, tail.collect::<Vec<_>>(), exchange(MIDNIGHT));
    feed
}

fn validity(feed: &Feed, credential: &Credential<'_>, now: Timestamp) -> Validity {
    feed.validity(credential, now, now)
}

/// A credential of which nothing is known.
fn other() -> Credential<'static> {
    Credential {
        client_id: ClientId::of(named("other")),
        secret: secret("another"),
        token: Some(named("no token")),
        user: None,
        owner: None,
        organization: named("elsewhere"),
        ..CREDENTIAL
    }
}

#[test]
fn who_is_named_in_a_segment_is_looked_up_and_nobody_else() {
    let parents = [Parent {
        client_id: CREDENTIAL.client_id,
        sid: CREDENTIAL.secret,
        jti: named("token"),
    }];
    let by = |credential| Credential {
        parents: &[],
        ..credential
    };
    let derived = Credential {
        parents: &parents,
        ..other()
    };
    let minted = Credential {
        minters: &[USER],
        ..other()
    };
    let own = by(CREDENTIAL);
    for (subject, looked_up) in [
        (key("key"), vec![&own, &derived]),
        (Subject::Secret(CREDENTIAL.secret), vec![&own, &derived]),
        (Subject::Token(named("token")), vec![&own, &derived]),
        (Subject::User(USER), vec![&own, &minted]),
        (key("none of them"), vec![]),
    ] {
        for effect in [
            Effect::Revoke,
            Effect::Suspend { version: 1 },
            Effect::Resume { version: 1 },
            Effect::Expire {
                at: MIDNIGHT,
                version: 1,
            },
            Effect::Refresh,
        ] {
            let entries = [entry(minutes(-5), effect, subject.clone())];
            let feed = cold_feed(&segments(&EAGER, entries.to_vec()), &entries);
            for credential in [&own, &derived, &minted, &other()] {
                let expected = if looked_up.iter().any(|one| {
                    one.client_id == credential.client_id
                        && one.parents == credential.parents
                        && one.minters == credential.minters
                }) {
                    Validity::LookUp
                } else {
                    Validity::Valid
                };
                let found = validity(&feed, credential, MIDNIGHT);
                assert_eq!(found, expected, "{subject:?} {effect:?} {credential:?}");
            }
        }
    }
}

/// They concern many credentials: a hint would have all of those looked up.
#[test]
fn what_is_about_owners_and_organizations_is_kept_whole_and_so_are_covers() {
    for subject in [Subject::Owner(OWNER), organization(Cohort::default())] {
        let entries = [entry(minutes(-5), Effect::Revoke, subject)];
        let segments = segments(&EAGER, entries.to_vec());
        assert_eq!(segments[0].whole, entries);
        assert!(segments[0].hints.is_empty());
        let found = validity(&cold_feed(&segments, &entries), &CREDENTIAL, MIDNIGHT);
        assert!(matches!(
            found,
            Validity::Invalid(Invalidation::Revoked(Fact::Owner | Fact::Organization))
        ));
    }
    let until = minutes(-1);
    let cover = [entry(minutes(-6), Effect::Cover { until }, key("key"))];
    let segments = segments(&EAGER, cover.to_vec());
    assert_eq!(segments[0].whole, cover);
    let feed = cold_feed(&segments, &cover);
    let last = until + RULES.look_up_after_cover();
    assert_eq!(validity(&feed, &CREDENTIAL, last), Validity::LookUp);
    assert_eq!(
        validity(&feed, &CREDENTIAL, shifted(last, 1)),
        Validity::Valid
    );
}

#[test]
fn a_hint_is_kept_for_the_reach_after_the_end_of_its_segment() {
    let entries = [entry(minutes(-5), Effect::Revoke, key("key"))];
    let segments = segments(&EAGER, entries.to_vec());
    let last = segments[0].until + RULES.reach();
    let mut feed = cold_feed(&segments, &entries);
    assert_eq!(validity(&feed, &CREDENTIAL, last), Validity::LookUp);
    assert_eq!(
        validity(&feed, &CREDENTIAL, shifted(last, 1)),
        Validity::Valid
    );
    // It is forgotten then, too.
    let memory = |feed: &Feed| format!("{feed:?}").len();
    let before = memory(&feed);
    let mut never = Feed::default();
    take_in(&mut never, MIDNIGHT, &[]);
    read(&mut feed, [], exchange(shifted(last, 1_000)));
    assert!(memory(&feed) < before);
    assert_eq!(feed.folded(), 0);
}

#[test]
fn a_segment_ends_where_its_compactor_is_complete() {
    let entries = [-31, -30, -29].map(|time| entry(seconds(time), Effect::Revoke, key("key")));
    let segments = segments(&EAGER, entries.to_vec());
    assert_eq!(segments.len(), 1);
    assert_eq!(segments[0].from, MIDNIGHT.earlier_by(RULES.reach()));
    assert_eq!(segments[0].until, seconds(-30));
    assert_eq!(segments[0].hints.len(), 1);
}

#[test]
fn the_compactor_waits_for_entries_or_for_ten_minutes() {
    let entries = |number: usize| {
        let one = |number: usize| {
            let id = Guid::from_bytes(u128::try_from(number).unwrap().to_be_bytes());
            entry(minutes(-2), Effect::Revoke, Subject::Token(id))
        };
        (0..number).map(one).collect::<Vec<_>>()
    };
    let made = |number, newest| {
        let compaction = Compaction::after(RULES, Some(newest), &exchange(MIDNIGHT));
        let mut compaction = compaction.unwrap();
        let query = compaction.query().unwrap();
        assert_eq!(query.start, Start::At(newest));
        let page = Page {
            entries: entries(number),
            more_after: None,
            exchange: exchange(MIDNIGHT),
        };
        compaction.absorb(&query, page).unwrap();
        compaction.segment().unwrap().is_some()
    };
    assert!(!made(499, minutes(-3)));
    assert!(made(500, minutes(-3)));
    assert!(!made(0, seconds(-629)));
    assert!(made(0, seconds(-630)), "half a minute is not complete yet");
}

#[test]
fn segments_end_after_a_quarter_of_an_hour_or_before_what_has_no_room() {
    let ends: Vec<_> = segments(&QUARTERS, vec![])
        .iter()
        .map(|segment| segment.until)
        .collect();
    let from = MIDNIGHT.earlier_by(RULES.reach());
    let expected = (1..=5).map(|quarter| from + Duration::from_mins(15 * quarter));
    let expected: Vec<_> = expected.chain([seconds(-30)]).collect();
    assert_eq!(ends, expected);

    let few = Rules {
        segment_hints: 2,
        ..EAGER
    };
    let at = |time, name| entry(minutes(time), Effect::Revoke, key(name));
    // Two of one millisecond stay together.
    let entries = vec![at(-9, "a"), at(-8, "b"), at(-8, "c"), at(-7, "d")];
    let made: Vec<_> = segments(&few, entries)
        .iter()
        .map(|segment| (segment.until, segment.hints.len()))
        .collect();
    assert_eq!(
        made,
        [(minutes(-8), 1), (minutes(-7), 2), (seconds(-30), 1)]
    );
}

/// A whole entry has a thousand bytes at most, an item 400 KB.
#[test]
fn whole_entries_stay_within_the_room_of_an_item() {
    let spared: Vec<_> = (0..50).map(|byte| Guid::from_bytes([byte; 16])).collect();
    let entries: Vec<_> = (-300..0)
        .map(|second| {
            let cohort = Cohort {
                spared: spared.clone(),
                ..Cohort::default()
            };
            entry(
                shifted(minutes(-2), second),
                Effect::Revoke,
                organization(cohort),
            )
        })
        .collect();
    // A full one waits for nothing, or it would wait for ever.
    let made = segments(&RULES, entries.clone());
    let full: Vec<_> = made.iter().filter(|made| !made.whole.is_empty()).collect();
    assert!(full.len() > 2);
    for segment in &made {
        assert!(segment.encode_whole().unwrap().len() <= 60_000);
    }
    let whole: Vec<_> = made.iter().flat_map(|made| made.whole.clone()).collect();
    assert_eq!(whole, entries[..whole.len()]);
}

#[test]
fn a_reader_asks_for_segments_while_it_lacks_minutes_and_pauses_when_there_are_no_more() {
    let mut feed = Feed::default();
    let query = feed.segment_query(MIDNIGHT).unwrap();
    assert_eq!(
        query.from,
        MIDNIGHT.earlier_by(RULES.reach() + RULES.longest_segment)
    );
    take_in(&mut feed, MIDNIGHT, &[]);
    assert_eq!(feed.segment_query(seconds(59)), None);
    assert!(feed.segment_query(seconds(60)).is_some());
    // A clock that was set back has not just read them.
    assert!(feed.segment_query(seconds(-1)).is_some());
    read(&mut feed, [], exchange(seconds(60)));
    assert_eq!(feed.segment_query(seconds(30 + 180)), None);
    assert!(feed.segment_query(shifted(seconds(30 + 180), 1)).is_some());
}

#[test]
fn of_several_pages_each_begins_where_the_last_one_ended() {
    let made = segments(&QUARTERS, vec![]);
    let mut feed = Feed::default();
    for (number, segment) in made.iter().enumerate() {
        let query = feed.segment_query(MIDNIGHT).unwrap();
        if number > 0 {
            assert_eq!(query.from, segment.from);
        }
        let page = SegmentPage {
            segments: vec![segment.clone()],
            has_more: true,
            exchange: exchange(MIDNIGHT),
        };
        feed.absorb_segments(&query, page).unwrap();
        assert_eq!(feed.complete_until(), Some(segment.until));
    }
    assert_eq!(feed.counts_from(), None, "segments date nothing");
    assert_eq!(feed.segment_query(MIDNIGHT), None, "it lacks half a minute");
}

#[test]
fn behind_a_hole_no_segment_is_taken_in() {
    let mut made = segments(&QUARTERS, vec![]);
    let before_hole = made[1].until;
    made.remove(2);
    let mut feed = Feed::default();
    take_in(&mut feed, MIDNIGHT, &made);
    assert_eq!(feed.complete_until(), Some(before_hole));
    assert_eq!(feed.query(MIDNIGHT).start, Start::At(before_hole));
    assert_eq!(feed.segment_query(MIDNIGHT), None);
}

/// A page that brings nothing new would be asked for again and again.
#[test]
fn a_page_without_news_is_the_last_one() {
    let mut feed = Feed::default();
    let query = feed.segment_query(MIDNIGHT).unwrap();
    let page = SegmentPage {
        segments: vec![],
        has_more: true,
        exchange: exchange(MIDNIGHT),
    };
    feed.absorb_segments(&query, page).unwrap();
    assert_eq!(feed.segment_query(MIDNIGHT), None);
}

#[test]
fn by_a_clock_out_of_bound_nothing_is_taken_in_or_folded() {
    let wrong = super::super::Exchange {
        date: seconds(-60),
        ..exchange(MIDNIGHT)
    };
    assert!(Compaction::after(RULES, None, &wrong).is_err());
    let mut compaction = Compaction::after(RULES, None, &exchange(MIDNIGHT)).unwrap();
    let query = compaction.query().unwrap();
    let page = Page {
        entries: vec![],
        more_after: None,
        exchange: wrong,
    };
    assert!(compaction.absorb(&query, page).is_err());
    assert_eq!(compaction.segment().unwrap(), None);

    let mut feed = Feed::default();
    let before = feed.clone();
    for (asked_at, exchange) in [(MIDNIGHT, wrong), (seconds(1), exchange(MIDNIGHT))] {
        let query = feed.segment_query(asked_at).unwrap();
        let page = SegmentPage {
            segments: segments(&EAGER, vec![]),
            has_more: false,
            exchange,
        };
        assert!(feed.absorb_segments(&query, page).is_err());
        assert_eq!(feed, before);
    }
}

/// A pass that is under way knows nothing of what a segment brought.
#[test]
fn a_pass_under_way_is_given_up_for_a_segment() {
    let mut feed = Feed::default();
    let query = feed.query(MIDNIGHT);
    let old = entry(minutes(-60), Effect::Revoke, key("old"));
    let page = Page {
        more_after: Some(EntryKey {
            time: old.time,
            id: old.id.clone(),
        }),
        entries: vec![old],
        exchange: exchange(MIDNIGHT),
    };
    feed.absorb(&query, page).unwrap();
    take_in(&mut feed, MIDNIGHT, &segments(&QUARTERS, vec![]));
    assert_eq!(feed.query(MIDNIGHT).start, Start::At(seconds(-30)));
}

#[test]
fn with_many_records_a_reader_makes_hints_of_what_is_older_than_what_is_complete() {
    let few = Rules {
        most_records: 2,
        ..RULES
    };
    let mut feed = Feed::new(few);
    let entries = [
        entry(seconds(-40), Effect::Revoke, key("key")),
        entry(
            seconds(-40),
            Effect::Suspend { version: 1 },
            Subject::User(named("one")),
        ),
        entry(
            seconds(-20),
            Effect::Revoke,
            Subject::Token(named("of late")),
        ),
        entry(
            seconds(-40),
            Effect::Cover { until: MIDNIGHT },
            key("covered"),
        ),
    ];
    read(&mut feed, entries, exchange(MIDNIGHT));
    assert_eq!(feed.folded(), 2);
    assert_eq!(validity(&feed, &CREDENTIAL, MIDNIGHT), Validity::LookUp);
    let of_late = Credential {
        token: Some(named("of late")),
        ..other()
    };
    assert_eq!(
        validity(&feed, &of_late, MIDNIGHT),
        Validity::Invalid(Invalidation::Revoked(Fact::Token))
    );
    let covered = Credential {
        client_id: ClientId::of(named("covered")),
        ..other()
    };
    assert_eq!(validity(&feed, &covered, MIDNIGHT), Validity::LookUp);
    assert_eq!(validity(&feed, &other(), MIDNIGHT), Validity::Valid);
}

#[test]
fn stored_hints_are_in_order_and_whole() {
    let names = ["key", "secret", "token"].map(|name| entry(MIDNIGHT, Effect::Revoke, key(name)));
    let segment = Segment::of(&names, MIDNIGHT, MIDNIGHT);
    let bytes = segment.hints.bytes();
    assert_eq!(bytes, b"key\0\0secretoken");
    assert_eq!(Hints::from_bytes(bytes), Ok(segment.hints.clone()));
    assert!(Hints::from_bytes(&bytes[1..]).is_err());
    assert!(Hints::from_bytes(&[bytes, bytes].concat()).is_err());
    // A hint of a secret is none of a key.
    let of_secret = entry(MIDNIGHT, Effect::Revoke, Subject::Secret(secret("key")));
    let of_secret = Segment::of(slice::from_ref(&of_secret), MIDNIGHT, MIDNIGHT);
    assert_eq!(of_secret.hints.bytes(), b"+ey\0\0");
}
