//! Chains audit events: the one consumer of the audit table's stream (LEAK-6).
//!
//! Records come in order per organization and may come more than once; linking an event twice
//! changes nothing. A record that cannot be linked fails the batch, so that the stream sends it
//! again: none is skipped.

use domain::ids::Guid;
use runtime::{Ambient, Env, StartError};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Store, StoreError, Tables};

/// The consumer over its table.
#[derive(Debug)]
pub struct Audit {
    store: Store,
}

/// Opens the consumer over what `env` names.
///
/// # Errors
/// A setting that is missing.
pub fn start(env: &Env, ambient: &Ambient) -> Result<Audit, StartError> {
    // It reads and writes the audit table alone: its role admits no other (LEAK-5).
    let audit = env.required("LATCHKEY_AUDIT_TABLE")?.to_owned();
    let tables = Tables {
        core: audit.clone(),
        feed: audit.clone(),
        audit,
    };
    let entropy = ambient.entropy.clone();
    Ok(Audit {
        store: Store::new(&ambient.aws, tables, ambient.clock.clone(), move || {
            entropy.guid()
        }),
    })
}

#[derive(Deserialize)]
struct Batch {
    /// Each is read by itself: one that cannot be read is a failure of its own.
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventName")]
    name: String,
    dynamodb: Change,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "NewImage", default)]
    new_image: Option<serde_dynamo::Item>,
}

/// An audit event's item.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "PK")]
    partition: String,
    id: Guid,
    body: String,
}

/// Times that a link is tried when another consumer was quicker: during a deployment two may run
/// for a moment.
const MAX_ATTEMPTS: usize = 5;

/// Links every event of a batch. The answer names the record from which the stream must send again,
/// if one failed.
///
/// # Errors
/// When the invocation is no batch of stream records.
pub async fn handle(audit: &Audit, batch: Value) -> Result<Value, StartError> {
    let batch: Batch = serde_json::from_value(batch)?;
    for record in batch.records {
        let number = record["dynamodb"]["SequenceNumber"]
            .as_str()
            .ok_or("a stream record has no sequence number")?
            .to_owned();
        if let Err(error) = link(audit, record).await {
            tracing::error!(%error, sequence_number = number, "an audit event could not be linked");
            return Ok(json!({"batchItemFailures": [{"itemIdentifier": number}]}));
        }
    }
    Ok(json!({"batchItemFailures": []}))
}

async fn link(audit: &Audit, record: Value) -> Result<(), StartError> {
    let record: Record = serde_json::from_value(record)?;
    // The chain's own items stand in the same table.
    let Some(image) = record
        .dynamodb
        .new_image
        .filter(|_| record.name == "INSERT")
    else {
        return Ok(());
    };
    let is_event = image.get("PK").is_some_and(
        |pk| matches!(pk, serde_dynamo::AttributeValue::S(pk) if pk.starts_with("A#")),
    );
    if !is_event {
        return Ok(());
    }
    let event: Event = serde_dynamo::from_item(image)?;
    let organization: Guid = event.partition.trim_start_matches("A#").parse()?;
    for _ in 1..MAX_ATTEMPTS {
        match audit
            .store
            .link_audit_event(organization, event.id, &event.body)
            .await
        {
            Err(StoreError::Changed) => {}
            result => return Ok(result?),
        }
    }
    Ok(audit
        .store
        .link_audit_event(organization, event.id, &event.body)
        .await?)
}
