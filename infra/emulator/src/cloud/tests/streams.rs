//! Table streams feeding a function.

use std::{sync::Mutex, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    super::streams::{EventSource, Mapping},
    *,
};

/// The end of a wait that is in vain; no measure of speed.
const TIMEOUT: Duration = Duration::from_mins(2);

/// What a function was given, and how it answers.
#[derive(Clone, Default)]
pub(super) struct Function {
    pub(super) events: Arc<Mutex<Vec<Value>>>,
}

impl Function {
    /// The sort keys of all records, in order.
    pub(super) fn seen(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let records = events
            .iter()
            .flat_map(|event| event["Records"].as_array().unwrap().clone());
        records
            .map(|record| {
                record["dynamodb"]["Keys"]["SK"]["S"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    pub(super) fn subscribe(
        &self,
        cloud: &Cloud,
        mapping: Mapping,
        answer: impl Fn(usize, &Value) -> Result<Value, String> + Send + Sync + 'static,
    ) -> EventSource {
        let (events, answer) = (Arc::clone(&self.events), Arc::new(answer));
        let invoke = move |event: Value| {
            let (events, answer) = (Arc::clone(&events), Arc::clone(&answer));
            async move {
                let count = {
                    let mut events = events.lock().unwrap();
                    events.push(event.clone());
                    events.len()
                };
                answer(count, &event)
            }
        };
        EventSource::start(cloud, mapping, invoke).unwrap()
    }
}

pub(super) async fn mapping(cloud: &Cloud, extra: Value) -> Mapping {
    let physical = provisioned(cloud).await;
    let mut properties = json!({
        "Stream": physical["AuditTable"].attributes["StreamArn"],
        "StartingPosition": "TRIM_HORIZON", "BatchSize": 3,
    });
    properties
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    Mapping::from_properties("AuditChain", &properties).unwrap()
}

pub(super) async fn put(cloud: &Cloud, partition: &str, names: impl IntoIterator<Item = u32>) {
    let client = tables(cloud);
    for name in names {
        let put = client
            .put_item()
            .table_name("audit")
            .item("PK", AttributeValue::S(partition.into()));
        put.item("SK", AttributeValue::S(format!("{name:03}")))
            .send()
            .await
            .unwrap();
    }
}

pub(super) fn names(names: impl IntoIterator<Item = u32>) -> Vec<String> {
    names.into_iter().map(|name| format!("{name:03}")).collect()
}

#[tokio::test]
async fn records_arrive_in_order_in_batches_as_lambda_writes_them() {
    let cloud = start(Storage::Memory).await;
    let mapping = mapping(&cloud, json!({})).await;
    put(&cloud, "A#1", 0..7).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping.clone(), |_, _| Ok(Value::Null));
    source.drain(TIMEOUT).await.unwrap();
    put(&cloud, "A#1", 7..10).await;
    tables(&cloud)
        .delete_item()
        .table_name("audit")
        .key("PK", AttributeValue::S("A#1".into()))
        .key("SK", AttributeValue::S("004".into()))
        .send()
        .await
        .unwrap();
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names((0..10).chain([4])));

    let events = function.events.lock().unwrap().clone();
    assert!(
        events
            .iter()
            .all(|event| (1..=3).contains(&event["Records"].as_array().unwrap().len()))
    );
    let mut record = events[0]["Records"][0].clone();
    let (id, number) = (
        record["eventID"].take(),
        record["dynamodb"]["SequenceNumber"].take(),
    );
    assert!(id.as_str().unwrap().len() >= 32 && number.as_str().unwrap().len() >= 21);
    assert_eq!(
        record,
        json!({
            "eventID": null, "eventName": "INSERT", "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1", "eventSourceARN": mapping.stream_arn,
            "dynamodb": {
                "ApproximateCreationDateTime": NOW / 1000, "SequenceNumber": null,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
                "Keys": {"PK": {"S": "A#1"}, "SK": {"S": "000"}},
                "NewImage": {"PK": {"S": "A#1"}, "SK": {"S": "000"}},
                "SizeBytes": record["dynamodb"]["SizeBytes"],
            },
        })
    );
    let removed = events.last().unwrap()["Records"]
        .as_array()
        .unwrap()
        .last()
        .unwrap();
    assert_eq!(
        (
            &removed["eventName"],
            &removed["dynamodb"]["OldImage"]["SK"]["S"]
        ),
        (&json!("REMOVE"), &json!("004"))
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_failed_batch_comes_again_and_nothing_is_skipped() {
    let cloud = start(Storage::Memory).await;
    let mapping = mapping(&cloud, json!({})).await;
    put(&cloud, "A#1", 0..4).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |count, _| match count {
        1 => Err("refused".to_owned()),
        2 => panic!("a function may panic"),
        _ => Ok(json!({"batchItemFailures": [{"itemIdentifier": "not asked for"}]})),
    });
    source.drain(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names([0, 1, 2, 0, 1, 2, 0, 1, 2, 3]));
    source.drain_and_stop(TIMEOUT).await.unwrap();
    cloud.stop().await;
}

#[tokio::test]
async fn reported_items_come_again_from_the_first_one() {
    let cloud = start(Storage::Memory).await;
    let mapping = mapping(
        &cloud,
        json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
    )
    .await;
    put(&cloud, "A#1", 0..4).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |count, event| {
        let number = |n: usize| event["Records"][n]["dynamodb"]["SequenceNumber"].clone();
        Ok(match count {
            1 => json!({
                "batchItemFailures": [{"itemIdentifier": number(2)}, {"itemIdentifier": number(1)}],
            }),
            2 => json!({"batchItemFailures": [{"itemIdentifier": "unknown"}]}),
            _ => json!({"batchItemFailures": []}),
        })
    });
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names([0, 1, 2, 1, 2, 3, 1, 2, 3]));
    cloud.stop().await;
}

#[tokio::test]
async fn what_the_filter_leaves_out_is_passed_over() {
    let cloud = start(Storage::Memory).await;
    let pattern =
        json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"PK": {"S": [{"prefix": "A#"}]}}}});
    let mapping = mapping(
        &cloud,
        json!({"FilterCriteria": {"Filters": [{"Pattern": pattern.to_string()}]}}),
    )
    .await;
    put(&cloud, "AC#1", 0..5).await;
    put(&cloud, "A#1", 5..7).await;
    put(&cloud, "AC#1", 7..12).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |_, _| Ok(Value::Null));
    source.drain(TIMEOUT).await.unwrap();
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names([5, 6]));
    cloud.stop().await;
}

#[tokio::test]
async fn latest_begins_with_what_is_written_from_then_on() {
    let cloud = start(Storage::Memory).await;
    let mapping = mapping(&cloud, json!({"StartingPosition": "LATEST"})).await;
    put(&cloud, "A#1", 0..3).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |_, _| Ok(Value::Null));
    put(&cloud, "A#1", 3..5).await;
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names([3, 4]));
    cloud.stop().await;
}

#[tokio::test]
async fn a_function_that_never_succeeds_holds_nothing_up_for_ever() {
    let cloud = start(Storage::Memory).await;
    let mapping = mapping(&cloud, json!({})).await;
    put(&cloud, "A#1", 0..1).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |_, _| Err("never".to_owned()));
    let given_up = async {
        assert!(source.drain(Duration::from_millis(300)).await.is_err());
        assert!(
            source
                .drain_and_stop(Duration::from_millis(300))
                .await
                .is_err()
        );
    };
    tokio::time::timeout(TIMEOUT, given_up).await.unwrap();
    cloud.stop().await;
}

#[tokio::test]
async fn a_table_without_a_stream_cannot_be_a_source() {
    let cloud = start(Storage::Memory).await;
    let mut mapping = mapping(&cloud, json!({})).await;
    mapping.stream_arn = "arn:aws:dynamodb:eu-west-1:000000000000:table/none/stream/1".to_owned();
    let error = EventSource::start(&cloud, mapping, async |_| Ok(Value::Null))
        .map(drop)
        .unwrap_err();
    assert!(
        error.to_string().starts_with("cannot read the stream "),
        "{error}"
    );
    cloud.stop().await;
}
