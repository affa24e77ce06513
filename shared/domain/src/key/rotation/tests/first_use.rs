//! X-3, LEAK-5: what a note of a first use does to a personal key. Notes only shorten.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{MINUTE, NOW, T0, a_key, id};
use crate::{
    ids::Guid,
    key::{Grace, Key, Owner, Rotation, State, Until},
    time::Timestamp,
};

fn personal() -> Key {
    Key {
        owner: Owner::User(Guid::from_bytes([2; 16])),
        ..a_key(id(1), T0)
    }
}

fn rotated(grace: Grace) -> Key {
    let at = T0 + MINUTE;
    personal()
        .rotate(id(2), Rotation::Keep(grace), at)
        .unwrap()
        .key
}

fn after(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(T0.seconds() + seconds)
}

#[test]
fn x_3_a_noted_first_use_ends_the_previous_secret_as_one_that_is_written() {
    for grace in [Grace::FromFirstUse(MINUTE), Grace::OpenUntilUsed] {
        let key = rotated(grace);
        assert_eq!(key.awaits_note_of(), Some(id(2)));
        let (noted, written) = (
            key.clone().with_first_use(after(100), after(100)),
            key.clone().start_grace(id(2), after(100)).unwrap().key,
        );
        assert_eq!(noted.secrets, written.secrets);
        assert_eq!(
            (noted.version, noted.updated_at),
            (key.version, key.updated_at),
            "it is the key as it is, and no change"
        );
        assert_eq!(noted.awaits_note_of(), None);
    }
}

#[test]
fn x_3_a_note_from_before_the_secret_was_made_counts_as_its_making() {
    let key = rotated(Grace::FromFirstUse(MINUTE));
    let key = key.with_first_use(Timestamp::from_millis(0), after(100));
    let end = key.secrets.previous.unwrap().expires_at();
    assert_eq!(end, Some(T0 + MINUTE + MINUTE));
}

/// Or whoever may note would have the key wait no longer, and the old secret never end.
#[test]
fn leak_5_a_note_from_the_future_counts_as_none_until_then() {
    let key = rotated(Grace::FromFirstUse(MINUTE));
    for (noted, now, counts) in [(110, 100, true), (111, 100, false), (111, 101, true)] {
        let noted = key.clone().with_first_use(after(noted), after(now));
        assert_eq!(noted.awaits_note_of().is_none(), counts, "{now}");
    }
    let never = key.clone().with_first_use(Timestamp::LAST, after(100));
    assert_eq!(never, key);
}

#[test]
fn x_3_of_a_machines_key_no_note_is_asked_for() {
    let machine = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(Grace::OpenUntilUsed), T0)
        .unwrap()
        .key;
    assert_eq!(machine.awaits_note_of(), None);
}

/// Keys in whose secrets nothing waits: never rotated, or ended in each way.
fn waiting_for_nothing() -> impl Strategy<Value = Key> {
    let later = T0 + MINUTE + MINUTE;
    let waiting = || {
        select(vec![
            Grace::FromFirstUse(NOW),
            Grace::FromFirstUse(MINUTE),
            Grace::OpenUntilUsed,
        ])
        .prop_map(rotated)
    };
    let finished = |grace| move |key: Key| key.finish_rotation(grace, later).unwrap().unwrap().key;
    prop_oneof![
        Just(personal()),
        select(vec![
            Grace::FromNow(NOW),
            Grace::FromNow(MINUTE),
            Grace::Open
        ])
        .prop_map(rotated),
        waiting().prop_map(finished(NOW)),
        select(vec![Grace::FromFirstUse(MINUTE), Grace::OpenUntilUsed])
            .prop_map(rotated)
            .prop_map(finished(MINUTE)),
        // Used, over, and rotated again.
        Just(rotated(Grace::FromFirstUse(MINUTE))).prop_map(move |key| {
            let used = key.start_grace(id(2), later).unwrap().key;
            let next = Rotation::Keep(Grace::FromNow(MINUTE));
            used.rotate(id(3), next, later + MINUTE).unwrap().key
        }),
    ]
}

/// What works at a moment, of all secrets that the keys here ever had.
fn working(key: &Key, at: Timestamp) -> Vec<u8> {
    let revoked = matches!(key.state, State::Revoked { .. });
    (1..=3)
        .filter(|byte| !revoked && key.secrets.term(id(*byte), at).is_some())
        .collect()
}

/// The key at a moment by these notes, of which the earliest counts.
fn by(key: &Key, notes: &[Timestamp], now: Timestamp) -> Key {
    match notes.iter().min() {
        Some(at) => key.clone().with_first_use(*at, now),
        None => key.clone(),
    }
}

fn moments() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (0..600i64).prop_map(after),
        Just(Timestamp::from_millis(0)),
        Just(Timestamp::LAST),
    ]
}

proptest! {
    #[test]
    fn leak_5_more_notes_never_let_a_secret_work_longer(
        grace in select(vec![Grace::FromFirstUse(NOW), Grace::FromFirstUse(MINUTE),
            Grace::OpenUntilUsed]),
        notes in vec(moments(), 0..4),
        more in vec(moments(), 0..4),
        revoked in any::<bool>(),
        read in moments(),
        at in moments(),
    ) {
        let mut key = rotated(grace);
        if revoked {
            key.state = State::Revoked { at: T0 };
        }
        let all = [notes.clone(), more].concat();
        let (few, many) = (by(&key, &notes, read), by(&key, &all, read));
        prop_assert!(few.awaits_note_of().is_some() || many.awaits_note_of().is_none());
        let (few, many) = (working(&few, at), working(&many, at));
        prop_assert!(many.iter().all(|secret| few.contains(secret)), "{few:?} {many:?}");
        let without = working(&key, at);
        prop_assert!(few.iter().all(|secret| without.contains(secret)), "{without:?} {few:?}");
    }

    #[test]
    fn leak_5_no_note_changes_a_key_that_waits_for_nothing(
        key in waiting_for_nothing(), notes in vec(moments(), 0..4), read in moments(),
    ) {
        prop_assert_eq!(key.awaits_note_of(), None);
        prop_assert_eq!(by(&key, &notes, read), key);
    }

    /// What a change wrote of the notes that there were stays, whatever is noted later.
    #[test]
    fn leak_5_what_was_decided_by_notes_is_moved_by_none(
        first in moments(), notes in vec(moments(), 0..4), read in moments(),
    ) {
        for grace in [Grace::FromFirstUse(MINUTE), Grace::OpenUntilUsed] {
            let decided = by(&rotated(grace), &[first], first);
            let until = decided.secrets.previous.unwrap().until;
            let waits = matches!(until, Until::FirstUse { .. });
            prop_assert!(!waits);
            prop_assert_eq!(by(&decided, &notes, read), decided);
        }
    }
}
