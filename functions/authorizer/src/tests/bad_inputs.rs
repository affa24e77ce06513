//! No combination of bad inputs is allowed through.

use std::time::Duration;

use domain::{
    feed::{Cohort, Effect, Feed, Subject},
    ids::Guid,
    key_mode::KeyMode,
    time::Timestamp,
};
use guard::testing::world::{ISSUER, KmsKey, LIVE, NOW, SANDBOX, World, claims, feed, later};
use jwt::{Claims, Expected, Verifier};
use proptest::{prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{answer, rest_event};
use crate::Settings;

/// Everything that may be wrong with a request, its token, or the world it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NoHeader,
    RepeatedHeader,
    OtherScheme,
    TamperedToken,
    SignedByStranger,
    SignedByOtherKind,
    OtherIssuer,
    OtherAudience,
    KindNotAccepted,
    Expired,
    NotYetValid,
    KeyWithdrawn,
    FeedNeverRead,
    FeedOld,
    FeedFromTheFuture,
    RequestAheadOfFeed,
    Revoked(usize),
    Suspended(usize),
    AddressNotListed,
    AddressUnknown,
    RouteUnlisted,
    ScopeMissing,
    EventUnknown,
}

fn subjects() -> [Subject; 5] {
    [
        Subject::Key(claims().client_id),
        Subject::Secret(claims().sid),
        Subject::Token(claims().jti),
        Subject::Owner(Guid::from_bytes([5; 16])),
        Subject::Organization {
            guid: claims().org,
            cohort: Cohort::default(),
        },
    ]
}

fn faults() -> Vec<Fault> {
    use Fault::{
        AddressNotListed, AddressUnknown, EventUnknown, Expired, FeedFromTheFuture, FeedNeverRead,
        FeedOld, KeyWithdrawn, KindNotAccepted, NoHeader, NotYetValid, OtherAudience, OtherIssuer,
        OtherScheme, RepeatedHeader, RequestAheadOfFeed, Revoked, RouteUnlisted, ScopeMissing,
        SignedByOtherKind, SignedByStranger, Suspended, TamperedToken,
    };
    let plain = [
        NoHeader,
        RepeatedHeader,
        OtherScheme,
        TamperedToken,
        SignedByStranger,
        SignedByOtherKind,
        OtherIssuer,
        OtherAudience,
        KindNotAccepted,
        Expired,
        NotYetValid,
        KeyWithdrawn,
        FeedNeverRead,
        FeedOld,
        FeedFromTheFuture,
        RequestAheadOfFeed,
        AddressNotListed,
        AddressUnknown,
        RouteUnlisted,
        ScopeMissing,
        EventUnknown,
    ];
    let invalidated =
        (0..subjects().len()).flat_map(|subject| [Revoked(subject), Suspended(subject)]);
    plain.into_iter().chain(invalidated).collect()
}

/// The token with its faults, and the world and event with theirs.
fn build(faults: &[Fault], tampered_at: usize) -> (World, Value) {
    let has = |fault| faults.contains(&fault);
    let mut claims = claims();
    let (mut world, mut now) = (World::new(), NOW);
    if has(Fault::OtherIssuer) {
        claims.iss = "https://other.example".into();
    }
    if has(Fault::OtherAudience) {
        claims.aud = "https://live.example".into();
    }
    if has(Fault::NotYetValid) {
        claims.nbf = NOW + Duration::from_mins(31);
    }
    if has(Fault::Expired) {
        now = claims.exp;
    }
    if has(Fault::ScopeMissing) {
        claims.scope = "accounts:write".parse().unwrap();
    }
    let stranger = KmsKey::new();
    let key = match () {
        () if has(Fault::SignedByStranger) => &stranger,
        () if has(Fault::SignedByOtherKind) => &*LIVE,
        () => &*SANDBOX,
    };
    let mut token = key.token(&claims);
    if has(Fault::TamperedToken) {
        let at = tampered_at % token.len();
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        token.replace_range(at..=at, other);
    }
    if has(Fault::KindNotAccepted) {
        world.settings.expected =
            Expected::of_issuer(ISSUER).accepting(KeyMode::Live, "https://live.example");
    }
    if has(Fault::KeyWithdrawn) {
        world.verifier = Verifier::new([(KeyMode::Live, LIVE.jwk())]).unwrap();
    }
    world.now = now;
    world.feed = feed_of(faults, now);
    (world, event(faults, &token, now))
}

fn feed_of(faults: &[Fault], now: Timestamp) -> Feed {
    let has = |fault| faults.contains(&fault);
    let at = |millis: i64| Timestamp::from_millis(now.millis() + millis);
    let entries: Vec<_> = faults
        .iter()
        .filter_map(|fault| match fault {
            Fault::Revoked(subject) => Some((Effect::Revoke, subjects()[*subject].clone())),
            Fault::Suspended(subject) => {
                Some((Effect::Suspend { version: 2 }, subjects()[*subject].clone()))
            }
            _ => None,
        })
        .collect();
    match () {
        () if has(Fault::FeedNeverRead) => Feed::default(),
        () if has(Fault::FeedOld) => feed(at(-4_001), &entries),
        () if has(Fault::FeedFromTheFuture) => feed(at(10_000), &entries),
        () => feed(now, &entries),
    }
}

fn event(faults: &[Fault], token: &str, now: Timestamp) -> Value {
    let has = |fault| faults.contains(&fault);
    let mut event = rest_event(token);
    if has(Fault::RepeatedHeader) {
        event["multiValueHeaders"]["Authorization"] =
            json!([format!("Bearer {token}"), format!("Bearer {token}")]);
    }
    if has(Fault::OtherScheme) {
        event["headers"]["Authorization"] = format!("Basic {token}").into();
        event["multiValueHeaders"]["Authorization"] = json!([format!("Basic {token}")]);
    }
    if has(Fault::NoHeader) {
        event["headers"] = json!({});
        event["multiValueHeaders"] = json!({});
    }
    if has(Fault::RequestAheadOfFeed) {
        event["requestContext"]["requestTimeEpoch"] = (now.millis() + 20_000).into();
    }
    if has(Fault::AddressNotListed) {
        event["requestContext"]["identity"]["sourceIp"] = "1.1.1.1".into();
    }
    if has(Fault::AddressUnknown) {
        event["requestContext"]["identity"]["sourceIp"] = Value::Null;
    }
    if has(Fault::RouteUnlisted) {
        event["resource"] = "/banks/{guid}/secrets".into();
    }
    if has(Fault::EventUnknown) {
        event["type"] = "OTHER".into();
    }
    event
}

fn allows(world: &World, event: Value) -> bool {
    answer(world, &Settings::default(), event)
        .is_ok_and(|answer| answer["policyDocument"]["Statement"][0]["Effect"] != "Deny")
}

#[test]
fn without_a_fault_it_passes_and_each_fault_alone_stops_it() {
    let (world, event) = build(&[], 0);
    assert!(allows(&world, event));
    for fault in faults() {
        let (world, event) = build(&[fault], 30);
        assert!(!allows(&world, event), "{fault:?}");
    }
}

proptest! {
    #[test]
    fn no_combination_of_faults_passes(
        faults in subsequence(faults(), 1..=faults().len()),
        tampered_at: usize,
        remembered: bool,
    ) {
        let (mut world, event) = build(&faults, tampered_at);
        if remembered {
            // The same instance saw the good token before.
            let (good, good_event) = build(&[], 0);
            prop_assert!(allows(&good, good_event));
            world.tokens = good.tokens;
        }
        prop_assert!(!allows(&world, event));
    }

    #[test]
    fn a_good_request_passes_at_any_moment_of_the_tokens_life(millis in 0..30 * 60 * 1000_i64) {
        let (mut world, event) = build(&[], 0);
        world.now = later(millis);
        world.feed = feed(world.now, &[]);
        prop_assert!(allows(&world, event));
    }

    #[test]
    fn any_text_in_place_of_the_credential_is_refused(header: String) {
        let (world, mut event) = build(&[], 0);
        event["headers"]["Authorization"] = header.clone().into();
        event["multiValueHeaders"]["Authorization"] = json!([header]);
        prop_assert!(!allows(&world, event));
    }

    #[test]
    fn any_claims_that_are_signed_by_a_stranger_are_refused(bytes: [u8; 16]) {
        let (world, _) = build(&[], 0);
        let claims = Claims { jti: domain::ids::Guid::from_bytes(bytes), ..claims() };
        prop_assert!(!allows(&world, rest_event(&KmsKey::new().token(&claims))));
    }
}
