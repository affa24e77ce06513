//! How the revocation feed refuses a personal key, and the answer while the feed cannot be trusted.

use domain::{
    feed::{Cohort, Effect, Fact, Invalidation, Subject},
    ids::{ClientId, Guid},
    key_mode::KeyMode,
    time::Timestamp,
};
use jwt::Expected;

use super::{allows, of, refused};
use crate::{
    decision::{Decision, Unauthorized, Unavailable},
    testing::{
        person::{KEY, MADE, ORGANIZATION, SECRET, USER, secret},
        world::{ISSUER, NOW, World, claims, feed, later, request},
    },
};

#[test]
fn x_1_every_fact_of_a_personal_key_can_be_withdrawn() {
    let organization = |cohort| Subject::Organization {
        guid: ORGANIZATION,
        cohort,
    };
    let cohort = |created_from, created_until| {
        organization(Cohort {
            created_from,
            created_until,
            ..Cohort::default()
        })
    };
    let next = Timestamp::from_millis(MADE.millis() + 1);
    for (subject, fact) in [
        (Subject::Key(KEY), Fact::Key),
        (Subject::Secret(SECRET), Fact::Secret),
        (Subject::User(USER), Fact::User),
        (organization(Cohort::default()), Fact::Organization),
        (
            organization(Cohort {
                owner: Some(USER),
                ..Cohort::default()
            }),
            Fact::Organization,
        ),
        (
            organization(Cohort {
                environment: Some(KeyMode::Sandbox),
                ..Cohort::default()
            }),
            Fact::Organization,
        ),
        (cohort(Some(MADE), Some(next)), Fact::Organization),
    ] {
        for (effect, invalidation) in [
            (Effect::Revoke, Invalidation::Revoked(fact)),
            (
                Effect::Suspend { version: 2 },
                Invalidation::Suspended(fact),
            ),
            (
                Effect::Expire {
                    at: NOW,
                    version: 2,
                },
                Invalidation::Expired(fact),
            ),
        ] {
            let world = World::with_feed(&[(effect, subject.clone())]);
            assert_eq!(
                refused(&world),
                Unauthorized::Invalidated(invalidation),
                "{subject:?}"
            );
        }
        for harmless in [
            Effect::Resume { version: 2 },
            Effect::Expire {
                at: later(1),
                version: 2,
            },
            Effect::Refresh,
        ] {
            assert!(
                allows(&World::with_feed(&[(harmless, subject.clone())])),
                "{harmless:?}"
            );
        }
    }
    for others in [
        Subject::Key(ClientId::of(Guid::from_bytes([0; 16]))),
        Subject::Secret(claims().sid),
        Subject::User(Guid::from_bytes([7; 16])),
        Subject::Owner(USER),
        organization(Cohort {
            owner: Some(ORGANIZATION),
            ..Cohort::default()
        }),
        organization(Cohort {
            environment: Some(KeyMode::Live),
            ..Cohort::default()
        }),
        cohort(Some(next), None),
        cohort(None, Some(MADE)),
    ] {
        assert!(
            allows(&World::with_feed(&[(Effect::Revoke, others.clone())])),
            "{others:?}"
        );
    }
}

/// By one entry KYB suspends every live key of the organization, and gates those of machines alone.
#[test]
fn arz_3_withdrawn_kyb_stops_no_live_personal_key_and_hides_nothing_else() {
    let organization = |cohort| Subject::Organization {
        guid: ORGANIZATION,
        cohort,
    };
    let by_kyb = || (Effect::Suspend { version: 5 }, organization(Cohort::OF_KYB));
    let live = |entries: &[(Effect, Subject)]| {
        let mut world = of(|person| person.key.kind = KeyMode::Live);
        world.settings.expected =
            Expected::of_issuer(ISSUER).accepting(KeyMode::Live, "https://live.example");
        World {
            feed: feed(NOW, entries),
            ..world
        }
    };
    assert!(allows(&live(&[by_kyb()])));
    let suspend = Effect::Suspend { version: 2 };
    for (effect, subject, invalidation) in [
        (
            suspend,
            organization(Cohort::default()),
            Invalidation::Suspended(Fact::Organization),
        ),
        (
            suspend,
            Subject::User(USER),
            Invalidation::Suspended(Fact::User),
        ),
        (
            suspend,
            Subject::Key(KEY),
            Invalidation::Suspended(Fact::Key),
        ),
        (
            Effect::Revoke,
            organization(Cohort::OF_KYB),
            Invalidation::Revoked(Fact::Organization),
        ),
        (
            Effect::Revoke,
            organization(Cohort::default()),
            Invalidation::Revoked(Fact::Organization),
        ),
        (
            Effect::Revoke,
            Subject::Secret(SECRET),
            Invalidation::Revoked(Fact::Secret),
        ),
        (
            Effect::Expire {
                at: NOW,
                version: 2,
            },
            Subject::Key(KEY),
            Invalidation::Expired(Fact::Key),
        ),
    ] {
        let world = live(&[by_kyb(), (effect, subject.clone())]);
        assert_eq!(
            refused(&world),
            Unauthorized::Invalidated(invalidation),
            "{effect:?} {subject:?}"
        );
    }
}

#[test]
fn cbm_4_an_old_unread_or_future_feed_is_503_for_personal_keys_too() {
    let at = |millis| {
        World {
            feed: feed(later(millis), &[]),
            ..World::new()
        }
        .decide(&request(&secret()))
    };
    assert!(matches!(at(-4_000), Decision::Allow(_)));
    assert_eq!(at(-4_001), Decision::Unavailable(Unavailable::Feed));
    assert_eq!(
        at(1_000),
        Decision::Unavailable(Unavailable::Feed),
        "a negative age"
    );
}
