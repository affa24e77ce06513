//! Properties of all feeds: order and repetition do not matter, a revoke is final, and only old
//! entries are pruned.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    CREDENTIAL, MIDNIGHT, OWNER, RULES, USER, entry, exchange, feed_of, key, named, organization,
    read, secret,
    segments::{EAGER, cold_feed, segments},
    shifted,
};
use crate::{
    feed::{
        Cohort, Credential, Effect, Entry, Invalidation, Rules, Segment, Subject, Validity, decode,
        encode,
    },
    ids::{ClientId, Guid},
    key_mode::KeyMode,
};

/// Few identifiers and times, so that entries meet.
fn subjects() -> impl Strategy<Value = Subject> {
    let id = || select(vec!["key", "secret", "token", "other"]);
    let guid = || select(vec![USER, OWNER]);
    let limit = || option::of((-2..=2i64).prop_map(|millis| shifted(MIDNIGHT, millis)));
    let owners = option::of(select(vec![USER, OWNER, Guid::PLATFORM]));
    let cohorts = (
        option::of(select(KeyMode::ALL.to_vec())),
        limit(),
        limit(),
        owners,
        select(vec![Vec::new(), vec![USER], vec![OWNER, USER]]),
    )
        .prop_map(
            |(environment, created_from, created_until, owner, spared)| Cohort {
                environment,
                created_from,
                created_until,
                owner,
                spared,
            },
        );
    prop_oneof![
        id().prop_map(key),
        id().prop_map(|name| Subject::Secret(secret(name))),
        id().prop_map(|name| Subject::Token(named(name))),
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
        (-1..=1i64).prop_map(|at| Effect::Cover {
            until: shifted(MIDNIGHT, at)
        }),
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
        Subject::Key(id) => *id == CREDENTIAL.client_id,
        Subject::Secret(id) => *id == CREDENTIAL.secret,
        Subject::Token(id) => Some(*id) == CREDENTIAL.token,
        Subject::User(id) => *id == USER,
        Subject::Owner(id) => *id == OWNER,
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
        read(&mut pieces, second.to_vec(), exchange(MIDNIGHT));
        read(&mut pieces, first.to_vec(), exchange(MIDNIGHT));
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
        read(&mut feed, [revoke], exchange(MIDNIGHT));
        read(&mut feed, after, exchange(MIDNIGHT));
        let verdict = feed.verdict(&CREDENTIAL, MIDNIGHT);
        prop_assert!(!refused || matches!(verdict, Some(Invalidation::Revoked(_))));
    }

    /// The reader's clock decides, once a minute.
    #[test]
    fn pruning_drops_what_is_past_the_window_and_nothing_else(
        age in 0..9_000_000i64,
        later in 60_000..70_000i64,
        others in entries(),
    ) {
        let window = i64::try_from(RULES.window().as_millis()).unwrap();
        let mut feed = feed_of([entry(shifted(MIDNIGHT, -age), Effect::Revoke, key("old"))]);
        let newest = entry(MIDNIGHT, Effect::Revoke, key("newest"));
        let now = shifted(MIDNIGHT, later);
        read(&mut feed, others.into_iter().chain([newest]), exchange(now));
        let old = Credential {
            client_id: ClientId::of(named("old")),
            secret: secret(""),
            token: None,
            user: None,
            minters: &[],
            owner: None,
            organization: named(""),
            ..CREDENTIAL
        };
        prop_assert_eq!(feed.verdict(&old, MIDNIGHT).is_some(), age + later <= window);
    }

    /// Whatever is in segments, and wherever they end, a credential is looked up or judged as by
    /// the entries themselves.
    #[test]
    fn segments_say_what_the_entries_say_or_have_it_looked_up(
        entries in entries(),
        segment_hints in 1..5usize,
        tail in 0..2_000i64,
    ) {
        let rules = Rules { segment_hints, ..EAGER };
        let mut made = segments(&rules, entries.clone());
        made.retain(|segment| segment.until <= shifted(MIDNIGHT, -1_000 * tail));
        let by_segments = cold_feed(&made, &entries).validity(&CREDENTIAL, MIDNIGHT, MIDNIGHT);
        let by_entries = feed_of(entries).validity(&CREDENTIAL, MIDNIGHT, MIDNIGHT);
        // Of several entries that refuse, one may be in a segment.
        let is_the_same = match (by_segments, by_entries) {
            (Validity::Invalid(one), Validity::Invalid(other)) => {
                std::mem::discriminant(&one) == std::mem::discriminant(&other)
            }
            (one, other) => one == other,
        };
        prop_assert!(
            by_segments == Validity::LookUp || is_the_same,
            "{by_segments:?} {by_entries:?}"
        );
    }

    #[test]
    fn whole_entries_of_segments_read_back(entries in entries()) {
        for segment in segments(&EAGER, entries) {
            let bytes = segment.encode_whole().unwrap();
            prop_assert_eq!(Segment::decode_whole(&bytes), Ok(segment.whole.clone()));
            let cut = &bytes[..bytes.len().saturating_sub(1)];
            prop_assert!(bytes.is_empty() || Segment::decode_whole(cut).is_err());
        }
    }

    #[test]
    fn the_stored_form_reads_back(entries in entries()) {
        for entry in entries {
            let stored = encode(&entry.subject, entry.effect);
            prop_assert_eq!(decode(&stored), Ok((entry.subject, entry.effect)));
        }
    }
}
