//! What a key is at a moment, and what may become of it.

use super::*;
use crate::{
    feed::Cohort,
    gate::{NextPlan, OrganizationGate, Plan},
    role::Role,
    user::{Email, UserState},
};

/// A sandbox key of a bank.
pub(super) fn a_key(secret: SecretId, created: Timestamp) -> Key {
    let guid = Guid::from_bytes([1; 16]);
    let draft = Draft {
        owner: Owner::Bank(guid),
        organization: guid,
        kind: KeyMode::Sandbox,
        name: Name::parse("key").unwrap(),
        description: None,
        scopes: ScopeSet::default(),
        ip_allowlist: Allowlist::default(),
        expires_at: None,
        destination: None,
        webhook_url: None,
    };
    Key::create(draft, ClientId::of(guid), secret, created).unwrap()
}

fn key(kind: KeyMode, state: State, expires_at: Option<i64>) -> Key {
    let key = a_key(SecretId::from_bytes([1; 16]), Timestamp::from_seconds(100));
    Key {
        kind,
        state,
        expires_at: expires_at.map(Timestamp::from_seconds),
        ..key
    }
}

const NOW: Timestamp = Timestamp::from_seconds(200);
const REVOKED: State = State::Revoked { at: NOW };

#[test]
fn only_an_open_gate_and_an_active_state_make_a_key_active() {
    let gate = |kyb, suspended| Gates {
        organization: OrganizationGate {
            kyb,
            suspended,
            ..OrganizationGate::NEW
        },
        user: None,
        minters: Vec::new(),
    };
    let (open, pending, rejected) = (
        &gate(Kyb::Approved, false),
        &gate(Kyb::Pending, false),
        &gate(Kyb::Rejected, false),
    );
    let suspended = &gate(Kyb::Approved, true);
    for (key, gates, expected) in [
        (
            key(KeyMode::Live, State::Active, None),
            open,
            Effective::Active,
        ),
        (
            key(KeyMode::Live, State::Active, None),
            pending,
            Effective::Inactive,
        ),
        (
            key(KeyMode::Live, State::Active, None),
            rejected,
            Effective::Inactive,
        ),
        (
            key(KeyMode::Sandbox, State::Active, None),
            pending,
            Effective::Active,
        ),
        (
            key(KeyMode::Sandbox, State::Active, None),
            suspended,
            Effective::Deactivated,
        ),
        (
            key(KeyMode::Sandbox, State::Deactivated, None),
            open,
            Effective::Deactivated,
        ),
        (
            key(KeyMode::Sandbox, State::Active, Some(201)),
            open,
            Effective::Active,
        ),
        (
            key(KeyMode::Sandbox, State::Active, Some(200)),
            open,
            Effective::Expired,
        ),
        (
            key(KeyMode::Sandbox, State::Deactivated, Some(200)),
            open,
            Effective::Expired,
        ),
        (
            key(KeyMode::Sandbox, REVOKED, Some(200)),
            open,
            Effective::Revoked,
        ),
        (
            key(KeyMode::Live, REVOKED, None),
            suspended,
            Effective::Revoked,
        ),
    ] {
        assert_eq!(
            key.effective(gates, NOW),
            expected,
            "{key:?} behind {gates:?}"
        );
    }
}

#[test]
fn illegal_transitions_name_both_states() {
    let refused = |result: Result<Key, Error>| result.unwrap_err().message.into_owned();
    let sandbox = |state, expires_at| key(KeyMode::Sandbox, state, expires_at);
    assert_eq!(
        sandbox(State::Active, None).deactivate(NOW).unwrap().state,
        State::Deactivated
    );
    assert_eq!(
        sandbox(State::Deactivated, None)
            .restore(NOW)
            .unwrap()
            .state,
        State::Active
    );
    for (message, expected) in [
        (
            refused(sandbox(State::Deactivated, None).deactivate(NOW)),
            "The key is deactivated and cannot become deactivated",
        ),
        (
            refused(sandbox(State::Active, None).restore(NOW)),
            "The key is active and cannot become active",
        ),
        (
            refused(sandbox(REVOKED, None).deactivate(NOW)),
            "The key is revoked and cannot become deactivated",
        ),
        (
            refused(sandbox(REVOKED, None).restore(NOW)),
            "The key is revoked and cannot become active",
        ),
        (
            refused(sandbox(State::Active, Some(1)).deactivate(NOW)),
            "The key is expired and cannot become deactivated",
        ),
        (
            refused(sandbox(State::Deactivated, Some(1)).restore(NOW)),
            "The key is expired and cannot become active",
        ),
    ] {
        assert_eq!(message, expected);
    }
}

fn personal(kind: KeyMode) -> Key {
    Key {
        owner: Owner::User(Guid::from_bytes([2; 16])),
        ..key(kind, State::Active, None)
    }
}

fn user(state: UserState) -> User {
    User {
        guid: Guid::from_bytes([2; 16]),
        organization: Guid::from_bytes([1; 16]),
        email: Email::parse("ada@example.com").unwrap(),
        role: Role::Developer,
        allowed_scopes: None,
        state,
        created_at: NOW,
        updated_at: NOW,
        narrowed: 0,
        version: 0,
    }
}

#[test]
fn cbm_2_a_personal_key_works_by_its_plan_and_user_whatever_kyb_says() {
    let gate = |plan, next_plan| OrganizationGate {
        plan,
        next_plan,
        ..OrganizationGate::NEW
    };
    let behind = |organization, user| {
        let gates = Gates {
            organization,
            user,
            minters: Vec::new(),
        };
        personal(KeyMode::Live).effective(&gates, NOW)
    };
    let active = || Some(user(UserState::Active));
    assert_eq!(behind(gate(Plan::Pro, None), active()), Effective::Active);
    assert_eq!(
        behind(gate(Plan::Starter, None), active()),
        Effective::Inactive
    );
    assert_eq!(
        behind(gate(Plan::Pro, None), Some(user(UserState::Disabled))),
        Effective::Deactivated
    );
    assert_eq!(
        behind(gate(Plan::Pro, None), None),
        Effective::Deactivated,
        "nobody to act for"
    );
    let notice = |at| {
        Some(NextPlan {
            plan: Plan::Starter,
            at: Timestamp::from_seconds(at),
        })
    };
    assert_eq!(
        behind(gate(Plan::Pro, notice(201)), active()),
        Effective::Active,
        "notice was given"
    );
    assert_eq!(
        behind(gate(Plan::Pro, notice(200)), active()),
        Effective::Inactive,
        "and is over"
    );
}

#[test]
fn leak_8_a_cohort_in_the_gate_revokes_for_good() {
    let created = Timestamp::from_seconds(100);
    let cohorts = |cohort| Gates {
        organization: OrganizationGate {
            kyb: Kyb::Approved,
            revocations: vec![cohort],
            ..OrganizationGate::NEW
        },
        user: None,
        minters: Vec::new(),
    };
    let own = key(KeyMode::Sandbox, State::Deactivated, Some(150));
    let until = |until| Cohort {
        created_until: Some(until),
        ..Cohort::default()
    };
    assert_eq!(
        own.effective(&cohorts(until(created)), NOW),
        Effective::Expired,
        "exclusive"
    );
    assert_eq!(own.effective(&cohorts(until(NOW)), NOW), Effective::Revoked);
    let of = |owner| Cohort {
        owner: Some(owner),
        ..until(NOW)
    };
    assert_eq!(
        own.effective(&cohorts(of(own.owner.guid())), NOW),
        Effective::Revoked
    );
    assert_eq!(
        own.effective(&cohorts(of(Guid::from_bytes([9; 16]))), NOW),
        Effective::Expired
    );
}

#[test]
fn arz_1_a_destination_needs_a_webhook_url_and_both_a_bank() {
    let fields = |error: Error| {
        error
            .fields
            .into_iter()
            .map(|field| field.field)
            .collect::<Vec<_>>()
    };
    let destination = || Some(Some(Name::parse("GB00 1").unwrap()));
    let edit = |edit: Edit| key(KeyMode::Sandbox, State::Active, None).edit(edit, NOW);
    assert_eq!(
        fields(
            edit(Edit {
                destination: destination(),
                ..Edit::default()
            })
            .unwrap_err()
        ),
        ["webhook_url"]
    );
    let webhook_url = || Some(Some(WebhookUrl::parse("https://example.com/hook").unwrap()));
    let both = edit(Edit {
        destination: destination(),
        webhook_url: webhook_url(),
        ..Edit::default()
    })
    .unwrap();
    let cleared = both.edit(
        Edit {
            webhook_url: Some(None),
            ..Edit::default()
        },
        NOW,
    );
    assert_eq!(fields(cleared.unwrap_err()), ["webhook_url"]);
    let personal = personal(KeyMode::Live).edit(
        Edit {
            webhook_url: webhook_url(),
            ..Edit::default()
        },
        NOW,
    );
    assert_eq!(fields(personal.unwrap_err()), ["webhook_url"]);
}

#[test]
fn arz_4_the_destination_of_a_live_key_never_changes_and_expiry_is_not_undone() {
    let conflict = |result: Result<Key, Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict);
        error.message.into_owned()
    };
    let live = || key(KeyMode::Live, State::Active, None);
    let destination = Some(Some(Name::parse("GB00 1").unwrap()));
    let refused = conflict(live().edit(
        Edit {
            destination,
            ..Edit::default()
        },
        NOW,
    ));
    assert!(refused.contains("create a new key"), "{refused}");
    assert!(
        live()
            .edit(
                Edit {
                    destination: Some(None),
                    ..Edit::default()
                },
                NOW
            )
            .is_ok(),
        "as it is"
    );

    let end = |at| Edit {
        expires_at: Some(at),
        ..Edit::default()
    };
    let expired = || key(KeyMode::Sandbox, State::Active, Some(200));
    assert!(conflict(expired().edit(end(None), NOW)).contains("expired"));
    assert!(expired().edit(end(Some(NOW)), NOW).is_ok(), "as it is");
    assert!(
        live().edit(end(Some(NOW)), NOW).is_err(),
        "the past is no end"
    );
    let later = Some(Timestamp::from_seconds(300));
    let edited = live().edit(end(later), NOW).unwrap();
    assert_eq!(
        edited.expiry_effect(),
        Effect::Expire {
            at: Timestamp::from_seconds(300),
            version: 1
        }
    );
    assert!(
        conflict(key(KeyMode::Live, REVOKED, None).edit(Edit::default(), NOW)).contains("revoked")
    );
}

#[test]
fn an_edit_gives_what_was_narrower_before() {
    let list = |entries: &[&str]| Allowlist::parse(entries).unwrap();
    let ends = |end: Option<i64>| Edit {
        expires_at: Some(end.map(Timestamp::from_seconds)),
        ..Edit::default()
    };
    let lists = |entries: &[&str]| Edit {
        ip_allowlist: Some(list(entries)),
        ..Edit::default()
    };
    let named = || Edit {
        name: Some(Name::parse("new").unwrap()),
        ..Edit::default()
    };
    let narrow = Key {
        ip_allowlist: list(&["8.8.8.0/24"]),
        ..key(KeyMode::Sandbox, State::Active, Some(300))
    };
    let wide = key(KeyMode::Sandbox, State::Active, None);
    for (key, edit, extends) in [
        (&narrow, named(), false),
        (&narrow, ends(Some(300)), false),
        (&narrow, ends(Some(299)), false),
        (&narrow, ends(Some(301)), true),
        (&narrow, ends(None), true),
        (&narrow, lists(&["8.8.8.8"]), false),
        (&narrow, lists(&["8.8.8.8", "9.9.9.9"]), true),
        (&narrow, lists(&[]), true),
        (&wide, ends(Some(300)), false),
        (&wide, ends(None), false),
        (&wide, lists(&["8.8.8.8"]), false),
        (&wide, lists(&[]), false),
    ] {
        assert_eq!(edit.extends(key), extends, "{edit:?} of {key:?}");
    }
}
