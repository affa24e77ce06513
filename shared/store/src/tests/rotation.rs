//! CBM-3, ARZ-5, X-3: what stands in the tables while a key's secrets change.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use domain::{
    audit::Action,
    error::{Error, Kind as ErrorKind},
    ids::{ClientId, Guid, SecretId},
    key::{Grace, Key, Rotation, Until},
};
use serde_json::{Value, json};

use super::{
    Item, Scene, at, cancelled,
    table::{Table, stage, stage_with},
    things::{key, operator, secret, secret_id},
};
use crate::StoreError;

const DAY: Duration = Duration::from_hours(24);

async fn rotate(scene: &Scene, byte: u8, rotation: Rotation) -> Result<Key, Error> {
    let (now, secret) = (scene.now(), secret(byte));
    let decide = |key: Key| key.rotate(secret.id, rotation, now);
    scene.store.rotate_key(key().client_id, &secret, &operator(), decide).await
}

async fn finish(scene: &Scene) -> Result<Key, Error> {
    let now = scene.now();
    scene.store.finish_rotation(key().client_id, &operator(), |key| key.finish_rotation(Duration::ZERO, now)).await
}

/// The first bytes of the secrets that have items, each with its TTL.
fn secrets(table: &Table) -> Vec<(String, Option<i64>)> {
    let items = table.items("core", "K#");
    let of = |item: &Value| {
        let id = item["SK"].as_str()?.strip_prefix("SECRET#")?;
        Some((id[..2].to_owned(), item["expires"].as_i64()))
    };
    items.iter().filter_map(of).collect()
}

#[tokio::test]
async fn cbm_3_one_transaction_has_the_new_secret_and_the_end_of_the_old_one() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT)).await.unwrap();
    let sent = scene.transactions();
    assert_eq!(sent[0].outline(), "Put K KEY, Put K SECRET, Update K SECRET, Put F, Put A");
    let conditions: Vec<_> = sent[0].items().iter().map(|item| item.condition().to_owned()).collect();
    assert_eq!(
        conditions,
        [
            "version = :expected",
            "attribute_not_exists(PK)",
            "attribute_exists(PK)",
            "attribute_not_exists(PK)",
            "attribute_not_exists(PK)"
        ]
    );
    let end = at(DAY).seconds() + 1;
    assert_eq!(secrets(&table), [("01".into(), Some(end)), ("02".into(), None)]);
    assert_eq!(table.feed(), ["expire secret"]);
    let (stored, hashes) = scene.store.key_with_secrets(key().client_id).await.unwrap().unwrap();
    assert_eq!(hashes.len(), 2);
    assert_eq!(stored.secrets.working_previous(scene.now()).unwrap().id, secret_id(1));
    assert_eq!(scene.store.key(key().client_id).await.unwrap().unwrap(), stored);
    let event = table.audit().pop().unwrap();
    assert_eq!(
        (&event["action"], &event["changes"]["secrets"]["current"]["id"]),
        (&json!("key.rotate"), &json!("02".repeat(16)))
    );
    assert_eq!(table.item("K#", "KEY").get("unannounced"), None, "every reader knows");
}

#[tokio::test]
async fn arz_5_an_open_end_says_nothing_until_the_rotation_is_finished() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::Open)).await.unwrap();
    assert_eq!(secrets(&table), [("01".into(), None), ("02".into(), None)]);
    assert!(table.feed().is_empty());
    assert_eq!(rotate(&scene, 3, Rotation::Keep(Grace::Open)).await.unwrap_err().kind, ErrorKind::Conflict);
    let finished = finish(&scene).await.unwrap();
    assert_eq!((finished.secrets.previous, finished.version), (None, 2));
    assert_eq!(secrets(&table), [("01".into(), Some(at(Duration::ZERO).seconds() + 1)), ("02".into(), None)]);
    assert_eq!(table.feed(), ["revoke secret"]);
    assert_eq!(finish(&scene).await.unwrap(), finished, "finishing again changes nothing");
    let outlines: Vec<_> = scene.transactions().iter().map(super::Sent::outline).collect();
    assert_eq!(outlines, ["Put K KEY, Put K SECRET, Put A", "Put K KEY, Update K SECRET, Put F, Put A"]);
    assert_eq!(table.audit().pop().unwrap()["action"], json!(Action::KeyFinishRotation));
}

#[tokio::test]
async fn a_replaced_secret_ends_at_once_and_the_previous_one_stays() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT)).await.unwrap();
    rotate(&scene, 3, Rotation::Replace).await.unwrap();
    let (now, end) = (at(Duration::ZERO).seconds() + 1, at(DAY).seconds() + 1);
    assert_eq!(secrets(&table), [("01".into(), Some(end)), ("02".into(), Some(now)), ("03".into(), None)]);
    assert_eq!(table.feed(), ["expire secret", "revoke secret"]);
}

/// The sweep may come at any time after an end: what it took is not made anew.
#[tokio::test]
async fn a_secret_that_was_swept_does_not_come_back() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT)).await.unwrap();
    scene.wait(DAY);
    table.sweep("K#", &format!("SECRET#{}", secret_id(1)));
    finish(&scene).await.unwrap();
    assert_eq!(secrets(&table), [("02".into(), None)]);
    assert!(scene.store.key_with_secrets(key().client_id).await.unwrap().is_some());
}

/// The positions that were read since `from`, each with its operation.
fn reads(scene: &Scene, from: usize) -> Vec<(String, Vec<(String, String)>)> {
    let place = |key: &Value| ["PK", "SK"].map(|part| key[part]["S"].as_str().unwrap().to_owned()).into();
    let sent = scene.sent.lock().unwrap();
    let keys = |sent: &super::Sent| match sent.operation.as_str() {
        "GetItem" => vec![place(&sent.body["Key"])],
        "BatchGetItem" => sent.body["RequestItems"]["core"]["Keys"].as_array().unwrap().iter().map(place).collect(),
        other => panic!("{other}"),
    };
    sent[from..].iter().map(|sent| (sent.operation.clone(), keys(sent))).collect()
}

async fn named(scene: &Scene) -> Vec<SecretId> {
    let (_, secrets) = scene.store.key_with_secrets(key().client_id).await.unwrap().unwrap();
    secrets.into_iter().map(|secret| secret.id).collect()
}

/// Whoever rotates a key often pushes no working secret out of sight, and makes no attempt on the key dear.
#[tokio::test]
async fn only_the_secrets_that_a_key_names_are_read_however_many_linger() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    for byte in 2..20 {
        rotate(&scene, byte, Rotation::Replace).await.unwrap();
    }
    assert_eq!(secrets(&table).len(), 19);
    assert_eq!(named(&scene).await, [secret_id(19)]);
    rotate(&scene, 20, Rotation::Keep(Grace::DEFAULT)).await.unwrap();
    let from = scene.sent.lock().unwrap().len();
    assert_eq!(named(&scene).await, [secret_id(20), secret_id(19)]);
    let pk = format!("K#{}", key().client_id);
    let secret_at = |byte| (pk.clone(), format!("SECRET#{}", secret_id(byte)));
    let expected = [
        ("GetItem".to_owned(), vec![(pk.clone(), "KEY".to_owned())]),
        ("BatchGetItem".to_owned(), vec![secret_at(20), secret_at(19)]),
    ];
    assert_eq!(reads(&scene, from), expected);
}

/// What it costs tells nobody whether a client exists.
#[tokio::test]
async fn an_unknown_client_is_looked_for_as_a_known_one() {
    let (scene, _) = stage();
    scene.with_key(&key()).await;
    let from = scene.sent.lock().unwrap().len();
    assert_eq!(named(&scene).await, [secret_id(1)]);
    let unknown = ClientId::of(Guid::PLATFORM);
    assert_eq!(scene.store.key_with_secrets(unknown).await, Ok(None));
    let reads = reads(&scene, from);
    let (known, other) = reads.split_at(2);
    let shape =
        |reads: &[(String, Vec<_>)]| reads.iter().map(|(operation, at)| (operation.clone(), at.len())).collect::<Vec<_>>();
    assert_eq!(shape(other), shape(known));
    assert!(other.iter().flat_map(|(_, at)| at).all(|(pk, _)| *pk == format!("K#{unknown}")));
}

/// The key says which secrets work, as it was read: a rotation between the two reads neither adds one nor changes a hash.
#[tokio::test]
async fn a_rotation_between_both_reads_lets_nobody_in_whom_the_key_did_not_name() {
    let rotation = Arc::new(Mutex::new(None::<Vec<Value>>));
    let between = rotation.clone();
    let (scene, table) = stage_with(move |table, sent, _| {
        if sent.operation == "BatchGetItem" {
            // What the rotation wrote becomes visible now.
            for item in between.lock().unwrap().take().into_iter().flatten() {
                table.put(&item);
            }
        }
        None
    });
    scene.with_key(&key()).await;
    let before = table.raw("K#");
    rotate(&scene, 2, Rotation::Keep(Grace::FromNow(Duration::ZERO))).await.unwrap();
    let after = table.raw("K#");
    table.sweep("K#", &format!("SECRET#{}", secret_id(2)));
    for item in &before {
        table.put(item);
    }
    *rotation.lock().unwrap() = Some(after);
    let (read, hashes) = scene.store.key_with_secrets(key().client_id).await.unwrap().unwrap();
    assert_eq!(hashes, [secret(1)], "not the new one's");
    assert!(read.secrets.term(secret_id(1), scene.now()).is_some(), "as the key was when it was read");
    assert_eq!(read.secrets.term(secret_id(2), scene.now()), None);
    assert_eq!(named(&scene).await, [secret_id(2)], "and now the other way round");
}

/// Half of a rotation is visible: the key names a secret whose item is not seen yet. It has not been answered, so nobody has it.
#[tokio::test]
async fn a_secret_that_is_not_visible_yet_is_missed_and_no_error() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT)).await.unwrap();
    table.sweep("K#", &format!("SECRET#{}", secret_id(2)));
    assert_eq!(named(&scene).await, [secret_id(1)]);
}

#[tokio::test]
async fn a_rotation_that_meets_a_revoke_leaves_nothing() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent.outline().starts_with("Put K KEY, Put K SECRET, Update") && table.item("K#", "KEY")["version"] == 0 {
            table.update(json!({
                "Key": {"PK": {"S": table.item("K#", "KEY")["PK"]}, "SK": {"S": "KEY"}},
                "UpdateExpression": "SET #state = :revoked ADD version :one",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":revoked": {"M": {"name": {"S": "revoked"}, "at": {"S": at(Duration::ZERO).to_string()}}},
                    ":one": {"N": "1"},
                },
            }));
        }
        None
    });
    scene.with_key(&key()).await;
    let refused = rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict, "decided anew, on the key as it is: {refused}");
    assert_eq!(secrets(&table), [("01".into(), None)]);
    assert!(table.feed().is_empty());
}

#[tokio::test]
async fn x_3_the_first_use_starts_the_grace_once() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    let (store, client_id) = (&scene.store, key().client_id);
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY))).await.unwrap();
    assert!(table.feed().is_empty());
    scene.wait(DAY);
    drop(scene.transactions());
    assert_eq!(store.start_grace(client_id, secret_id(1)).await, Ok(None), "the old secret starts nothing");
    let started = store.start_grace(client_id, secret_id(2)).await.unwrap().unwrap();
    assert_eq!(started.secrets.previous.unwrap().expires_at(), Some(at(2 * DAY)));
    assert_eq!(store.start_grace(client_id, secret_id(2)).await, Ok(None));
    assert_eq!(store.key(client_id).await.unwrap().unwrap(), started);
    assert_eq!(secrets(&table), [("01".into(), Some(at(2 * DAY).seconds() + 1)), ("02".into(), None)]);
    assert_eq!(table.feed(), ["expire secret"]);
    let event = table.audit().pop().unwrap();
    assert_eq!((&event["action"], &event["actor"]["type"]), (&json!("key.grace"), &json!("system")));
    assert_eq!(store.start_grace(ClientId::of(Guid::PLATFORM), secret_id(2)).await, Ok(None));

    // The functions on the hot path may set these attributes of a key and no others (LEAK-5).
    let sent = scene.transactions();
    assert_eq!(sent.iter().map(super::Sent::outline).collect::<Vec<_>>(), ["Update K KEY, Update K SECRET, Put F, Put A"]);
    let written: Vec<_> = sent[0].items().iter().take(2).map(Item::written).collect();
    assert_eq!(
        written,
        [
            "SET secrets = :secrets, updated_at = :at, version = :version, unannounced = :entries / version = :expected",
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
    rotate(&scene, 2, Rotation::Keep(Grace::OpenUntilUsed)).await.unwrap();
    drop(scene.transactions());
    let used = store.start_grace(client_id, secret_id(2)).await.unwrap().unwrap();
    assert_eq!(used.secrets.previous.unwrap().until, Until::Finish);
    assert_eq!(store.start_grace(client_id, secret_id(2)).await, Ok(None));
    assert_eq!(store.key(client_id).await.unwrap().unwrap(), used);
    assert_eq!(scene.transactions().iter().map(super::Sent::outline).collect::<Vec<_>>(), ["Update K KEY, Put A"]);
    assert!(table.feed().is_empty());
    assert_eq!(secrets(&table), [("01".into(), None), ("02".into(), None)]);
}

/// LEAK-11: a rotation that is finished in a while has its end in the key, the feed and the secret's TTL.
#[tokio::test]
async fn leak_11_a_rotation_finished_in_a_while() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::OpenUntilUsed)).await.unwrap();
    let finish = async || {
        let now = scene.now();
        scene.store.finish_rotation(key().client_id, &operator(), |key| key.finish_rotation(DAY, now)).await.unwrap()
    };
    let finished = finish().await;
    assert_eq!(finished.secrets.previous.unwrap().expires_at(), Some(at(DAY)));
    assert_eq!(secrets(&table), [("01".into(), Some(at(DAY).seconds() + 1)), ("02".into(), None)]);
    assert_eq!(table.feed(), ["expire secret"]);
    scene.wait(Duration::from_hours(1));
    assert_eq!(finish().await, finished, "repeated, it changes nothing");
    assert_eq!(table.audit().pop().unwrap()["action"], "key.finish_rotation");
}

/// Somebody waits for the answer: many instances that see the first use at once settle it without trying for long.
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
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY))).await.unwrap();
    let client_id = key().client_id;
    drop(scene.transactions());
    assert_eq!(scene.store.start_grace(client_id, secret_id(2)).await, Err(StoreError::Contended));
    assert_eq!(scene.transactions().len(), 3);
    assert!(table.feed().is_empty());
    assert!(scene.store.start_grace(client_id, secret_id(2)).await.unwrap().is_some(), "the next use starts it");
}

/// Another change of the key in between costs a use nothing.
#[tokio::test]
async fn x_3_a_start_of_a_grace_that_meets_a_change_is_decided_anew() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent.outline().starts_with("Update K KEY, Update K SECRET") && table.item("K#", "KEY")["version"] == 1 {
            table.touch("K#", "KEY");
        }
        None
    });
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::FromFirstUse(DAY))).await.unwrap();
    assert_eq!(scene.store.start_grace(key().client_id, secret_id(2)).await.unwrap().unwrap().version, 3);
    assert_eq!(table.items("feed", "F#")[0]["version"], 3);
}
