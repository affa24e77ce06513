//! SQS, by its JSON protocol, and the dead letters of a stream's mapping.

use std::time::Duration;

use super::{
    super::{
        provision::provision,
        streams::{EventSource, Mapping},
    },
    streams::{Function, mapping, names, put},
    *,
};

/// The end of a wait that is in vain; no measure of speed.
const TIMEOUT: Duration = Duration::from_mins(2);

async fn call(cloud: &Cloud, operation: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("http://{}", cloud.api_address()));
    let request = request.header("x-amz-target", format!("AmazonSQS.{operation}"));
    let credential = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-west-1/sqs/aws4_request, \
                      SignedHeaders=host, Signature=0";
    let answer = request
        .header("authorization", credential)
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&answer.text().await.unwrap()).unwrap(),
    )
}

/// The template's queue: its URL and its ARN.
async fn queue(cloud: &Cloud, properties: Value) -> (String, String) {
    let template =
        template(&json!({"Letters": {"Type": "AWS::SQS::Queue", "Properties": properties}}));
    let made = provision(cloud, &template)
        .await
        .unwrap()
        .remove("Letters")
        .unwrap();
    (made.reference, made.attributes["Arn"].clone())
}

#[tokio::test]
async fn a_message_is_received_until_it_is_deleted() {
    let hands = Hands::new();
    let cloud = Cloud::start(Storage::Memory, Ports::default(), hands.clock())
        .await
        .unwrap();
    let (url, arn) = queue(
        &cloud,
        json!({"VisibilityTimeout": 60, "MessageRetentionPeriod": 3600}),
    )
    .await;
    assert_eq!(arn, "arn:aws:sqs:eu-west-1:000000000000:Letters");
    assert_eq!(
        call(&cloud, "GetQueueUrl", json!({"QueueName": "Letters"})).await,
        (200, json!({"QueueUrl": url}))
    );
    let sent = call(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": url, "MessageBody": "a letter"}),
    )
    .await;
    assert_eq!(sent.0, 200, "{sent:?}");

    let receive = async || {
        call(
            &cloud,
            "ReceiveMessage",
            json!({"QueueUrl": url, "MaxNumberOfMessages": 10}),
        )
        .await
        .1
    };
    let first = receive().await["Messages"][0].clone();
    assert_eq!(
        (&first["Body"], &first["MessageId"]),
        (&json!("a letter"), &sent.1["MessageId"])
    );
    assert_eq!(first["Attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(
        receive().await,
        json!({}),
        "hidden while somebody works on it"
    );
    let counts = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let attributes = call(
        &cloud,
        "GetQueueAttributes",
        json!({"QueueUrl": url, "AttributeNames": counts}),
    )
    .await
    .1;
    assert_eq!(
        attributes["Attributes"],
        json!({counts[0]: "0", counts[1]: "1"})
    );

    hands.advance(60);
    let second = receive().await["Messages"][0].clone();
    assert_eq!(second["Attributes"]["ApproximateReceiveCount"], "2");
    let delete = async |receipt: &Value| {
        call(
            &cloud,
            "DeleteMessage",
            json!({"QueueUrl": url, "ReceiptHandle": receipt}),
        )
        .await
    };
    assert_eq!(delete(&first["ReceiptHandle"]).await, (200, json!({})));
    hands.advance(60);
    let third = receive().await["Messages"][0].clone();
    assert_eq!(third["Body"], "a letter", "an old receipt deletes nothing");
    assert_eq!(delete(&third["ReceiptHandle"]).await, (200, json!({})));
    hands.advance(60);
    assert_eq!(receive().await, json!({}));

    call(
        &cloud,
        "SendMessage",
        json!({"QueueUrl": url, "MessageBody": "late", "DelaySeconds": 5}),
    )
    .await;
    assert_eq!(receive().await, json!({}));
    hands.advance(3600);
    assert_eq!(receive().await, json!({}), "past its retention");
    cloud.stop().await;
}

/// Deviation: queues.
#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let cloud = start(Storage::Memory).await;
    let (url, _) = queue(&cloud, json!({})).await;
    for (operation, body, kind) in [
        (
            "GetQueueUrl",
            json!({"QueueName": "Nowhere"}),
            "QueueDoesNotExist",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": "http://x/000000000000/Nowhere", "MessageBody": "x"}),
            "QueueDoesNotExist",
        ),
        ("SendMessage", json!({"QueueUrl": url}), "MissingParameter"),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "x".repeat(1_048_577)}),
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}),
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({
                "QueueUrl": url,
                "MessageBody": "x",
                "MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}},
            }),
            "UnsupportedOperation",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": url, "MaxNumberOfMessages": 11}),
            "InvalidParameterValue",
        ),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": url, "AttributeNames": ["Policies"]}),
            "InvalidAttributeName",
        ),
        (
            "PurgeQueue",
            json!({"QueueUrl": url}),
            "UnknownOperationException",
        ),
    ] {
        let (status, answer) = call(&cloud, operation, body).await;
        assert_eq!(
            (status, &answer["__type"]),
            (400, &json!(kind)),
            "{operation}: {answer}"
        );
    }
    let fifo = json!({"Letters": {"Type": "AWS::SQS::Queue", "Properties": {"FifoQueue": true}}});
    let error = provision(&cloud, &template(&fifo))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("resource Letters: unknown field `FifoQueue`"),
        "{error}"
    );
    cloud.stop().await;
}

async fn letters(cloud: &Cloud, url: &str) -> Vec<Value> {
    let (_, answer) = call(
        cloud,
        "ReceiveMessage",
        json!({"QueueUrl": url, "MaxNumberOfMessages": 10}),
    )
    .await;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    messages
        .iter()
        .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_that_was_tried_often_enough_is_given_up_by_letter() {
    let cloud = start(Storage::Memory).await;
    let (url, arn) = queue(&cloud, json!({})).await;
    let extra = json!({
        "FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumRetryAttempts": 2,
        "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": arn}},
    });
    let mapping = mapping(&cloud, extra).await;
    put(&cloud, "A#1", 0..5).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping.clone(), |_, event| {
        let second = &event["Records"]
            .as_array()
            .unwrap()
            .iter()
            .find(|record| record["dynamodb"]["Keys"]["SK"]["S"] == "001");
        let failures =
            second.map(|record| json!({"itemIdentifier": record["dynamodb"]["SequenceNumber"]}));
        Ok(json!({"batchItemFailures": failures.into_iter().collect::<Vec<_>>()}))
    });
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(
        function.seen(),
        names([0, 1, 2, 1, 2, 3, 1, 2, 3, 4]),
        "one try and two more, then what follows"
    );
    let letters = letters(&cloud, &url).await;
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}")
    };
    let context = &letter["requestContext"];
    assert_eq!(
        (&context["condition"], &context["approximateInvokeCount"]),
        (&json!("RetryAttemptsExhausted"), &json!(3))
    );
    let batch = &letter["DDBStreamBatchInfo"];
    assert_eq!(
        (&batch["batchSize"], &batch["streamArn"]),
        (&json!(3), &json!(mapping.stream_arn))
    );
    let events = function.events.lock().unwrap().clone();
    let number = |event: usize, record: usize| {
        events[event]["Records"][record]["dynamodb"]["SequenceNumber"].clone()
    };
    assert_eq!(
        (&batch["startSequenceNumber"], &batch["endSequenceNumber"]),
        (&number(2, 0), &number(2, 2))
    );
    assert_eq!(
        batch["approximateArrivalOfFirstRecord"],
        "2026-11-23T00:00:00Z"
    );
    cloud.stop().await;
}

/// Deviation: given-up-records.
#[tokio::test]
async fn records_that_are_too_old_are_given_up_by_letter_and_never_tried() {
    let hands = Hands::new();
    let cloud = Cloud::start(Storage::Memory, Ports::default(), hands.clock())
        .await
        .unwrap();
    let (url, arn) = queue(&cloud, json!({})).await;
    let extra = json!({
        "MaximumRecordAgeInSeconds": 60, "DestinationConfig": {"OnFailure": {"Destination": arn}},
        "FilterCriteria": {
            "Filters": [{"Pattern": r#"{"dynamodb":{"Keys":{"PK":{"S":[{"prefix":"A#"}]}}}}"#}],
        },
    });
    let mapping = mapping(&cloud, extra).await;
    put(&cloud, "A#1", 0..1).await;
    put(&cloud, "B#1", 1..2).await;
    hands.advance(62);
    put(&cloud, "A#1", 2..3).await;
    let function = Function::default();
    let source = function.subscribe(&cloud, mapping, |_, _| Ok(Value::Null));
    source.drain_and_stop(TIMEOUT).await.unwrap();
    assert_eq!(function.seen(), names([2]));
    let letters = letters(&cloud, &url).await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        letters[0]["requestContext"]["condition"],
        "RecordAgeExceeded"
    );
    assert_eq!(
        letters[0]["DDBStreamBatchInfo"]["batchSize"], 1,
        "what the filter leaves out is not missed"
    );
    assert_eq!(letters[0].get("responseContext"), None);
    cloud.stop().await;
}

#[tokio::test]
async fn a_mapping_whose_queue_is_not_there_does_not_start() {
    let cloud = start(Storage::Memory).await;
    let nowhere = json!({
        "DestinationConfig": {
            "OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:000000000000:Nowhere"},
        },
    });
    let mapping: Mapping = mapping(&cloud, nowhere).await;
    let started = EventSource::start(&cloud, mapping, |_| async { Ok(Value::Null) });
    assert_eq!(
        started.unwrap_err().to_string(),
        "event source AuditChain: there is no queue arn:aws:sqs:eu-west-1:000000000000:Nowhere"
    );
    cloud.stop().await;
}
