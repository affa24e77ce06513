//! How long the previous secret works, who may rotate and who may finish.

mod first_use;

use super::*;
use crate::key::{Owner, tests::a_key};

const T0: Timestamp = Timestamp::from_seconds(1_000);
/// Of a rotation that is finished at once.
const NOW: Duration = Duration::ZERO;
const MINUTE: Duration = Duration::from_mins(1);

fn id(byte: u8) -> SecretId {
    SecretId::from_bytes([byte; 16])
}

fn working(key: &Key, now: Timestamp) -> Vec<u8> {
    (0..10)
        .filter(|byte| key.secrets.term(id(*byte), now).is_some())
        .collect()
}

#[test]
fn cbm_3_the_old_secret_works_for_24_hours_by_default() {
    let rotated = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(Grace::DEFAULT), T0)
        .unwrap();
    let end = T0 + Duration::from_hours(24);
    assert_eq!(rotated.ending, Some((id(1), end)));
    assert_eq!(
        rotated.entry,
        Some((
            Subject::Secret(id(1)),
            Effect::Expire {
                at: end,
                version: 1
            }
        ))
    );
    assert_eq!(
        working(&rotated.key, end.earlier_by(Duration::from_millis(1))),
        [1, 2]
    );
    assert_eq!(
        working(&rotated.key, end),
        [2],
        "at its end, whatever the table's TTL does"
    );
}

#[test]
fn arz_5_open_ended_until_finished_and_zero_at_once() {
    let open = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(Grace::Open), T0)
        .unwrap();
    assert_eq!((open.ending, &open.entry), (None, &None));
    assert_eq!(working(&open.key, Timestamp::LAST), [1, 2]);
    let finished = open.key.finish_rotation(NOW, T0).unwrap().unwrap();
    assert_eq!(
        finished.entry,
        Some((Subject::Secret(id(1)), Effect::Revoke))
    );
    assert_eq!(working(&finished.key, T0), [2]);
    assert_eq!(
        finished.key.finish_rotation(NOW, T0),
        Ok(None),
        "finishing again changes nothing"
    );

    let zero = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(Grace::FromNow(Duration::ZERO)), T0)
        .unwrap();
    assert_eq!(zero.entry, Some((Subject::Secret(id(1)), Effect::Revoke)));
    assert_eq!(working(&zero.key, T0), [2]);
}

#[test]
fn x_3_the_grace_starts_at_the_first_use_of_the_new_secret_and_only_then() {
    let grace = Grace::FromFirstUse(Duration::from_mins(1));
    let rotated = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(grace), T0)
        .unwrap()
        .key;
    assert_eq!(working(&rotated, Timestamp::LAST), [1, 2]);
    assert!(
        !rotated.secrets.term(id(1), T0).unwrap().starts_grace
            && rotated.secrets.term(id(2), T0).unwrap().starts_grace
    );
    assert_eq!(
        rotated.clone().start_grace(id(1), T0),
        None,
        "the old secret starts nothing"
    );
    let later = T0 + Duration::from_hours(1);
    let started = rotated.start_grace(id(2), later).unwrap();
    assert_eq!(
        started.ending,
        Some((id(1), later + Duration::from_mins(1)))
    );
    assert_eq!(working(&started.key, later + Duration::from_mins(1)), [2]);
    assert_eq!(started.key.start_grace(id(2), later), None, "once");
}

#[test]
fn leak_11_an_open_end_that_waits_for_the_first_use_is_open_after_it_too() {
    let waiting = a_key(id(1), T0)
        .rotate(id(2), Rotation::KeepReplaceable(Grace::OpenUntilUsed), T0)
        .unwrap();
    assert_eq!((waiting.ending, &waiting.entry), (None, &None));
    assert!(waiting.key.secrets.term(id(2), T0).unwrap().starts_grace);
    assert_eq!(
        waiting.key.require_rotatable_by(id(1), Rotation::Replace),
        Ok(()),
        "the new one may be lost"
    );
    let used = waiting.key.clone().start_grace(id(2), T0).unwrap();
    assert_eq!((used.ending, &used.entry), (None, &None));
    assert_eq!(working(&used.key, Timestamp::LAST), [1, 2]);
    assert!(!used.key.secrets.term(id(2), T0).unwrap().starts_grace);
    assert_eq!(used.key.clone().start_grace(id(2), T0), None, "once");
    assert!(
        used.key
            .require_rotatable_by(id(1), Rotation::Replace)
            .is_err(),
        "it is in use"
    );
    for key in [waiting.key, used.key] {
        let stored = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Key>(&stored).unwrap(), key);
    }
}

#[test]
fn leak_11_a_rotation_is_finished_in_a_while_and_never_later_than_it_would_be() {
    let rotated = |grace| {
        a_key(id(1), T0)
            .rotate(id(2), Rotation::Keep(grace), T0)
            .unwrap()
            .key
    };
    let hour = Duration::from_hours(1);
    let end = T0 + MINUTE;
    for grace in [
        Grace::Open,
        Grace::OpenUntilUsed,
        Grace::FromFirstUse(hour),
        Grace::FromNow(hour),
    ] {
        let finished = rotated(grace).finish_rotation(MINUTE, T0).unwrap().unwrap();
        assert_eq!(finished.ending, Some((id(1), end)), "{grace:?}");
        assert_eq!(
            finished.entry,
            Some((
                Subject::Secret(id(1)),
                Effect::Expire {
                    at: end,
                    version: 2
                }
            ))
        );
        assert_eq!(
            (working(&finished.key, T0), working(&finished.key, end)),
            (vec![1, 2], vec![2])
        );
        assert!(
            !finished.key.secrets.term(id(2), T0).unwrap().starts_grace,
            "a first use moves nothing any more"
        );
        let later = T0 + Duration::from_secs(30);
        assert_eq!(
            finished.key.clone().finish_rotation(MINUTE, later),
            Ok(None),
            "repeated, it gives no more time"
        );
        let at_once = finished.key.finish_rotation(NOW, later).unwrap().unwrap();
        assert_eq!(
            at_once.entry,
            Some((Subject::Secret(id(1)), Effect::Revoke))
        );
    }
    let short = rotated(Grace::FromFirstUse(MINUTE))
        .finish_rotation(hour, T0)
        .unwrap()
        .unwrap();
    assert_eq!(
        short.ending,
        Some((id(1), end)),
        "no more than its own grace"
    );
    assert_eq!(
        rotated(Grace::FromNow(MINUTE)).finish_rotation(hour, T0),
        Ok(None)
    );
    let over = rotated(Grace::FromNow(MINUTE)).finish_rotation(hour, T0 + hour);
    assert_eq!(over, Ok(None), "what is over does not come back");
}

#[test]
fn leak_11_a_previous_secret_does_not_finish_its_own_keys_rotation() {
    let key = a_key(id(1), T0);
    assert_eq!(key.require_finishable_by(id(1)), Ok(()));
    let key = key
        .rotate(id(2), Rotation::Keep(Grace::DEFAULT), T0)
        .unwrap()
        .key;
    assert_eq!(key.require_finishable_by(id(2)), Ok(()));
    assert_eq!(
        key.require_finishable_by(id(1)).map_err(|error| error.kind),
        Err(Kind::Forbidden)
    );
}

#[test]
fn never_more_than_one_previous_secret() {
    let rotated = a_key(id(1), T0)
        .rotate(id(2), Rotation::Keep(Grace::DEFAULT), T0)
        .unwrap()
        .key;
    let again = rotated
        .clone()
        .rotate(id(3), Rotation::Keep(Grace::DEFAULT), T0);
    assert_eq!(again.map_err(|error| error.kind), Err(Kind::Conflict));
    let replaced = rotated
        .clone()
        .rotate(id(3), Rotation::Replace, T0)
        .unwrap();
    assert_eq!(
        working(&replaced.key, T0),
        [1, 3],
        "the newest is replaced, the previous stays as it is"
    );
    assert_eq!(
        replaced.entry,
        Some((Subject::Secret(id(2)), Effect::Revoke))
    );
    let day_after = T0 + Duration::from_hours(25);
    assert_eq!(
        working(
            &rotated
                .rotate(id(3), Rotation::Keep(Grace::DEFAULT), day_after)
                .unwrap()
                .key,
            day_after
        ),
        [2, 3]
    );
}

#[test]
fn x_3_a_previous_secret_replaces_an_unused_current_one_only_where_the_rotation_asked_for_it() {
    let keep = Rotation::Keep(Grace::DEFAULT);
    let rotate = |rotation| a_key(id(1), T0).rotate(id(2), rotation, T0).unwrap().key;
    let rotated = |grace| rotate(Rotation::Keep(grace));
    let first_use = Grace::FromFirstUse(Duration::from_mins(1));
    let waiting = rotate(Rotation::KeepReplaceable(first_use));
    let used = waiting.clone().start_grace(id(2), T0).unwrap().key;
    for (key, own, rotation, may) in [
        (&waiting, 1, Rotation::Replace, true),
        (&waiting, 1, keep, false),
        (&waiting, 3, Rotation::Replace, false),
        (&used, 1, Rotation::Replace, false),
        // Where the rotation did not ask for it, it is a way to lock the owner out.
        (&rotated(first_use), 1, Rotation::Replace, false),
        (&rotated(Grace::OpenUntilUsed), 1, Rotation::Replace, false),
        (&rotated(Grace::Open), 1, Rotation::Replace, false),
        (&rotated(Grace::DEFAULT), 1, Rotation::Replace, false),
        (&used, 2, Rotation::Replace, true),
        (&used, 2, keep, true),
    ] {
        let told = key
            .require_rotatable_by(id(own), rotation)
            .map_err(|error| error.kind);
        assert_eq!(
            told,
            if may { Ok(()) } else { Err(Kind::Forbidden) },
            "{own} {rotation:?} {:?}",
            key.secrets
        );
    }
}

/// Whom the secrets in term were shown.
fn shown(key: &Key, now: Timestamp) -> Vec<Guid> {
    let people = key.secrets.in_term(now);
    people
        .flat_map(|(_, shown_to)| shown_to.people())
        .map(|minter| minter.user)
        .collect()
}

#[test]
fn leak_9_whom_a_secret_was_shown_is_remembered_until_it_ends() {
    let (user, admin) = (Guid::from_bytes([2; 16]), Guid::from_bytes([3; 16]));
    let by = |user| ShownTo {
        minted_by: Some(Minter { user, narrowed: 0 }),
        known_to: None,
    };
    let nobody = ShownTo::NOBODY;
    let rotate = |key: &Key, by, rotation| {
        key.clone()
            .rotate(id(9), rotation, T0)
            .unwrap()
            .key
            .with_shown_to(by)
    };
    let bank = a_key(id(1), T0).with_shown_to(by(admin));
    assert_eq!(shown(&bank, T0), [admin], "of a machine's key too");
    assert_eq!(bank.minters().count(), 0, "which rests on nobody");
    let personal = Key {
        owner: Owner::User(user),
        ..a_key(id(1), T0)
    };
    assert!(shown(&personal.clone().with_shown_to(nobody), T0).is_empty());
    let minted = personal.with_shown_to(by(admin));
    assert_eq!(
        (shown(&minted, T0), minted.minters().count()),
        (vec![admin], 1)
    );
    let (day, later) = (
        Rotation::Keep(Grace::DEFAULT),
        T0 + Duration::from_hours(24),
    );
    let rotated = rotate(&minted, nobody, day);
    assert!(
        shown(&rotated, T0) == [admin] && shown(&rotated, later).is_empty(),
        "the old one works for a day"
    );
    let finished = rotated.clone().finish_rotation(NOW, T0).unwrap().unwrap();
    assert!(shown(&finished.key, T0).is_empty());
    let replaced = rotated
        .rotate(id(8), Rotation::Replace, T0)
        .unwrap()
        .key
        .with_shown_to(nobody);
    assert_eq!(shown(&replaced, T0), [admin], "that leaves the old one");
    let at_once = Rotation::Keep(Grace::FromNow(Duration::ZERO));
    assert!(shown(&rotate(&minted, nobody, at_once), T0).is_empty());
    let first_use = Rotation::Keep(Grace::FromFirstUse(Duration::from_mins(1)));
    let started = rotate(&minted, nobody, first_use);
    let started = started.start_grace(id(9), T0).unwrap().key;
    assert!(
        shown(&started, T0) == [admin] && shown(&started, T0 + Duration::from_mins(1)).is_empty()
    );
    let stored = serde_json::to_string(&started).unwrap();
    assert_eq!(serde_json::from_str::<Key>(&stored).unwrap(), started);
}

#[test]
fn a_key_that_is_over_is_not_rotated() {
    let revoked = Key {
        state: State::Revoked { at: T0 },
        ..a_key(id(1), T0)
    };
    let expired = Key {
        expires_at: Some(T0),
        ..a_key(id(1), T0)
    };
    for key in [revoked, expired] {
        let refused = key.rotate(id(2), Rotation::Replace, T0).unwrap_err();
        assert!(
            refused.kind == Kind::Conflict && refused.message.contains("cannot be rotated"),
            "{refused}"
        );
    }
}
