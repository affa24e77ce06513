//! How the store meets a `DynamoDB` that is slow, busy or elsewhere in time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    authority::NewKey,
    error::Kind,
    feed::{Effect, Start, Subject, encode},
    ids::ClientId,
    key::Owner,
    key_mode::KeyMode,
    time::Timestamp,
};
use serde_json::json;

use super::{
    START, Sent, cancelled,
    fixtures::{ORGANIZATION, idempotency, key, key_of, operator, secret, secret_id},
    scene,
};
use crate::{StoreError, limits::Limit};

/// The time in the entry that a transaction or put writes to the feed.
fn entry_time(sent: &Sent) -> String {
    let item = if sent.operation == "PutItem" {
        &sent.body["Item"]
    } else {
        &sent.body["TransactItems"][2]["Put"]["Item"]
    };
    let key = item["SK"]["S"].as_str().and_then(|key| key.split_once('#'));
    key.unwrap_or_else(|| panic!("no entry in {sent:?}"))
        .0
        .to_owned()
}

#[tokio::test]
async fn every_read_is_strongly_consistent() {
    let scene = scene(0, |_, _| (200, json!({})));
    let (guid, store) = (ORGANIZATION, &scene.store);
    let client_id = ClientId::of(guid);
    drop(store.key(client_id).await);
    drop(store.key_with_secrets(client_id).await);
    drop(store.gates(&key()).await);
    drop(
        store
            .gates(&key_of(8, Owner::User(guid), KeyMode::Live))
            .await,
    );
    drop(store.organization(guid).await);
    drop(store.organization_rows().await);
    drop(store.bank(guid).await);
    drop(store.user(guid).await);
    drop(store.users([guid]).await);
    drop(store.user_rows(guid).await);
    drop(store.key_rows(guid).await);
    drop(store.bank_rows(guid).await);
    drop(store.keys([client_id]).await);
    drop(store.replayed(&idempotency("a", "b")).await);
    drop(store.signing_keys(KeyMode::Live).await);
    drop(store.signer(KeyMode::Live).await);
    drop(store.audit_chain(guid).await);
    drop(
        store
            .read_feed_page(
                &Start::At(Timestamp::from_millis(START)),
                100,
                Duration::from_secs(1),
            )
            .await,
    );
    drop(store.start_grace(client_id, secret_id(1)).await);
    let sent = scene.sent.lock().unwrap();
    assert!(sent.len() >= 20);
    for request in sent.iter() {
        let consistent = match request.operation.as_str() {
            "BatchGetItem" => &request.body["RequestItems"]["core"]["ConsistentRead"],
            _ => &request.body["ConsistentRead"],
        };
        assert_eq!(consistent, true, "{request:?}");
    }
}

/// The entry became visible eleven seconds after its own time: readers may have passed it, so it is
/// written again.
#[tokio::test]
async fn a_revoke_whose_answer_is_late_writes_its_entry_again() {
    let scene = scene(0, |sent, now| {
        if sent.operation == "TransactWriteItems" {
            now.fetch_add(11_000, Ordering::SeqCst);
        }
        (200, json!({}))
    });
    scene.store.revoke(&key(), &operator()).await.unwrap();
    assert_eq!(
        scene.operations(),
        ["TransactWriteItems", "PutItem", "UpdateItem"]
    );
    let times: Vec<_> = scene.changes().iter().take(2).map(entry_time).collect();
    assert!(times[1] > times[0], "{times:?}");
}

#[tokio::test]
async fn a_revoke_whose_entry_is_always_late_does_not_answer() {
    let scene = scene(0, |sent, now| {
        if sent.operation != "GetItem" {
            now.fetch_add(11_000, Ordering::SeqCst);
        }
        (200, json!({}))
    });
    assert_eq!(
        scene
            .store
            .revoke(&key(), &operator())
            .await
            .unwrap_err()
            .kind,
        Kind::TemporarilyUnavailable
    );
}

/// A revoke that meets another transaction is tried again, with its entry at the time of the new
/// attempt.
#[tokio::test]
async fn a_conflicting_or_throttled_revoke_is_tried_again_with_a_fresh_time() {
    for code in [
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
    ] {
        let attempts = AtomicI64::new(0);
        let scene = scene(0, move |sent, now| {
            if sent.operation == "TransactWriteItems" && attempts.fetch_add(1, Ordering::SeqCst) < 2
            {
                now.fetch_add(100, Ordering::SeqCst);
                return cancelled([code, "None", "None", "None"]);
            }
            (200, json!({}))
        });
        scene.store.revoke(&key(), &operator()).await.unwrap();
        let times: Vec<_> = scene
            .changes()
            .iter()
            .filter(|sent| sent.operation == "TransactWriteItems")
            .map(entry_time)
            .collect();
        assert_eq!(times.len(), 3, "{code}");
        assert!(
            times[0] < times[1] && times[1] < times[2],
            "{code}: {times:?}"
        );
    }
}

/// A key cannot hold off its own revocation by changes that check it: a revoke is tried longer than
/// any other change.
#[tokio::test]
async fn a_revoke_outlasts_the_changes_that_it_meets() {
    let attempts = AtomicI64::new(0);
    let scene = scene(0, move |sent, _| {
        if sent.operation == "TransactWriteItems" && attempts.fetch_add(1, Ordering::SeqCst) < 12 {
            return cancelled(["TransactionConflict", "None", "None", "None"]);
        }
        (200, json!({}))
    });
    scene.store.revoke(&key(), &operator()).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_far_off_changes_nothing() {
    for date_ahead in [-12_000, 12_000] {
        let scene = scene(date_ahead, |_, _| (200, json!({})));
        assert_eq!(
            scene
                .store
                .revoke(&key(), &operator())
                .await
                .unwrap_err()
                .kind,
            Kind::TemporarilyUnavailable,
            "{date_ahead}"
        );
        assert!(scene.changes().is_empty(), "{date_ahead}");
    }
}

#[tokio::test]
async fn a_page_of_the_feed_has_no_retry_of_its_own() {
    let scene = scene(0, |_, _| {
        let code = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
        (400, json!({"__type": code}))
    });
    let start = Start::At(Timestamp::from_millis(START));
    let read = scene
        .store
        .read_feed_page(&start, 100, Duration::from_secs(1))
        .await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert_eq!(scene.operations(), ["Query"]);
}

#[tokio::test]
async fn a_page_of_the_feed_says_after_which_entry_the_next_one_begins() {
    let time = Timestamp::from_millis(START);
    let entry = json!({
        "PK": {"S": "F#0"},
        "SK": {"S": format!("{time}#7")},
        "e": {"B": STANDARD.encode(encode(&Subject::Key(key().client_id), Effect::Revoke))},
    });
    let scene = scene(0, move |sent, _| {
        let from = &sent.body["ExpressionAttributeValues"][":from"]["S"];
        let more = *from == json!(time.to_string());
        let mut answer = json!({"Items": if more { vec![entry.clone()] } else { vec![] }});
        if more {
            answer["LastEvaluatedKey"] = json!({"PK": entry["PK"], "SK": entry["SK"]});
        }
        (200, answer)
    });
    let read = async |start| {
        let deadline = Duration::from_secs(1);
        scene.store.read_feed_page(&start, 100, deadline).await
    };
    let first = read(Start::At(time)).await.unwrap();
    let position = first.more_after.unwrap();
    assert_eq!((position.time, &*position.id), (time, "7"));
    let last = read(Start::After(position)).await.unwrap();
    assert_eq!((last.entries, last.more_after), (vec![], None));
    let sent = scene.sent.lock().unwrap();
    let asked = |number: usize| {
        let Sent { body, .. } = &sent[number];
        [
            &body["KeyConditionExpression"],
            &body["ExpressionAttributeValues"][":from"]["S"],
        ]
    };
    assert_eq!(
        [asked(0), asked(1)].concat(),
        [
            "PK = :feed AND SK >= :from",
            &time.to_string(),
            "PK = :feed AND SK > :from",
            &format!("{time}#7"),
        ]
    );
}

/// Going on without it would skip entries, and asking again might never end.
#[tokio::test]
async fn an_empty_page_of_the_feed_that_is_not_the_last_is_no_page() {
    let scene = scene(0, |_, _| {
        let key = json!({"PK": {"S": "F#0"}, "SK": {"S": "x"}});
        (200, json!({"Items": [], "LastEvaluatedKey": key}))
    });
    let start = Start::At(Timestamp::from_millis(START));
    let read = scene
        .store
        .read_feed_page(&start, 100, Duration::from_secs(1))
        .await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
}

#[tokio::test]
async fn a_failed_condition_is_the_failure_that_it_stands_for() {
    for (codes, expected) in [
        (
            ["ConditionalCheckFailed", "None", "None", "None"],
            StoreError::Exists,
        ),
        (
            ["None", "None", "None", "ConditionalCheckFailed"],
            StoreError::LimitReached {
                limit: Limit::Keys(KeyMode::Sandbox),
                max: 10_000,
            },
        ),
    ] {
        let scene = scene(0, move |sent, _| match sent.operation.as_str() {
            "TransactWriteItems" => cancelled(codes),
            _ => (200, json!({})),
        });
        assert_eq!(
            scene
                .store
                .create_key_as_operator(&NewKey::by_operator(key()), &secret(1), None, &operator())
                .await,
            Err(expected)
        );
    }
}
