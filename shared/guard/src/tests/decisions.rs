//! Every refusal by name, and the edges of the clock.

mod revoked;

use std::{collections::BTreeMap, time::Duration};

use domain::{
    allowlist::Allowlist,
    feed::{Effect, Fact, Invalidation, Subject},
    key::Owner,
    key_mode::KeyMode,
};
use jwt::{Claims, Expected, VerificationError};
use web::{caller::Caller, request::Facts};

use crate::{
    bearer::NoBearer,
    context::Context,
    decision::{Decision, DenyReason, Unauthorized, Unavailable},
    request::{Request, Route},
    testing::world::{ISSUER, LIVE, NOW, SANDBOX, World, claims, feed, later, request},
};

fn token() -> String {
    SANDBOX.token(&claims())
}

fn refused(world: &World, request: &Request) -> Unauthorized {
    match world.decide(request) {
        Decision::Unauthorized(why) => why,
        other => panic!("{other:?}"),
    }
}

fn denied(world: &World, request: &Request) -> DenyReason {
    match world.decide(request) {
        Decision::Deny { reason, client_id } if client_id == claims().client_id => reason,
        other => panic!("{other:?}"),
    }
}

fn allows(world: &World, request: &Request) -> bool {
    matches!(world.decide(request), Decision::Allow(_))
}

#[test]
fn cyb_4_a_good_token_passes_and_the_api_learns_whom_it_serves() {
    let Decision::Allow(context) = World::new().decide(&request(&token())) else {
        panic!("refused")
    };
    let expected = BTreeMap::from([
        ("organization", "04".repeat(16)),
        ("bank", "05".repeat(16)),
        ("client_id", claims().client_id.to_string()),
        ("owner", format!("bank:{}", "05".repeat(16))),
        ("scopes", "accounts:write banks:read".into()),
        ("environment", "sandbox".into()),
        ("jti", "01".repeat(16)),
        ("sid", "03".repeat(16)),
        ("ip_allowlist", "8.8.8.0/24".into()),
        ("expires_at", "2030-03-17T18:16:40.000Z".into()),
    ]);
    let expected: BTreeMap<String, String> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(context.fields(), expected);
    let caller =
        Caller::read(&expected, Facts::default()).expect("the reading side understands it");
    assert_eq!(
        (
            caller.client_id,
            caller.owner,
            caller.jti,
            caller.sid,
            caller.expires_at
        ),
        (
            context.client_id,
            context.owner,
            context.jti,
            context.sid,
            Some(claims().exp)
        )
    );
    assert_eq!((caller.role, caller.customer), (None, None));
    assert_eq!(
        (caller.kind, caller.scopes, caller.ip_allowlist),
        (context.environment, context.scopes, context.ip_allowlist)
    );
}

#[test]
fn what_is_absent_is_left_out_of_the_context_and_what_is_wrong_is_refused() {
    let organization = Claims {
        owner: Owner::Organization(claims().org),
        ip_allowlist: Allowlist::default(),
        ..claims()
    };
    let context = Context::from(&organization);
    let fields = context.fields();
    assert!(!fields.contains_key("bank") && !fields.contains_key("ip_allowlist"));
    assert!(Caller::read(&fields, Facts::default()).is_ok());
    for name in fields.keys() {
        let mut fields = fields.clone();
        fields.insert(name.clone(), "?".into());
        assert!(Caller::read(&fields, Facts::default()).is_err(), "{name}");
        fields.remove(name);
        // A personal key may have no end, and nothing else of a token's is optional.
        assert_eq!(
            Caller::read(&fields, Facts::default()).is_ok(),
            name == "expires_at",
            "without {name}"
        );
    }
    for (name, value) in [
        ("bank", "05".repeat(16)),
        ("ip_allowlist", String::new()),
        ("role", "viewer".into()),
        ("customer", "?".into()),
    ] {
        let mut fields = fields.clone();
        fields.insert(name.into(), value);
        assert!(Caller::read(&fields, Facts::default()).is_err(), "{name}");
    }
}

#[test]
fn no_one_bearer_token_is_401() {
    let with = |header| Request::new(header, None, "GET /open", None);
    assert_eq!(
        refused(&World::new(), &with(None)),
        Unauthorized::NoBearer(NoBearer::Absent)
    );
    assert_eq!(
        refused(&World::new(), &with(Some("Basic YTpi"))),
        Unauthorized::NoBearer(NoBearer::Malformed)
    );
    assert_eq!(
        refused(&World::new(), &with(Some("Bearer x"))),
        Unauthorized::Token(VerificationError::Malformed)
    );
}

#[test]
fn a_token_of_another_issuer_audience_or_kind_is_401() {
    let refused_claims =
        |world: &World, claims: &Claims| refused(world, &request(&SANDBOX.token(claims)));
    assert_eq!(
        refused_claims(
            &World::new(),
            &Claims {
                iss: "https://other.example".into(),
                ..claims()
            }
        ),
        Unauthorized::Token(VerificationError::WrongIssuer)
    );
    assert_eq!(
        refused_claims(
            &World::new(),
            &Claims {
                aud: "https://live.example".into(),
                ..claims()
            }
        ),
        Unauthorized::Token(VerificationError::WrongAudience)
    );
    let live = Claims {
        aud: "https://live.example".into(),
        env: KeyMode::Live,
        ..claims()
    };
    assert_eq!(
        refused(&World::new(), &request(&LIVE.token(&live))),
        Unauthorized::Token(VerificationError::WrongKind),
        "a sandbox API takes no live token"
    );
    let mut world = World::new();
    world.settings.expected =
        Expected::of_issuer(ISSUER).accepting(KeyMode::Live, "https://live.example");
    assert_eq!(
        refused_claims(&world, &claims()),
        Unauthorized::Token(VerificationError::WrongKind),
        "nor a live API a sandbox token"
    );
    assert!(allows(&world, &request(&LIVE.token(&live))));
    assert_eq!(
        refused_claims(&world, &live),
        Unauthorized::Token(VerificationError::KeyOfOtherKind),
        "signed by the sandbox key"
    );
}

#[test]
fn cyb_9_a_token_dies_at_exp_from_the_cache_as_well() {
    let mut world = World::new();
    let request = request(&token());
    assert!(allows(&world, &request), "and is remembered from here on");
    let end = 30 * 60 * 1000;
    for (millis, alive) in [(end - 1, true), (end, false), (end + 1, false)] {
        world.now = later(millis);
        world.feed = feed(world.now, &[]);
        assert_eq!(allows(&world, &request), alive, "{millis}");
    }
    assert_eq!(
        refused(&world, &request),
        Unauthorized::Token(VerificationError::Expired)
    );
}

#[test]
fn the_gateways_clock_counts_where_it_is_ahead() {
    let mut frozen = request(&token());
    frozen.time = Some(later(30 * 60 * 1000));
    assert_eq!(
        refused(&World::new(), &frozen),
        Unauthorized::Token(VerificationError::Expired)
    );
    frozen.time = Some(later(5_000));
    assert_eq!(
        World::new().decide(&frozen),
        Decision::Unavailable(Unavailable::Feed),
        "an instance that woke with its clock behind"
    );
    frozen.time = Some(later(-60_000));
    assert!(
        allows(&World::new(), &frozen),
        "a request that waited is judged by our clock"
    );
}

#[test]
fn cyb_7_a_call_from_elsewhere_is_403() {
    let from = |address: Option<&str>| Request {
        source_ip: address.map(|text| text.parse().unwrap()),
        ..request(&token())
    };
    for address in ["8.8.8.0", "8.8.8.255", "::ffff:8.8.8.8"] {
        assert!(allows(&World::new(), &from(Some(address))), "{address}");
    }
    for address in ["8.8.9.0", "8.8.7.255", "::8.8.8.8", "2001:4860:4860::8888"] {
        assert_eq!(
            denied(&World::new(), &from(Some(address))),
            DenyReason::IpNotAllowed,
            "{address}"
        );
    }
    assert_eq!(denied(&World::new(), &from(None)), DenyReason::IpUnknown);
    let unrestricted = SANDBOX.token(&Claims {
        ip_allowlist: Allowlist::default(),
        ..claims()
    });
    assert!(allows(
        &World::new(),
        &Request {
            source_ip: None,
            ..request(&unrestricted)
        }
    ));
}

#[test]
fn a_route_needs_one_of_its_scopes_and_an_unlisted_one_is_closed() {
    let calling = |route: &str| Request {
        route: Route::Matched(route.into()),
        ..request(&token())
    };
    assert!(allows(&World::new(), &calling("GET /open")));
    assert_eq!(
        denied(&World::new(), &calling("POST /banks")),
        DenyReason::InsufficientScope
    );
    assert_eq!(
        denied(&World::new(), &calling("DELETE /banks")),
        DenyReason::Forbidden
    );
    assert_eq!(
        denied(&World::new(), &calling("$default")),
        DenyReason::Forbidden
    );
    let none = SANDBOX.token(&Claims {
        scope: "".parse().unwrap(),
        ..claims()
    });
    assert_eq!(
        denied(&World::new(), &request(&none)),
        DenyReason::InsufficientScope
    );
}

#[test]
fn a_refused_caller_learns_nothing_of_what_comes_later() {
    let mut request = request(&token());
    request.source_ip = None;
    request.route = Route::Matched("DELETE /banks".into());
    assert_eq!(
        denied(&World::new(), &request),
        DenyReason::IpUnknown,
        "the address before the route"
    );
    let revoked = World::with_feed(&[(Effect::Revoke, Subject::Secret(claims().sid))]);
    assert_eq!(
        refused(&revoked, &request),
        Unauthorized::Invalidated(Invalidation::Revoked(Fact::Secret)),
        "revocation before the address"
    );
}

#[test]
fn many_tokens_are_remembered_up_to_a_bound_and_all_of_them_stay_right() {
    let world = World::new();
    let good = token();
    for seconds in 0..2_100 {
        let claims = Claims {
            exp: NOW + Duration::from_secs(60 + seconds),
            ..claims()
        };
        assert!(allows(&world, &request(&SANDBOX.token(&claims))));
    }
    assert!(allows(&world, &request(&good)));
    assert!(format!("{:?}", world.tokens).matches("kid").count() <= 2_000);
}

#[test]
fn the_vocabulary_is_safe_to_substitute_into_json() {
    for reason in DenyReason::ALL {
        for text in [reason.message_code(), reason.message()] {
            assert_eq!(serde_json::to_string(text).unwrap(), format!("\"{text}\""));
            assert!(
                text.is_ascii() && !text.contains(['$', '#', '\'', '<']),
                "{text}"
            );
        }
    }
    assert_eq!(
        DenyReason::IpNotAllowed.message(),
        "IP address not in allowlist"
    );
}
