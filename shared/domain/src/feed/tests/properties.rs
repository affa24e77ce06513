//! Properties of all feeds: order and repetition do not matter, a revoke is final, and only old
//! entries are pruned.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    CREDENTIAL, MIDNIGHT, OWNER, RULES, USER, entry, exchange, feed_of, key, organization, shifted,
};
use crate::{
    feed::{Cohort, Credential, Effect, Entry, Exchange, Invalidation, Subject},
    ids::Guid,
    key_mode::KeyMode,
};

/// Few identifiers and times, so that entries meet.
fn subjects() -> impl Strategy<Value = Subject> {
    let id = || select(vec!["key", "secret", "token", "other"]).prop_map(String::from);
    let guid = || select(vec![USER, OWNER]).prop_map(|guid| guid.to_string());
    let limit = || option::of((-2..=2i64).prop_map(|millis| shifted(MIDNIGHT, millis)));
    let owners = option::of(select(vec![USER, OWNER, Guid::PLATFORM]));
    let cohorts = (
        option::of(select(KeyMode::ALL.to_vec())),
        limit(),
        limit(),
        owners,
    )
        .prop_map(|(environment, created_from, created_until, owner)| Cohort {
            environment,
            created_from,
            created_until,
            owner,
        });
    prop_oneof![
        id().prop_map(Subject::Key),
        id().prop_map(Subject::Secret),
        id().prop_map(Subject::Token),
        guid().prop_map(Subject::User),
        guid().prop_map(Subject::Owner),
        cohorts.prop_map(organization),
    ]
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let effects = prop_oneof![
        Just(Effect::Revoke),
        (0..4u64).prop_map(|version| Effect::Suspend { version }),
        (0..4u64).prop_map(|version| Effect::Resume { version }),
        (0..4u64, -1..=1i64).prop_map(|(version, at)| Effect::Expire {
            at: shifted(MIDNIGHT, at),
            version
        }),
        Just(Effect::Refresh),
    ];
    let times = (-2_000_000..=0i64).prop_map(|millis| shifted(MIDNIGHT, millis));
    vec(
        (times, effects, subjects())
            .prop_map(|(time, effect, subject)| entry(time, effect, subject)),
        0..12,
    )
}

/// The same by the plainest reading of the rules: all entries, one after the other.
fn plain_verdict(entries: &[Entry]) -> Option<bool> {
    let covers = |subject: &Subject| match subject {
        Subject::Key(id) => id == "key",
        Subject::Secret(id) => id == "secret",
        Subject::Token(id) => id == "token",
        Subject::User(id) => *id == USER.to_string(),
        Subject::Owner(id) => *id == OWNER.to_string(),
        Subject::Organization { cohort, .. } => {
            cohort.contains(KeyMode::Live, MIDNIGHT, &[USER, OWNER])
        }
    };
    let covering: Vec<_> = entries
        .iter()
        .filter(|entry| covers(&entry.subject))
        .collect();
    if covering.iter().any(|entry| entry.effect == Effect::Revoke) {
        return Some(true);
    }
    let stopped = |subject: &Subject| {
        let of = || covering.iter().filter(|entry| entry.subject == *subject);
        let switch = of().filter_map(|entry| match entry.effect {
            Effect::Suspend { version } => Some((version, true)),
            Effect::Resume { version } => Some((version, false)),
            _ => None,
        });
        let end = of().filter_map(|entry| match entry.effect {
            Effect::Expire { at, version } => Some((version, at <= MIDNIGHT)),
            _ => None,
        });
        switch.max().is_some_and(|(_, suspended)| suspended)
            || end.max().is_some_and(|(_, over)| over)
    };
    covering
        .iter()
        .any(|entry| stopped(&entry.subject))
        .then_some(false)
}

proptest! {
    #[test]
    fn neither_order_nor_repetition_nor_division_into_reads_matters(
        (entries, shuffled) in entries()
            .prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
        cut in 0..12usize,
    ) {
        let whole = feed_of(entries);
        let (first, second) = shuffled.split_at(cut.min(shuffled.len()));
        let mut pieces = feed_of(first.to_vec());
        pieces.absorb(second.to_vec(), &exchange(MIDNIGHT)).unwrap();
        pieces.absorb(first.to_vec(), &exchange(MIDNIGHT)).unwrap();
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn the_verdict_is_that_of_the_plainest_reading(entries in entries()) {
        let found = feed_of(entries.clone())
            .verdict(&CREDENTIAL, MIDNIGHT)
            .map(|invalidation| matches!(invalidation, Invalidation::Revoked(_)));
        prop_assert_eq!(found, plain_verdict(&entries));
    }

    #[test]
    fn nothing_undoes_a_revoke(subject in subjects(), before in entries(), after in entries()) {
        let revoke = entry(MIDNIGHT, Effect::Revoke, subject);
        let refused = feed_of([revoke.clone()]).verdict(&CREDENTIAL, MIDNIGHT).is_some();
        let mut feed = feed_of(before);
        feed.absorb([revoke], &exchange(MIDNIGHT)).unwrap();
        feed.absorb(after, &exchange(MIDNIGHT)).unwrap();
        let verdict = feed.verdict(&CREDENTIAL, MIDNIGHT);
        prop_assert!(!refused || matches!(verdict, Some(Invalidation::Revoked(_))));
    }

    /// The reader's clock decides, when an entry newer than all before arrives.
    #[test]
    fn pruning_drops_what_is_past_the_window_and_nothing_else(
        age in 0..9_000_000i64,
        ahead in 0..10_000i64,
        others in entries(),
    ) {
        let window = i64::try_from(RULES.window().as_millis()).unwrap();
        let mut feed = feed_of([entry(shifted(MIDNIGHT, -age), Effect::Revoke, key("old"))]);
        let newest = entry(MIDNIGHT, Effect::Revoke, key("newest"));
        let now = shifted(MIDNIGHT, ahead);
        let read = Exchange { sent: now, answered: now, date: MIDNIGHT };
        feed.absorb(others.into_iter().chain([newest]), &read).unwrap();
        let old = Credential {
            client_id: "old",
            secret: "",
            token: None,
            user: None,
            owner: None,
            organization: "",
            ..CREDENTIAL
        };
        prop_assert_eq!(feed.verdict(&old, MIDNIGHT).is_some(), age + ahead <= window);
    }

    #[test]
    fn the_stored_form_reads_back(entries in entries()) {
        for entry in entries {
            let stored = serde_json::to_string(&entry).unwrap();
            prop_assert_eq!(serde_json::from_str::<Entry>(&stored).unwrap(), entry);
        }
    }
}
