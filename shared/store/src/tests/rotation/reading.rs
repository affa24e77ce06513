//! Which secrets are read with a key, also while it is rotated between the two reads.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    ids::{ClientId, Guid, SecretId},
    key::{Grace, Rotation},
};
use serde_json::Value;

use super::{rotate, secrets};
use crate::tests::{
    Scene, Sent,
    fixtures::{key, secret, secret_id},
    table::{stage, stage_with},
};

/// The item keys that were read since `from`, each with its operation.
fn reads(scene: &Scene, from: usize) -> Vec<(String, Vec<(String, String)>)> {
    let place = |key: &Value| {
        ["PK", "SK"]
            .map(|part| key[part]["S"].as_str().unwrap().to_owned())
            .into()
    };
    let sent = scene.sent.lock().unwrap();
    let keys = |sent: &Sent| match sent.operation.as_str() {
        "GetItem" => vec![place(&sent.body["Key"])],
        "BatchGetItem" => sent.body["RequestItems"]["core"]["Keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(place)
            .collect(),
        other => panic!("{other}"),
    };
    sent[from..]
        .iter()
        .map(|sent| (sent.operation.clone(), keys(sent)))
        .collect()
}

async fn named(scene: &Scene) -> Vec<SecretId> {
    let (_, secrets) = scene
        .store
        .key_with_secrets(key().client_id)
        .await
        .unwrap()
        .unwrap();
    secrets.into_iter().map(|secret| secret.id).collect()
}

/// Whoever rotates a key often pushes no working secret out of sight, and makes no attempt on the
/// key dear.
#[tokio::test]
async fn only_the_secrets_that_a_key_names_are_read_however_many_linger() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    for byte in 2..20 {
        rotate(&scene, byte, Rotation::Replace).await.unwrap();
    }
    assert_eq!(secrets(&table).len(), 19);
    assert_eq!(named(&scene).await, [secret_id(19)]);
    rotate(&scene, 20, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap();
    let from = scene.sent.lock().unwrap().len();
    assert_eq!(named(&scene).await, [secret_id(20), secret_id(19)]);
    let pk = format!("K#{}", key().client_id);
    let secret_at = |byte| (pk.clone(), format!("SECRET#{}", secret_id(byte)));
    let expected = [
        ("GetItem".to_owned(), vec![(pk.clone(), "KEY".to_owned())]),
        (
            "BatchGetItem".to_owned(),
            vec![secret_at(20), secret_at(19)],
        ),
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
    let shape = |reads: &[(String, Vec<_>)]| {
        reads
            .iter()
            .map(|(operation, at)| (operation.clone(), at.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(other), shape(known));
    assert!(
        other
            .iter()
            .flat_map(|(_, at)| at)
            .all(|(pk, _)| *pk == format!("K#{unknown}"))
    );
}

/// The key says which secrets work, as it was read: a rotation between the two reads neither adds
/// one nor changes a hash.
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
    rotate(&scene, 2, Rotation::Keep(Grace::FromNow(Duration::ZERO)))
        .await
        .unwrap();
    let after = table.raw("K#");
    table.sweep("K#", &format!("SECRET#{}", secret_id(2)));
    for item in &before {
        table.put(item);
    }
    *rotation.lock().unwrap() = Some(after);
    let (read, hashes) = scene
        .store
        .key_with_secrets(key().client_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(hashes, [secret(1)], "not the new one's");
    assert!(
        read.secrets.term(secret_id(1), scene.now()).is_some(),
        "as the key was when it was read"
    );
    assert_eq!(read.secrets.term(secret_id(2), scene.now()), None);
    assert_eq!(
        named(&scene).await,
        [secret_id(2)],
        "and now the other way round"
    );
}

/// Half of a rotation is visible: the key names a secret whose item is not seen yet. It has not
/// been answered, so nobody has it.
#[tokio::test]
async fn a_secret_that_is_not_visible_yet_is_missed_and_no_error() {
    let (scene, table) = stage();
    scene.with_key(&key()).await;
    rotate(&scene, 2, Rotation::Keep(Grace::DEFAULT))
        .await
        .unwrap();
    table.sweep("K#", &format!("SECRET#{}", secret_id(2)));
    assert_eq!(named(&scene).await, [secret_id(1)]);
}
