//! CBM-3, ARZ-5, X-3: what stands in the tables while a key's secrets change.

mod first_use;
mod noted;
mod reading;

use std::time::Duration;

use domain::{
    audit::Action,
    authority::Authorized,
    error::{Error, Kind},
    key::{Grace, Key, Rotation},
};
use serde_json::{Value, json};

use super::{
    Scene, at,
    fixtures::{key, operator, secret, secret_id},
    table::{Table, stage, stage_with},
};

const DAY: Duration = Duration::from_hours(24);

async fn rotate(scene: &Scene, byte: u8, rotation: Rotation) -> Result<Key, Error> {
    let secret = secret(byte);
    let decide = |key: Authorized<'_>| key.rotate(secret.id, rotation);
    scene
        .store
        .rotate(key().client_id, &secret, &operator(), decide)
        .await
}

async fn finish(scene: &Scene) -> Result<Key, Error> {
    scene
        .store
        .finish(key().client_id, &operator(), |key| {
            key.finish_rotation(Duration::ZERO)
        })
        .await
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
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap();
    let sent = scene.transactions();
    assert_eq!(
        sent[0].outline(),
        "Put K KEY, Put K SECRET, Update K SECRET, Put F, Put A"
    );
    let conditions: Vec<_> = sent[0]
        .items()
        .iter()
        .map(|item| item.condition().to_owned())
        .collect();
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
    assert_eq!(
        secrets(&table),
        [("01".into(), Some(end)), ("02".into(), None)]
    );
    assert_eq!(table.feed(), ["expire secret"]);
    let (stored, hashes) = scene
        .store
        .key_with_secrets(key().client_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(hashes.len(), 2);
    assert_eq!(
        stored.secrets.working_previous(scene.now()).unwrap().id,
        secret_id(1)
    );
    assert_eq!(
        scene.store.key(key().client_id).await.unwrap().unwrap(),
        stored
    );
    let event = table.audit().pop().unwrap();
    assert_eq!(
        (
            &event["action"],
            &event["changes"]["secrets"]["current"]["id"]
        ),
        (&json!("key.rotate"), &json!("02".repeat(16)))
    );
    assert_eq!(
        table.item("K#", "KEY").get("unannounced"),
        None,
        "every reader knows"
    );
}

#[tokio::test]
async fn arz_5_an_open_end_says_nothing_until_the_rotation_is_finished() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::Open))
        .await
        .unwrap();
    assert_eq!(secrets(&table), [("01".into(), None), ("02".into(), None)]);
    assert!(table.feed().is_empty());
    assert_eq!(
        rotate(&scene, 3, Rotation::Keep(Grace::Open))
            .await
            .unwrap_err()
            .kind,
        Kind::Conflict
    );
    let finished = finish(&scene).await.unwrap();
    assert_eq!((finished.secrets.previous, finished.version), (None, 2));
    assert_eq!(
        secrets(&table),
        [
            ("01".into(), Some(at(Duration::ZERO).seconds() + 1)),
            ("02".into(), None)
        ]
    );
    assert_eq!(table.feed(), ["revoke secret"]);
    assert_eq!(
        finish(&scene).await.unwrap(),
        finished,
        "finishing again changes nothing"
    );
    let outlines: Vec<_> = scene
        .transactions()
        .iter()
        .map(super::Sent::outline)
        .collect();
    assert_eq!(
        outlines,
        [
            "Put K KEY, Put K SECRET, Put A",
            "Put K KEY, Update K SECRET, Put F, Put A"
        ]
    );
    assert_eq!(
        table.audit().pop().unwrap()["action"],
        json!(Action::KeyFinishRotation)
    );
}

#[tokio::test]
async fn a_replaced_secret_ends_at_once_and_the_previous_one_stays() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap();
    rotate(&scene, 3, Rotation::Replace).await.unwrap();
    let (now, end) = (at(Duration::ZERO).seconds() + 1, at(DAY).seconds() + 1);
    assert_eq!(
        secrets(&table),
        [
            ("01".into(), Some(end)),
            ("02".into(), Some(now)),
            ("03".into(), None)
        ]
    );
    assert_eq!(table.feed(), ["expire secret", "revoke secret"]);
}

/// The sweep may come at any time after an end: what it took is not made again.
#[tokio::test]
async fn a_secret_that_was_swept_does_not_come_back() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap();
    scene.wait(DAY);
    table.sweep("K#", &format!("SECRET#{}", secret_id(1)));
    finish(&scene).await.unwrap();
    assert_eq!(secrets(&table), [("02".into(), None)]);
    assert!(
        scene
            .store
            .key_with_secrets(key().client_id)
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_rotation_that_meets_a_revoke_leaves_nothing() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent
            .outline()
            .starts_with("Put K KEY, Put K SECRET, Update")
            && table.item("K#", "KEY")["version"] == 0
        {
            table.update(json!({
                "Key": {"PK": {"S": table.item("K#", "KEY")["PK"]}, "SK": {"S": "KEY"}},
                "UpdateExpression": "SET #state = :revoked ADD version :one",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {
                    ":revoked": {
                        "M": {
                            "name": {"S": "revoked"},
                            "at": {"S": at(Duration::ZERO).to_string()},
                        },
                    },
                    ":one": {"N": "1"},
                },
            }));
        }
        None
    });
    scene.with_key(&key()).await;
    let refused = rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap_err();
    assert_eq!(
        refused.kind,
        Kind::Conflict,
        "decided anew, on the key as it is: {refused}"
    );
    assert_eq!(secrets(&table), [("01".into(), None)]);
    assert!(table.feed().is_empty());
}

/// LEAK-11: a rotation that is finished in a while has its end in the key, the feed and the
/// secret's TTL.
#[tokio::test]
async fn leak_11_a_rotation_finished_in_a_while() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::OpenUntilUsed))
        .await
        .unwrap();
    let finish = async || {
        scene
            .store
            .finish(key().client_id, &operator(), |key| key.finish_rotation(DAY))
            .await
            .unwrap()
    };
    let finished = finish().await;
    assert_eq!(
        finished.secrets.previous.unwrap().expires_at(),
        Some(at(DAY))
    );
    assert_eq!(
        secrets(&table),
        [
            ("01".into(), Some(at(DAY).seconds() + 1)),
            ("02".into(), None)
        ]
    );
    assert_eq!(table.feed(), ["expire secret"]);
    scene.wait(Duration::from_hours(1));
    assert_eq!(finish().await, finished, "repeated, it changes nothing");
    assert_eq!(
        table.audit().pop().unwrap()["action"],
        "key.finish_rotation"
    );
}
