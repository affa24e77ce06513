//! What the model takes for granted: one feed, one entry, one exchange.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Cohort, Credential, Effect, Entry, Exchange, Fact, Feed, Parent, Publication, Refusal, Rules, Standing, Subject};
use crate::{ids::Guid, kind::Kind, time::Timestamp};

const RULES: Rules = Rules::STANDARD;
/// A whole second, so that a `Date` can say it.
const MIDNIGHT: Timestamp = Timestamp::from_seconds(1_795_392_000);

const USER: Guid = Guid::from_bytes([7; 16]);
const OWNER: Guid = Guid::from_bytes([8; 16]);

const CREDENTIAL: Credential<'_> = Credential {
    client_id: "key",
    secret: "secret",
    token: Some("token"),
    user: Some(USER),
    owner: Some(OWNER),
    organization: "organization",
    kind: Kind::Live,
    key_created: MIDNIGHT,
    parents: &[],
};

fn entry(time: Timestamp, effect: Effect, subject: Subject) -> Entry {
    Entry { time, id: "entry".into(), effect, subject }
}

fn key(id: &str) -> Subject {
    Subject::Key(id.into())
}

fn organization(cohort: Cohort) -> Subject {
    Subject::Organization { guid: "organization".into(), cohort }
}

/// By a right clock, answered at once.
fn exchange(at: Timestamp) -> Exchange {
    Exchange { sent: at, answered: at, date: Timestamp::from_seconds(at.seconds()) }
}

fn feed_of(entries: impl IntoIterator<Item = Entry>) -> Feed {
    let mut feed = Feed::default();
    feed.absorb(entries, &exchange(MIDNIGHT)).unwrap();
    feed
}

fn shifted(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis() + millis)
}

mod verdicts {
    use super::*;

    #[test]
    fn every_fact_of_a_credential_can_be_revoked() {
        let cases = [
            (key("key"), Fact::Key),
            (Subject::Secret("secret".into()), Fact::Secret),
            (Subject::Token("token".into()), Fact::Token),
            (Subject::User(USER.to_string()), Fact::User),
            (Subject::Owner(OWNER.to_string()), Fact::Owner),
            (organization(Cohort::default()), Fact::Organization),
        ];
        for (subject, fact) in cases {
            let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, subject)]);
            assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT), Some(Refusal::Revoked(fact)));
            let other =
                Credential { client_id: "k", secret: "s", token: None, user: None, owner: None, organization: "o", ..CREDENTIAL };
            assert_eq!(feed.verdict(&other, MIDNIGHT), None);
        }
    }

    #[test]
    fn an_identifier_names_one_class_alone() {
        assert_eq!(feed_of([entry(MIDNIGHT, Effect::Revoke, key("secret"))]).verdict(&CREDENTIAL, MIDNIGHT), None);
    }

    #[test]
    fn revoking_any_ancestor_kills_a_derived_token() {
        let parent =
            |name: &str| Parent { client_id: format!("{name} key"), sid: format!("{name} secret"), jti: format!("{name} token") };
        let parents = [parent("mother"), parent("grandmother")];
        let derived = Credential { parents: &parents, ..CREDENTIAL };
        for (subject, fact) in [
            (key("mother key"), Fact::Key),
            (Subject::Secret("mother secret".into()), Fact::Secret),
            (Subject::Token("grandmother token".into()), Fact::Token),
        ] {
            let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, subject)]);
            assert_eq!(feed.verdict(&derived, MIDNIGHT), Some(Refusal::Revoked(fact)));
        }
    }

    #[test]
    fn a_creation_interval_includes_its_start_and_excludes_its_end() {
        let of = |created_from, created_until| {
            let cohort = Cohort { created_from, created_until, ..Cohort::default() };
            feed_of([entry(MIDNIGHT, Effect::Revoke, organization(cohort))]).verdict(&CREDENTIAL, MIDNIGHT).is_some()
        };
        let later = shifted(MIDNIGHT, 1);
        assert!(of(Some(MIDNIGHT), None));
        assert!(!of(Some(later), None));
        assert!(of(None, Some(later)));
        assert!(!of(None, Some(MIDNIGHT)));
        assert!(of(Some(MIDNIGHT), Some(later)));
        assert!(!of(Some(MIDNIGHT), Some(MIDNIGHT)), "an empty interval covers nothing");
    }

    #[test]
    fn an_environment_limits_an_organization_entry() {
        for (kind, refused) in [(Kind::Live, true), (Kind::Sandbox, false)] {
            let cohort = Cohort { environment: Some(kind), ..Cohort::default() };
            let feed = feed_of([entry(MIDNIGHT, Effect::Suspend { version: 1 }, organization(cohort))]);
            assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT).is_some(), refused);
        }
    }

    /// KYB suspends every live key of the organization by one entry, and gates those of machines alone.
    #[test]
    fn kyb_stops_no_personal_key_and_everything_else_does() {
        const PERSONAL: Credential<'_> = Credential { token: None, owner: None, ..CREDENTIAL };
        let suspend = Effect::Suspend { version: 1 };
        let by_kyb = || entry(MIDNIGHT, suspend, organization(Cohort::OF_KYB));
        let kyb = feed_of([by_kyb()]);
        assert_eq!(kyb.verdict(&PERSONAL, MIDNIGHT), None);
        assert_ne!(kyb.footprint(&PERSONAL), Feed::default().footprint(&PERSONAL), "it is read anew all the same");
        let of_a_bank = Credential { user: None, ..CREDENTIAL };
        for gated in [of_a_bank, Credential { token: None, ..of_a_bank }, Credential { owner: None, ..CREDENTIAL }] {
            assert_eq!(kyb.verdict(&gated, MIDNIGHT), Some(Refusal::Suspended(Fact::Organization)), "{gated:?}");
        }

        let window = Cohort { created_from: Some(MIDNIGHT), ..Cohort::OF_KYB };
        let subjects = [
            (key("key"), Fact::Key),
            (Subject::Secret("secret".into()), Fact::Secret),
            (Subject::User(USER.to_string()), Fact::User),
            (organization(Cohort::default()), Fact::Organization),
            (organization(window), Fact::Organization),
            (organization(Cohort { owner: Some(USER), ..Cohort::OF_KYB }), Fact::Organization),
        ];
        let revoke = (Effect::Revoke, Refusal::Revoked as fn(Fact) -> Refusal);
        let expire = (Effect::Expire { at: MIDNIGHT, version: 1 }, Refusal::Expired as fn(Fact) -> Refusal);
        for (subject, fact) in subjects {
            for (effect, refusal) in [revoke, (suspend, Refusal::Suspended), expire] {
                let feed = feed_of([by_kyb(), entry(MIDNIGHT, effect, subject.clone())]);
                assert_eq!(feed.verdict(&PERSONAL, MIDNIGHT), Some(refusal(fact)), "{effect:?} {subject:?}");
            }
        }
        for (effect, refusal) in [revoke, expire] {
            let feed = feed_of([by_kyb(), entry(MIDNIGHT, effect, organization(Cohort::OF_KYB))]);
            assert_eq!(feed.verdict(&PERSONAL, MIDNIGHT), Some(refusal(Fact::Organization)), "{effect:?} of KYB's own cohort");
        }
    }

    #[test]
    fn resuming_one_subject_leaves_another_suspended() {
        let feed = feed_of([
            entry(MIDNIGHT, Effect::Suspend { version: 1 }, organization(Cohort::default())),
            entry(MIDNIGHT, Effect::Suspend { version: 1 }, key("key")),
            entry(MIDNIGHT, Effect::Resume { version: 2 }, key("key")),
        ]);
        assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT), Some(Refusal::Suspended(Fact::Organization)));
    }

    #[test]
    fn arz_4_an_earlier_end_is_compared_at_the_decision_and_the_newest_version_counts() {
        let expire = |at, version| entry(MIDNIGHT, Effect::Expire { at: shifted(MIDNIGHT, at), version }, key("key"));
        let feed = feed_of([expire(1_000, 1)]);
        assert_eq!(feed.verdict(&CREDENTIAL, shifted(MIDNIGHT, 999)), None);
        assert_eq!(feed.verdict(&CREDENTIAL, shifted(MIDNIGHT, 1_000)), Some(Refusal::Expired(Fact::Key)));
        let moved = feed_of([expire(5_000, 2), expire(1_000, 1)]);
        assert_eq!(moved.verdict(&CREDENTIAL, shifted(MIDNIGHT, 1_000)), None);
        assert_eq!(moved.verdict(&CREDENTIAL, shifted(MIDNIGHT, 5_000)), Some(Refusal::Expired(Fact::Key)));
        let suspended = feed_of([entry(MIDNIGHT, Effect::Suspend { version: 1 }, key("key")), expire(9_000, 2)]);
        assert_eq!(suspended.verdict(&CREDENTIAL, MIDNIGHT), Some(Refusal::Suspended(Fact::Key)), "an end gives nothing back");
    }

    #[test]
    fn a_cohort_may_name_an_owner() {
        for (owner, refused) in [(OWNER, true), (USER, true), (Guid::PLATFORM, false)] {
            let cohort = Cohort { owner: Some(owner), ..Cohort::default() };
            let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, organization(cohort))]);
            assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT).is_some(), refused, "{owner}");
        }
    }

    #[test]
    fn the_footprint_changes_with_whatever_touches_the_credential_and_nothing_else() {
        let quiet = Feed::default().footprint(&CREDENTIAL);
        let refresh = |id: &str, subject| Entry { time: MIDNIGHT, id: id.into(), effect: Effect::Refresh, subject };
        for subject in [key("key"), Subject::User(USER.to_string()), organization(Cohort::default())] {
            let once = feed_of([refresh("a", subject.clone())]);
            assert_eq!(once.verdict(&CREDENTIAL, MIDNIGHT), None, "it refuses nothing");
            assert_ne!(once.footprint(&CREDENTIAL), quiet);
            let twice = feed_of([refresh("a", subject.clone()), refresh("b", subject.clone())]);
            assert_ne!(twice.footprint(&CREDENTIAL), once.footprint(&CREDENTIAL), "at one time by another change");
            let read_again = feed_of([refresh("a", subject.clone()), refresh("a", subject)]);
            assert_eq!(read_again.footprint(&CREDENTIAL), once.footprint(&CREDENTIAL));
        }
        assert_eq!(feed_of([refresh("a", key("other"))]).footprint(&CREDENTIAL), quiet);
    }

    #[test]
    fn the_version_says_what_came_last_not_a_clock_or_a_second_writing() {
        let feed = feed_of([
            entry(shifted(MIDNIGHT, 20_000), Effect::Resume { version: 1 }, key("key")),
            entry(MIDNIGHT, Effect::Suspend { version: 2 }, key("key")),
            entry(shifted(MIDNIGHT, 30_000), Effect::Resume { version: 1 }, key("key")),
        ]);
        assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT), Some(Refusal::Suspended(Fact::Key)));
    }
}

mod reading {
    use super::*;

    #[test]
    fn a_cold_feed_is_stale_and_reads_the_whole_window() {
        let feed = Feed::default();
        assert_eq!(feed.standing(MIDNIGHT, None), Standing::Stale);
        assert_eq!(feed.query_start(MIDNIGHT), MIDNIGHT.earlier_by(Duration::from_mins(70)));
    }

    #[test]
    fn a_warm_feed_reads_from_the_overlap_before_the_newest_entry() {
        let feed = feed_of([entry(shifted(MIDNIGHT, -5_000), Effect::Revoke, key("key"))]);
        assert_eq!(feed.query_start(MIDNIGHT), shifted(MIDNIGHT, -65_000));
    }

    #[test]
    fn an_entry_from_the_future_does_not_hide_those_before_it() {
        let feed = feed_of([entry(shifted(MIDNIGHT, 3_600_000), Effect::Revoke, key("key"))]);
        assert_eq!(feed.query_start(MIDNIGHT), shifted(MIDNIGHT, -60_000));
    }

    #[test]
    fn the_age_runs_by_the_later_clock_and_must_not_be_negative() {
        let feed = feed_of([]);
        let at = |millis| feed.standing(shifted(MIDNIGHT, millis), None);
        assert_eq!([-1, 0, 1_000, 1_001, 4_000, 4_001].map(at), {
            use Standing::{Ageing, Fresh, Stale};
            [Stale, Fresh, Fresh, Ageing, Ageing, Stale]
        });
        let frozen = |request| feed.standing(MIDNIGHT, Some(shifted(MIDNIGHT, request)));
        assert_eq!([-60_000, 1_001, 4_001].map(frozen), [Standing::Fresh, Standing::Ageing, Standing::Stale]);
    }

    #[test]
    fn a_clock_that_ran_ahead_during_the_read_does_not_make_it_younger() {
        let mut feed = Feed::default();
        let ahead = Exchange { sent: shifted(MIDNIGHT, 9_000), answered: shifted(MIDNIGHT, 9_000), date: MIDNIGHT };
        feed.absorb([], &ahead).unwrap();
        assert_eq!(feed.standing(shifted(MIDNIGHT, 5_000), None), Standing::Ageing);
        assert_eq!(feed.standing(shifted(MIDNIGHT, 5_001), None), Standing::Stale);
    }

    #[test]
    fn a_read_by_a_clock_out_of_bound_does_not_count() {
        let mut feed = Feed::default();
        let ahead = Exchange { sent: shifted(MIDNIGHT, 3_600_000), answered: shifted(MIDNIGHT, 3_600_000), date: MIDNIGHT };
        assert!(feed.absorb([entry(MIDNIGHT, Effect::Revoke, key("key"))], &ahead).is_err());
        assert_eq!(feed, Feed::default());
    }

    #[test]
    fn after_the_clock_was_set_back_the_next_read_counts() {
        let mut feed = Feed::default();
        feed.absorb([], &exchange(shifted(MIDNIGHT, 9_000))).unwrap();
        assert_eq!(feed.standing(MIDNIGHT, None), Standing::Stale);
        feed.absorb([], &exchange(MIDNIGHT)).unwrap();
        assert_eq!(feed.standing(MIDNIGHT, None), Standing::Fresh);
    }
}

mod writing {
    use super::*;

    #[test]
    fn an_entry_counts_when_known_visible_within_ten_seconds_of_its_own_time() {
        let answered_after = |millis| RULES.publication(&exchange(shifted(MIDNIGHT, millis)), MIDNIGHT);
        assert_eq!([0, 10_000].map(answered_after), [Publication::Published; 2]);
        assert_eq!([-1, 10_001].map(answered_after), [Publication::WriteAgain; 2]);
    }

    #[test]
    fn an_entry_by_a_clock_out_of_bound_never_counts() {
        let ahead = Exchange { date: shifted(MIDNIGHT, -11_000), ..exchange(MIDNIGHT) };
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
        assert!(within(0, 0) && within(999, 999), "a right clock, anywhere in the header's second");
        assert!(within(10_000, 10_000) && !within(10_001, 10_001), "ahead: the second may just have begun");
        assert!(within(-9_000, -9_000) && !within(-9_001, -9_001), "behind: the second may be nearly over");
        assert!(within(-9_000, 10_000) && !within(0, 10_001), "slow");
    }

    #[test]
    fn the_table_keeps_an_entry_for_a_day_after_it_ceased_to_matter() {
        assert_eq!(RULES.entry_expires(MIDNIGHT), MIDNIGHT + Duration::from_mins(70) + Duration::from_hours(24));
    }
}

mod stored_form {
    use super::*;

    #[test]
    fn is_flat_and_says_only_what_is_set() {
        let cohort = Cohort { environment: Some(Kind::Live), created_from: Some(MIDNIGHT), created_until: None, owner: None };
        let suspend = entry(MIDNIGHT, Effect::Suspend { version: 7 }, organization(cohort));
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
                "time": "2026-11-23T00:00:00.000Z", "id": "entry", "effect": "revoke", "subject": "key", "name": "k",
            })
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let good = serde_json::json!({
            "time": "2026-11-23T00:00:00.000Z", "id": "e", "effect": "revoke", "subject": "key", "name": "k", "PK": "F#0",
        });
        assert!(serde_json::from_value::<Entry>(good.clone()).is_ok(), "the table's own attributes are ignored");
        for (member, value) in
            [("effect", "pause"), ("subject", "planet"), ("effect", "suspend"), ("effect", "expire"), ("time", "noon")]
        {
            let mut bad = good.clone();
            bad[member] = value.into();
            assert!(serde_json::from_value::<Entry>(bad).is_err(), "{member}: {value}");
        }
    }
}

mod properties {
    use super::*;

    /// Few identifiers and times, so that entries meet.
    fn subjects() -> impl Strategy<Value = Subject> {
        let id = || select(vec!["key", "secret", "token", "other"]).prop_map(String::from);
        let guid = || select(vec![USER, OWNER]).prop_map(|guid| guid.to_string());
        let edge = || option::of((-2..=2i64).prop_map(|millis| shifted(MIDNIGHT, millis)));
        let owners = option::of(select(vec![USER, OWNER, Guid::PLATFORM]));
        let cohorts = (option::of(select(Kind::ALL.to_vec())), edge(), edge(), owners).prop_map(
            |(environment, created_from, created_until, owner)| Cohort { environment, created_from, created_until, owner },
        );
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
            (0..4u64, -1..=1i64).prop_map(|(version, at)| Effect::Expire { at: shifted(MIDNIGHT, at), version }),
            Just(Effect::Refresh),
        ];
        let times = (-2_000_000..=0i64).prop_map(|millis| shifted(MIDNIGHT, millis));
        vec((times, effects, subjects()).prop_map(|(time, effect, subject)| entry(time, effect, subject)), 0..12)
    }

    /// The same by the plainest reading of the rules: all entries, one after the other.
    fn plain_verdict(entries: &[Entry]) -> Option<bool> {
        let covers = |subject: &Subject| match subject {
            Subject::Key(id) => id == "key",
            Subject::Secret(id) => id == "secret",
            Subject::Token(id) => id == "token",
            Subject::User(id) => *id == USER.to_string(),
            Subject::Owner(id) => *id == OWNER.to_string(),
            Subject::Organization { cohort, .. } => cohort.contains(Kind::Live, MIDNIGHT, &[USER, OWNER]),
        };
        let covering: Vec<_> = entries.iter().filter(|entry| covers(&entry.subject)).collect();
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
            switch.max().is_some_and(|(_, suspended)| suspended) || end.max().is_some_and(|(_, over)| over)
        };
        covering.iter().any(|entry| stopped(&entry.subject)).then_some(false)
    }

    proptest! {
        #[test]
        fn neither_order_nor_repetition_nor_division_into_reads_matters(
            (entries, shuffled) in entries().prop_flat_map(|entries| (Just(entries.clone()), Just(entries).prop_shuffle())),
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
            let found = feed_of(entries.clone()).verdict(&CREDENTIAL, MIDNIGHT).map(|refusal| matches!(refusal, Refusal::Revoked(_)));
            prop_assert_eq!(found, plain_verdict(&entries));
        }

        #[test]
        fn nothing_undoes_a_revoke(subject in subjects(), before in entries(), after in entries()) {
            let revoke = entry(MIDNIGHT, Effect::Revoke, subject);
            let refused = feed_of([revoke.clone()]).verdict(&CREDENTIAL, MIDNIGHT).is_some();
            let mut feed = feed_of(before);
            feed.absorb([revoke], &exchange(MIDNIGHT)).unwrap();
            feed.absorb(after, &exchange(MIDNIGHT)).unwrap();
            prop_assert!(!refused || matches!(feed.verdict(&CREDENTIAL, MIDNIGHT), Some(Refusal::Revoked(_))));
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
            let read = Exchange { sent: shifted(MIDNIGHT, ahead), answered: shifted(MIDNIGHT, ahead), date: MIDNIGHT };
            feed.absorb(others.into_iter().chain([newest]), &read).unwrap();
            let old = Credential { client_id: "old", secret: "", token: None, user: None, owner: None, organization: "", ..CREDENTIAL };
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
}
