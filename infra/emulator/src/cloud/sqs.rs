//! SQS: standard queues, as dead letters need them.
//!
//! Differs from AWS: bodies are not encrypted, no digest of them is answered, nobody waits for a
//! message (short polling), and message attributes are refused. FIFO queues, redrive and policies
//! are not offered.

pub(super) mod queue;

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::queue::{Message, Queue, after};
use super::{
    arn::{self, ACCOUNT},
    aws_json::{AwsError, read, required},
    random,
    state::{Api, Services},
};

/// SQS's longest message.
const LONGEST_BODY: usize = 1_048_576;
/// SQS's defaults, in seconds.
const VISIBILITY: i64 = 30;
const RETENTION: i64 = 345_600;

/// The operation's answer; `None` if there is no such operation here.
pub(super) fn answer(
    api: &Api,
    operation: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Result<Value, AwsError>> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    Some(match operation {
        "GetQueueUrl" => read(body).and_then(|request| queue_url(api, host, &request)),
        "GetQueueAttributes" => read(body).and_then(|request| attributes(api, &request)),
        "SendMessage" => read(body).and_then(|request| send_message(api, request)),
        "ReceiveMessage" => read(body).and_then(|request| receive(api, &request)),
        "DeleteMessage" => read(body).and_then(|request| delete(api, &request)),
        _ => return None,
    })
}

/// A queue's URL, by whoever serves it.
pub(super) fn url(host: &str, name: &str) -> String {
    format!("http://{host}/{ACCOUNT}/{name}")
}

/// Makes the queue or, if there is one, gives it these properties.
pub(super) fn provide(
    api: &Api,
    name: &str,
    visibility: Option<i64>,
    retention: Option<i64>,
) -> Result<(), AwsError> {
    let visibility = within(
        "VisibilityTimeout",
        visibility.unwrap_or(VISIBILITY),
        0..=43_200,
    )?;
    let retention = within(
        "MessageRetentionPeriod",
        retention.unwrap_or(RETENTION),
        60..=1_209_600,
    )?;
    let created = (api.clock)();
    api.services.change(|services| {
        let queue = services.queues.entry(name.to_owned());
        let queue = queue.or_insert_with(|| Queue {
            created,
            visibility,
            retention,
            messages: Vec::new(),
        });
        (queue.visibility, queue.retention) = (visibility, retention);
        Ok(())
    })
}

/// Whether there is a queue of this ARN.
pub(super) fn exists(api: &Api, queue_arn: &str) -> bool {
    api.services.read(|services| {
        services
            .queues
            .keys()
            .any(|name| arn::queue(name) == queue_arn)
    })
}

/// Puts a message into the queue of this ARN.
pub(super) fn send(api: &Api, queue_arn: &str, body: String) -> Result<(), AwsError> {
    let name = queue_arn.rsplit(':').next().unwrap_or_default();
    put(api, name, body, 0).map(drop)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueNamed {
    queue_name: Option<String>,
}

fn queue_url(api: &Api, host: &str, request: &QueueNamed) -> Result<Value, AwsError> {
    let name = required("QueueName", request.queue_name.as_ref())?;
    api.services
        .read(|services| services.queues.get(name).map(drop))
        .ok_or_else(nonexistent)?;
    Ok(json!({"QueueUrl": url(host, name)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
}

fn attributes(api: &Api, request: &Attributes) -> Result<Value, AwsError> {
    let name = queue_name(request.queue_url.as_ref())?;
    let now = (api.clock)();
    let queue = api
        .services
        .read(|services| services.queues.get(name).cloned())
        .ok_or_else(nonexistent)?;
    let kept: Vec<&Message> = queue
        .messages
        .iter()
        .filter(|message| !queue.forgets(message, now))
        .collect();
    let count = |held: &dyn Fn(&Message) -> bool| {
        kept.iter()
            .filter(|message| held(message))
            .count()
            .to_string()
    };
    let known = BTreeMap::from([
        (
            "ApproximateNumberOfMessages",
            count(&|message| message.visible <= now),
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            count(&|message| message.visible > now && message.received == 0),
        ),
        (
            "ApproximateNumberOfMessagesNotVisible",
            count(&|message| message.visible > now && message.received > 0),
        ),
        ("CreatedTimestamp", queue.created.seconds().to_string()),
        ("MessageRetentionPeriod", queue.retention.to_string()),
        ("QueueArn", arn::queue(name)),
        ("VisibilityTimeout", queue.visibility.to_string()),
    ]);
    let mut found = Map::new();
    for wanted in &request.attribute_names {
        match known.get(wanted.as_str()) {
            Some(value) => drop(found.insert(wanted.clone(), value.clone().into())),
            None if wanted == "All" => {
                found.extend(
                    known
                        .iter()
                        .map(|(name, value)| ((*name).to_owned(), value.clone().into())),
                );
            }
            None => {
                return Err(AwsError::new(
                    "InvalidAttributeName",
                    format!("Unknown Attribute {wanted}."),
                ));
            }
        }
    }
    Ok(json!({"Attributes": found}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_attributes: Option<Map<String, Value>>,
}

fn send_message(api: &Api, request: SendMessage) -> Result<Value, AwsError> {
    let name = queue_name(request.queue_url.as_ref())?;
    if request
        .message_attributes
        .is_some_and(|attributes| !attributes.is_empty())
    {
        return Err(AwsError::new(
            "UnsupportedOperation",
            "Message attributes are not offered here.",
        ));
    }
    let body = request.message_body.filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| {
        AwsError::new(
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        )
    })?;
    let delay = within(
        "DelaySeconds",
        request.delay_seconds.unwrap_or_default(),
        0..=900,
    )?;
    put(api, name, body, delay).map(|id| json!({"MessageId": id}))
}

fn put(api: &Api, name: &str, body: String, delay: i64) -> Result<String, AwsError> {
    if body.len() > LONGEST_BODY {
        let message = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than \
             {LONGEST_BODY} bytes."
        );
        return Err(AwsError::new("InvalidParameterValue", message));
    }
    let (id, sent) = (random::uuid()?, (api.clock)());
    let visible = after(sent, delay);
    let message = Message {
        id: id.clone(),
        body,
        sent,
        visible,
        received: 0,
        receipt: None,
    };
    api.services.change(|services| {
        queue(services, name)?.messages.push(message);
        Ok(id)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    queue_url: Option<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
}

fn receive(api: &Api, request: &Receive) -> Result<Value, AwsError> {
    let name = queue_name(request.queue_url.as_ref())?;
    let most = within(
        "MaxNumberOfMessages",
        request.max_number_of_messages.unwrap_or(1),
        1..=10,
    )?;
    let timeout = request
        .visibility_timeout
        .map(|timeout| within("VisibilityTimeout", timeout, 0..=43_200))
        .transpose()?;
    let now = (api.clock)();
    let mut received = Vec::new();
    api.services.change(|services| {
        let queue = queue(services, name)?;
        let (retention, timeout) = (queue.retention, timeout.unwrap_or(queue.visibility));
        queue
            .messages
            .retain(|message| after(message.sent, retention) > now);
        let most = usize::try_from(most).unwrap_or(1);
        for message in queue
            .messages
            .iter_mut()
            .filter(|message| message.visible <= now)
            .take(most)
        {
            let receipt = random::uuid()?;
            (message.visible, message.received) = (after(now, timeout), message.received + 1);
            received.push(json!({
                "MessageId": message.id,
                "ReceiptHandle": receipt,
                "Body": message.body,
                "Attributes": {
                    "SentTimestamp": message.sent.millis().to_string(),
                    "ApproximateReceiveCount": message.received.to_string(),
                },
            }));
            message.receipt = Some(receipt);
        }
        Ok::<_, AwsError>(())
    })?;
    // An empty queue answers without the member.
    Ok(if received.is_empty() {
        json!({})
    } else {
        json!({"Messages": received})
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
}

/// A receipt that was taken over by a later one deletes nothing, and is no error.
fn delete(api: &Api, request: &Delete) -> Result<Value, AwsError> {
    let name = queue_name(request.queue_url.as_ref())?;
    let receipt = required("ReceiptHandle", request.receipt_handle.as_ref())?;
    api.services.change(|services| {
        queue(services, name)?
            .messages
            .retain(|message| message.receipt.as_ref() != Some(receipt));
        Ok(json!({}))
    })
}

/// The last part of a queue's URL, whoever made the URL.
fn queue_name(url: Option<&String>) -> Result<&str, AwsError> {
    Ok(required("QueueUrl", url)?
        .rsplit('/')
        .next()
        .unwrap_or_default())
}

fn queue<'s>(services: &'s mut Services, name: &str) -> Result<&'s mut Queue, AwsError> {
    services.queues.get_mut(name).ok_or_else(nonexistent)
}

fn nonexistent() -> AwsError {
    AwsError::new("QueueDoesNotExist", "The specified queue does not exist.")
}

fn within(member: &str, value: i64, range: std::ops::RangeInclusive<i64>) -> Result<i64, AwsError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let message = format!(
        "Value {value} for parameter {member} is invalid. Reason: Must be {} to {}.",
        range.start(),
        range.end()
    );
    Err(AwsError::new("InvalidParameterValue", message))
}
