//! How the revocation feed refuses a token, and the answer while the feed cannot be trusted.

use domain::{
    feed::{Cohort, Effect, Fact, Invalidation, Subject},
    ids::{ClientId, Guid},
    key_mode::KeyMode,
    time::Timestamp,
};
use jwt::{VerificationError, Verifier};

use super::{allows, refused, token};
use crate::{
    decision::{Decision, Unauthorized, Unavailable},
    request::Request,
    testing::world::{LIVE, NOW, SANDBOX, World, claims, feed, later, request},
};

#[test]
fn cbm_4_an_old_unread_or_future_feed_is_503() {
    let request = request(&token());
    let at = |feed_at: i64| {
        World {
            feed: feed(later(feed_at), &[]),
            ..World::new()
        }
        .decide(&request)
    };
    assert!(matches!(at(-4_000), Decision::Allow(_)));
    assert_eq!(at(-4_001), Decision::Unavailable(Unavailable::Feed));
    assert_eq!(
        at(1_000),
        Decision::Unavailable(Unavailable::Feed),
        "a negative age"
    );
    let cold = World {
        feed: domain::feed::Feed::default(),
        ..World::new()
    };
    assert_eq!(
        cold.decide(&request),
        Decision::Unavailable(Unavailable::Feed)
    );
    let expired = World {
        now: later(3_600_000),
        ..cold
    };
    assert_eq!(
        refused(&expired, &request),
        Unauthorized::Token(VerificationError::Expired),
        "what is refused anyway needs no feed"
    );
}

#[test]
fn x_1_every_fact_of_a_token_can_be_revoked() {
    let request = request(&token());
    for (subject, fact) in facts() {
        let world = World::with_feed(&[(Effect::Revoke, subject.clone())]);
        assert_eq!(
            refused(&world, &request),
            Unauthorized::Invalidated(Invalidation::Revoked(fact)),
            "{subject:?}"
        );
        let world = World::with_feed(&[(Effect::Suspend { version: 2 }, subject.clone())]);
        assert_eq!(
            refused(&world, &request),
            Unauthorized::Invalidated(Invalidation::Suspended(fact)),
            "{subject:?}"
        );
        let world = World::with_feed(&[(
            Effect::Expire {
                at: NOW,
                version: 2,
            },
            subject.clone(),
        )]);
        assert_eq!(
            refused(&world, &request),
            Unauthorized::Invalidated(Invalidation::Expired(fact)),
            "{subject:?}"
        );
        let world = World::with_feed(&[(
            Effect::Expire {
                at: later(1),
                version: 2,
            },
            subject.clone(),
        )]);
        assert!(allows(&world, &request), "its new end has not come");
        let frozen = Request {
            time: Some(later(1)),
            ..request.clone()
        };
        assert_eq!(
            refused(&world, &frozen),
            Unauthorized::Invalidated(Invalidation::Expired(fact)),
            "by the gateway's clock it has"
        );
        assert!(
            allows(
                &World::with_feed(&[(Effect::Refresh, subject.clone())]),
                &request
            ),
            "a token says itself what it may do"
        );
        let world = World::with_feed(&[
            (Effect::Suspend { version: 2 }, subject.clone()),
            (Effect::Resume { version: 3 }, subject),
        ]);
        assert!(allows(&world, &request));
    }
    for others in others() {
        assert!(
            allows(
                &World::with_feed(&[(Effect::Revoke, others.clone())]),
                &request
            ),
            "{others:?}"
        );
    }
}

/// Every fact of the token, as a subject of the feed.
fn facts() -> Vec<(Subject, Fact)> {
    let (at, next) = creation();
    vec![
        (Subject::Key(claims().client_id), Fact::Key),
        (Subject::Secret(claims().sid), Fact::Secret),
        (Subject::Token(claims().jti), Fact::Token),
        (Subject::Owner(Guid::from_bytes([5; 16])), Fact::Owner),
        (of_organization(Cohort::default()), Fact::Organization),
        (
            of_organization(Cohort {
                environment: Some(KeyMode::Sandbox),
                ..Cohort::default()
            }),
            Fact::Organization,
        ),
        (
            of_organization(Cohort {
                owner: claims().owner.bank(),
                ..Cohort::default()
            }),
            Fact::Organization,
        ),
        (created(Some(at), Some(next)), Fact::Organization),
    ]
}

/// Subjects that are close to the token's, and not the token's.
fn others() -> Vec<Subject> {
    let (at, next) = creation();
    vec![
        Subject::Key(ClientId::of(Guid::from_bytes([0; 16]))),
        Subject::Owner(Guid::from_bytes([6; 16])),
        Subject::Owner(claims().org),
        of_organization(Cohort {
            environment: Some(KeyMode::Live),
            ..Cohort::default()
        }),
        created(Some(next), None),
        created(None, Some(at)),
    ]
}

/// When the token's key was made, and the next moment.
fn creation() -> (Timestamp, Timestamp) {
    let at = claims().key_created;
    (at, Timestamp::from_millis(at.millis() + 1))
}

fn of_organization(cohort: Cohort) -> Subject {
    Subject::Organization {
        guid: claims().org,
        cohort,
    }
}

/// The organization's keys that were made between these.
fn created(created_from: Option<Timestamp>, created_until: Option<Timestamp>) -> Subject {
    of_organization(Cohort {
        created_from,
        created_until,
        ..Cohort::default()
    })
}

#[test]
fn a_remembered_token_is_refused_once_it_is_revoked_or_its_key_withdrawn() {
    let mut world = World::new();
    let request = request(&token());
    assert!(allows(&world, &request));
    world.feed = feed(NOW, &[(Effect::Revoke, Subject::Key(claims().client_id))]);
    assert_eq!(
        refused(&world, &request),
        Unauthorized::Invalidated(Invalidation::Revoked(Fact::Key))
    );
    world.feed = feed(NOW, &[]);
    assert!(allows(&world, &request));
    world.verifier = Verifier::new([(KeyMode::Sandbox, LIVE.jwk())]).unwrap();
    assert_eq!(
        refused(&world, &request),
        Unauthorized::Token(VerificationError::UnknownKey)
    );
    world.verifier = Verifier::new([(KeyMode::Live, SANDBOX.jwk())]).unwrap();
    assert_eq!(
        refused(&world, &request),
        Unauthorized::Token(VerificationError::KeyOfOtherKind)
    );
}
