//! Nobody fills the feed that everybody reads; and nobody who stops somebody is held up.

use std::time::Duration;

use domain::{
    audit::{Action, Actor, Origin},
    error::{Error, Kind},
    feed::Cohort,
    gate::{Kyb, OrganizationGate, Plan},
    ids::Guid,
    key::{Edit, Grace, Key, Owner, Rotation},
    key_mode::KeyMode,
    role::Role,
    user::{User, UserState},
};
use serde_json::json;

use super::{
    Scene, Sent, at,
    fixtures::{ORGANIZATION, key, key_of, operator, secret, user},
    table::{Table, stage, stage_with},
};
use crate::{Behalf, Store, StoreError, budget::ENTRIES_A_MINUTE};

const OTHER: Guid = Guid::from_bytes([6; 16]);

fn machine() -> Origin {
    Origin::of(Actor::Key {
        client_id: key().client_id.to_string(),
        jti: String::new(),
    })
}

/// A token more is revoked.
async fn revoke_token(store: &Store, organization: Guid, byte: u8) -> Result<(), StoreError> {
    store
        .revoke_token(
            organization,
            Guid::from_bytes([byte; 16]),
            key().client_id,
            &machine(),
        )
        .await
}

/// Takes so many entries from the organization's budget.
async fn spend(scene: &Scene, entries: u64) {
    for _ in 0..entries {
        revoke_token(&scene.store, ORGANIZATION, 1).await.unwrap();
    }
}

async fn spent_scene() -> (Scene, Table) {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    for byte in [1, 2] {
        scene
            .store
            .create_user(&user(byte, Role::Owner), None, &operator())
            .await
            .unwrap();
    }
    spend(&scene, ENTRIES_A_MINUTE).await;
    (scene, table)
}

fn end(hours: u64) -> impl Fn(Key) -> Result<Key, Error> {
    move |key| {
        key.edit(
            Edit {
                expires_at: Some(Some(at(Duration::from_hours(hours)))),
                ..Edit::default()
            },
            at(Duration::ZERO),
        )
    }
}

/// The counter of this minute.
fn counter(table: &Table) -> serde_json::Value {
    table.item("B#07", "2027-01-15T08:00Z")
}

#[tokio::test]
async fn the_121st_entry_of_a_minute_is_refused_and_nothing_else_written() {
    let (scene, table) = spent_scene().await;
    assert_eq!(
        (counter(&table)["n"].as_u64(), ENTRIES_A_MINUTE),
        (Some(120), 120)
    );
    assert_eq!(
        counter(&table)["expires"],
        at(Duration::from_hours(1)).seconds() + 1
    );
    let written = |table: &Table| ["K#", "U#", "G#", "L#"].map(|class| table.items("core", class));
    let before = (written(&table), table.feed().len(), table.audit().len());
    drop(scene.transactions());
    let client_id = key().client_id;

    assert_eq!(
        revoke_token(&scene.store, ORGANIZATION, 2).await,
        Err(StoreError::BudgetSpent { retry_after: 60 })
    );
    let refused = scene
        .store
        .change_key(client_id, &machine(), end(1))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.kind, refused.retry_after),
        (Kind::RateLimited, Some(60))
    );
    for rotation in [
        Rotation::Replace,
        Rotation::Keep(Grace::Open),
        Rotation::Keep(Grace::FromNow(Duration::ZERO)),
    ] {
        let rotate = |key: Key| key.rotate(secret(2).id, rotation, at(Duration::ZERO));
        let refused = scene
            .store
            .rotate_key(client_id, &secret(2), &machine(), rotate)
            .await
            .unwrap_err();
        assert_eq!(refused.kind, Kind::RateLimited, "{rotation:?}");
    }
    let narrow = |user: User| {
        Ok(User {
            role: Role::Viewer,
            version: user.version + 1,
            ..user
        })
    };
    let refused = scene
        .store
        .change_user(
            Guid::from_bytes([1; 16]),
            Action::UserUpdate,
            &machine(),
            narrow,
        )
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::RateLimited);
    assert!(scene.transactions().is_empty());
    assert_eq!(
        (written(&table), table.feed().len(), table.audit().len()),
        before
    );

    // In the last moment of the minute, and after it.
    scene.wait(Duration::from_millis(59_999));
    assert_eq!(
        revoke_token(&scene.store, ORGANIZATION, 2).await,
        Err(StoreError::BudgetSpent { retry_after: 1 })
    );
    scene.wait(Duration::from_millis(1));
    revoke_token(&scene.store, ORGANIZATION, 2).await.unwrap();
    assert_eq!(table.items("core", "B#").len(), 2);
}

#[tokio::test]
async fn whoever_stops_somebody_is_never_held_up() {
    let (scene, table) = spent_scene().await;
    let (store, client_id) = (&scene.store, key().client_id);
    let open = |key: Key| {
        key.rotate(
            secret(2).id,
            Rotation::Keep(Grace::Open),
            at(Duration::ZERO),
        )
    };
    store
        .rotate_key(client_id, &secret(2), &operator(), open)
        .await
        .unwrap();
    let (entries, count) = (table.feed().len(), counter(&table));

    store
        .finish_rotation(client_id, &machine(), |key| {
            key.finish_rotation(Duration::ZERO, at(Duration::ZERO))
        })
        .await
        .unwrap();
    let deactivate = |key: Key| key.deactivate(at(Duration::ZERO));
    store
        .switch_key(client_id, Action::KeyDeactivate, &machine(), deactivate)
        .await
        .unwrap();
    let restore = |key: Key| key.restore(at(Duration::ZERO));
    let refused = store
        .switch_key(client_id, Action::KeyRestore, &machine(), restore)
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::RateLimited);
    store.revoke_key(&key(), &machine()).await.unwrap();
    let disable = |user: User| {
        Ok(User {
            state: UserState::Disabled,
            version: user.version + 1,
            ..user
        })
    };
    store
        .change_user(
            Guid::from_bytes([1; 16]),
            Action::UserDisable,
            &machine(),
            disable,
        )
        .await
        .unwrap();
    store
        .revoke_cohort(ORGANIZATION, Cohort::default(), &[], &machine())
        .await
        .unwrap();
    store
        .set_kyb(ORGANIZATION, Kyb::Approved, &machine())
        .await
        .unwrap();
    store
        .set_suspension(ORGANIZATION, true, &machine())
        .await
        .unwrap();
    let pro = |gate: &OrganizationGate| {
        Ok(OrganizationGate {
            plan: Plan::Pro,
            ..gate.clone()
        })
    };
    store.set_plan(ORGANIZATION, &machine(), pro).await.unwrap();
    assert_eq!(table.feed().len(), entries + 8);
    // The refused restoration alone was counted.
    assert_eq!(
        counter(&table)["n"].as_u64(),
        count["n"].as_u64().map(|n| n + 2)
    );
}

/// An end in a while can be brought forward again and again.
#[tokio::test]
async fn finishing_a_rotation_in_a_while_is_counted_and_at_once_is_not() {
    let (scene, table) = spent_scene().await;
    let (store, client_id) = (&scene.store, key().client_id);
    let open = |key: Key| {
        key.rotate(
            secret(2).id,
            Rotation::Keep(Grace::Open),
            at(Duration::ZERO),
        )
    };
    store
        .rotate_key(client_id, &secret(2), &operator(), open)
        .await
        .unwrap();
    let finish = async |minutes: u64| {
        let grace = Duration::from_mins(minutes);
        store
            .finish_rotation(client_id, &machine(), |key| {
                key.finish_rotation(grace, at(Duration::ZERO))
            })
            .await
    };
    assert_eq!(finish(2).await.unwrap_err().kind, Kind::RateLimited);
    scene.wait(Duration::from_mins(1));
    let entries = table.feed().len();
    finish(2).await.unwrap();
    finish(1).await.unwrap();
    finish(1).await.unwrap();
    assert_eq!(
        table.feed().split_off(entries),
        ["expire secret", "expire secret"]
    );
    let counted = table.item("B#07", "2027-01-15T08:01Z");
    assert_eq!(counted["n"], 2);
    finish(0).await.unwrap();
    assert_eq!(
        (
            table.item("B#07", "2027-01-15T08:01Z"),
            table.feed().pop().unwrap()
        ),
        (counted, "revoke secret".into())
    );
}

#[tokio::test]
async fn nobody_else_is_held_up() {
    let (scene, table) = spent_scene().await;
    revoke_token(&scene.store, OTHER, 2).await.unwrap();
    let deny = |key: Key| {
        key.edit(
            Edit {
                expires_at: Some(None),
                ..Edit::default()
            },
            at(Duration::ZERO),
        )
    };
    scene
        .store
        .change_key(key().client_id, &operator(), end(1))
        .await
        .unwrap();
    scene
        .store
        .change_key(key().client_id, &operator(), deny)
        .await
        .unwrap();
    assert_eq!(counter(&table)["n"], 120, "the operator is not counted");

    // Nor is staff by a tenant that loops: it has the platform's budget.
    let (scene, table) = stage();
    let behalf = scene.with_person().await;
    spend(&scene, ENTRIES_A_MINUTE).await;
    scene
        .store
        .create_organization(
            &super::fixtures::organization(Guid::PLATFORM),
            None,
            &operator(),
        )
        .await
        .unwrap();
    let staff = Key {
        organization: Guid::PLATFORM,
        ..key_of(5, Owner::Organization(Guid::PLATFORM), KeyMode::Sandbox)
    };
    scene
        .store
        .create_key(&staff, &secret(1), None, &operator())
        .await
        .unwrap();
    let store = scene.store.on_behalf_of(&Behalf {
        secret: staff.secrets.current.id,
        key: staff,
        user: None,
    });
    store
        .change_key(behalf.key.client_id, &machine(), end(1))
        .await
        .unwrap();
    assert_eq!(
        (
            table.item("B#00", "2027-01-15T08:00Z")["n"].as_u64(),
            counter(&table)["n"].as_u64()
        ),
        (Some(1), Some(120))
    );
}

/// What is counted is what the feed gets, or will get of an end that is never refused.
#[tokio::test]
async fn a_change_counts_its_entries_and_a_repetition_none() {
    let (scene, table) = stage();
    let behalf = scene.with_person().await;
    let (store, client_id, zero) = (&scene.store, behalf.key.client_id, at(Duration::ZERO));
    let count = || {
        table
            .items("core", "B#")
            .pop()
            .map_or(0, |item| item["n"].as_u64().unwrap())
    };
    let both = |key: Key| {
        let ip_allowlist = Some(domain::allowlist::Allowlist::parse(&["8.8.8.8"]).unwrap());
        key.edit(
            Edit {
                expires_at: Some(Some(at(Duration::from_hours(1)))),
                ip_allowlist,
                ..Edit::default()
            },
            zero,
        )
    };
    store.change_key(client_id, &machine(), both).await.unwrap();
    assert_eq!(count(), 2);
    for _ in 0..3 {
        store.change_key(client_id, &machine(), both).await.unwrap();
    }
    let name = Edit {
        name: Some(domain::organization::Name::parse("new").unwrap()),
        ..Edit::default()
    };
    store
        .change_key(client_id, &machine(), |key| key.edit(name.clone(), zero))
        .await
        .unwrap();
    let open =
        |byte| move |key: Key| key.rotate(secret(byte).id, Rotation::Keep(Grace::Open), zero);
    assert_eq!(count(), 2, "neither says anything");
    store
        .rotate_key(client_id, &secret(2), &machine(), open(2))
        .await
        .unwrap();
    assert_eq!(count(), 4, "its end will");
    store
        .rotate_key(client_id, &secret(3), &machine(), open(3))
        .await
        .unwrap_err();
    store
        .finish_rotation(client_id, &machine(), |key| {
            key.finish_rotation(Duration::ZERO, zero)
        })
        .await
        .unwrap();
    assert_eq!(
        count(),
        4,
        "what is refused says nothing, and what ends has been counted"
    );
}

/// A change that meets another one is counted once.
#[tokio::test]
async fn a_change_that_is_decided_anew_is_counted_once() {
    let commits = std::sync::atomic::AtomicI64::new(-2);
    let (scene, table) = stage_with(move |table, sent, _| {
        let first = sent.operation == "TransactWriteItems"
            && commits.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        if first {
            table.touch("K#", "KEY");
        }
        None
    });
    scene.with_key(&key()).await;
    scene
        .store
        .change_key(key().client_id, &machine(), end(1))
        .await
        .unwrap();
    assert_eq!(scene.transactions().len(), 2);
    assert_eq!(counter(&table)["n"], 1);
}

fn failing(code: &'static str) -> (Scene, Table) {
    let is_count = |sent: &Sent| {
        sent.body["Key"]["PK"]["S"]
            .as_str()
            .is_some_and(|pk| pk.starts_with("B#"))
    };
    stage_with(move |_, sent, _| {
        is_count(sent).then(|| {
            (
                400,
                json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}")}),
            )
        })
    })
}

/// It guards against abuse alone. But whoever asks for it so often that the table throttles has
/// spent it.
#[tokio::test]
async fn a_counter_out_of_reach_holds_up_nobody_and_one_out_of_breath_does() {
    let (scene, table) = failing("AccessDeniedException");
    revoke_token(&scene.store, ORGANIZATION, 1).await.unwrap();
    assert_eq!(table.feed().len(), 1);
    for code in [
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
    ] {
        let (scene, table) = failing(code);
        let refused = revoke_token(&scene.store, ORGANIZATION, 1).await;
        assert!(
            matches!(refused, Err(StoreError::BudgetSpent { .. })),
            "{code}: {refused:?}"
        );
        assert_eq!(table.feed().len(), 0);
        assert_eq!(
            scene.operations(),
            ["UpdateItem"],
            "{code} is not tried again"
        );
    }
}
