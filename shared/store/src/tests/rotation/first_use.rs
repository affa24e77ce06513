//! The first use of a new secret starts the grace of the previous one.

use std::sync::atomic::{AtomicI64, Ordering};

use domain::{
    feed::Effect,
    ids::{ClientId, Guid},
    key::{Grace, Rotation, Until},
};
use serde_json::json;

use super::{DAY, rotate, secrets};
use crate::{
    StoreError,
    tests::{
        Item, Sent, at, cancelled,
        fixtures::{key, secret_id},
        table::{stage, stage_with},
    },
};

#[tokio::test]
async fn x_3_the_first_use_starts_the_grace_once() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let (store, client_id) = (&scene.store, key().client_id);
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY)))
        .await
        .unwrap();
    assert!(table.feed().is_empty());
    scene.wait(DAY);
    drop(scene.transactions());
    assert_eq!(
        store.start_grace(client_id, secret_id(1)).await,
        Ok(None),
        "the old secret starts nothing"
    );
    let started = store
        .start_grace(client_id, secret_id(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        started.secrets.previous.unwrap().expires_at(),
        Some(at(2 * DAY))
    );
    assert_eq!(store.start_grace(client_id, secret_id(2)).await, Ok(None));
    assert_eq!(store.key(client_id).await.unwrap().unwrap(), started);
    assert_eq!(
        secrets(&table),
        [
            ("01".into(), Some(at(2 * DAY).seconds() + 1)),
            ("02".into(), None)
        ]
    );
    assert_eq!(table.feed(), ["expire secret"]);
    let event = table.audit().pop().unwrap();
    assert_eq!(
        (&event["action"], &event["actor"]["type"]),
        (&json!("key.grace"), &json!("system"))
    );
    assert_eq!(
        store
            .start_grace(ClientId::of(Guid::PLATFORM), secret_id(2))
            .await,
        Ok(None)
    );

    // The functions on the hot path may set these attributes of a key and no others (LEAK-5).
    let sent = scene.transactions();
    assert_eq!(
        sent.iter().map(Sent::outline).collect::<Vec<_>>(),
        ["Update K KEY, Update K SECRET, Put F, Put A"]
    );
    let written: Vec<_> = sent[0].items().iter().take(2).map(Item::written).collect();
    assert_eq!(
        written,
        [
            "SET secrets = :secrets, updated_at = :at, version = :version, unannounced = :entries \
             / version = :expected",
            "SET #expires = :expires / attribute_exists(PK)"
        ]
    );
}

/// LEAK-11: the first use of a new secret may end nothing yet; it is noted all the same, once.
#[tokio::test]
async fn leak_11_a_first_use_that_starts_no_grace_is_noted_and_says_nothing_to_the_feed() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let (store, client_id) = (&scene.store, key().client_id);
    rotate(&scene, 2, Rotation::Keep(Grace::OpenUntilUsed))
        .await
        .unwrap();
    drop(scene.transactions());
    let used = store
        .start_grace(client_id, secret_id(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(used.secrets.previous.unwrap().until, Until::Finish);
    assert_eq!(store.start_grace(client_id, secret_id(2)).await, Ok(None));
    assert_eq!(store.key(client_id).await.unwrap().unwrap(), used);
    assert_eq!(
        scene
            .transactions()
            .iter()
            .map(Sent::outline)
            .collect::<Vec<_>>(),
        ["Update K KEY, Put A"]
    );
    assert!(table.feed().is_empty());
    assert_eq!(secrets(&table), [("01".into(), None), ("02".into(), None)]);
}

/// Somebody waits for the answer: many instances that see the first use at once resolve it without
/// trying for long.
#[tokio::test]
async fn x_3_a_contended_start_of_a_grace_gives_up_soon() {
    let tries = AtomicI64::new(0);
    let (scene, table) = stage_with(move |_, sent, _| {
        if !sent.outline().starts_with("Update K KEY") {
            return None;
        }
        match tries.fetch_add(1, Ordering::SeqCst) {
            0..3 => Some(cancelled(["TransactionConflict", "None", "None", "None"])),
            _ => None,
        }
    });
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY)))
        .await
        .unwrap();
    let client_id = key().client_id;
    drop(scene.transactions());
    assert_eq!(
        scene.store.start_grace(client_id, secret_id(2)).await,
        Err(StoreError::Contended)
    );
    assert_eq!(scene.transactions().len(), 3);
    assert!(table.feed().is_empty());
    assert!(
        scene
            .store
            .start_grace(client_id, secret_id(2))
            .await
            .unwrap()
            .is_some(),
        "the next use starts it"
    );
}

/// Another change of the key in between costs a use nothing.
#[tokio::test]
async fn x_3_a_start_of_a_grace_that_meets_a_change_is_decided_anew() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent.outline().starts_with("Update K KEY, Update K SECRET")
            && table.item("K#", "KEY")["version"] == 1
        {
            table.touch("K#", "KEY");
        }
        None
    });
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY)))
        .await
        .unwrap();
    assert_eq!(
        scene
            .store
            .start_grace(key().client_id, secret_id(2))
            .await
            .unwrap()
            .unwrap()
            .version,
        3
    );
    assert!(matches!(
        table.statements()[0].1,
        Effect::Expire { version: 3, .. }
    ));
}
