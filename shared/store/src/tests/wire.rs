//! How the store meets a `DynamoDB` that is slow, busy or elsewhere in time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use domain::{ids::ClientId, key::Owner, key_mode::KeyMode, time::Timestamp};
use serde_json::json;

use super::{
    START, Sent, cancelled,
    fixtures::{ORGANIZATION, idempotency, key, key_of, operator, secret, secret_id},
    scene,
};
use crate::StoreError;

/// The time in the entry that a transaction or put writes to the feed.
fn entry_time(sent: &Sent) -> String {
    let item = if sent.operation == "PutItem" {
        &sent.body["Item"]
    } else {
        &sent.body["TransactItems"][2]["Put"]["Item"]
    };
    item["time"]["S"]
        .as_str()
        .unwrap_or_else(|| panic!("no entry in {sent:?}"))
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
            .read_feed(Timestamp::from_millis(START), Duration::from_secs(1))
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
    scene.store.revoke_key(&key(), &operator()).await.unwrap();
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
    assert!(matches!(
        scene.store.revoke_key(&key(), &operator()).await,
        Err(StoreError::Unavailable(_))
    ));
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
        scene.store.revoke_key(&key(), &operator()).await.unwrap();
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
    scene.store.revoke_key(&key(), &operator()).await.unwrap();
}

#[tokio::test]
async fn a_clock_that_is_far_off_changes_nothing() {
    for date_ahead in [-12_000, 12_000] {
        let scene = scene(date_ahead, |_, _| (200, json!({})));
        assert_eq!(
            scene.store.revoke_key(&key(), &operator()).await,
            Err(StoreError::ClockSkewed),
            "{date_ahead}"
        );
        assert!(scene.changes().is_empty(), "{date_ahead}");
    }
}

#[tokio::test]
async fn a_feed_read_that_fails_on_its_second_page_is_no_read() {
    let scene = scene(0, |sent, _| {
        if sent.body.get("ExclusiveStartKey").is_some() {
            return (
                400,
                json!({
                    "__type": "com.amazonaws.dynamodb.v20120810#\
                               ProvisionedThroughputExceededException",
                }),
            );
        }
        (
            200,
            json!({"Items": [], "LastEvaluatedKey": {"PK": {"S": "F#0"}, "SK": {"S": "x"}}}),
        )
    });
    let read = scene
        .store
        .read_feed(Timestamp::from_millis(START), Duration::from_secs(1))
        .await;
    assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    assert_eq!(
        scene.operations(),
        ["Query", "Query"],
        "a read of the feed has no retry of its own"
    );
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
            StoreError::LimitReached,
        ),
    ] {
        let scene = scene(0, move |sent, _| match sent.operation.as_str() {
            "TransactWriteItems" => cancelled(codes),
            _ => (200, json!({})),
        });
        assert_eq!(
            scene
                .store
                .create_key(&key(), &secret(1), None, &operator())
                .await,
            Err(expected)
        );
    }
}
