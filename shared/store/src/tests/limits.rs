//! How many keys there may be: what makes room, and that no two changes count one key twice.

mod recount;

use std::time::Duration;

use domain::{
    authority::NewKey,
    feed::Cohort,
    gate::{Gates, OrganizationGate},
    ids::Guid,
    key::{Edit, Key, Owner},
    key_mode::KeyMode,
    operation::Operation,
};
use serde_json::{Value, json};

use super::{
    Scene, Sent, at,
    fixtures::{ORGANIZATION, beside, key, key_of, operator, organization, secret},
    table::{Table, stage},
};
use crate::{KeyView, StoreError, change::Recorded, limits::Limit, outbox::Outbox};

const PERSON: Guid = Guid::from_bytes([3; 16]);

/// A sandbox key that the person made.
fn made(byte: u8) -> Key {
    Key {
        made_by: Some(PERSON),
        ..key_of(byte, Owner::Organization(ORGANIZATION), KeyMode::Sandbox)
    }
}

async fn create(scene: &Scene, key: &Key) -> Result<(), StoreError> {
    let new = NewKey::by_operator(key.clone());
    scene
        .store
        .create_key_as_operator(&new, &secret(1), None, &operator())
        .await
}

/// An organization with these keys.
async fn with_keys(scene: &Scene, keys: &[Key]) {
    scene
        .store
        .create_organization(&organization(ORGANIZATION), None, &operator())
        .await
        .unwrap();
    for key in keys {
        create(scene, key).await.unwrap();
    }
    drop(scene.transactions());
}

fn count_sk(limit: Limit) -> String {
    crate::item_keys::count(ORGANIZATION, limit).sk
}

/// What is counted: sandbox keys, and those that the person made.
fn counts(table: &Table) -> [Value; 2] {
    [Limit::Keys(KeyMode::Sandbox), Limit::KeysOf(PERSON)]
        .map(|limit| table.item("L#", &count_sk(limit))["n"].clone())
}

/// Sets a count as if there were so many.
fn set(table: &Table, limit: Limit, n: u64) {
    table.update(json!({
        "Key": {"PK": {"S": format!("L#{ORGANIZATION}")}, "SK": {"S": count_sk(limit)}},
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": n.to_string()}},
    }));
}

/// The key's row.
fn row(table: &Table, key: &Key) -> Value {
    table
        .items("core", "L#")
        .into_iter()
        .find(|row| row["client_id"] == key.client_id.to_string())
        .unwrap()
}

/// An incident revokes every key of the organization.
async fn incident(scene: &Scene) {
    scene
        .store
        .revoke_cohort(ORGANIZATION, &Cohort::default(), beside(&[]), &operator())
        .await
        .unwrap();
    drop(scene.transactions());
}

/// What somebody saw of a key before an incident.
fn seen_before(key: &Key) -> KeyView {
    let record = Recorded {
        value: key.clone(),
        outbox: Outbox::default(),
    };
    let gates = Gates {
        organization: OrganizationGate::NEW,
        user: None,
        minters: Vec::new(),
    };
    KeyView::by_operator(Operation::RevokeKey, record, gates)
}

async fn revoke(scene: &Scene, key: &Key) {
    scene
        .store
        .revoke_key(&seen_before(key), &operator())
        .await
        .unwrap();
}

fn outlines(scene: &Scene) -> Vec<String> {
    scene.transactions().iter().map(Sent::outline).collect()
}

#[tokio::test]
async fn a_creation_counts_for_its_kind_and_its_maker_and_a_revocation_takes_that_back_once() {
    let (scene, table) = stage();
    with_keys(&scene, &[]).await;
    create(&scene, &made(1)).await.unwrap();
    create(&scene, &key()).await.unwrap();
    assert_eq!(counts(&table), [2, 1]);
    assert_eq!(
        outlines(&scene),
        [
            "Put K KEY, Put K SECRET, Put L key, Update L COUNT, Update L COUNT, Put A",
            "Put K KEY, Put K SECRET, Put L key, Update L COUNT, Put A",
        ]
    );
    for _ in 0..2 {
        revoke(&scene, &made(1)).await;
        assert_eq!(counts(&table), [1, 0], "the second time changes nothing");
    }
    let sent = outlines(&scene);
    assert_eq!(
        sent[0],
        "Update K KEY, Update L key, Put F, Update L COUNT, Update L COUNT, Put A"
    );
    // Nothing says what else the row counted for; and both are swept, not the hash.
    let row = row(&table, &made(1));
    let until = at(Key::LISTED_WHEN_REVOKED);
    let item = table.item(&format!("K#{}", made(1).client_id), "KEY");
    for item in [&row, &item] {
        assert_eq!(
            (&item["listed_until"], &item["expires"]),
            (&json!(until.to_string()), &json!(until.seconds() + 1))
        );
    }
    assert_eq!(row.get("counted_for"), None);
    let secrets = table.items("core", &format!("K#{}", made(1).client_id));
    let hash = secrets
        .iter()
        .find(|item| item["hash"].is_object())
        .unwrap();
    assert_eq!(hash.get("expires"), None);
}

#[tokio::test]
async fn of_two_at_the_last_place_one_gets_it() {
    let (scene, table) = stage();
    with_keys(&scene, &[made(1)]).await;
    set(&table, Limit::Keys(KeyMode::Sandbox), 9_999);
    let (two, three) = (made(2), made(3));
    let (one, other) = tokio::join!(create(&scene, &two), create(&scene, &three));
    let reached = Err(StoreError::LimitReached {
        limit: Limit::Keys(KeyMode::Sandbox),
        max: 10_000,
    });
    assert!(
        [one.clone(), other.clone()].contains(&Ok(())) && [one, other].contains(&reached),
        "exactly one"
    );
    assert_eq!(counts(&table)[0], 10_000);
    let live = key_of(4, Owner::Organization(ORGANIZATION), KeyMode::Live);
    create(&scene, &live).await.unwrap();
}

#[tokio::test]
async fn leak_8_what_an_incident_revoked_makes_room_and_is_listed_for_90_days() {
    let (scene, table) = stage();
    // More than one transaction can name.
    let keys: Vec<_> = (1..=70).map(made).collect();
    with_keys(&scene, &keys).await;
    incident(&scene).await;
    scene.wait(Duration::from_hours(1));
    assert_eq!(scene.store.key_rows(ORGANIZATION).await.unwrap().len(), 70);
    set(&table, Limit::Keys(KeyMode::Sandbox), 10_000);
    let new = Key {
        created_at: at(Duration::from_hours(1)),
        ..made(71)
    };
    create(&scene, &new).await.unwrap();
    assert_eq!(counts(&table), [json!(9_931), json!(1)]);
    let item = table.item(&format!("K#{}", made(1).client_id), "KEY");
    assert_eq!(
        (&item["version"], &item["state"]["name"]),
        (&json!(1), &json!("active")),
        "the gate says that it is revoked"
    );
    let listed = async || scene.store.key_rows(ORGANIZATION).await.unwrap().len();
    assert_eq!(listed().await, 71);
    scene.wait(
        Key::LISTED_WHEN_REVOKED
            .checked_sub(Duration::from_millis(1))
            .unwrap(),
    );
    assert_eq!(listed().await, 71);
    scene.wait(Duration::from_millis(1));
    assert_eq!(listed().await, 1);
}

/// One may be authorised before an incident, and the other make room after it.
#[tokio::test]
async fn a_revocation_takes_nothing_from_the_counts_for_what_made_room_already() {
    let (scene, table) = stage();
    with_keys(&scene, &[made(1), made(2)]).await;
    incident(&scene).await;
    scene
        .store
        .make_room(ORGANIZATION, Limit::Keys(KeyMode::Sandbox))
        .await
        .unwrap();
    assert_eq!(counts(&table), [0, 0]);
    let before = row(&table, &made(1));
    revoke(&scene, &made(1)).await;
    assert_eq!(
        (counts(&table), row(&table, &made(1))),
        ([json!(0), json!(0)], before)
    );
    assert_eq!(
        table.item(&format!("K#{}", made(1).client_id), "KEY")["state"]["name"],
        "revoked"
    );
}

#[tokio::test]
async fn whoever_decided_on_a_key_before_it_made_room_decides_again() {
    let (scene, table) = stage();
    with_keys(&scene, &[made(1)]).await;
    let stale = scene
        .store
        .key_record(made(1).client_id)
        .await
        .unwrap()
        .unwrap();
    incident(&scene).await;
    scene
        .store
        .make_room(ORGANIZATION, Limit::Keys(KeyMode::Sandbox))
        .await
        .unwrap();
    let view = KeyView::by_operator(
        Operation::UpdateKey,
        stale,
        scene.store.gates(&made(1)).await.unwrap(),
    );
    let renamed = scene
        .store
        .change_key(&view, &operator(), |key| key.edit(Edit::default(), None))
        .await;
    assert!(renamed.is_err(), "it is revoked");
    let item = table.item(&format!("K#{}", made(1).client_id), "KEY");
    assert!(item["expires"].is_u64(), "{item}");
}

#[tokio::test]
async fn a_key_past_its_end_makes_room_for_its_maker_and_is_counted_for_the_organization() {
    let (scene, table) = stage();
    let ends = Key {
        expires_at: Some(at(Duration::from_hours(1))),
        ..made(1)
    };
    with_keys(&scene, &[ends.clone(), made(2)]).await;
    set(&table, Limit::KeysOf(PERSON), 1_000);
    scene.wait(Duration::from_hours(1));
    let refused = Err(StoreError::LimitReached {
        limit: Limit::KeysOf(PERSON),
        max: 1_000,
    });
    assert_eq!(
        create(&scene, &made(3)).await,
        refused,
        "another clock may not say yet that it has ended"
    );
    scene.wait(Duration::from_mins(2));
    create(&scene, &made(3)).await.unwrap();
    assert_eq!(counts(&table), [json!(3), json!(1_000)]);
    assert_eq!(create(&scene, &made(4)).await, refused);
    // It counts for the organization until it is revoked, and never again for the person.
    revoke(&scene, &ends).await;
    assert_eq!(counts(&table), [json!(2), json!(1_000)]);
    // A key of nobody in particular has only the organization's limit.
    create(&scene, &key()).await.unwrap();
}
