//! No combination of bad inputs around a personal key is allowed through.

use std::time::Duration;

use domain::{
    feed::{Cohort, Effect, Feed, Subject},
    gate::Plan,
    ids::{Guid, SecretId},
    key::{Grace, Rotation, State},
    key_mode::KeyMode,
    role::Role,
    user::UserState,
};
use guard::{
    KeyError,
    testing::{
        person::{KEY, ORGANIZATION, Person, SECRET, USER, rotated, secret},
        world::{NOW, World, feed, later},
    },
};
use proptest::{prelude::*, sample::subsequence};
use serde_json::{Value, json};

use super::{answer, rest_event};
use crate::Settings;

/// Everything that may be wrong with a request, its key, or the world it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    RepeatedHeader,
    MistypedSecret,
    NobodysSecret,
    SecretEnded,
    KindNotAccepted,
    Deactivated,
    Expired,
    Revoked,
    RevokedWithOthers,
    Suspended,
    NoPlan,
    UserDisabled,
    UserGone,
    UserOfAnother,
    Staff,
    ScopeMissing,
    FeedNeverRead,
    FeedOld,
    FeedFromTheFuture,
    RequestAheadOfFeed,
    Invalidated(usize, Effect),
    AddressNotListed,
    AddressUnknown,
    RouteUnlisted,
}

fn subjects() -> [Subject; 4] {
    [
        Subject::Key(KEY),
        Subject::Secret(SECRET),
        Subject::User(USER),
        Subject::Organization {
            guid: ORGANIZATION,
            cohort: Cohort {
                owner: Some(USER),
                ..Cohort::default()
            },
        },
    ]
}

fn faults() -> Vec<Fault> {
    use Fault::{
        AddressNotListed, AddressUnknown, Deactivated, Expired, FeedFromTheFuture, FeedNeverRead,
        FeedOld, Invalidated, KindNotAccepted, MistypedSecret, NoPlan, NobodysSecret,
        RepeatedHeader, RequestAheadOfFeed, Revoked, RevokedWithOthers, RouteUnlisted,
        ScopeMissing, SecretEnded, Staff, Suspended, UserDisabled, UserGone, UserOfAnother,
    };
    let plain = [
        RepeatedHeader,
        MistypedSecret,
        NobodysSecret,
        SecretEnded,
        KindNotAccepted,
        Deactivated,
        Expired,
        Revoked,
        RevokedWithOthers,
        Suspended,
        NoPlan,
        UserDisabled,
        UserGone,
        UserOfAnother,
        Staff,
        ScopeMissing,
        FeedNeverRead,
        FeedOld,
        FeedFromTheFuture,
        RequestAheadOfFeed,
        AddressNotListed,
        AddressUnknown,
        RouteUnlisted,
    ];
    let effects = [
        Effect::Revoke,
        Effect::Suspend { version: 2 },
        Effect::Expire {
            at: NOW,
            version: 2,
        },
    ];
    let invalidated = (0..subjects().len())
        .flat_map(|subject| effects.map(|effect| Invalidated(subject, effect)));
    plain.into_iter().chain(invalidated).collect()
}

fn person(faults: &[Fault]) -> Person {
    let mut person = Person::new();
    for fault in faults {
        let (key, organization, user) = (
            &mut person.key,
            &mut person.gates.organization,
            person.gates.user.as_mut(),
        );
        match (fault, user) {
            (Fault::SecretEnded, _) => {
                let rotation = Rotation::Keep(Grace::FromNow(Duration::ZERO));
                // One that is over is not rotated; its secret ends with it.
                *key = rotated(key, SecretId::from_bytes([9; 16]), rotation, NOW)
                    .unwrap_or_else(|_| key.clone());
            }
            (Fault::KindNotAccepted, _) => key.kind = KeyMode::Live,
            (Fault::Deactivated, _) => key.state = State::Deactivated,
            (Fault::Expired, _) => key.expires_at = Some(NOW),
            (Fault::Revoked, _) => key.state = State::Revoked { at: NOW },
            (Fault::RevokedWithOthers, _) => organization.revocations.push(Cohort {
                owner: Some(USER),
                ..Cohort::default()
            }),
            (Fault::Suspended, _) => organization.suspended = true,
            (Fault::NoPlan, _) => organization.plan = Plan::Starter,
            (Fault::UserDisabled, Some(user)) => user.state = UserState::Disabled,
            (Fault::UserOfAnother, Some(user)) => user.organization = Guid::from_bytes([9; 16]),
            (Fault::Staff, Some(user)) => user.role = Role::Support,
            (Fault::ScopeMissing, Some(user)) => {
                user.allowed_scopes = Some("accounts:write".parse().unwrap());
            }
            (Fault::UserGone, _) => person.gates.user = None,
            _ => {}
        }
    }
    person
}

fn build(faults: &[Fault], typo_at: usize) -> (World, Value) {
    let has = |fault| faults.contains(&fault);
    let invalidated: Vec<_> = faults
        .iter()
        .filter_map(|fault| match fault {
            Fault::Invalidated(subject, effect) => Some((*effect, subjects()[*subject].clone())),
            _ => None,
        })
        .collect();
    let feed = match () {
        () if has(Fault::FeedNeverRead) => Feed::default(),
        () if has(Fault::FeedOld) => feed(later(-4_001), &invalidated),
        () if has(Fault::FeedFromTheFuture) => feed(later(10_000), &invalidated),
        () => feed(NOW, &invalidated),
    };
    let person = if has(Fault::NobodysSecret) {
        Err(KeyError::WrongSecret)
    } else {
        Ok(person(faults))
    };
    let mut secret = secret();
    if has(Fault::MistypedSecret) {
        let at = typo_at % secret.len();
        let other = if &secret[at..=at] == "A" { "B" } else { "A" };
        secret.replace_range(at..=at, other);
    }
    let mut event = rest_event(&secret);
    if has(Fault::RepeatedHeader) {
        event["multiValueHeaders"]["Authorization"] =
            json!([format!("Bearer {secret}"), format!("Bearer {secret}")]);
    }
    if has(Fault::RequestAheadOfFeed) {
        event["requestContext"]["requestTimeEpoch"] = (NOW.millis() + 20_000).into();
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
    (
        World {
            person,
            feed,
            ..World::new()
        },
        event,
    )
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
        typo_at: usize,
    ) {
        let (world, event) = build(&faults, typo_at);
        prop_assert!(!allows(&world, event));
    }
}
