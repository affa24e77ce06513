//! The tables: the shape that every access pattern rests on (docs/requirements.md, Tables), and
//! what their TTL sweeps.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeyType, ScalarAttributeType, StreamSpecification, TimeToLiveStatus},
};
use domain::{
    feed::{EntryKey, Rules},
    time::Timestamp,
};
use local::services::Options;
use serde_json::{Value, json};
use tests::Platform;

/// The attribute in which the store says when an item may be swept.
const EXPIRES: &str = "expires";

fn client(platform: &Platform) -> Client {
    Client::new(&platform.stack.services().ambient().aws)
}

/// Both as the template says it and as the table service has it.
#[tokio::test]
async fn four_tables_have_one_shape() {
    let platform = Platform::start().await;
    let tables = &platform.stack.services().description().tables;
    let names: Vec<&str> = tables
        .iter()
        .map(|table| table.logical_id.as_str())
        .collect();
    assert_eq!(
        names,
        ["AuditTable", "CoreTable", "FeedTable", "UsageTable"]
    );
    for table in tables {
        assert_declared(&table.logical_id, &table.properties);
    }
    let client = client(&platform);
    let served = client.list_tables().send().await.unwrap();
    assert_eq!(served.table_names().len(), 4, "{:?}", served.table_names());
    for name in served.table_names() {
        assert_served(&client, name).await;
    }
}

/// Asserts that the template gives a table its shape.
fn assert_declared(name: &str, properties: &Value) {
    let key = json!([
        {"AttributeName": "PK", "KeyType": "HASH"},
        {"AttributeName": "SK", "KeyType": "RANGE"},
    ]);
    assert_eq!(properties["KeySchema"], key, "{name}");
    let attributes = json!([
        {"AttributeName": "PK", "AttributeType": "S"},
        {"AttributeName": "SK", "AttributeType": "S"},
    ]);
    assert_eq!(properties["AttributeDefinitions"], attributes, "{name}");
    assert_eq!(
        properties["TimeToLiveSpecification"],
        json!({"AttributeName": EXPIRES, "Enabled": true}),
        "{name}"
    );
    assert!(
        properties["StreamSpecification"]["StreamViewType"].is_string(),
        "{name}"
    );
    assert_eq!(
        properties["PointInTimeRecoverySpecification"],
        json!({"PointInTimeRecoveryEnabled": true}),
        "{name}"
    );
    assert_eq!(
        properties["DeletionProtectionEnabled"], "true",
        "{name}: unless a parameter says otherwise"
    );
    let sealed = &properties["SSESpecification"];
    assert_eq!(
        (&sealed["SSEEnabled"], &sealed["SSEType"]),
        (&json!(true), &json!("KMS")),
        "{name}"
    );
    assert!(
        sealed["KMSMasterKeyId"]
            .as_str()
            .is_some_and(|key| key.contains(":key/")),
        "{name}: the customer's own key"
    );
    let indexes = ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"];
    assert!(
        indexes.iter().all(|index| properties.get(*index).is_none()),
        "{name} has no index"
    );
}

/// Asserts that the table service has a table in its shape.
async fn assert_served(client: &Client, name: &str) {
    let table = client
        .describe_table()
        .table_name(name)
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    let keys: Vec<_> = table
        .key_schema()
        .iter()
        .map(|key| (key.attribute_name(), key.key_type().clone()))
        .collect();
    assert_eq!(
        keys,
        [("PK", KeyType::Hash), ("SK", KeyType::Range)],
        "{name}"
    );
    let mut types: Vec<_> = table
        .attribute_definitions()
        .iter()
        .map(|one| (one.attribute_name(), one.attribute_type().clone()))
        .collect();
    types.sort_unstable_by_key(|(name, _)| *name);
    assert_eq!(
        types,
        [
            ("PK", ScalarAttributeType::S),
            ("SK", ScalarAttributeType::S)
        ],
        "{name}"
    );
    assert!(
        table
            .stream_specification()
            .is_some_and(StreamSpecification::stream_enabled),
        "{name}"
    );
    let ttl = client
        .describe_time_to_live()
        .table_name(name)
        .send()
        .await
        .unwrap()
        .time_to_live_description
        .unwrap();
    let expected = (Some(EXPIRES), Some(&TimeToLiveStatus::Enabled));
    assert_eq!(
        (ttl.attribute_name(), ttl.time_to_live_status()),
        expected,
        "{name}"
    );
}

/// An entry outlives every token that it concerns by a day, and then goes.
#[tokio::test]
async fn a_feed_entry_is_swept_after_its_retention_and_not_before() {
    let parameters = [("TokenLifetimeSeconds".to_owned(), "3600".to_owned())].into();
    let platform = Platform::with(Options {
        parameters,
        ..Options::default()
    })
    .await;
    platform.stop_clock();
    let (key, sibling) = (
        platform.bank_key(json!({})).await,
        platform.bank_key(json!({})).await,
    );
    let (token, kept) = (platform.token(&key).await, platform.token(&sibling).await);
    let whoami = async |token: &str| platform.bearer(token).get("/v1/whoami").await.status;
    assert_eq!((whoami(&token).await, whoami(&kept).await), (200, 200));
    let path = format!("/api/keys/{}/revoke", key.client_id);
    let seeded = entries(&platform).await.len();
    assert_eq!(
        platform
            .organization()
            .await
            .post(&path, &Value::Null)
            .await
            .status,
        200
    );
    let entries = entries(&platform).await;
    assert_eq!(entries.len(), seeded + 1);
    let (time, expires) = *entries.iter().max().unwrap();
    let end = Rules::STANDARD.entry_expires(time);
    assert_eq!(expires, end.seconds() + 1, "no second early");

    // To the last minute of the longest token, whatever is swept meanwhile.
    advance_to(&platform, time + Duration::from_mins(59)).await;
    assert_eq!((whoami(&token).await, whoami(&kept).await), (401, 200));
    assert_eq!(self::entries(&platform).await, entries);
    // In the last minute of its retention.
    advance_to(&platform, end.earlier_by(Duration::from_secs(59))).await;
    assert_eq!(self::entries(&platform).await, entries);
    advance_to(&platform, end + Duration::from_mins(1)).await;
    assert_eq!(self::entries(&platform).await, []);

    // The key is refused for what it is, not for what the feed says.
    platform
        .request_token(&key, platform.anonymous())
        .await
        .assert_oauth_error(401, "invalid_client");
    assert_eq!(
        (
            whoami(&token).await,
            whoami(&platform.token(&sibling).await).await
        ),
        (401, 200)
    );
}

/// Advances the clock to a moment and sweeps what has expired by then.
async fn advance_to(platform: &Platform, moment: Timestamp) {
    let services = platform.stack.services();
    let by = moment.since((services.ambient().clock)());
    platform.advance(Duration::from_millis(
        u64::try_from(by).expect("a moment that is yet to come"),
    ));
    services.cloud().sweep_ttl().await.unwrap();
}

/// Every entry of the feed: its time, and when it may be swept.
async fn entries(platform: &Platform) -> Vec<(Timestamp, i64)> {
    let table = &platform.stack.services().variables("management")["LATCHKEY_FEED_TABLE"];
    let answer = client(platform)
        .scan()
        .table_name(table)
        .consistent_read(true)
        .send()
        .await
        .unwrap();
    let text = |value: Option<&AttributeValue>| value.unwrap().as_s().unwrap().clone();
    let entry = |item: &std::collections::HashMap<String, AttributeValue>| {
        let key: EntryKey = text(item.get("SK")).parse().unwrap();
        (key.time, item[EXPIRES].as_n().unwrap().parse().unwrap())
    };
    let entries = answer.items().iter();
    entries
        .filter(|item| text(item.get("PK")) == "F#0")
        .map(entry)
        .collect()
}
