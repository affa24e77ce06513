//! For how long what was read of a personal key is good: a minute, and only while the feed is
//! silent about it.

use domain::{
    feed::{Cohort, Effect, Entry, Exchange, Feed, Subject},
    ids::{ClientId, Guid, SecretId},
    key_mode::KeyMode,
    time::Timestamp,
};

use crate::{
    personal_keys::Known,
    request::Moment,
    testing::{
        person::{KEY, MADE, ORGANIZATION, Person, SECRET, USER},
        world::{NOW, feed, later, read},
    },
};

/// Read at [`NOW`], after a feed with these entries.
fn known(entries: &[(Effect, Subject)]) -> Known {
    Known::new(Person::new().read(), NOW, &feed(NOW, entries))
}

/// This many milliseconds later.
fn at(millis: i64) -> Moment {
    Moment {
        now: later(millis),
        request: None,
    }
}

fn organization(cohort: Cohort) -> Subject {
    Subject::Organization {
        guid: ORGANIZATION,
        cohort,
    }
}

fn touching() -> Vec<Subject> {
    let next = Timestamp::from_millis(MADE.millis() + 1);
    vec![
        Subject::Key(KEY),
        Subject::Secret(SECRET),
        Subject::User(USER),
        organization(Cohort::default()),
        organization(Cohort {
            owner: Some(USER),
            ..Cohort::default()
        }),
        organization(Cohort {
            environment: Some(KeyMode::Sandbox),
            ..Cohort::default()
        }),
        organization(Cohort {
            created_from: Some(MADE),
            created_until: Some(next),
            ..Cohort::default()
        }),
    ]
}

fn elsewhere() -> Vec<Subject> {
    let next = Timestamp::from_millis(MADE.millis() + 1);
    vec![
        Subject::Key(ClientId::of(Guid::from_bytes([0; 16]))),
        Subject::Secret(SecretId::from_bytes([0; 16])),
        Subject::Token(Guid::from_bytes([8; 16])),
        Subject::User(Guid::from_bytes([7; 16])),
        Subject::Owner(USER),
        Subject::Organization {
            guid: Guid::from_bytes([5; 16]),
            cohort: Cohort::default(),
        },
        organization(Cohort {
            owner: Some(ORGANIZATION),
            ..Cohort::default()
        }),
        organization(Cohort {
            environment: Some(KeyMode::Live),
            ..Cohort::default()
        }),
        organization(Cohort {
            created_from: Some(next),
            ..Cohort::default()
        }),
        organization(Cohort {
            created_until: Some(MADE),
            ..Cohort::default()
        }),
    ]
}

const EFFECTS: [Effect; 5] = [
    Effect::Revoke,
    Effect::Suspend { version: 3 },
    Effect::Resume { version: 3 },
    Effect::Expire {
        at: Timestamp::LAST,
        version: 3,
    },
    Effect::Refresh,
];

#[test]
fn a_reading_is_good_for_a_minute_and_no_longer() {
    let known = known(&[]);
    for (millis, good) in [
        (-1, false),
        (0, true),
        (1, true),
        (59_999, true),
        (60_000, true),
        (60_001, false),
    ] {
        assert_eq!(known.is_good(&feed(NOW, &[]), at(millis)), good, "{millis}");
    }
}

#[test]
fn every_kind_of_entry_that_touches_the_key_drops_it_and_none_other_does() {
    for effect in EFFECTS {
        for subject in touching() {
            let feed = feed(later(1_000), &[(effect, subject.clone())]);
            assert!(
                !known(&[]).is_good(&feed, at(1_000)),
                "{effect:?} {subject:?}"
            );
        }
        for subject in elsewhere() {
            let feed = feed(later(1_000), &[(effect, subject.clone())]);
            assert!(
                known(&[]).is_good(&feed, at(1_000)),
                "{effect:?} {subject:?}"
            );
        }
    }
}

#[test]
fn what_the_feed_knew_before_the_reading_drops_nothing_and_more_of_it_does() {
    let user = Subject::User(USER);
    for effect in [Effect::Resume { version: 3 }, Effect::Refresh] {
        let before = [(effect, user.clone())];
        let known = Known::new(Person::new().read(), NOW, &feed(NOW, &before));
        assert!(known.is_good(&feed(NOW, &before), at(1_000)));
        for again in [
            Effect::Resume { version: 4 },
            Effect::Suspend { version: 4 },
            Effect::Revoke,
        ] {
            let more = [before[0].clone(), (again, user.clone())];
            assert!(
                !known.is_good(&feed(NOW, &more), at(1_000)),
                "{effect:?} and then {again:?}"
            );
        }
    }
}

/// Two narrowings of one user within a minute: the second entry differs from the first by its id
/// alone.
#[test]
fn a_second_refresh_of_the_same_subject_drops_it_again() {
    let entry = |id: &str| Entry {
        time: NOW,
        id: id.into(),
        effect: Effect::Refresh,
        subject: Subject::User(USER),
    };
    let exchange = Exchange {
        sent: NOW,
        answered: NOW,
        date: NOW,
    };
    let mut feed = Feed::default();
    read(&mut feed, [entry("1")], exchange);
    let known = Known::new(Person::new().read(), NOW, &feed);
    read(&mut feed, [entry("1")], exchange);
    assert!(
        known.is_good(&feed, at(0)),
        "the overlap is read again and again"
    );
    read(&mut feed, [entry("1"), entry("2")], exchange);
    assert!(!known.is_good(&feed, at(0)));
}

/// The reading saw the key before the change; the entry of that change is stamped before the
/// reading and seen after it, as happens when a transaction becomes visible late. That the reading
/// is younger than the entry's time must not save it.
#[test]
fn a_key_that_was_read_before_a_change_is_dropped_by_its_entry_however_that_is_stamped() {
    for stamped in [-30_000, -9_000, -1, 0, 1] {
        let entry = Entry {
            time: later(stamped),
            id: "1".into(),
            effect: Effect::Refresh,
            subject: Subject::User(USER),
        };
        let known = known(&[]);
        let mut after = feed(NOW, &[]);
        let exchange = Exchange {
            sent: later(500),
            answered: later(500),
            date: NOW,
        };
        read(&mut after, [entry], exchange);
        assert!(!known.is_good(&after, at(500)), "{stamped}");
    }
}

#[test]
fn a_reading_after_a_feed_that_was_never_read_is_dropped_by_whatever_is_seen_first() {
    let known = Known::new(Person::new().read(), NOW, &Feed::default());
    assert!(!known.is_good(&feed(NOW, &[(Effect::Refresh, Subject::Key(KEY))]), at(0)));
}

fn until_noon() -> Effect {
    Effect::Cover {
        until: later(300_000),
    }
}

/// Its changes have no entries: the reading is as old as the feed that preceded it, whatever the
/// clock said meanwhile.
#[test]
fn a_reading_of_what_is_covered_is_good_for_as_long_as_the_feed_before_it() {
    for subject in [Subject::Key(KEY), organization(Cohort::default())] {
        let covered = [(until_noon(), subject)];
        let known = known(&covered);
        for (millis, good) in [(0, true), (4_000, true), (4_001, false)] {
            let is_good = known.is_good(&feed(NOW, &covered), at(millis));
            assert_eq!(is_good, good, "{millis}");
        }
        let ahead = Known::new(Person::new().read(), later(4_500), &feed(NOW, &covered));
        assert!(!ahead.is_good(&feed(NOW, &covered), at(4_501)));
    }
}
