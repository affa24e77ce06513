//! The audit table's one consumer (LEAK-6), handed the table's stream as Lambda hands it over:
//! records come more than once, two consumers may run at the same moment, and what cannot be linked
//! is never skipped.

use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::audit::{self, Link};
use emulator::{
    cloud::streams::{EventSource, Mapping},
    gateway::Invoke,
};
use local::{
    functions::Functions,
    services::{Options, TEMPLATE},
};
use serde_json::{Value, json};
use tests::{Platform, wait::TIMEOUT};

use crate::management_keys::seed_organization;

/// A consumer of its own: not the one that the platform's stream feeds.
struct Consumer(Functions);

impl Consumer {
    async fn over(platform: &Platform) -> Self {
        let services = platform.stack.services();
        Self(
            Functions::start(services.description(), |function| {
                services.ambient_of(function)
            })
            .await
            .unwrap(),
        )
    }

    /// What it answers to a batch.
    async fn handle(&self, records: &[Value]) -> Value {
        self.0
            .invoke("AuditFunction", json!({"Records": records}))
            .await
            .unwrap()
    }
}

/// A platform whose stream reaches nobody: linked is what a test hands over, and nothing else.
async fn unlinked() -> Platform {
    let prefix = r#"{"prefix":"A#"}"#;
    assert_eq!(TEMPLATE.matches(prefix).count(), 1);
    let template = TEMPLATE.replace(prefix, r#"{"prefix":"nothing"}"#);
    Platform::with(Options {
        template,
        ..Options::default()
    })
    .await
}

/// The same with this many events.
async fn with_events(count: usize) -> (Platform, Vec<Value>) {
    let platform = unlinked().await;
    let caller = platform.organization().await;
    for number in 0.. {
        let events = stream(&platform).await;
        if events.len() >= count {
            assert!(chain(&platform).await.is_empty());
            return (platform, events);
        }
        let name = json!({"name": format!("name {number}")});
        assert_eq!(
            caller
                .patch(&format!("/api/banks/{}", platform.seed.bank.guid), &name)
                .await
                .status,
            200
        );
    }
    unreachable!("the loop ends with enough events")
}

/// Every record of the seed organization that the table's stream has held so far.
async fn stream(platform: &Platform) -> Vec<Value> {
    let services = platform.stack.services();
    let arn = &services.description().functions["AuditFunction"].streams[0].arn;
    // Positions are kept by name: a new one starts at the beginning.
    let name = services.ambient().entropy.guid().to_string();
    let mapping = Mapping::from_properties(
        &name,
        &json!({"Stream": arn, "StartingPosition": "TRIM_HORIZON"}),
    )
    .unwrap();
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = records.clone();
    let source = EventSource::start(services.cloud(), mapping, move |event| {
        kept.lock()
            .unwrap()
            .extend(event["Records"].as_array().unwrap().clone());
        async { Ok(Value::Null) }
    });
    source.unwrap().drain_and_stop(TIMEOUT).await.unwrap();
    let mut records = records.lock().unwrap().clone();
    // The platform's own people have a chain of their own.
    let organization = format!("#{}", seed_organization(platform));
    records.retain(|record| {
        record["dynamodb"]["Keys"]["PK"]["S"]
            .as_str()
            .unwrap()
            .contains(&organization)
    });
    assert!(!records.is_empty());
    records
}

/// The seed organization's chain, which must hold.
async fn chain(platform: &Platform) -> Vec<Link> {
    let chain = platform
        .stack
        .services()
        .store()
        .unwrap()
        .audit_chain(seed_organization(platform))
        .await
        .unwrap();
    let texts = chain
        .links
        .iter()
        .map(|link| chain.events[&link.event].as_str());
    let head = audit::verify(chain.links.iter().zip(texts)).unwrap();
    assert_eq!(usize::try_from(head.sequence).unwrap(), chain.links.len());
    chain.links
}

/// The events on the chain, in order.
async fn linked(platform: &Platform) -> Vec<String> {
    chain(platform)
        .await
        .iter()
        .map(|link| link.event.to_string())
        .collect()
}

/// The events of these records, in order.
fn events(records: &[Value]) -> Vec<String> {
    records
        .iter()
        .map(|record| {
            record["dynamodb"]["NewImage"]["id"]["S"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

fn of_class(records: &[Value], name: &str, prefix: &str) -> Vec<Value> {
    let is = |record: &&Value| {
        record["eventName"] == name
            && record["dynamodb"]["Keys"]["PK"]["S"]
                .as_str()
                .unwrap()
                .starts_with(prefix)
    };
    records.iter().filter(is).cloned().collect()
}

fn all_linked() -> Value {
    json!({"batchItemFailures": []})
}

/// The stream's own consumer has linked them; each comes again, alone, with all others, and in two
/// batches at once.
#[tokio::test]
async fn leak_6_linked_events_that_come_again_change_nothing() {
    let platform = Platform::start().await;
    let bank = json!({"name": "Second", "environment": "sandbox"});
    assert_eq!(
        platform
            .organization()
            .await
            .post("/api/banks", &bank)
            .await
            .status,
        201
    );
    platform.drain().await;
    let (before, records) = (chain(&platform).await, stream(&platform).await);
    let inserted = of_class(&records, "INSERT", "A#");
    assert_eq!(
        linked(&platform).await,
        events(&inserted),
        "in the order of the stream"
    );
    assert!(inserted.len() >= 5);

    let (consumer, other) = (
        Consumer::over(&platform).await,
        Consumer::over(&platform).await,
    );
    for record in &inserted {
        assert_eq!(
            consumer.handle(std::slice::from_ref(record)).await,
            all_linked()
        );
    }
    let backwards: Vec<Value> = inserted.iter().rev().chain(&inserted).cloned().collect();
    let both = tokio::join!(consumer.handle(&backwards), other.handle(&records));
    assert_eq!(both, (all_linked(), all_linked()));
    assert_eq!(chain(&platform).await, before);
}

#[tokio::test]
async fn leak_6_a_new_event_is_linked_once_however_often_it_comes() {
    let (platform, records) = with_events(10).await;
    let (consumer, other) = (
        Consumer::over(&platform).await,
        Consumer::over(&platform).await,
    );
    let first = &records[0];
    assert_eq!(
        consumer.handle(&[first.clone(), first.clone()]).await,
        all_linked(),
        "twice in one batch"
    );
    assert_eq!(linked(&platform).await, events(&records[..1]));

    let both = tokio::join!(consumer.handle(&records), other.handle(&records));
    assert_eq!(both, (all_linked(), all_linked()), "two consumers at once");
    assert_eq!(linked(&platform).await, events(&records));
}

/// What makes of an event's item one that is none.
type Corrupt = fn(&mut Value);

/// The batch ends at the record that cannot be linked: the stream sends it again with all that
/// follows, so that no event is skipped and none is linked out of its order.
#[tokio::test]
async fn leak_6_a_corrupt_record_ends_its_batch_and_is_named() {
    let corruptions: [(&str, Corrupt); 7] = [
        ("no body", |image| {
            drop(image.as_object_mut().unwrap().remove("body"));
        }),
        ("a body that is no text", |image| {
            image["body"] = json!({"N": "1"});
        }),
        ("no id", |image| {
            drop(image.as_object_mut().unwrap().remove("id"));
        }),
        ("an id that is no guid", |image| {
            image["id"] = json!({"S": "first"});
        }),
        ("an organization that is no guid", |image| {
            image["PK"] = json!({"S": "A#somebody"});
        }),
        ("an item that DynamoDB cannot have", |image| {
            image["body"] = json!({"S": 1});
        }),
        ("no organization", |image| image["PK"] = json!({"S": "A#"})),
    ];
    let (platform, records) = with_events(corruptions.len() + 2).await;
    let consumer = Consumer::over(&platform).await;
    for (place, (what, corrupt)) in corruptions.into_iter().enumerate() {
        let mut batch = records[place..].to_vec();
        corrupt(&mut batch[1]["dynamodb"]["NewImage"]);
        let invocation = consumer
            .0
            .invoke("AuditFunction", json!({"Records": batch}))
            .await;
        let number = &batch[1]["dynamodb"]["SequenceNumber"];
        assert!(number.is_string());
        let named = json!({"batchItemFailures": [{"itemIdentifier": number}]});
        assert_eq!(
            invocation.map_err(|error| error.message),
            Ok(named),
            "{what}"
        );
        assert_eq!(
            linked(&platform).await,
            events(&records[..=place]),
            "{what}: what came before it and nothing after"
        );
    }
    assert_eq!(
        consumer.handle(&records).await,
        all_linked(),
        "as they stand, they are linked"
    );
    assert_eq!(linked(&platform).await, events(&records));

    // What is no batch is an error, which Lambda tries again; an empty answer would say that all
    // was well.
    for nonsense in [
        json!({}),
        json!({"Records": {}}),
        json!({"Records": [{}]}),
        json!([]),
    ] {
        assert!(
            consumer
                .0
                .invoke("AuditFunction", nonsense.clone())
                .await
                .is_err(),
            "{nonsense}"
        );
    }
    assert_eq!(linked(&platform).await, events(&records));
}

/// The chain's own items stand in the same table, and nothing but a new item is an event.
#[tokio::test]
async fn leak_6_changes_removals_and_links_are_passed_over() {
    let (platform, records) = with_events(5).await;
    let services = platform.stack.services();
    let (table, client) = (
        &services.variables("audit")["LATCHKEY_AUDIT_TABLE"],
        aws_sdk_dynamodb::Client::new(&services.ambient().aws),
    );
    let position = |name: &str, part: &str| {
        let record = if name == "changed" {
            &records[0]
        } else {
            &records[1]
        };
        AttributeValue::S(
            record["dynamodb"]["Keys"][part]["S"]
                .as_str()
                .unwrap()
                .to_owned(),
        )
    };
    let change = client
        .update_item()
        .table_name(table)
        .key("PK", position("changed", "PK"))
        .key("SK", position("changed", "SK"));
    let change = change
        .update_expression("SET seen = :s")
        .expression_attribute_values(":s", AttributeValue::Bool(true));
    change.send().await.unwrap();
    let removal = client
        .delete_item()
        .table_name(table)
        .key("PK", position("removed", "PK"))
        .key("SK", position("removed", "SK"));
    removal.send().await.unwrap();

    let consumer = Consumer::over(&platform).await;
    let all = stream(&platform).await;
    let others: Vec<Value> = [
        of_class(&all, "MODIFY", "A#"),
        of_class(&all, "REMOVE", "A#"),
    ]
    .concat();
    assert_eq!(others.len(), 2);
    assert_eq!(consumer.handle(&others).await, all_linked());
    assert!(chain(&platform).await.is_empty());

    let rest = [&records[..1], &records[2..]].concat();
    assert_eq!(consumer.handle(&rest).await, all_linked());
    let before = chain(&platform).await;
    assert_eq!(linked(&platform).await, events(&rest));
    let all = stream(&platform).await;
    let own: Vec<Value> = [
        of_class(&all, "INSERT", "AC#"),
        of_class(&all, "MODIFY", "AC#"),
    ]
    .concat();
    assert!(
        own.len() > 2 * rest.len(),
        "links, marks, and the head that moved: {}",
        own.len()
    );
    assert_eq!(consumer.handle(&own).await, all_linked());
    assert_eq!(chain(&platform).await, before);
    assert_eq!(
        stream(&platform).await.len(),
        all.len(),
        "nothing was written"
    );
}
