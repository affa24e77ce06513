//! Customers' tokens (CYB-8): what they open, what the API learns of them, and what kills them.

use domain::{
    allowlist::Allowlist,
    feed::{Effect, Fact, Invalidation, Parent, Subject},
    ids::{ClientId, Guid, SecretId},
};
use jwt::Claims;
use web::{caller::Caller, request::Facts};

use crate::{
    decision::{Decision, DenyReason, Unauthorized},
    request::{Request, Route},
    routes::Routes,
    testing::world::{SANDBOX, World, claims, request},
};

const CUSTOMER: Guid = Guid::from_bytes([7; 16]);

fn parent() -> Parent {
    Parent {
        client_id: ClientId::of(Guid::from_bytes([2; 16])),
        sid: SecretId::from_bytes([0x0b; 16]),
        jti: Guid::from_bytes([0x0c; 16]),
    }
}

fn token() -> String {
    let claims = Claims {
        customer: Some(CUSTOMER),
        parent: Some(parent()),
        scope: "banks:read customers:read".parse().unwrap(),
        ip_allowlist: Allowlist::default(),
        ..claims()
    };
    SANDBOX.token(&claims)
}

#[test]
fn cyb_8_the_api_learns_the_customer() {
    let Decision::Allow(context) = World::new().decide(&request(&token())) else {
        panic!("refused")
    };
    let fields = context.fields();
    assert_eq!(
        (&*fields["customer"], &*fields["bank"]),
        (&*CUSTOMER.to_string(), &*"05".repeat(16))
    );
    let caller = Caller::read(&fields, Facts::default()).unwrap();
    assert_eq!(
        (caller.customer, caller.role, caller.jti),
        (Some(CUSTOMER), None, Some(claims().jti))
    );
}

#[test]
fn cyb_8_revoking_the_key_secret_or_token_that_it_was_derived_from_kills_it() {
    for (subject, fact) in [
        (Subject::Key(parent().client_id), Fact::Key),
        (Subject::Secret(parent().sid), Fact::Secret),
        (Subject::Token(parent().jti), Fact::Token),
        (Subject::Token(claims().jti), Fact::Token),
    ] {
        let world = World::with_feed(&[(Effect::Revoke, subject.clone())]);
        let refused =
            Decision::Unauthorized(Unauthorized::Invalidated(Invalidation::Revoked(fact)));
        assert_eq!(world.decide(&request(&token())), refused, "{subject:?}");
    }
    let machine = World::with_feed(&[(Effect::Revoke, Subject::Token(parent().jti))]);
    assert!(
        matches!(
            machine.decide(&request(&SANDBOX.token(&claims()))),
            Decision::Allow(_)
        ),
        "a token without parents"
    );
}

#[test]
fn a_customer_is_let_into_guarded_apis_by_scope_and_never_into_the_management_api() {
    let denied = |world: &World, route: &str| match world.decide(&Request {
        route: Route::Matched(route.into()),
        ..request(&token())
    }) {
        Decision::Deny { reason, .. } => Some(reason),
        Decision::Allow(_) => None,
        other => panic!("{other:?}"),
    };
    let mut world = World::new();
    assert_eq!(denied(&world, "GET /open"), None);
    assert_eq!(
        denied(&world, "POST /banks"),
        Some(DenyReason::InsufficientScope)
    );
    world.settings.routes = Routes::parse("operations").unwrap();
    for rule in domain::operation::rules() {
        assert_eq!(
            denied(&world, &format!("{} {}", rule.method, rule.path)),
            Some(DenyReason::Forbidden),
            "{rule:?}"
        );
    }
}
