//! A caller that changes between the decision and its transaction.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::{
    audit::Action,
    authority::Authorized,
    gate::{OrganizationGate, Plan},
    key::Key,
    role::Role,
    user::User,
};
use serde_json::{Value, json};

use super::{
    super::{
        Item, Scene, Sent, at,
        fixtures::{ORGANIZATION, operator, user},
        table::{Table, stage, stage_with},
    },
    create,
};
use crate::StoreError;

/// Something happens between the look at the caller and the commit.
fn meddled(meddle: impl Fn(&Table) + Send + Sync + 'static) -> (Scene, Table) {
    let commits = AtomicI64::new(0);
    stage_with(move |table, sent, _| {
        let by_caller = sent
            .items()
            .iter()
            .any(|item: &Item| item.verb == "ConditionCheck");
        if by_caller && commits.fetch_add(1, Ordering::SeqCst) == 0 {
            meddle(table);
        }
        None
    })
}

fn set(place: (&str, &str), member: &str, value: Value) -> impl Fn(&Table) + use<> {
    let (prefix, sk, member) = (place.0.to_owned(), place.1.to_owned(), member.to_owned());
    move |table| {
        let pk = table.item(&prefix, &sk)["PK"].clone();
        table.update(json!({
            "Key": {"PK": {"S": pk}, "SK": {"S": sk}},
            "UpdateExpression": "SET #member = :value ADD version :one",
            "ExpressionAttributeNames": {"#member": member},
            "ExpressionAttributeValues": {":value": value, ":one": {"N": "1"}},
        }));
    }
}

fn another_secret() -> Value {
    json!({
        "M": {
            "current": {
                "M": {
                    "id": {"S": "ee".repeat(16)},
                    "created_at": {"S": at(Duration::ZERO).to_string()},
                },
            },
        },
    })
}

#[tokio::test]
async fn a_caller_that_is_stopped_at_the_last_moment_changes_nothing() {
    for (place, member, value, expected) in [
        (
            ("K#", "KEY"),
            "state",
            json!({"M": {"name": {"S": "deactivated"}}}),
            StoreError::CallerStopped,
        ),
        (
            ("K#", "KEY"),
            "expires_at",
            json!({"S": at(Duration::ZERO).to_string()}),
            StoreError::CallerStopped,
        ),
        // The secret that obtained its token was ended: another one is current, and none is
        // previous.
        (
            ("K#", "KEY"),
            "secrets",
            another_secret(),
            StoreError::CallerStopped,
        ),
        (
            ("G#", "GATE"),
            "suspended",
            json!({"BOOL": true}),
            StoreError::CallerStopped,
        ),
        (
            ("G#", "GATE"),
            "plan",
            json!({"S": "starter"}),
            StoreError::CallerStopped,
        ),
        (
            ("G#", "GATE"),
            "revocations",
            json!({"L": [{"M": {}}]}),
            StoreError::CallerStopped,
        ),
        (
            ("U#", "USER"),
            "state",
            json!({"S": "disabled"}),
            StoreError::CallerStopped,
        ),
        // The caller is still valid, but what it may do changed since the decision: a role.
        (
            ("U#", "USER"),
            "role",
            json!({"S": "viewer"}),
            StoreError::CallerChanged,
        ),
        (
            ("U#", "USER"),
            "allowed_scopes",
            json!({"L": []}),
            StoreError::CallerChanged,
        ),
        // Likewise a nearer end and a list of its key.
        (
            ("K#", "KEY"),
            "expires_at",
            json!({"S": at(Duration::from_hours(1)).to_string()}),
            StoreError::CallerChanged,
        ),
        (
            ("K#", "KEY"),
            "ip_allowlist",
            json!({"L": [{"S": "8.8.8.8"}]}),
            StoreError::CallerChanged,
        ),
    ] {
        let (scene, table) = meddled(set(place, member, value));
        let person = scene.with_person().await;
        let behalf = scene.snapshot(&person.key).await.unwrap();
        assert_eq!(create(&scene, &behalf).await, Err(expected), "{member}");
        assert!(table.items("core", "G#0303").is_empty(), "{member}");
    }
}

/// The transaction does not check the caller's own key beside the change of it; deciding again is
/// no way around that either.
#[tokio::test]
async fn a_late_change_of_ones_own_key_does_not_undo_its_narrowing() {
    for (member, value) in [
        (
            "expires_at",
            json!({"S": at(Duration::from_hours(1)).to_string()}),
        ),
        ("ip_allowlist", json!({"L": [{"S": "8.8.8.8"}]})),
    ] {
        let (scene, table) = meddled(set(("K#", "KEY"), member, value));
        let person = scene.with_person().await;
        let behalf = scene.snapshot(&person.key).await.unwrap();
        let store = scene.store.on_behalf_of(&behalf);
        let widened = |key: Authorized<'_>| {
            let key = key.key().clone();
            let ip_allowlist = domain::allowlist::Allowlist::default();
            Ok(Key {
                expires_at: Some(at(Duration::from_hours(9))),
                ip_allowlist,
                version: key.version + 1,
                ..key
            })
        };
        let told = store
            .change(person.key.client_id, &operator(), widened)
            .await
            .unwrap_err();
        assert_eq!(
            told.kind,
            domain::error::Kind::TemporarilyUnavailable,
            "{member}"
        );
        let key = scene
            .store
            .key(person.key.client_id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            key.version,
            1,
            "{member}: narrowed, and nothing else: {:?}",
            table.item("K#", "KEY")
        );
        // Asked again, it is decided on what the key is now.
        let again = scene.snapshot(&key).await.unwrap();
        let store = scene.store.on_behalf_of(&again);
        let renamed = |key: Authorized<'_>| {
            let key = key.key().clone();
            Ok(Key {
                name: domain::organization::Name::parse("new").unwrap(),
                version: 2,
                ..key
            })
        };
        store
            .change(person.key.client_id, &operator(), renamed)
            .await
            .unwrap();
    }
}

/// Nor does a change of oneself that was decided on an authority which somebody has narrowed since.
#[tokio::test]
async fn leak_9_nobody_undoes_their_own_demotion_by_what_they_were_before() {
    for narrowed in [
        |user: User| User {
            role: Role::Viewer,
            ..user
        },
        |user: User| User {
            allowed_scopes: Some(domain::scope::ScopeSet::default()),
            ..user
        },
    ] {
        let (scene, table) = stage();
        let person = scene.with_person().await;
        // Another owner, since the last one stays.
        scene
            .store
            .create_user(&user(2, Role::Owner), None, &operator())
            .await
            .unwrap();
        let before = scene.snapshot(&person.key).await.unwrap();
        let guid = person.user.guid;
        let demote = |user: User| {
            Ok(User {
                version: user.version + 1,
                ..narrowed(user)
            })
        };
        let demoted = scene
            .store
            .change_user(guid, Action::UserUpdate, &operator(), demote)
            .await
            .unwrap();
        let raise = |user: User| {
            Ok(User {
                role: Role::Owner,
                allowed_scopes: None,
                version: user.version + 1,
                ..user
            })
        };
        let refused = scene
            .store
            .on_behalf_of(&before)
            .change_user(guid, Action::UserUpdate, &operator(), raise)
            .await
            .unwrap_err();
        assert_eq!(
            refused.kind,
            domain::error::Kind::TemporarilyUnavailable,
            "decide again"
        );
        assert_eq!(scene.store.user(guid).await.unwrap().unwrap(), demoted);
        drop(table);
    }
}

#[tokio::test]
async fn a_harmless_change_at_the_last_moment_costs_the_caller_nothing() {
    for (place, member, value) in [
        (("K#", "KEY"), "name", json!({"S": "another"})),
        (("G#", "GATE"), "kyb", json!({"S": "approved"})),
        (("G#", "GATE"), "plan", json!({"S": "enterprise"})),
        (
            ("U#", "USER"),
            "updated_at",
            json!({"S": at(Duration::ZERO).to_string()}),
        ),
    ] {
        let (scene, table) = meddled(set(place, member, value));
        let person = scene.with_person().await;
        let behalf = scene.snapshot(&person.key).await.unwrap();
        create(&scene, &behalf).await.unwrap();
        assert_eq!(table.items("core", "G#0303").len(), 1, "{member}");
    }
}

/// A transaction names an item once: what it changes is guarded by the version that it was decided
/// on.
#[tokio::test]
async fn a_caller_may_change_what_its_authority_rests_on() {
    let (scene, _) = stage();
    let person = scene.with_person().await;
    let behalf = scene.snapshot(&person.key).await.unwrap();
    let store = scene.store.on_behalf_of(&behalf);
    let enterprise = |gate: &OrganizationGate| {
        Ok(OrganizationGate {
            plan: Plan::Enterprise,
            ..gate.clone()
        })
    };
    store
        .set_plan(ORGANIZATION, &operator(), enterprise)
        .await
        .unwrap();
    let scoped = |user: User| {
        Ok(User {
            allowed_scopes: Some(domain::scope::ScopeSet::default()),
            version: user.version + 1,
            ..user
        })
    };
    store
        .change_user(person.user.guid, Action::UserUpdate, &operator(), scoped)
        .await
        .unwrap();
    // Now the caller may do less than when it was read.
    let renamed = |key: Authorized<'_>| {
        let key = key.key().clone();
        Ok(Key {
            name: domain::organization::Name::parse("new").unwrap(),
            version: key.version + 1,
            ..key
        })
    };
    let told = store
        .change(person.key.client_id, &operator(), renamed)
        .await
        .unwrap_err();
    assert_eq!(told.kind, domain::error::Kind::TemporarilyUnavailable);
    let again = scene.snapshot(&person.key).await.unwrap();
    let store = scene.store.on_behalf_of(&again);
    store
        .change(person.key.client_id, &operator(), renamed)
        .await
        .unwrap();
    store.revoke(&person.key, &operator()).await.unwrap();
    let outlines: Vec<_> = scene.transactions().iter().map(Sent::outline).collect();
    assert_eq!(
        outlines,
        [
            "Put G GATE, Put F, Put A, ConditionCheck K KEY, ConditionCheck U USER",
            // Each on what was read of the caller before the change before: found out, and read
            // again.
            "Put U USER, Put F, Put A, ConditionCheck K KEY, ConditionCheck G GATE",
            "Put U USER, Put F, Put A, ConditionCheck K KEY, ConditionCheck G GATE",
            "Put K KEY, Put A, ConditionCheck G GATE, ConditionCheck U USER",
            "Put K KEY, Put A, ConditionCheck G GATE, ConditionCheck U USER",
            "Update K KEY, Update L key, ConditionCheck U USER, Put F, Update L COUNT, Put A, \
             ConditionCheck G GATE",
        ]
    );
}
