//! What is covered is looked up: what the tables are asked for, how long an answer counts, what it
//! refuses and lets in, and what a failure costs (`domain::feed::Rules`, Covers).

#![expect(
    clippy::disallowed_methods,
    reason = "tokio's own time, which stands while anything runs"
)]

use std::{sync::atomic::Ordering, time::Duration};

use domain::{
    feed::{Cohort, Effect, Fact, Invalidation, Subject},
    gate::Kyb,
    ids::{ClientId, Guid, SecretId},
    key::{Rotation, State},
    key_mode::KeyMode,
};
use jwt::Claims;
use tokio::time::Instant;

use self::scene::{Held, PARENT, PARENT_TOKEN, Scene, derived, key, organization, token};
use crate::{
    decision::{Decision, KeyError, Unauthorized, Unavailable},
    testing::{
        person::rotated,
        world::{NOW, claims, later},
    },
};

mod scene;

const NOT_LOOKED_UP: Decision = Decision::Unavailable(Unavailable::LookUp);

fn refused(why: KeyError) -> Decision {
    Decision::Unauthorized(Unauthorized::Key(why))
}

fn revoked(fact: Fact) -> Decision {
    Decision::Unauthorized(Unauthorized::Invalidated(Invalidation::Revoked(fact)))
}

fn names(claims: &Claims) -> Vec<String> {
    let mut names = vec![format!("G#{}", claims.org)];
    names.extend([
        format!("K#{}", claims.client_id),
        format!("T#{}", claims.jti),
    ]);
    names.extend(claims.parent.iter().flat_map(|parent| {
        [
            format!("K#{}", parent.client_id),
            format!("T#{}", parent.jti),
        ]
    }));
    names.sort();
    names
}

#[tokio::test]
async fn what_is_not_covered_is_not_looked_up() {
    let scene = Scene::new();
    let other = Guid::from_bytes([9; 16]);
    let until = later(300_000);
    scene.cover(Subject::Key(ClientId::of(other)), until);
    let (guid, cohort) = (other, Cohort::default());
    scene.cover(Subject::Organization { guid, cohort }, until);
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [[""; 0]; 0]);
}

#[tokio::test]
async fn a_key_with_its_token_and_gate_is_looked_up_once_a_second() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [names(&claims())]);
    for _ in 0..10 {
        scene.advance(100);
        assert!(scene.passes(&claims()).await);
    }
    assert_eq!(scene.looked_up(), [[""; 0]; 0]);
    scene.advance(1);
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [names(&claims())]);
}

/// Introspection answers for a change of its own instance at once, however young its look-up is.
#[tokio::test]
async fn what_was_looked_up_before_an_own_change_is_looked_up_again() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    scene.revoke_another_token().await;
    assert_eq!(scene.looked_up(), [names(&claims())]);
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [names(&claims())], "once more");
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [[""; 0]; 0], "and then not");
}

#[tokio::test]
async fn what_two_tokens_share_is_asked_for_once() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    assert!(scene.passes(&derived()).await);
    let shared = names(&claims());
    let rest = names(&derived())
        .into_iter()
        .filter(|name| !shared.contains(name));
    assert_eq!(scene.looked_up(), [shared.clone(), rest.collect()]);
}

/// Its key may have any number of tokens.
#[tokio::test]
async fn of_a_key_that_is_known_as_revoked_no_other_token_is_looked_up() {
    let scene = Scene::covered();
    scene.set(|held| held.key.state = State::Revoked { at: NOW });
    assert_eq!(scene.call(&claims()).await, refused(KeyError::Revoked));
    assert_eq!(scene.looked_up(), [names(&claims())]);
    let another = Claims {
        jti: Guid::from_bytes([0x0e; 16]),
        ..claims()
    };
    assert_eq!(scene.call(&another).await, refused(KeyError::Revoked));
    assert_eq!(scene.looked_up(), [[""; 0]; 0]);
}

/// It acts for whoever derived it: a cover of the parent's key covers it too.
#[tokio::test]
async fn cyb_8_a_token_is_looked_up_where_a_key_is_covered_that_it_was_derived_from() {
    let scene = Scene::new();
    scene.cover(Subject::Key(PARENT), later(300_000));
    assert!(scene.passes(&claims()).await);
    assert_eq!(scene.looked_up(), [[""; 0]; 0]);
    assert!(scene.passes(&derived()).await);
    assert_eq!(scene.looked_up(), [names(&derived())]);
}

#[tokio::test]
async fn cbm_4_what_the_tables_have_against_a_token_refuses_it() {
    type Change = fn(&mut Held);
    let stories: [(&str, Change, Decision); 12] = [
        (
            "key revoked",
            |held| held.key.state = State::Revoked { at: NOW },
            refused(KeyError::Revoked),
        ),
        (
            "key stopped",
            |held| held.key.state = State::Deactivated,
            refused(KeyError::Deactivated),
        ),
        (
            "key past its end",
            |held| held.key.expires_at = Some(NOW),
            refused(KeyError::Expired),
        ),
        (
            "key gone",
            |held| held.key.client_id = ClientId::of(Guid::from_bytes([1; 16])),
            refused(KeyError::Revoked),
        ),
        (
            "secret replaced",
            |held| {
                held.key = rotated(
                    &held.key,
                    SecretId::from_bytes([1; 16]),
                    Rotation::Replace,
                    NOW,
                )
                .unwrap();
            },
            refused(KeyError::SecretEnded),
        ),
        (
            "organization suspended",
            |held| held.gate.suspended = true,
            refused(KeyError::Deactivated),
        ),
        (
            "incident",
            |held| {
                held.gate.revocations.push(Cohort {
                    owner: Some(claims().owner.guid()),
                    ..Cohort::default()
                });
            },
            refused(KeyError::Revoked),
        ),
        (
            "token revoked",
            |held| held.revoked.push(derived().jti),
            revoked(Fact::Token),
        ),
        (
            "parent's key revoked",
            |held| held.parent.state = State::Revoked { at: NOW },
            refused(KeyError::Revoked),
        ),
        (
            "parent's key stopped",
            |held| held.parent.state = State::Deactivated,
            refused(KeyError::Deactivated),
        ),
        (
            "parent's secret replaced",
            |held| {
                held.parent = rotated(
                    &held.parent,
                    SecretId::from_bytes([1; 16]),
                    Rotation::Replace,
                    NOW,
                )
                .unwrap();
            },
            refused(KeyError::SecretEnded),
        ),
        (
            "parent's token revoked",
            |held| held.revoked.push(PARENT_TOKEN),
            revoked(Fact::Token),
        ),
    ];
    for (story, change, expected) in stories {
        let scene = Scene::covered();
        assert!(scene.passes(&derived()).await, "{story}");
        scene.set(change);
        scene.advance(1_001);
        assert_eq!(scene.call(&derived()).await, expected, "{story}");
    }
}

#[tokio::test]
async fn arz_3_kyb_stands_in_the_gate_for_live_keys() {
    let scene = Scene::covered();
    let live = Claims {
        env: KeyMode::Live,
        aud: "https://live.example".into(),
        ..claims()
    };
    scene.set(|held| {
        held.key = key(claims().client_id, claims().sid, KeyMode::Live);
        held.gate.kyb = Kyb::Approved;
    });
    assert!(scene.passes(&live).await);
    scene.set(|held| held.gate.kyb = Kyb::Rejected);
    scene.advance(1_001);
    assert_eq!(scene.call(&live).await, refused(KeyError::Deactivated));
}

/// The resume was covered: it stands only in the tables.
#[tokio::test]
async fn what_the_feed_stops_or_ends_and_the_tables_do_not_works() {
    let scene = Scene::new();
    let (at, version) = (NOW, 7);
    for (effect, subject) in [
        (
            Effect::Suspend { version },
            Subject::Key(claims().client_id),
        ),
        (Effect::Suspend { version }, organization()),
        (
            Effect::Expire { at, version },
            Subject::Key(claims().client_id),
        ),
    ] {
        scene.publish(effect, subject);
    }
    assert!(!scene.passes(&claims()).await);
    scene.cover(organization(), later(300_000));
    scene.advance(1_001);
    assert!(scene.passes(&claims()).await);
}

#[tokio::test]
async fn what_the_feed_knows_as_revoked_is_refused_without_a_look_up() {
    let scene = Scene::covered();
    scene.publish(Effect::Revoke, Subject::Secret(claims().sid));
    assert_eq!(scene.call(&claims()).await, revoked(Fact::Secret));
    assert_eq!(scene.looked_up(), [[""; 0]; 0]);
}

/// 75 minutes after the end of the cover: all that was issued before its last change is over.
#[tokio::test]
async fn a_cover_is_looked_up_until_what_was_issued_before_its_end_is_over() {
    let until = later(300_000);
    let scene = Scene::covered();
    for (after, is_looked_up) in [(75 * 60_000, true), (75 * 60_000 + 1, false)] {
        let now = until + Duration::from_millis(after);
        scene.set(|held| held.now = now);
        let young = Claims {
            iat: now,
            nbf: now,
            exp: now + Duration::from_mins(1),
            ..claims()
        };
        assert!(scene.passes(&young).await, "{after}");
        assert_eq!(!scene.looked_up().is_empty(), is_looked_up, "{after}");
    }
}

#[tokio::test]
async fn an_answer_counts_for_four_seconds_where_the_next_one_does_not_come() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    scene.set(|held| held.is_down = true);
    scene.advance(4_000);
    assert!(scene.passes(&claims()).await);
    scene.advance(1);
    assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_503_and_asked_for_once_a_second() {
    for fault in [
        (|held: &mut Held| held.is_down = true) as fn(&mut Held),
        |held| held.leaves_unprocessed = true,
        |held| held.behind = Duration::from_secs(6),
    ] {
        let scene = Scene::covered();
        scene.set(fault);
        for _ in 0..2 {
            for _ in 0..5 {
                assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
            }
            assert_eq!(scene.looked_up().len(), 1);
            scene.advance(1_000);
        }
        scene.set(|held| {
            (held.is_down, held.leaves_unprocessed) = (false, false);
            held.behind = Duration::ZERO;
        });
        assert!(scene.passes(&claims()).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_hangs_is_given_up_after_250_milliseconds() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    scene.advance(4_001);
    // It reads the feed, and looks nothing up. From then on the table hangs.
    let of_other = Claims {
        org: Guid::from_bytes([9; 16]),
        ..claims()
    };
    assert!(scene.passes(&of_other).await);
    scene.takes.store(60_000, Ordering::SeqCst);
    let began = Instant::now();
    assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
    assert_eq!(began.elapsed(), Duration::from_millis(250));
    assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
    assert_eq!(began.elapsed(), Duration::from_millis(250), "at once");
}

/// One organization's failures cost no other one anything; those of three in a row are the table's.
#[tokio::test]
async fn after_three_failures_in_a_row_nobody_looks_up_for_a_second() {
    let scene = Scene::new();
    let of = |byte: u8| Claims {
        org: Guid::from_bytes([byte; 16]),
        ..claims()
    };
    for byte in 20..24 {
        let (guid, cohort) = (of(byte).org, Cohort::default());
        scene.cover(Subject::Organization { guid, cohort }, later(300_000));
    }
    scene.set(|held| held.is_down = true);
    for byte in 20..24 {
        assert_eq!(scene.call(&of(byte)).await, NOT_LOOKED_UP);
    }
    assert_eq!(scene.looked_up().len(), 3);
    scene.advance(1_000);
    assert_eq!(scene.call(&of(23)).await, NOT_LOOKED_UP);
    assert_eq!(scene.looked_up().len(), 1);
}

/// Its own failures are remembered for itself, however many.
#[tokio::test]
async fn one_organization_s_failures_in_a_row_cost_no_other_one_a_look_up() {
    let scene = Scene::covered();
    let other = Guid::from_bytes([20; 16]);
    let (guid, cohort) = (other, Cohort::default());
    scene.cover(Subject::Organization { guid, cohort }, later(300_000));
    scene.set(|held| held.is_down = true);
    for _ in 0..3 {
        assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
        scene.advance(1_000);
    }
    assert_eq!(scene.call(&claims()).await, NOT_LOOKED_UP);
    scene.set(|held| held.is_down = false);
    let of_other = Claims {
        org: other,
        ..claims()
    };
    assert!(scene.passes(&of_other).await);
}

/// A read that was stamped by a clock that was ahead does not outshine the later ones.
#[tokio::test]
async fn cbm_4_what_was_read_last_counts_where_the_clock_is_set_back() {
    let scene = Scene::covered();
    assert!(scene.passes(&claims()).await);
    scene.set(|held| held.key.state = State::Revoked { at: NOW });
    for millis in [-3_000, -1_500, 0, 500, 900] {
        scene.set(|held| held.now = later(millis));
        let decision = scene.call(&claims()).await;
        assert_eq!(decision, refused(KeyError::Revoked), "{millis}");
    }
}

#[tokio::test]
async fn an_introspection_looks_up_too() {
    let scene = Scene::covered();
    let why = async || {
        let found = scene.guard.inspect(&token(&claims()), None).await;
        found.map(|inspection| inspection.unwrap().inactive)
    };
    assert_eq!(why().await, Ok(None));
    scene.set(|held| held.revoked.push(claims().jti));
    scene.advance(1_001);
    assert_eq!(why().await, Ok(Some("token_revoked")));
    scene.set(|held| held.is_down = true);
    scene.advance(4_001);
    assert_eq!(why().await, Err(Unavailable::LookUp));
}
