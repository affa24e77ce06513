//! Personal keys as bearer credentials: every refusal by name, and the edges of the clock.

mod refusals;
mod revoked;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    allowlist::Allowlist,
    ids::SecretId,
    key::{Grace, Owner, Rotation},
    key_mode::KeyMode,
    role::Role,
    scope::Catalogue,
};
use web::{caller::Caller, request::Facts};

use crate::{
    decision::{Decision, DenyReason, KeyError, Unauthorized},
    request::{Request, Route},
    testing::{
        person::{KEY, Person, SECRET, USER, secret},
        world::{NOW, World, feed, later, request},
    },
};

fn world(person: Person) -> World {
    World {
        person: Ok(person),
        ..World::new()
    }
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

fn denied(world: &World, request: &Request) -> DenyReason {
    match world.decide(request) {
        Decision::Deny { reason, client_id } if client_id == KEY => reason,
        other => panic!("{other:?}"),
    }
}

fn allows(world: &World) -> bool {
    matches!(world.decide(&request(&secret())), Decision::Allow(_))
}

#[test]
fn cbm_1_a_personal_key_passes_with_the_role_and_scopes_of_its_user() {
    let world = of(|person| {
        person.user().allowed_scopes = Some("banks:read banks:write trades:read".parse().unwrap());
    });
    let Decision::Allow(context) = world.decide(&request(&secret())) else {
        panic!("refused")
    };
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
    let expected: BTreeMap<String, String> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(context.fields(), expected);
    let caller =
        Caller::read(&expected, Facts::default()).expect("the reading side understands it");
    assert_eq!(
        (caller.client_id, caller.owner, caller.jti, caller.sid),
        (KEY, Owner::User(USER), None, SECRET)
    );
    assert_eq!(
        (caller.role, caller.customer, caller.expires_at),
        (Some(Role::Admin), None, None)
    );
    assert_eq!(
        (caller.kind, caller.scopes, caller.ip_allowlist),
        (context.environment, context.scopes, context.ip_allowlist)
    );
}

#[test]
fn every_role_passes_on_its_scopes_of_the_keys_kind_and_the_functions_understand_each() {
    for role in Role::ALL {
        for kind in KeyMode::ALL {
            let mut person = Person::of(role);
            person.key.kind = kind;
            let key = person.read();
            assert_eq!(
                key.scopes(),
                &role.scopes(&Catalogue::default(), kind),
                "{role} {kind}"
            );
            let caller = Caller::read(&key.context(NOW).fields(), Facts::default()).unwrap();
            assert_eq!(
                (caller.role, caller.kind, &caller.scopes),
                (Some(role), kind, key.scopes())
            );
        }
    }
}

fn rotate(person: &mut Person) {
    let rotation = Rotation::Keep(Grace::FromNow(Duration::from_hours(24)));
    person.key =
        crate::testing::person::rotated(&person.key, SecretId::from_bytes([9; 16]), rotation, NOW)
            .unwrap();
}

#[test]
fn the_end_that_is_passed_on_is_the_nearer_one_of_key_and_secret() {
    let end = |change: fn(&mut Person)| {
        let mut person = Person::new();
        change(&mut person);
        person.read().context(NOW).expires_at
    };
    let (hour, day) = (
        NOW + Duration::from_hours(1),
        NOW + Duration::from_hours(24),
    );
    assert_eq!(
        end(|person| person.key.expires_at = Some(NOW + Duration::from_hours(1))),
        Some(hour)
    );
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
fn key_and_secret_end_when_they_say_so_also_from_the_memory() {
    let mut expiring = Person::new();
    expiring.key.expires_at = Some(later(5));
    let mut rotated = Person::new();
    let grace = Rotation::Keep(Grace::FromNow(Duration::from_millis(5)));
    rotated.key =
        crate::testing::person::rotated(&rotated.key, SecretId::from_bytes([9; 16]), grace, NOW)
            .unwrap();
    for (person, why) in [
        (expiring, KeyError::Expired),
        (rotated, KeyError::SecretEnded),
    ] {
        let mut world = world(person);
        assert!(allows(&world));
        (world.now, world.feed) = (later(4), feed(later(4), &[]));
        assert!(allows(&world));
        (world.now, world.feed) = (later(5), feed(later(5), &[]));
        assert_eq!(refused(&world), Unauthorized::Key(why));
        let frozen = Request {
            time: Some(later(5)),
            ..request(&secret())
        };
        world.now = later(4);
        world.feed = feed(later(4), &[]);
        assert_eq!(
            world.decide(&frozen),
            Decision::Unauthorized(Unauthorized::Key(why)),
            "the gateway's clock is ahead"
        );
    }
}

#[test]
fn cyb_6_the_keys_own_list_is_enforced_as_it_is_now() {
    let from = |address: Option<&str>| Request {
        source_ip: address.map(|text| text.parse().unwrap()),
        ..request(&secret())
    };
    assert!(matches!(
        World::new().decide(&from(Some("8.8.8.255"))),
        Decision::Allow(_)
    ));
    assert_eq!(
        denied(&World::new(), &from(Some("8.8.9.0"))),
        DenyReason::IpNotAllowed
    );
    assert_eq!(denied(&World::new(), &from(None)), DenyReason::IpUnknown);
    let unrestricted = of(|person| person.key.ip_allowlist = Allowlist::default());
    assert!(matches!(
        unrestricted.decide(&from(None)),
        Decision::Allow(_)
    ));
}

#[test]
fn a_guarded_api_is_open_to_people_by_their_scopes_and_never_to_staff() {
    let calling = |role, route: &str| {
        let request = Request {
            route: Route::Matched(route.into()),
            ..request(&secret())
        };
        match world(Person::of(role)).decide(&request) {
            Decision::Allow(_) => None,
            Decision::Deny { reason, .. } => Some(reason),
            other => panic!("{other:?}"),
        }
    };
    for role in Role::ALL.into_iter().filter(|role| !role.is_staff()) {
        assert_eq!(calling(role, "GET /open"), None);
        assert_eq!(calling(role, "GET /banks/{guid}"), None);
        let admin = role >= Role::Admin;
        assert_eq!(
            calling(role, "POST /banks"),
            (!admin).then_some(DenyReason::InsufficientScope),
            "{role}"
        );
        assert_eq!(calling(role, "DELETE /banks"), Some(DenyReason::Forbidden));
    }
    for role in Role::ALL.into_iter().filter(|role| role.is_staff()) {
        for route in [
            "GET /open",
            "GET /banks/{guid}",
            "POST /banks",
            "DELETE /banks",
            "$connect",
        ] {
            assert_eq!(
                calling(role, route),
                Some(DenyReason::Forbidden),
                "{role} {route}: they see no customers' data"
            );
        }
    }
}
