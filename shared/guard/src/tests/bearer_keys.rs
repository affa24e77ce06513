//! Personal keys as bearer credentials: every refusal by name, and the edges of the clock.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    allowlist::Allowlist,
    feed::{Cohort, Effect, Fact, Refusal as Withdrawn, Subject},
    gate::{NextPlan, Plan},
    ids::{Guid, SecretId},
    key::{Grace, Owner, Rotation, State},
    kind::Kind,
    role::Role,
    scope::Catalogue,
    time::Timestamp,
    user::UserState,
};
use jwt::{Claims, Expected};
use web::{caller::Caller, request::Facts};

use crate::testing::{
    person::{KEY, MADE, ORGANIZATION, Person, SECRET, USER, secret},
    world::{ISSUER, NOW, SANDBOX, World, claims, feed, later, request},
};
use crate::{
    decision::{Cause, Decision, Denial, KeyRefusal, Unauthorized, Unavailable},
    personal_key::PersonalKey,
    request::{Request, Route},
};

fn world(person: Person) -> World {
    World { person: Ok(person), ..World::new() }
}

fn of(change: impl FnOnce(&mut Person)) -> World {
    let mut person = Person::new();
    change(&mut person);
    world(person)
}

fn refused(world: &World) -> Unauthorized {
    match world.decide(&request(&secret())) {
        Decision::Unauthorized(why) => why,
        other => panic!("{other:?}"),
    }
}

fn denied(world: &World, request: &Request) -> Cause {
    match world.decide(request) {
        Decision::Deny(Denial { cause, client_id }) if client_id == KEY => cause,
        other => panic!("{other:?}"),
    }
}

fn allows(world: &World) -> bool {
    matches!(world.decide(&request(&secret())), Decision::Allow(_))
}

#[test]
fn cbm_1_a_personal_key_passes_with_the_role_and_scopes_of_its_user() {
    let world = of(|person| person.user().allowed_scopes = Some("banks:read banks:write trades:read".parse().unwrap()));
    let Decision::Allow(context) = world.decide(&request(&secret())) else { panic!("refused") };
    let expected = BTreeMap::from([
        ("organization", "04".repeat(16)),
        ("client_id", KEY.to_string()),
        ("owner", format!("user:{}", "06".repeat(16))),
        ("scopes", "banks:read banks:write trades:read".into()),
        ("role", "admin".into()),
        ("environment", "sandbox".into()),
        ("sid", "08".repeat(16)),
        ("ip_allowlist", "8.8.8.0/24".into()),
    ]);
    let expected: BTreeMap<String, String> = expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(context.fields(), expected);
    let caller = Caller::read(&expected, Facts::default()).expect("the reading side understands it");
    assert_eq!((caller.client_id, caller.owner, caller.jti, caller.sid), (KEY, Owner::User(USER), None, SECRET));
    assert_eq!((caller.role, caller.customer, caller.expires_at), (Some(Role::Admin), None, None));
    assert_eq!((caller.kind, caller.scopes, caller.ip_allowlist), (context.environment, context.scopes, context.ip_allowlist));
}

#[test]
fn every_role_passes_on_its_scopes_of_the_keys_kind_and_the_functions_understand_each() {
    for role in Role::ALL {
        for kind in Kind::ALL {
            let mut person = Person::of(role);
            person.key.kind = kind;
            let key = person.read();
            assert_eq!(key.scopes(), &role.scopes(&Catalogue::default(), kind), "{role} {kind}");
            let caller = Caller::read(&key.context(NOW).fields(), Facts::default()).unwrap();
            assert_eq!((caller.role, caller.kind, &caller.scopes), (Some(role), kind, key.scopes()));
        }
    }
}

#[test]
fn what_is_wrong_in_the_context_of_a_person_is_refused() {
    let fields = of(|person| person.key.ip_allowlist = Allowlist::default()).person.unwrap().read().context(NOW).fields();
    assert!(Caller::read(&fields, Facts::default()).is_ok());
    for name in fields.keys() {
        let mut fields = fields.clone();
        fields.insert(name.clone(), "?".into());
        assert!(Caller::read(&fields, Facts::default()).is_err(), "{name}");
        fields.remove(name);
        assert!(Caller::read(&fields, Facts::default()).is_err(), "without {name}");
    }
    let mut with_token = fields;
    with_token.insert("jti".into(), "01".repeat(16));
    assert!(Caller::read(&with_token, Facts::default()).is_err(), "a person has no token");
}

fn rotate(person: &mut Person) {
    let rotation = Rotation::Keep(Grace::FromNow(Duration::from_hours(24)));
    person.key = person.key.clone().rotate(SecretId::from_bytes([9; 16]), rotation, NOW).unwrap().key;
}

#[test]
fn the_end_that_is_passed_on_is_the_nearer_one_of_key_and_secret() {
    let end = |change: fn(&mut Person)| {
        let mut person = Person::new();
        change(&mut person);
        person.read().context(NOW).expires_at
    };
    let (hour, day) = (NOW + Duration::from_hours(1), NOW + Duration::from_hours(24));
    assert_eq!(end(|person| person.key.expires_at = Some(NOW + Duration::from_hours(1))), Some(hour));
    assert_eq!(end(rotate), Some(day));
    assert_eq!(
        end(|person| {
            rotate(person);
            person.key.expires_at = Some(NOW + Duration::from_hours(1));
        }),
        Some(hour)
    );
}

#[test]
fn every_refusal_of_a_secret_is_the_one_401() {
    for why in KeyRefusal::ALL {
        let world = World { person: Err(why), ..World::new() };
        assert_eq!(refused(&world), Unauthorized::Key(why));
    }
    let names: std::collections::BTreeSet<_> = KeyRefusal::ALL.map(|why| Unauthorized::Key(why).name()).into();
    assert_eq!(names.len(), KeyRefusal::ALL.len());
}

#[test]
fn a_key_that_does_not_work_is_401_by_its_state_its_user_or_its_organization() {
    let why = |change: fn(&mut Person)| refused(&of(change));
    assert_eq!(why(|person| person.key.state = State::Deactivated), Unauthorized::Key(KeyRefusal::Deactivated));
    assert_eq!(why(|person| person.key.state = State::Revoked { at: MADE }), Unauthorized::Key(KeyRefusal::Revoked));
    assert_eq!(why(|person| person.key.expires_at = Some(NOW)), Unauthorized::Key(KeyRefusal::Expired));
    assert_eq!(why(|person| person.gates.organization.suspended = true), Unauthorized::Key(KeyRefusal::Deactivated));
    assert_eq!(why(|person| person.user().state = UserState::Disabled), Unauthorized::Key(KeyRefusal::Deactivated));
    assert_eq!(why(|person| person.gates.user = None), Unauthorized::Key(KeyRefusal::Deactivated));
    let everything = |person: &mut Person| person.gates.organization.revocations.push(Cohort::default());
    assert_eq!(refused(&of(everything)), Unauthorized::Key(KeyRefusal::Revoked));
    let other = Guid::from_bytes([9; 16]);
    assert_eq!(refused(&of(|person| person.user().guid = other)), Unauthorized::Key(KeyRefusal::Deactivated), "another's user");
    assert_eq!(
        refused(&of(|person| person.user().organization = other)),
        Unauthorized::Key(KeyRefusal::Deactivated),
        "a user of another organization"
    );
}

#[test]
fn a_key_that_is_no_persons_is_no_bearer_credential() {
    for owner in [Owner::Organization(ORGANIZATION), Owner::Bank(USER)] {
        let mut person = Person::new();
        person.key.owner = owner;
        assert!(PersonalKey::new(person.key, person.gates, SECRET, &Catalogue::default()).is_none());
    }
}

#[test]
fn a_key_is_taken_by_deployments_of_its_kind_alone() {
    let live = |person: &mut Person| person.key.kind = Kind::Live;
    assert_eq!(refused(&of(live)), Unauthorized::Key(KeyRefusal::KindNotAccepted));
    let mut world = of(live);
    world.settings.expected = Expected::of_issuer(ISSUER).accepting(Kind::Live, "https://live.example");
    assert!(allows(&world), "KYB is no gate of personal keys");
    world.person = Ok(Person::new());
    assert_eq!(refused(&world), Unauthorized::Key(KeyRefusal::KindNotAccepted));
}

#[test]
fn cbm_2_without_a_plan_that_has_personal_keys_it_is_403_and_says_where_to_upgrade() {
    let starter = of(|person| person.gates.organization.plan = Plan::Starter);
    assert_eq!(denied(&starter, &request(&secret())), Cause::PlanUpgradeRequired);
    assert!(Cause::PlanUpgradeRequired.message().contains("/plan"));
    let mut person = Person::new();
    person.gates.organization.next_plan = Some(NextPlan { plan: Plan::Starter, at: NOW });
    for (millis, alive) in [(-1, true), (0, false)] {
        let world = World { person: Ok(person.clone()), now: later(millis), feed: feed(later(millis), &[]), ..World::new() };
        assert_eq!(allows(&world), alive, "notice ends, from the memory as well");
    }
}

#[test]
fn key_and_secret_end_when_they_say_so_also_from_the_memory() {
    let mut expiring = Person::new();
    expiring.key.expires_at = Some(later(5));
    let mut rotated = Person::new();
    let grace = Rotation::Keep(Grace::FromNow(Duration::from_millis(5)));
    rotated.key = rotated.key.rotate(SecretId::from_bytes([9; 16]), grace, NOW).unwrap().key;
    for (person, why) in [(expiring, KeyRefusal::Expired), (rotated, KeyRefusal::SecretEnded)] {
        let mut world = world(person);
        assert!(allows(&world));
        (world.now, world.feed) = (later(4), feed(later(4), &[]));
        assert!(allows(&world));
        (world.now, world.feed) = (later(5), feed(later(5), &[]));
        assert_eq!(refused(&world), Unauthorized::Key(why));
        let frozen = Request { time: Some(later(5)), ..request(&secret()) };
        world.now = later(4);
        world.feed = feed(later(4), &[]);
        assert_eq!(world.decide(&frozen), Decision::Unauthorized(Unauthorized::Key(why)), "the gateway's clock is ahead");
    }
}

#[test]
fn a_secret_that_the_key_does_not_name_is_refused_whatever_lies_beside_it() {
    assert_eq!(refused(&of(|person| person.secret = SecretId::from_bytes([9; 16]))), Unauthorized::Key(KeyRefusal::SecretEnded));
}

#[test]
fn x_1_every_fact_of_a_personal_key_can_be_withdrawn() {
    let organization = |cohort| Subject::Organization { guid: ORGANIZATION.to_string(), cohort };
    let cohort = |created_from, created_until| organization(Cohort { created_from, created_until, ..Cohort::default() });
    let next = Timestamp::from_millis(MADE.millis() + 1);
    for (subject, fact) in [
        (Subject::Key(KEY.to_string()), Fact::Key),
        (Subject::Secret(SECRET.to_string()), Fact::Secret),
        (Subject::User(USER.to_string()), Fact::User),
        (organization(Cohort::default()), Fact::Organization),
        (organization(Cohort { owner: Some(USER), ..Cohort::default() }), Fact::Organization),
        (organization(Cohort { environment: Some(Kind::Sandbox), ..Cohort::default() }), Fact::Organization),
        (cohort(Some(MADE), Some(next)), Fact::Organization),
    ] {
        for (effect, refusal) in [
            (Effect::Revoke, Withdrawn::Revoked(fact)),
            (Effect::Suspend { version: 2 }, Withdrawn::Suspended(fact)),
            (Effect::Expire { at: NOW, version: 2 }, Withdrawn::Expired(fact)),
        ] {
            let world = World::with_feed(&[(effect, subject.clone())]);
            assert_eq!(refused(&world), Unauthorized::Withdrawn(refusal), "{subject:?}");
        }
        for harmless in [Effect::Resume { version: 2 }, Effect::Expire { at: later(1), version: 2 }, Effect::Refresh] {
            assert!(allows(&World::with_feed(&[(harmless, subject.clone())])), "{harmless:?}");
        }
    }
    for others in [
        Subject::Key("0".repeat(22)),
        Subject::Secret(claims().sid.to_string()),
        Subject::User("07".repeat(16)),
        Subject::Owner(USER.to_string()),
        organization(Cohort { owner: Some(ORGANIZATION), ..Cohort::default() }),
        organization(Cohort { environment: Some(Kind::Live), ..Cohort::default() }),
        cohort(Some(next), None),
        cohort(None, Some(MADE)),
    ] {
        assert!(allows(&World::with_feed(&[(Effect::Revoke, others.clone())])), "{others:?}");
    }
}

/// By one entry KYB suspends every live key of the organization, and gates those of machines alone.
#[test]
fn arz_3_withdrawn_kyb_stops_no_live_personal_key_and_hides_nothing_else() {
    let organization = |cohort| Subject::Organization { guid: ORGANIZATION.to_string(), cohort };
    let by_kyb = || (Effect::Suspend { version: 5 }, organization(Cohort::OF_KYB));
    let live = |entries: &[(Effect, Subject)]| {
        let mut world = of(|person| person.key.kind = Kind::Live);
        world.settings.expected = Expected::of_issuer(ISSUER).accepting(Kind::Live, "https://live.example");
        World { feed: feed(NOW, entries), ..world }
    };
    assert!(allows(&live(&[by_kyb()])));
    let suspend = Effect::Suspend { version: 2 };
    for (effect, subject, refusal) in [
        (suspend, organization(Cohort::default()), Withdrawn::Suspended(Fact::Organization)),
        (suspend, Subject::User(USER.to_string()), Withdrawn::Suspended(Fact::User)),
        (suspend, Subject::Key(KEY.to_string()), Withdrawn::Suspended(Fact::Key)),
        (Effect::Revoke, organization(Cohort::OF_KYB), Withdrawn::Revoked(Fact::Organization)),
        (Effect::Revoke, organization(Cohort::default()), Withdrawn::Revoked(Fact::Organization)),
        (Effect::Revoke, Subject::Secret(SECRET.to_string()), Withdrawn::Revoked(Fact::Secret)),
        (Effect::Expire { at: NOW, version: 2 }, Subject::Key(KEY.to_string()), Withdrawn::Expired(Fact::Key)),
    ] {
        let world = live(&[by_kyb(), (effect, subject.clone())]);
        assert_eq!(refused(&world), Unauthorized::Withdrawn(refusal), "{effect:?} {subject:?}");
    }
}

#[test]
fn cbm_4_an_old_unread_or_future_feed_is_503_for_personal_keys_too() {
    let at = |millis| World { feed: feed(later(millis), &[]), ..World::new() }.decide(&request(&secret()));
    assert!(matches!(at(-4_000), Decision::Allow(_)));
    assert_eq!(at(-4_001), Decision::Unavailable(Unavailable::Feed));
    assert_eq!(at(1_000), Decision::Unavailable(Unavailable::Feed), "a negative age");
}

#[test]
fn cyb_6_the_keys_own_list_is_enforced_as_it_is_now() {
    let from = |address: Option<&str>| Request { source_ip: address.map(|text| text.parse().unwrap()), ..request(&secret()) };
    assert!(matches!(World::new().decide(&from(Some("8.8.8.255"))), Decision::Allow(_)));
    assert_eq!(denied(&World::new(), &from(Some("8.8.9.0"))), Cause::IpNotAllowed);
    assert_eq!(denied(&World::new(), &from(None)), Cause::IpUnknown);
    let unrestricted = of(|person| person.key.ip_allowlist = Allowlist::default());
    assert!(matches!(unrestricted.decide(&from(None)), Decision::Allow(_)));
}

#[test]
fn a_guarded_api_is_open_to_people_by_their_scopes_and_never_to_staff() {
    let calling = |role, route: &str| {
        let request = Request { route: Route::Matched(route.into()), ..request(&secret()) };
        match world(Person::of(role)).decide(&request) {
            Decision::Allow(_) => None,
            Decision::Deny(denial) => Some(denial.cause),
            other => panic!("{other:?}"),
        }
    };
    for role in Role::ALL.into_iter().filter(|role| !role.is_staff()) {
        assert_eq!(calling(role, "GET /open"), None);
        assert_eq!(calling(role, "GET /banks/{guid}"), None);
        let admin = role >= Role::Admin;
        assert_eq!(calling(role, "POST /banks"), (!admin).then_some(Cause::InsufficientScope), "{role}");
        assert_eq!(calling(role, "DELETE /banks"), Some(Cause::Forbidden));
    }
    for role in Role::ALL.into_iter().filter(|role| role.is_staff()) {
        for route in ["GET /open", "GET /banks/{guid}", "POST /banks", "DELETE /banks", "$connect"] {
            assert_eq!(calling(role, route), Some(Cause::Forbidden), "{role} {route}: they see no customers' data");
        }
    }
}

#[test]
fn a_refused_person_learns_nothing_of_what_comes_later() {
    let elsewhere = Request { source_ip: None, route: Route::Matched("DELETE /banks".into()), ..request(&secret()) };
    let starter = |person: &mut Person| person.gates.organization.plan = Plan::Starter;
    assert_eq!(denied(&of(starter), &elsewhere), Cause::PlanUpgradeRequired);
    assert_eq!(denied(&World::new(), &elsewhere), Cause::IpUnknown, "the address before the route");
    let ended = of(|person| {
        starter(person);
        person.secret = SecretId::from_bytes([9; 16]);
    });
    assert_eq!(ended.decide(&elsewhere), Decision::Unauthorized(Unauthorized::Key(KeyRefusal::SecretEnded)));
}

#[test]
fn a_token_of_a_person_is_refused_although_it_is_signed() {
    let token = SANDBOX.token(&Claims { owner: Owner::User(USER), ..claims() });
    assert_eq!(World::new().decide(&request(&token)), Decision::Unauthorized(Unauthorized::PersonalToken));
}
