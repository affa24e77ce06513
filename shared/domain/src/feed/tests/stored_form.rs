//! The form in which an entry is stored.

use super::{MIDNIGHT, entry, key, organization};
use crate::{
    feed::{Cohort, Effect, Entry},
    key_mode::KeyMode,
};

#[test]
fn is_flat_and_says_only_what_is_set() {
    let cohort = Cohort {
        environment: Some(KeyMode::Live),
        created_from: Some(MIDNIGHT),
        created_until: None,
        owner: None,
    };
    let suspend = entry(
        MIDNIGHT,
        Effect::Suspend { version: 7 },
        organization(cohort),
    );
    assert_eq!(
        serde_json::to_value(suspend).unwrap(),
        serde_json::json!({
            "time": "2026-11-23T00:00:00.000Z", "id": "entry", "effect": "suspend", "version": 7,
            "subject": "organization", "name": "organization", "environment": "live",
            "created_from": "2026-11-23T00:00:00.000Z",
        })
    );
    assert_eq!(
        serde_json::to_value(entry(MIDNIGHT, Effect::Revoke, key("k"))).unwrap(),
        serde_json::json!({
            "time": "2026-11-23T00:00:00.000Z", "id": "entry", "effect": "revoke", "subject": "key",
            "name": "k",
        })
    );
}

#[test]
fn what_is_not_understood_is_an_error() {
    let good = serde_json::json!({
        "time": "2026-11-23T00:00:00.000Z", "id": "e", "effect": "revoke", "subject": "key",
        "name": "k", "PK": "F#0",
    });
    assert!(
        serde_json::from_value::<Entry>(good.clone()).is_ok(),
        "the table's own attributes are ignored"
    );
    for (member, value) in [
        ("effect", "pause"),
        ("subject", "planet"),
        ("effect", "suspend"),
        ("effect", "expire"),
        ("time", "noon"),
    ] {
        let mut bad = good.clone();
        bad[member] = value.into();
        assert!(
            serde_json::from_value::<Entry>(bad).is_err(),
            "{member}: {value}"
        );
    }
}
