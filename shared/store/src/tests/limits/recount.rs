//! Limits and counts in the operator's hands, and what a full list lets go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{
    ids::Guid,
    key::{Key, Owner},
    key_mode::KeyMode,
};
use serde_json::json;

use super::{
    super::{
        at, cancelled,
        fixtures::{ORGANIZATION, key, key_of, operator},
        table::{stage, stage_with},
    },
    *,
};
use crate::{StoreError, limits::Limit};

#[tokio::test]
async fn the_operator_sets_another_limit_and_it_is_told() {
    let (scene, table) = stage();
    with_keys(&scene, &[made(1)]).await;
    let store = &scene.store;
    for (kind, max) in [(KeyMode::Sandbox, 2), (KeyMode::Live, 0)] {
        store
            .set_key_limit(ORGANIZATION, kind, max, &operator())
            .await
            .unwrap();
    }
    create(&scene, &made(2)).await.unwrap();
    let reached = |kind, max| {
        Err(StoreError::LimitReached {
            limit: Limit::Keys(kind),
            max,
        })
    };
    assert_eq!(create(&scene, &made(3)).await, reached(KeyMode::Sandbox, 2));
    let live = key_of(4, Owner::Organization(ORGANIZATION), KeyMode::Live);
    assert_eq!(create(&scene, &live).await, reached(KeyMode::Live, 0));
    store
        .set_key_limit(ORGANIZATION, KeyMode::Sandbox, 20_000, &operator())
        .await
        .unwrap();
    set(&table, Limit::Keys(KeyMode::Sandbox), 19_999);
    create(&scene, &made(3)).await.unwrap();
    assert_eq!(
        create(&scene, &made(5)).await,
        reached(KeyMode::Sandbox, 20_000)
    );
    let limits = store.limits(ORGANIZATION).await.unwrap();
    assert_eq!(
        serde_json::to_value(limits).unwrap(),
        json!({
            "sandbox": {"keys": 20_000, "max": 20_000},
            "live": {"keys": 0, "max": 0},
            "people": [[PERSON.to_string(), {"keys": 3, "max": 1_000}]],
        })
    );
    let events: Vec<_> = table
        .audit()
        .into_iter()
        .filter(|event| event["action"] == "organization.limits")
        .map(|event| event["changes"].clone())
        .collect();
    assert_eq!(events.len(), 3);
    assert!(events.contains(&json!({"max_live_keys": 0})), "{events:?}");
}

#[tokio::test]
async fn a_recount_corrects_every_count_and_releases_what_has_ended() {
    let (scene, table) = stage();
    let ends = Key {
        expires_at: Some(at(Duration::from_hours(1))),
        ..made(1)
    };
    let live = key_of(4, Owner::Organization(ORGANIZATION), KeyMode::Live);
    with_keys(&scene, &[ends, made(2), key(), live]).await;
    scene.wait(Duration::from_hours(2));
    set(&table, Limit::Keys(KeyMode::Sandbox), 77);
    set(&table, Limit::KeysOf(Guid::from_bytes([5; 16])), 5);
    set(&table, Limit::Users, 10_000);
    set(&table, Limit::Banks(KeyMode::Live), 10_000);
    let recount = async || scene.store.recount_keys(ORGANIZATION, &operator()).await;
    assert_eq!(recount().await, Ok(1));
    assert_eq!(counts(&table), [3, 1]);
    let limits = scene.store.limits(ORGANIZATION).await.unwrap();
    assert_eq!((limits.live.keys, limits.people[1].1.keys), (1, 0));
    for limit in [Limit::Users, Limit::Banks(KeyMode::Live)] {
        assert_eq!(table.item("L#", &count_sk(limit))["n"], 0);
    }
    let told = table.audit().len();
    assert_eq!(recount().await, Ok(0));
    assert_eq!(
        table.audit().len(),
        told,
        "what changes nothing is not told"
    );
}

/// Whoever finds nothing to release may come after somebody who released it.
#[tokio::test]
async fn a_creation_takes_the_room_that_another_one_made() {
    let (scene, table) = stage_with(|table, sent, _| {
        if sent.operation == "Query" {
            set(table, Limit::Keys(KeyMode::Sandbox), 9_999);
        }
        None
    });
    with_keys(&scene, &[]).await;
    set(&table, Limit::Keys(KeyMode::Sandbox), 10_000);
    create(&scene, &made(1)).await.unwrap();
    assert_eq!(counts(&table), [10_000, 1]);
}

/// Creations and revocations of an organization meet on its counts.
#[tokio::test]
async fn no_count_holds_a_revocation_up_and_a_recount_corrects_it() {
    let crowded = Arc::new(AtomicBool::new(false));
    let crowd = crowded.clone();
    let (scene, table) = stage_with(move |_, sent, _| {
        let counts = sent.outline().contains("Update L COUNT");
        (crowd.load(Ordering::SeqCst) && counts)
            .then(|| cancelled(["TransactionConflict", "None", "None", "None"]))
    });
    with_keys(&scene, &[made(1), made(2)]).await;
    crowded.store(true, Ordering::SeqCst);
    revoke(&scene, &made(1)).await;
    let item = table.item(&format!("K#{}", made(1).client_id), "KEY");
    assert_eq!(item["state"]["name"], "revoked");
    assert_eq!(counts(&table), [2, 2]);
    crowded.store(false, Ordering::SeqCst);
    let recounted = scene.store.recount_keys(ORGANIZATION, &operator()).await;
    assert_eq!((recounted, counts(&table)), (Ok(1), [json!(1), json!(1)]));
    assert_eq!(row(&table, &made(1))["revoked"], true);
}

#[tokio::test]
async fn a_key_without_a_row_is_revoked() {
    let (scene, table) = stage();
    with_keys(&scene, &[made(1)]).await;
    let sk = row(&table, &made(1))["SK"].clone();
    table.sweep("L#", sk.as_str().unwrap());
    revoke(&scene, &made(1)).await;
    let item = table.item(&format!("K#{}", made(1).client_id), "KEY");
    assert_eq!(item["state"]["name"], "revoked");
    assert_eq!(counts(&table), [1, 1], "it never counts too few");
}

/// A count that is the same again may stand for other keys than those that were read.
#[tokio::test]
async fn a_recount_beside_changes_counts_again() {
    let meddled = AtomicBool::new(false);
    let (scene, table) = stage_with(move |table, sent, _| {
        let of_keys = sent.body["ExpressionAttributeValues"][":class"]["S"] == "key#";
        let first = || !meddled.swap(true, Ordering::SeqCst);
        let wrong = || table.items("core", "L#").iter().any(|item| item["n"] == 77);
        if sent.operation == "Query" && of_keys && wrong() && first() {
            // The rows of before, and then as many more keys as fewer.
            let rows = table.answer(sent);
            let sk = count_sk(Limit::Keys(KeyMode::Sandbox));
            table.touch(&format!("L#{ORGANIZATION}"), &sk);
            return Some(rows);
        }
        None
    });
    with_keys(&scene, &[made(1), key()]).await;
    set(&table, Limit::Keys(KeyMode::Sandbox), 77);
    scene
        .store
        .correct(ORGANIZATION, &operator())
        .await
        .unwrap_err();
    assert_eq!(counts(&table)[0], 77, "it is not known to be wrong");
    scene
        .store
        .recount_keys(ORGANIZATION, &operator())
        .await
        .unwrap();
    assert_eq!(counts(&table)[0], 2);
}

/// A list is read whole: whoever makes and revokes keys in a loop fills it for nobody else.
#[tokio::test]
async fn where_too_many_revoked_keys_are_listed_the_first_ones_leave_and_nobody_is_refused() {
    let (scene, table) = stage();
    let keys: Vec<_> = (1..=100).map(made).collect();
    with_keys(&scene, &keys).await;
    for key in &keys {
        scene.wait(Duration::from_secs(1));
        revoke(&scene, key).await;
    }
    let listed = || {
        let sk = count_sk(Limit::Keys(KeyMode::Sandbox));
        table.item("L#", &sk)["listed_revoked"].clone()
    };
    assert_eq!(listed(), 100);
    let rows = async || -> Vec<_> {
        let rows = scene.store.key_rows(ORGANIZATION).await.unwrap();
        rows.into_iter().map(|row| row.client_id).collect()
    };
    let trim = async |most| {
        scene
            .store
            .trim(ORGANIZATION, KeyMode::Sandbox, (most, 10))
            .await
            .unwrap();
    };
    trim(101).await;
    assert_eq!((rows().await.len(), listed()), (100, json!(100)));
    // A creation beyond the bound has the list trimmed, or counted where it is shorter; it counts.
    table.update(json!({
        "Key": {
            "PK": {"S": format!("L#{ORGANIZATION}")},
            "SK": {"S": count_sk(Limit::Keys(KeyMode::Sandbox))},
        },
        "UpdateExpression": "SET listed_revoked = :most",
        "ExpressionAttributeValues": {":most": {"N": "10000"}},
    }));
    create(&scene, &made(101)).await.unwrap();
    assert_eq!(
        (listed(), counts(&table)),
        (json!(100), [json!(1), json!(1)])
    );
    trim(100).await;
    let left: Vec<_> = (11..=101).map(|byte| made(byte).client_id).collect();
    assert_eq!(
        (rows().await, listed()),
        (left, json!(90)),
        "the first ten have left"
    );
    let item = table.item(&format!("K#{}", made(10).client_id), "KEY");
    assert_eq!(item["listed_until"], scene.now().to_string());
}
