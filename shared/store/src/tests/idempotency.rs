//! a create happens once.

use std::time::Duration;

use domain::{authority::NewKey, ids::Guid, role::Role};

use super::{
    fixtures::{bank, idempotency, key, operator, organization, secret, user},
    table::stage,
};
use crate::{IdempotencyRecord, Replayed, StoreError};

#[tokio::test]
async fn x_8_of_two_creates_under_one_idempotency_key_the_second_makes_nothing() {
    let (scene, table) = stage();
    let (store, idempotency) = (&scene.store, idempotency("user:1", "order-66"));
    store
        .create_bank(&bank(1), Some(&idempotency), &operator())
        .await
        .unwrap();
    let made = store.replayed(&idempotency).await.unwrap().unwrap();
    assert_eq!(
        made,
        Replayed {
            fingerprint: idempotency.fingerprint.clone(),
            target: "made".into()
        }
    );
    let count = table.items("audit", "A#").len();
    for replayed in [
        store
            .create_bank(&bank(2), Some(&idempotency), &operator())
            .await,
        store
            .create_key_as_operator(
                &NewKey::by_operator(key()),
                &secret(1),
                Some(&idempotency),
                &operator(),
            )
            .await,
        store
            .create_user(&user(1, Role::Owner), Some(&idempotency), &operator())
            .await,
        store
            .create_organization(
                &organization(Guid::from_bytes([2; 16])),
                Some(&idempotency),
                &operator(),
            )
            .await,
        // What it makes is there already: that it is a repetition comes first.
        store
            .create_bank(&bank(1), Some(&idempotency), &operator())
            .await,
    ] {
        assert_eq!(replayed, Err(StoreError::Replayed));
    }
    assert_eq!(table.items("audit", "A#").len(), count);
    assert!(
        store
            .bank(Guid::from_bytes([2; 16]))
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn x_8_principals_and_idempotency_keys_are_kept_apart() {
    let (scene, _) = stage();
    for (number, idempotency) in [
        idempotency("user:1", "a"),
        idempotency("user:2", "a"),
        idempotency("user:1", "b"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(scene.store.replayed(idempotency).await, Ok(None));
        let bank = bank(u8::try_from(number).unwrap());
        scene
            .store
            .create_bank(&bank, Some(idempotency), &operator())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn x_8_it_is_forgotten_after_24_hours_whatever_the_sweep_does() {
    let (scene, table) = stage();
    let first = idempotency("user:1", "order-66");
    scene
        .store
        .create_bank(&bank(1), Some(&first), &operator())
        .await
        .unwrap();
    assert_eq!(table.item("I#", "I")["expires"], first.ends.seconds() + 1);
    scene.wait(Duration::from_hours(24) - Duration::from_millis(1));
    assert!(scene.store.replayed(&first).await.unwrap().is_some());
    scene.wait(Duration::from_millis(1));
    assert_eq!(scene.store.replayed(&first).await, Ok(None));
    let again = IdempotencyRecord {
        target: "again".into(),
        ends: scene.now() + Duration::from_hours(24),
        ..first.clone()
    };
    scene
        .store
        .create_bank(&bank(2), Some(&again), &operator())
        .await
        .unwrap();
    assert_eq!(
        scene.store.replayed(&first).await.unwrap().unwrap().target,
        "again"
    );
}

#[tokio::test]
async fn x_8_the_idempotency_key_is_stored_as_a_hash_and_printed_nowhere() {
    let (scene, table) = stage();
    let idempotency = idempotency("user:1", "order-66");
    scene
        .store
        .create_bank(&bank(1), Some(&idempotency), &operator())
        .await
        .unwrap();
    assert!(table.lacks("order-66"));
    assert!(!format!("{idempotency:?}").contains("order-66"));
}
