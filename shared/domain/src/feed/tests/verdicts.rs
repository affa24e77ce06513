//! Which entries refuse a credential, and which of several entries decides.

use super::{
    CREDENTIAL, MIDNIGHT, OWNER, RULES, USER, entry, exchange, feed_of, key, named, organization,
    read, secret, shifted,
};
use crate::{
    feed::{
        Cohort, Credential, Effect, Entry, Fact, Feed, Invalidation, Parent, Subject, Validity,
    },
    ids::{ClientId, Guid},
    key_mode::KeyMode,
};

#[test]
fn every_fact_of_a_credential_can_be_revoked() {
    let cases = [
        (key("key"), Fact::Key),
        (Subject::Secret(secret("secret")), Fact::Secret),
        (Subject::Token(named("token")), Fact::Token),
        (Subject::User(USER), Fact::User),
        (Subject::Owner(OWNER), Fact::Owner),
        (organization(Cohort::default()), Fact::Organization),
    ];
    for (subject, fact) in cases {
        let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, subject)]);
        assert_eq!(
            feed.verdict(&CREDENTIAL, MIDNIGHT),
            Some(Invalidation::Revoked(fact))
        );
        let other = Credential {
            client_id: ClientId::of(named("k")),
            secret: secret("s"),
            token: None,
            user: None,
            minters: &[],
            owner: None,
            organization: named("o"),
            ..CREDENTIAL
        };
        assert_eq!(feed.verdict(&other, MIDNIGHT), None);
    }
}

#[test]
fn an_identifier_names_one_class_alone() {
    assert_eq!(
        feed_of([entry(MIDNIGHT, Effect::Revoke, key("secret"))]).verdict(&CREDENTIAL, MIDNIGHT),
        None
    );
}

#[test]
fn revoking_any_ancestor_kills_a_derived_token() {
    let parent = |name: &str| Parent {
        client_id: ClientId::of(named(&format!("{name} key"))),
        sid: secret(&format!("{name} secret")),
        jti: named(&format!("{name} token")),
    };
    let parents = [parent("mother"), parent("aunt")];
    let derived = Credential {
        parents: &parents,
        ..CREDENTIAL
    };
    for (subject, fact) in [
        (key("mother key"), Fact::Key),
        (Subject::Secret(secret("mother secret")), Fact::Secret),
        (Subject::Token(named("aunt token")), Fact::Token),
    ] {
        let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, subject)]);
        assert_eq!(
            feed.verdict(&derived, MIDNIGHT),
            Some(Invalidation::Revoked(fact))
        );
    }
}

#[test]
fn a_creation_interval_includes_its_start_and_excludes_its_end() {
    let of = |created_from, created_until| {
        let cohort = Cohort {
            created_from,
            created_until,
            ..Cohort::default()
        };
        feed_of([entry(MIDNIGHT, Effect::Revoke, organization(cohort))])
            .verdict(&CREDENTIAL, MIDNIGHT)
            .is_some()
    };
    let later = shifted(MIDNIGHT, 1);
    assert!(of(Some(MIDNIGHT), None));
    assert!(!of(Some(later), None));
    assert!(of(None, Some(later)));
    assert!(!of(None, Some(MIDNIGHT)));
    assert!(of(Some(MIDNIGHT), Some(later)));
    assert!(
        !of(Some(MIDNIGHT), Some(MIDNIGHT)),
        "an empty interval covers nothing"
    );
}

#[test]
fn an_environment_limits_an_organization_entry() {
    for (kind, refused) in [(KeyMode::Live, true), (KeyMode::Sandbox, false)] {
        let cohort = Cohort {
            environment: Some(kind),
            ..Cohort::default()
        };
        let feed = feed_of([entry(
            MIDNIGHT,
            Effect::Suspend { version: 1 },
            organization(cohort),
        )]);
        assert_eq!(feed.verdict(&CREDENTIAL, MIDNIGHT).is_some(), refused);
    }
}

/// KYB suspends every live key of the organization by one entry, and gates those of machines alone.
#[test]
fn kyb_stops_no_personal_key_and_everything_else_does() {
    const PERSONAL: Credential<'_> = Credential {
        token: None,
        owner: None,
        ..CREDENTIAL
    };
    let suspend = Effect::Suspend { version: 1 };
    let by_kyb = || entry(MIDNIGHT, suspend, organization(Cohort::OF_KYB));
    let kyb = feed_of([by_kyb()]);
    assert_eq!(kyb.verdict(&PERSONAL, MIDNIGHT), None);
    assert_ne!(
        kyb.footprint(&PERSONAL),
        Feed::default().footprint(&PERSONAL),
        "it is read anew all the same"
    );
    let of_a_bank = Credential {
        user: None,
        ..CREDENTIAL
    };
    for gated in [
        of_a_bank,
        Credential {
            token: None,
            ..of_a_bank
        },
        Credential {
            owner: None,
            ..CREDENTIAL
        },
    ] {
        assert_eq!(
            kyb.verdict(&gated, MIDNIGHT),
            Some(Invalidation::Suspended(Fact::Organization)),
            "{gated:?}"
        );
    }

    let window = Cohort {
        created_from: Some(MIDNIGHT),
        ..Cohort::OF_KYB
    };
    let subjects = [
        (key("key"), Fact::Key),
        (Subject::Secret(secret("secret")), Fact::Secret),
        (Subject::User(USER), Fact::User),
        (organization(Cohort::default()), Fact::Organization),
        (organization(window), Fact::Organization),
        (
            organization(Cohort {
                owner: Some(USER),
                ..Cohort::OF_KYB
            }),
            Fact::Organization,
        ),
    ];
    let revoke = (
        Effect::Revoke,
        Invalidation::Revoked as fn(Fact) -> Invalidation,
    );
    let expire = (
        Effect::Expire {
            at: MIDNIGHT,
            version: 1,
        },
        Invalidation::Expired as fn(Fact) -> Invalidation,
    );
    for (subject, fact) in subjects {
        for (effect, invalidation) in [revoke, (suspend, Invalidation::Suspended), expire] {
            let feed = feed_of([by_kyb(), entry(MIDNIGHT, effect, subject.clone())]);
            assert_eq!(
                feed.verdict(&PERSONAL, MIDNIGHT),
                Some(invalidation(fact)),
                "{effect:?} {subject:?}"
            );
        }
    }
    for (effect, invalidation) in [revoke, expire] {
        let feed = feed_of([
            by_kyb(),
            entry(MIDNIGHT, effect, organization(Cohort::OF_KYB)),
        ]);
        assert_eq!(
            feed.verdict(&PERSONAL, MIDNIGHT),
            Some(invalidation(Fact::Organization)),
            "{effect:?} of KYB's own cohort"
        );
    }
}

#[test]
fn resuming_one_subject_leaves_another_suspended() {
    let feed = feed_of([
        entry(
            MIDNIGHT,
            Effect::Suspend { version: 1 },
            organization(Cohort::default()),
        ),
        entry(MIDNIGHT, Effect::Suspend { version: 1 }, key("key")),
        entry(MIDNIGHT, Effect::Resume { version: 2 }, key("key")),
    ]);
    assert_eq!(
        feed.verdict(&CREDENTIAL, MIDNIGHT),
        Some(Invalidation::Suspended(Fact::Organization))
    );
}

#[test]
fn arz_4_an_earlier_end_is_compared_at_the_decision_and_the_newest_version_counts() {
    let expire = |at, version| {
        entry(
            MIDNIGHT,
            Effect::Expire {
                at: shifted(MIDNIGHT, at),
                version,
            },
            key("key"),
        )
    };
    let feed = feed_of([expire(1_000, 1)]);
    assert_eq!(feed.verdict(&CREDENTIAL, shifted(MIDNIGHT, 999)), None);
    assert_eq!(
        feed.verdict(&CREDENTIAL, shifted(MIDNIGHT, 1_000)),
        Some(Invalidation::Expired(Fact::Key))
    );
    let moved = feed_of([expire(5_000, 2), expire(1_000, 1)]);
    assert_eq!(moved.verdict(&CREDENTIAL, shifted(MIDNIGHT, 1_000)), None);
    assert_eq!(
        moved.verdict(&CREDENTIAL, shifted(MIDNIGHT, 5_000)),
        Some(Invalidation::Expired(Fact::Key))
    );
    let suspended = feed_of([
        entry(MIDNIGHT, Effect::Suspend { version: 1 }, key("key")),
        expire(9_000, 2),
    ]);
    assert_eq!(
        suspended.verdict(&CREDENTIAL, MIDNIGHT),
        Some(Invalidation::Suspended(Fact::Key)),
        "an end gives nothing back"
    );
}

#[test]
fn a_cohort_may_name_an_owner() {
    for (owner, refused) in [(OWNER, true), (USER, true), (Guid::PLATFORM, false)] {
        let cohort = Cohort {
            owner: Some(owner),
            ..Cohort::default()
        };
        let feed = feed_of([entry(MIDNIGHT, Effect::Revoke, organization(cohort))]);
        assert_eq!(
            feed.verdict(&CREDENTIAL, MIDNIGHT).is_some(),
            refused,
            "{owner}"
        );
    }
}

#[test]
fn the_footprint_changes_with_whatever_touches_the_credential_and_nothing_else() {
    let quiet = Feed::default().footprint(&CREDENTIAL);
    let refresh = |id: &str, subject| Entry {
        time: MIDNIGHT,
        id: id.into(),
        effect: Effect::Refresh,
        subject,
    };
    for subject in [
        key("key"),
        Subject::User(USER),
        organization(Cohort::default()),
    ] {
        let once = feed_of([refresh("a", subject.clone())]);
        assert_eq!(
            once.verdict(&CREDENTIAL, MIDNIGHT),
            None,
            "it refuses nothing"
        );
        assert_ne!(once.footprint(&CREDENTIAL), quiet);
        let twice = feed_of([refresh("a", subject.clone()), refresh("b", subject.clone())]);
        assert_ne!(
            twice.footprint(&CREDENTIAL),
            once.footprint(&CREDENTIAL),
            "at one time by another change"
        );
        let read_again = feed_of([refresh("a", subject.clone()), refresh("a", subject)]);
        assert_eq!(
            read_again.footprint(&CREDENTIAL),
            once.footprint(&CREDENTIAL)
        );
    }
    assert_eq!(
        feed_of([refresh("a", key("other"))]).footprint(&CREDENTIAL),
        quiet
    );
}

#[test]
fn the_version_says_what_came_last_not_a_clock_or_a_second_writing() {
    let feed = feed_of([
        entry(
            shifted(MIDNIGHT, 20_000),
            Effect::Resume { version: 1 },
            key("key"),
        ),
        entry(MIDNIGHT, Effect::Suspend { version: 2 }, key("key")),
        entry(
            shifted(MIDNIGHT, 30_000),
            Effect::Resume { version: 1 },
            key("key"),
        ),
    ]);
    assert_eq!(
        feed.verdict(&CREDENTIAL, MIDNIGHT),
        Some(Invalidation::Suspended(Fact::Key))
    );
}

const COVER: Effect = Effect::Cover { until: MIDNIGHT };
const LOOKED_UP: i64 = 75 * 60 * 1_000;

#[test]
fn what_is_covered_is_looked_up_until_nothing_from_before_lives() {
    let parents = [Parent {
        client_id: ClientId::of(named("mother")),
        sid: secret("mother"),
        jti: named("mother"),
    }];
    let derived = Credential {
        parents: &parents,
        ..CREDENTIAL
    };
    for subject in [key("key"), key("mother"), organization(Cohort::default())] {
        let feed = feed_of([entry(MIDNIGHT, COVER, subject)]);
        let validity = |at| feed.validity(&derived, at, at);
        assert_eq!(
            [-1, 0, LOOKED_UP, LOOKED_UP + 1].map(|millis| validity(shifted(MIDNIGHT, millis))),
            {
                use Validity::{LookUp, Valid};
                [LookUp, LookUp, LookUp, Valid]
            }
        );
        let (earlier, later) = (MIDNIGHT, shifted(MIDNIGHT, LOOKED_UP + 1));
        assert_eq!(
            feed.validity(&derived, earlier, later),
            Validity::LookUp,
            "by the earlier of two clocks"
        );
    }
    let other = feed_of([entry(MIDNIGHT, COVER, key("other"))]);
    assert_eq!(
        other.validity(&derived, MIDNIGHT, MIDNIGHT),
        Validity::Valid
    );
}

/// What was given back under a cover has no entry.
#[test]
fn while_something_is_looked_up_only_what_is_final_refuses() {
    let cover = entry(MIDNIGHT, COVER, organization(Cohort::default()));
    let validity = |effect| {
        feed_of([cover.clone(), entry(MIDNIGHT, effect, key("key"))]).validity(
            &CREDENTIAL,
            MIDNIGHT,
            MIDNIGHT,
        )
    };
    let ended = Effect::Expire {
        at: MIDNIGHT,
        version: 1,
    };
    for effect in [Effect::Suspend { version: 1 }, ended, Effect::Refresh] {
        assert_eq!(validity(effect), Validity::LookUp, "{effect:?}");
    }
    assert_eq!(
        validity(Effect::Revoke),
        Validity::Invalid(Invalidation::Revoked(Fact::Key))
    );
}

#[test]
fn without_a_cover_the_validity_is_the_verdict() {
    for effect in [
        Effect::Revoke,
        Effect::Suspend { version: 1 },
        Effect::Resume { version: 1 },
    ] {
        let feed = feed_of([entry(MIDNIGHT, effect, key("key"))]);
        let verdict = feed.verdict(&CREDENTIAL, MIDNIGHT);
        assert_eq!(
            feed.validity(&CREDENTIAL, MIDNIGHT, MIDNIGHT),
            verdict.map_or(Validity::Valid, Validity::Invalid)
        );
    }
}

/// A suspend whose resume stands in the tables alone must not outlive the look-up, whatever else
/// was said of its subject later.
#[test]
fn each_effect_is_forgotten_by_its_own_time() {
    let window = i64::try_from(RULES.window().as_millis()).unwrap();
    let mut feed = feed_of([
        entry(MIDNIGHT, Effect::Suspend { version: 1 }, key("key")),
        entry(MIDNIGHT, COVER, key("key")),
    ]);
    let later = shifted(MIDNIGHT, window + 1);
    let again = entry(later, Effect::Refresh, key("key"));
    read(&mut feed, [again], exchange(later));
    assert_eq!(feed.verdict(&CREDENTIAL, later), None);
    assert_eq!(
        feed.validity(&CREDENTIAL, later, later),
        Validity::LookUp,
        "the cover is kept until it is not asked any more"
    );
    let end = shifted(MIDNIGHT, LOOKED_UP + 60_001);
    let unrelated = entry(end, Effect::Refresh, key("other"));
    read(&mut feed, [unrelated], exchange(end));
    assert_eq!(feed.validity(&CREDENTIAL, end, end), Validity::Valid);
}
