//! Look-ups over an embedded table: what each item's item says, in one strongly consistent read.

use std::time::Duration;

use domain::ids::{ClientId, Guid};
use serde_json::json;

use super::{
    Scene,
    fixtures::{ORGANIZATION, key, operator, token},
    table::{stage, stage_with},
};
use crate::{ItemState, LookUpItem, StoreError};

const DEADLINE: Duration = Duration::from_millis(250);

async fn look_up(scene: &Scene, items: &[LookUpItem]) -> Result<Vec<ItemState>, StoreError> {
    let looked_up = scene.store.look_up(items, DEADLINE).await;
    looked_up.map(|(states, _)| states)
}

#[tokio::test]
async fn every_fact_is_told_in_its_place_whatever_there_is_of_it() {
    let (scene, _) = stage();
    scene.with_key(&key()).await;
    scene
        .store
        .revoke_token(&token(1), &operator())
        .await
        .unwrap();
    let nobody = Guid::from_bytes([0xff; 16]);
    let items = [
        LookUpItem::Token(token(1).jti),
        LookUpItem::Key(key().client_id),
        LookUpItem::Token(token(2).jti),
        LookUpItem::Organization(ORGANIZATION),
        LookUpItem::Key(ClientId::of(nobody)),
        LookUpItem::Organization(nobody),
    ];
    let states = look_up(&scene, &items).await.unwrap();
    let [
        ItemState::Revoked,
        ItemState::Key(found),
        ItemState::Absent,
        rest @ ..,
    ] = &states[..]
    else {
        panic!("{states:?}");
    };
    assert_eq!(**found, key());
    let [
        ItemState::Organization(gate),
        ItemState::Absent,
        ItemState::Absent,
    ] = rest
    else {
        panic!("{states:?}");
    };
    assert!(!gate.suspended);
    let batch = scene.changes().pop().unwrap();
    for table in ["core", "feed"] {
        assert_eq!(batch.body["RequestItems"][table]["ConsistentRead"], true);
    }
}

/// A table of which nothing is wanted is not named: `DynamoDB` refuses an empty list.
#[tokio::test]
async fn one_table_alone_is_asked_where_the_facts_are_of_one() {
    let (scene, _) = stage();
    for (items, table) in [
        ([LookUpItem::Token(token(1).jti)], "feed"),
        ([LookUpItem::Organization(ORGANIZATION)], "core"),
    ] {
        look_up(&scene, &items).await.unwrap();
        let batch = scene.changes().pop().unwrap();
        let asked = batch.body["RequestItems"].as_object().unwrap();
        assert_eq!(asked.keys().collect::<Vec<_>>(), [table]);
    }
}

#[tokio::test]
async fn what_is_left_unprocessed_or_throttled_is_a_failure_and_not_tried_again() {
    let unprocessed = json!({"core": {"Keys": [{"PK": {"S": "G#1"}, "SK": {"S": "GATE"}}]}});
    let throttled = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    for answer in [
        (
            200,
            json!({"Responses": {}, "UnprocessedKeys": unprocessed}),
        ),
        (400, json!({"__type": throttled})),
    ] {
        let (scene, _) = stage_with(move |_, _, _| Some(answer.clone()));
        let looked_up = look_up(&scene, &[LookUpItem::Organization(ORGANIZATION)]).await;
        assert!(
            matches!(looked_up, Err(StoreError::Unavailable(_))),
            "{looked_up:?}"
        );
        assert_eq!(scene.operations(), ["BatchGetItem"]);
    }
}
