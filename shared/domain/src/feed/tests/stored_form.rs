//! The form in which an entry is stored.

use std::fmt::Write;

use super::{MIDNIGHT, OWNER, USER, key, named, organization, secret};
use crate::{
    feed::{Cohort, Effect, EntryKey, Subject, decode, encode},
    key_mode::KeyMode,
};

/// The bytes as hexadecimal digits: they are for ever, since older readers must refuse by what
/// newer writers say.
fn hex(subject: &Subject, effect: Effect) -> String {
    let mut text = String::new();
    for byte in encode(subject, effect) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn is_what_it_always_was() {
    let id = "6b657900000000000000000000000000";
    let end = "000001a205b3d000";
    let cohort = Cohort {
        environment: Some(KeyMode::Live),
        created_from: Some(MIDNIGHT),
        created_until: Some(MIDNIGHT),
        owner: Some(OWNER),
        spared: vec![USER],
    };
    for (subject, effect, expected) in [
        (key("key"), Effect::Revoke, format!("00{id}")),
        (
            key("key"),
            Effect::Suspend { version: 7 },
            format!("01{id}0000000000000007"),
        ),
        (
            Subject::Secret(secret("key")),
            Effect::Resume { version: 258 },
            format!("12{id}0000000000000102"),
        ),
        (
            Subject::Token(named("key")),
            Effect::Expire {
                at: MIDNIGHT,
                version: 1,
            },
            format!("23{id}0000000000000001{end}"),
        ),
        (
            Subject::User(named("key")),
            Effect::Refresh,
            format!("34{id}"),
        ),
        (
            key("key"),
            Effect::Cover { until: MIDNIGHT },
            format!("05{id}{end}"),
        ),
        (
            Subject::Owner(named("key")),
            Effect::Revoke,
            format!("40{id}"),
        ),
        (
            Subject::Organization {
                guid: named("key"),
                cohort: Cohort::default(),
            },
            Effect::Revoke,
            format!("50{id}00"),
        ),
        (
            Subject::Organization {
                guid: named("key"),
                cohort,
            },
            Effect::Revoke,
            format!("50{id}3e{end}{end}{OWNER}01{USER}"),
        ),
    ] {
        assert_eq!(hex(&subject, effect), expected);
    }
}

#[test]
fn what_is_not_understood_is_an_error_and_what_is_behind_it_is_ignored() {
    let whole = encode(
        &organization(Cohort::OF_KYB),
        Effect::Suspend { version: 1 },
    );
    for length in 0..whole.len() {
        assert!(decode(&whole[..length]).is_err(), "{length} bytes");
    }
    for (at, byte) in [
        (0, 0x06),
        (0, 0x0f),
        (0, 0x60),
        (0, 0xf0),
        (25, 0x42),
        (25, 0x80),
        (25, 3),
    ] {
        let mut other = whole.clone();
        other[at] = byte;
        assert!(decode(&other).is_err(), "{byte:#x} at {at}");
    }
    let expire = Effect::Expire {
        at: MIDNIGHT,
        version: 1,
    };
    for time in [i64::MAX, -1] {
        let mut moved = encode(&key("key"), expire);
        moved[25..33].copy_from_slice(&time.to_be_bytes());
        assert!(decode(&moved).is_err(), "{time}");
    }
    let mut longer = whole.clone();
    longer.push(1);
    assert_eq!(decode(&longer), decode(&whole));
}

/// What each costs in the table: the key of 40 bytes, the names of two attributes, and a number.
#[test]
fn an_entry_is_short() {
    let moved = encode(
        &key("key"),
        Effect::Expire {
            at: MIDNIGHT,
            version: 1,
        },
    );
    assert!(moved.len() <= 33, "{}", moved.len());
    assert_eq!(encode(&key("key"), Effect::Revoke).len(), 17);
}

#[test]
fn an_entry_s_key_sorts_as_its_text() {
    let key = |millis, id: &str| EntryKey {
        time: super::shifted(MIDNIGHT, millis),
        id: id.into(),
    };
    let keys = [key(-1, "z"), key(0, "A"), key(0, "a"), key(1, "0")];
    assert!(keys.is_sorted());
    assert!(keys.iter().map(EntryKey::to_string).is_sorted());
    for key in keys {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    for text in ["", "2026-11-23T00:00:00.000Z", "noon#a", "#"] {
        assert!(text.parse::<EntryKey>().is_err(), "{text}");
    }
}
