//! Personal keys that are refused, each with the answer that the caller gets.

use domain::{
    allowlist::Allowlist,
    feed::Cohort,
    gate::{NextPlan, Plan},
    ids::{Guid, SecretId},
    key::{Owner, State},
    key_mode::KeyMode,
    scope::Catalogue,
    user::UserState,
};
use jwt::{Claims, Expected};
use web::{caller::Caller, request::Facts};

use super::{allows, denied, of, refused};
use crate::{
    decision::{Decision, DenyReason, KeyError, Unauthorized},
    personal_key::PersonalKey,
    request::{Request, Route},
    testing::{
        person::{MADE, ORGANIZATION, Person, SECRET, USER, secret},
        world::{ISSUER, NOW, SANDBOX, World, claims, feed, later, request},
    },
};

#[test]
fn what_is_wrong_in_the_context_of_a_person_is_refused() {
    let fields = of(|person| person.key.ip_allowlist = Allowlist::default())
        .person
        .unwrap()
        .read()
        .context(NOW)
        .fields();
    assert!(Caller::read(&fields, Facts::default()).is_ok());
    for name in fields.keys() {
        let mut fields = fields.clone();
        fields.insert(name.clone(), "?".into());
        assert!(Caller::read(&fields, Facts::default()).is_err(), "{name}");
        fields.remove(name);
        assert!(
            Caller::read(&fields, Facts::default()).is_err(),
            "without {name}"
        );
    }
    let mut with_token = fields;
    with_token.insert("jti".into(), "01".repeat(16));
    assert!(
        Caller::read(&with_token, Facts::default()).is_err(),
        "a person has no token"
    );
}

#[test]
fn every_refusal_of_a_secret_is_the_one_401() {
    for why in KeyError::ALL {
        let world = World {
            person: Err(why),
            ..World::new()
        };
        assert_eq!(refused(&world), Unauthorized::Key(why));
    }
    let names: std::collections::BTreeSet<_> = KeyError::ALL
        .map(|why| Unauthorized::Key(why).name())
        .into();
    assert_eq!(names.len(), KeyError::ALL.len());
}

#[test]
fn a_key_that_does_not_work_is_401_by_its_state_its_user_or_its_organization() {
    let why = |change: fn(&mut Person)| refused(&of(change));
    assert_eq!(
        why(|person| person.key.state = State::Deactivated),
        Unauthorized::Key(KeyError::Deactivated)
    );
    assert_eq!(
        why(|person| person.key.state = State::Revoked { at: MADE }),
        Unauthorized::Key(KeyError::Revoked)
    );
    assert_eq!(
        why(|person| person.key.expires_at = Some(NOW)),
        Unauthorized::Key(KeyError::Expired)
    );
    assert_eq!(
        why(|person| person.gates.organization.suspended = true),
        Unauthorized::Key(KeyError::Deactivated)
    );
    assert_eq!(
        why(|person| person.user().state = UserState::Disabled),
        Unauthorized::Key(KeyError::Deactivated)
    );
    assert_eq!(
        why(|person| person.gates.user = None),
        Unauthorized::Key(KeyError::Deactivated)
    );
    let everything = |person: &mut Person| {
        person
            .gates
            .organization
            .revocations
            .push(Cohort::default());
    };
    assert_eq!(
        refused(&of(everything)),
        Unauthorized::Key(KeyError::Revoked)
    );
    let other = Guid::from_bytes([9; 16]);
    assert_eq!(
        refused(&of(|person| person.user().guid = other)),
        Unauthorized::Key(KeyError::Deactivated),
        "another's user"
    );
    assert_eq!(
        refused(&of(|person| person.user().organization = other)),
        Unauthorized::Key(KeyError::Deactivated),
        "a user of another organization"
    );
}

#[test]
fn a_key_that_is_no_persons_is_no_bearer_credential() {
    for owner in [Owner::Organization(ORGANIZATION), Owner::Bank(USER)] {
        let mut person = Person::new();
        person.key.owner = owner;
        assert!(
            PersonalKey::new(person.key, person.gates, SECRET, &Catalogue::default()).is_none()
        );
    }
}

#[test]
fn a_key_is_taken_by_deployments_of_its_kind_alone() {
    let live = |person: &mut Person| person.key.kind = KeyMode::Live;
    assert_eq!(
        refused(&of(live)),
        Unauthorized::Key(KeyError::KindNotAccepted)
    );
    let mut world = of(live);
    world.settings.expected =
        Expected::of_issuer(ISSUER).accepting(KeyMode::Live, "https://live.example");
    assert!(allows(&world), "KYB is no gate of personal keys");
    world.person = Ok(Person::new());
    assert_eq!(
        refused(&world),
        Unauthorized::Key(KeyError::KindNotAccepted)
    );
}

#[test]
fn cbm_2_without_a_plan_that_has_personal_keys_it_is_403_and_says_where_to_upgrade() {
    let starter = of(|person| person.gates.organization.plan = Plan::Starter);
    assert_eq!(
        denied(&starter, &request(&secret())),
        DenyReason::PlanUpgradeRequired
    );
    assert!(DenyReason::PlanUpgradeRequired.message().contains("/plan"));
    let mut person = Person::new();
    person.gates.organization.next_plan = Some(NextPlan {
        plan: Plan::Starter,
        at: NOW,
    });
    for (millis, alive) in [(-1, true), (0, false)] {
        let world = World {
            person: Ok(person.clone()),
            now: later(millis),
            feed: feed(later(millis), &[]),
            ..World::new()
        };
        assert_eq!(
            allows(&world),
            alive,
            "notice ends, from the memory as well"
        );
    }
}

#[test]
fn a_secret_that_the_key_does_not_name_is_refused_whatever_lies_beside_it() {
    assert_eq!(
        refused(&of(|person| person.secret = SecretId::from_bytes([9; 16]))),
        Unauthorized::Key(KeyError::SecretEnded)
    );
}

#[test]
fn a_refused_person_learns_nothing_of_what_comes_later() {
    let elsewhere = Request {
        source_ip: None,
        route: Route::Matched("DELETE /banks".into()),
        ..request(&secret())
    };
    let starter = |person: &mut Person| person.gates.organization.plan = Plan::Starter;
    assert_eq!(
        denied(&of(starter), &elsewhere),
        DenyReason::PlanUpgradeRequired
    );
    assert_eq!(
        denied(&World::new(), &elsewhere),
        DenyReason::IpUnknown,
        "the address before the route"
    );
    let ended = of(|person| {
        starter(person);
        person.secret = SecretId::from_bytes([9; 16]);
    });
    assert_eq!(
        ended.decide(&elsewhere),
        Decision::Unauthorized(Unauthorized::Key(KeyError::SecretEnded))
    );
}

#[test]
fn a_token_of_a_person_is_refused_although_it_is_signed() {
    let token = SANDBOX.token(&Claims {
        owner: Owner::User(USER),
        ..claims()
    });
    assert_eq!(
        World::new().decide(&request(&token)),
        Decision::Unauthorized(Unauthorized::PersonalToken)
    );
}
