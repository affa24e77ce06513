//! A guard over fake tables: what it asks of them for a personal key, and when it asks again.

use domain::{
    allowlist::Allowlist,
    feed::{Cohort, Effect, Fact, Invalidation, Subject},
    gate::{Kyb, Plan},
    key::{Owner, State},
    key_mode::KeyMode,
    role::Role,
    user::UserState,
};
use jwt::Expected;

use super::fake_aws::{Held, PEPPERS, Scene};
use crate::{
    decision::{Decision, DenyReason, KeyError, Unauthorized, Unavailable},
    request::Request,
    testing::{
        person::{KEY, ORGANIZATION, Person, SECRET, USER, minted, secret},
        world::{ISSUER, NOW, SANDBOX, World, claims, later, request},
    },
};

/// A reading of the key, and of its gates.
const READING: [&str; 3] = ["GetItem key", "BatchGetItem secrets", "BatchGetItem"];

impl Scene {
    async fn call(&self) -> Decision {
        self.guard.authorize(request(&secret())).await
    }

    async fn passes(&self) -> bool {
        matches!(self.call().await, Decision::Allow(_))
    }

    /// After the peppers were read.
    async fn warm() -> Self {
        let scene = Self::new();
        scene.guard.warm().await;
        scene.asked();
        scene
    }
}

fn refused(why: KeyError) -> Decision {
    Decision::Unauthorized(Unauthorized::Key(why))
}

#[tokio::test]
async fn a_key_is_read_once_a_minute_and_a_remembered_one_asks_for_the_feed_alone() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    assert_eq!(scene.asked(), READING);
    for _ in 0..60 {
        scene.advance(1_000);
        assert!(scene.passes().await);
    }
    assert_eq!(scene.asked(), [""; 0], "at the edge of sixty seconds");
    scene.advance(1);
    assert!(scene.passes().await);
    assert_eq!(scene.asked(), READING);
}

/// The instance slept and woke with its clock three seconds behind the gateway's.
#[tokio::test]
async fn the_minute_ends_by_the_gateways_clock_where_that_is_ahead() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    scene.advance(58_000);
    for (sent, reading) in [(later(60_000), [].as_slice()), (later(60_001), &READING)] {
        scene.asked();
        let request = Request {
            time: Some(sent),
            ..request(&secret())
        };
        assert!(matches!(
            scene.guard.authorize(request).await,
            Decision::Allow(_)
        ));
        assert_eq!(scene.asked(), reading);
    }
}

#[tokio::test]
async fn the_first_key_reads_the_peppers_where_that_failed_at_start_up() {
    let scene = Scene::new();
    assert!(scene.passes().await);
    assert_eq!(
        scene.asked(),
        [
            "GetItem key",
            "BatchGetItem secrets",
            "GetSecretValue",
            "BatchGetItem"
        ]
    );
}

/// A hash names a pepper that Secrets Manager lacks: guesses at its secret cost one reading in five
/// seconds, however many come. The pepper is met as soon as it is there and that time is over; an
/// instance that has not looked for one meets it at once.
#[tokio::test]
async fn a_pepper_that_is_not_there_is_looked_for_every_five_seconds() {
    const NEWER: &str =
        r#"{"1":"pppppppppppppppppppppppppppppppp","2":"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"}"#;
    let scene = Scene::warm().await;
    scene.set(|held| held.peppers = [PEPPERS, NEWER]);
    let looks = || {
        scene
            .asked()
            .iter()
            .filter(|operation| *operation == "GetSecretValue")
            .count()
    };
    for _ in 0..2 {
        for _ in 0..3 {
            assert_eq!(
                scene.call().await,
                Decision::Unavailable(Unavailable::PersonalKey)
            );
        }
        let calls = tokio::join!(scene.call(), scene.call());
        assert_eq!(calls.0, calls.1);
        assert_eq!(looks(), 1);
        scene.advance(4_999);
        assert_eq!(
            scene.call().await,
            Decision::Unavailable(Unavailable::PersonalKey)
        );
        assert_eq!(looks(), 0);
        scene.advance(1);
    }
    scene.set(|held| held.peppers = [NEWER; 2]);
    assert!(scene.passes().await);
    assert_eq!(looks(), 1);

    let fresh = Scene::warm().await;
    fresh.set(|held| held.peppers = [NEWER; 2]);
    let calls = tokio::join!(fresh.passes(), fresh.passes());
    assert_eq!(
        (
            calls,
            fresh
                .asked()
                .iter()
                .filter(|operation| *operation == "GetSecretValue")
                .count()
        ),
        ((true, true), 1)
    );
}

#[tokio::test]
async fn a_burst_with_one_secret_is_one_reading() {
    let scene = Scene::warm().await;
    let calls = (scene.call(), scene.call(), scene.call(), scene.call());
    let decisions = tokio::join!(calls.0, calls.1, calls.2, calls.3);
    for decision in [decisions.0, decisions.1, decisions.2, decisions.3] {
        assert!(matches!(decision, Decision::Allow(_)));
    }
    assert_eq!(scene.asked(), READING);
}

#[tokio::test]
async fn cbm_1_a_change_of_the_user_is_felt_as_soon_as_the_feed_tells() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    scene.person(|person| person.user().role = Role::Viewer);
    scene.publish(Effect::Refresh, Subject::User(USER));
    assert!(
        matches!(scene.call().await, Decision::Allow(context) if context.role == Some(Role::Admin)),
        "the feed is fresh still"
    );
    scene.advance(1_001);
    assert!(
        matches!(scene.call().await, Decision::Allow(context) if context.role == Some(Role::Viewer))
    );
    scene.asked();
    scene.advance(1_001);
    assert!(scene.passes().await);
    assert_eq!(
        scene.asked(),
        [""; 0],
        "the entry stays in the feed and drops nothing again"
    );
}

#[tokio::test]
async fn cyb_6_a_narrower_list_is_felt_as_soon_as_the_feed_tells() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    scene.person(|person| person.key.ip_allowlist = Allowlist::parse(&["9.9.9.9"]).unwrap());
    scene.publish(Effect::Refresh, Subject::Key(KEY));
    scene.advance(1_001);
    assert!(matches!(
        scene.call().await,
        Decision::Deny { reason, .. } if reason == DenyReason::IpNotAllowed
    ));
}

#[tokio::test]
async fn cbm_4_a_revoked_key_is_refused_by_the_feed_even_where_the_reading_missed_it() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    // The table still shows the key as it was.
    scene.publish(Effect::Revoke, Subject::Key(KEY));
    scene.advance(1_001);
    assert!(matches!(
        scene.call().await,
        Decision::Unauthorized(Unauthorized::Invalidated(_))
    ));
}

/// An organization is suspended by its gate and by the feed: the feed alone suffices, and so does
/// the gate.
#[tokio::test]
async fn a_suspended_organization_stops_its_people_and_withdrawn_kyb_does_not() {
    let mut settings = World::new().settings;
    settings.expected =
        Expected::of_issuer(ISSUER).accepting(KeyMode::Live, "https://live.example");
    let scene = Scene::with(settings, true);
    scene.person(|person| person.key.kind = KeyMode::Live);
    let presented = minted(KeyMode::Live, 1).expose().to_string();
    scene.set(|held| held.kind = KeyMode::Live);
    let call = async || scene.guard.authorize(request(&presented)).await;
    let passes = async || matches!(call().await, Decision::Allow(_));
    let of = |cohort| Subject::Organization {
        guid: ORGANIZATION,
        cohort,
    };
    assert!(passes().await);
    scene.person(|person| person.gates.organization.kyb = Kyb::Rejected);
    scene.publish(Effect::Suspend { version: 1 }, of(Cohort::OF_KYB));
    scene.advance(1_001);
    assert!(passes().await, "KYB is no gate of personal keys");
    // The table still shows the gate as it was.
    scene.publish(Effect::Suspend { version: 2 }, of(Cohort::default()));
    scene.advance(1_001);
    assert_eq!(
        call().await,
        Decision::Unauthorized(Unauthorized::Invalidated(Invalidation::Suspended(
            Fact::Organization
        )))
    );
    scene.publish(Effect::Resume { version: 3 }, of(Cohort::default()));
    scene.person(|person| person.gates.organization.suspended = true);
    scene.advance(1_001);
    assert_eq!(
        call().await,
        refused(KeyError::Deactivated),
        "what the gate says counts too"
    );
    scene.person(|person| person.gates.organization.suspended = false);
    assert!(passes().await, "resumed");
}

/// The user's role is narrowed between the reading of the key and the decision: the reading is not
/// even used once.
#[tokio::test]
async fn a_key_that_changes_while_it_is_read_is_read_again() {
    let scene = Scene::warm().await;
    let narrowed = |held: &mut Held| {
        held.person.as_mut().unwrap().user().role = Role::Viewer;
        held.publish(NOW, Effect::Refresh, Subject::User(USER));
        1_001
    };
    scene.set(|held| held.meanwhile.push(Box::new(narrowed)));
    assert!(
        matches!(scene.call().await, Decision::Allow(context) if context.role == Some(Role::Viewer))
    );
    assert_eq!(scene.asked(), [READING, READING].concat());
}

#[tokio::test]
async fn a_key_that_changes_as_often_as_it_is_read_is_503() {
    let scene = Scene::warm().await;
    for _ in 0..4 {
        let touched = |held: &mut Held| {
            held.publish(NOW, Effect::Refresh, Subject::Key(KEY));
            1_001
        };
        scene.set(|held| held.meanwhile.push(Box::new(touched)));
    }
    assert_eq!(
        scene.call().await,
        Decision::Unavailable(Unavailable::PersonalKey)
    );
    assert_eq!(scene.asked(), [READING, READING, READING].concat());
}

#[tokio::test]
async fn a_reading_that_takes_as_long_as_the_feed_is_good_decides_nothing_by_that_feed() {
    let scene = Scene::warm().await;
    let slow = |held: &mut Held| {
        held.down.push("Query feed");
        4_001
    };
    scene.set(|held| held.meanwhile.push(Box::new(slow)));
    assert_eq!(scene.call().await, Decision::Unavailable(Unavailable::Feed));
}

#[tokio::test]
async fn what_does_not_work_is_not_remembered_so_that_what_is_mended_works_at_once() {
    let scene = Scene::warm().await;
    scene.person(|person| person.key.state = State::Deactivated);
    assert_eq!(scene.call().await, refused(KeyError::Deactivated));
    scene.person(|person| person.key.state = State::Active);
    assert!(scene.passes().await);

    let scene = Scene::warm().await;
    scene.person(|person| person.gates.organization.plan = Plan::Starter);
    assert!(matches!(
        scene.call().await,
        Decision::Deny { reason, .. } if reason == DenyReason::PlanUpgradeRequired
    ));
    scene.person(|person| person.gates.organization.plan = Plan::Pro);
    assert!(scene.passes().await, "an upgrade restores it");
}

#[tokio::test]
async fn unknown_clients_wrong_secrets_and_machines_secrets_are_401_and_cost_the_same_reads() {
    let scene = Scene::warm().await;
    scene.set(|held| held.secrets = vec![(SECRET, 2)]);
    for _ in 0..2 {
        assert_eq!(scene.call().await, refused(KeyError::WrongSecret));
        assert_eq!(scene.asked(), READING[..2]);
    }
    scene.set(|held| held.person = None);
    assert_eq!(scene.call().await, refused(KeyError::WrongSecret));
    assert_eq!(scene.asked(), READING[..2]);

    let scene = Scene::warm().await;
    scene.person(|person| person.key.owner = Owner::Organization(person.key.organization));
    assert_eq!(scene.call().await, refused(KeyError::NotPersonal));
    scene.person(|person| *person = Person::new());
    scene.person(|person| person.key.kind = KeyMode::Live);
    assert_eq!(scene.call().await, refused(KeyError::WrongKind));
}

#[tokio::test]
async fn without_peppers_a_personal_key_is_401_and_nothing_is_read() {
    let scene = Scene::with(World::new().settings, false);
    assert_eq!(scene.call().await, refused(KeyError::Off));
    assert_eq!(scene.asked(), [""; 0]);
    let token = SANDBOX.token(&claims());
    assert!(
        matches!(
            scene.guard.authorize(request(&token)).await,
            Decision::Allow(_)
        ),
        "tokens pass"
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_503_and_asked_again() {
    for down in [
        "GetItem key",
        "BatchGetItem secrets",
        "BatchGetItem",
        "GetSecretValue",
    ] {
        let scene = Scene::new();
        scene.set(|held| held.down = vec![down]);
        assert_eq!(
            scene.call().await,
            Decision::Unavailable(Unavailable::PersonalKey),
            "{down}"
        );
        scene.set(|held| held.down.clear());
        assert!(scene.passes().await, "{down}");
    }
    let scene = Scene::new();
    scene.set(|held| held.down = vec!["Query feed"]);
    assert_eq!(scene.call().await, Decision::Unavailable(Unavailable::Feed));
    assert_eq!(
        scene.asked(),
        [""; 0],
        "no key is read for what cannot be decided"
    );
}

#[tokio::test]
async fn a_remembered_key_is_503_once_the_feed_is_too_old() {
    let scene = Scene::warm().await;
    assert!(scene.passes().await);
    scene.set(|held| held.down = vec!["Query feed"]);
    scene.advance(4_000);
    assert!(scene.passes().await);
    scene.advance(1);
    assert_eq!(scene.call().await, Decision::Unavailable(Unavailable::Feed));
}

/// What the tables say counts within the bound, without an entry; and what they give back, too.
#[tokio::test]
async fn cbm_1_a_personal_key_of_a_covered_organization_is_what_the_tables_say() {
    let scene = Scene::warm().await;
    let (guid, cohort) = (ORGANIZATION, Cohort::default());
    let covered = Subject::Organization { guid, cohort };
    scene.publish(Effect::Suspend { version: 1 }, Subject::Key(KEY));
    scene.advance(1_001);
    assert!(!scene.passes().await);
    let until = later(300_000);
    scene.publish(Effect::Cover { until }, covered);
    scene.advance(1_001);
    assert!(scene.passes().await, "the tables gave it back");
    scene.person(|person| person.key.state = State::Deactivated);
    scene.advance(4_001);
    assert_eq!(scene.call().await, refused(KeyError::Deactivated));
    scene.person(|person| person.key.state = State::Active);
    assert!(
        scene.passes().await,
        "at once: what refuses is not remembered"
    );
    scene.person(|person| person.user().state = UserState::Disabled);
    scene.advance(4_001);
    assert_eq!(scene.call().await, refused(KeyError::Deactivated));
}

/// One whose gate is throttled holds up an instance for 250 ms in a second.
#[tokio::test]
async fn a_covered_personal_key_whose_gates_cannot_be_read_is_503_and_read_once_a_second() {
    let scene = Scene::warm().await;
    let (guid, cohort) = (ORGANIZATION, Cohort::default());
    let until = later(300_000);
    scene.publish(
        Effect::Cover { until },
        Subject::Organization { guid, cohort },
    );
    scene.set(|held| held.down = vec!["BatchGetItem"]);
    scene.advance(1_001);
    for _ in 0..2 {
        scene.asked();
        for _ in 0..3 {
            let decision = scene.call().await;
            assert_eq!(decision, Decision::Unavailable(Unavailable::LookUp));
        }
        let gates = scene.asked().into_iter();
        let gates = gates
            .filter(|operation| operation == "BatchGetItem")
            .count();
        assert!(
            (1..=3).contains(&gates),
            "with the tries of one read: {gates}"
        );
        scene.advance(1_000);
    }
}
