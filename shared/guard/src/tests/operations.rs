//! The management API's table at the gateway: role × route, and machines by scope. The expected
//! answers are spelled out here from docs/requirements.md, Roles, and CYB-11, not computed from the
//! table.

use domain::{
    operation::{self, Operation, Scopes},
    role::Role,
    scope::{Catalogue, Holder},
};
use jwt::Claims;

use crate::{
    decision::{Decision, DenyReason},
    request::{Request, Route},
    routes::Routes,
    testing::{
        person::{Person, secret},
        world::{SANDBOX, World, claims, request},
    },
};

fn world() -> World {
    let mut world = World::new();
    world.settings.routes = Routes::parse("operations").unwrap();
    world
}

fn denied(world: &World, credential: &str, route: &str) -> Option<DenyReason> {
    match world.decide(&Request {
        route: Route::Matched(route.into()),
        ..request(credential)
    }) {
        Decision::Deny { reason, .. } => Some(reason),
        Decision::Allow(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Which of v(iewer), d(eveloper), a(dmin), o(wner), s(upport), S(ecurity) and O(perations) a route
/// lets through.
const OPEN_TO: [(&str, &str); 36] = [
    ("GET /api/organizations", "vdaosSO"),
    ("POST /api/organizations", "O"),
    ("GET /api/organizations/{guid}", "vdaosSO"),
    ("PATCH /api/organizations/{guid}", "ao"),
    ("PUT /api/organizations/{guid}/kyb", "O"),
    ("PUT /api/organizations/{guid}/plan", "oO"),
    ("GET /api/banks", "vdaos"),
    ("POST /api/banks", "ao"),
    ("GET /api/banks/{guid}", "vdaos"),
    ("PATCH /api/banks/{guid}", "ao"),
    ("GET /api/bank_applications", "vdaosS"),
    ("POST /api/bank_applications", "dao"),
    ("GET /api/bank_applications/{client_id}", "vdaosS"),
    ("PATCH /api/bank_applications/{client_id}", "dao"),
    ("DELETE /api/bank_applications/{client_id}", "dao"),
    ("GET /api/organization_applications", "vdaosS"),
    ("POST /api/organization_applications", "dao"),
    ("GET /api/organization_applications/{client_id}", "vdaosS"),
    ("PATCH /api/organization_applications/{client_id}", "dao"),
    ("DELETE /api/organization_applications/{client_id}", "dao"),
    ("GET /api/keys", "vdaosS"),
    ("POST /api/keys", "dao"),
    ("GET /api/keys/{client_id}", "vdaosS"),
    ("PATCH /api/keys/{client_id}", "dao"),
    ("DELETE /api/keys/{client_id}", "dao"),
    ("POST /api/keys/{client_id}/rotate", "vdaosSO"),
    ("POST /api/keys/{client_id}/finish_rotation", "vdaosSO"),
    ("POST /api/keys/{client_id}/revoke", "daosS"),
    ("POST /api/keys/{client_id}/deactivate", "dao"),
    ("POST /api/keys/{client_id}/restore", "dao"),
    ("GET /api/users", "vdaosS"),
    ("POST /api/users", "ao"),
    ("GET /api/users/{guid}", "vdaosS"),
    ("PATCH /api/users/{guid}", "ao"),
    ("DELETE /api/users/{guid}", "ao"),
    ("POST /api/incidents/revoke", "aoS"),
];

#[test]
fn every_route_is_open_to_the_roles_of_the_contract_and_closed_to_the_others() {
    for (route, open_to) in OPEN_TO {
        for (role, letter) in Role::ALL.into_iter().zip("vdaosSO".chars()) {
            let world = World {
                person: Ok(Person::of(role)),
                ..world()
            };
            let expected = if open_to.contains(letter) {
                None
            } else {
                Some(DenyReason::Forbidden)
            };
            assert_eq!(denied(&world, &secret(), route), expected, "{role} {route}");
        }
    }
    let routes = operation::rules()
        .iter()
        .filter(|rule| !rule.method.is_empty());
    let people = routes.filter(|rule| Role::ALL.into_iter().any(|role| rule.role(role).is_some()));
    assert_eq!(
        people.count(),
        OPEN_TO.len(),
        "every route that some person may call is listed above"
    );
    for role in Role::ALL {
        let world = World {
            person: Ok(Person::of(role)),
            ..world()
        };
        assert_eq!(
            denied(&world, &secret(), "POST /api/customer_tokens"),
            Some(DenyReason::Forbidden),
            "{role}: for machines"
        );
    }
}

#[test]
fn a_person_whose_scopes_are_narrowed_keeps_what_is_of_own_keys_and_loses_the_rest() {
    let mut admin = Person::new();
    admin.user().allowed_scopes = Some("trades:read".parse().unwrap());
    let world = World {
        person: Ok(admin),
        ..world()
    };
    for route in ["POST /api/banks", "GET /api/banks", "POST /api/users"] {
        assert_eq!(
            denied(&world, &secret(), route),
            Some(DenyReason::InsufficientScope),
            "{route}"
        );
    }
    for route in [
        "POST /api/keys",
        "POST /api/keys/{client_id}/rotate",
        "POST /api/keys/{client_id}/revoke",
    ] {
        assert_eq!(
            denied(&world, &secret(), route),
            None,
            "{route}: own personal keys need no scope"
        );
    }
}

#[test]
fn cyb_11_a_machine_needs_one_of_the_scopes_and_what_only_people_do_is_closed_to_it() {
    let world = world();
    let everything = Catalogue::default()
        .all(Holder::Organization)
        .union(&Catalogue::default().all(Holder::Bank));
    let token = |scopes: &str| {
        SANDBOX.token(&Claims {
            scope: scopes.parse().unwrap(),
            ..claims()
        })
    };
    // A token with every scope there is would be too long.
    for rule in operation::rules()
        .iter()
        .filter(|rule| !rule.method.is_empty())
    {
        let route = format!("{} {}", rule.method, rule.path);
        let Scopes::AnyOf(any_of) = &rule.scopes else {
            assert_eq!(
                denied(&world, &token("banks:read"), &route),
                Some(DenyReason::Forbidden),
                "{route}"
            );
            continue;
        };
        // LEAK-11: whether it is its own key that a credential rotates is for the function to say.
        let itself = matches!(
            rule.operation,
            Operation::RotateKey | Operation::FinishRotation
        );
        for scope in everything.iter().map(domain::scope::Scope::as_str) {
            let expected =
                (!itself && !any_of.contains(&scope)).then_some(DenyReason::InsufficientScope);
            assert_eq!(
                denied(&world, &token(scope), &route),
                expected,
                "{scope} {route}"
            );
        }
        assert_eq!(
            denied(&world, &token(""), &route),
            (!itself).then_some(DenyReason::InsufficientScope),
            "{route}"
        );
    }
    for people in [
        Operation::CreateOrganization,
        Operation::DecideKyb,
        Operation::ChangePlan,
        Operation::RevokeIncident,
    ] {
        assert_eq!(people.rule().scopes, Scopes::People);
    }
}

#[test]
fn what_is_no_operation_is_closed_to_everybody() {
    let token = SANDBOX.token(&claims());
    for route in [
        "$default",
        "$connect",
        "GET /",
        " ",
        "",
        "GET /api/audit_events",
        "PUT /api/banks",
        "ANY /api/banks",
        "GET /api/banks/",
    ] {
        for credential in [&token, &secret()] {
            assert_eq!(
                denied(&world(), credential, route),
                Some(DenyReason::Forbidden),
                "{route}"
            );
        }
    }
}
