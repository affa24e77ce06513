//! Audit events, written with their change, and their chain, written by the one consumer of the
//! table's stream.

use std::{collections::BTreeMap, fmt::Display};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::{Action, Event, Head, Link, Origin},
    ids::Guid,
    time::Timestamp,
    webhook_url::WebhookUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Store, error::StoreError, item_keys, record, transaction::Transaction};

/// An event as it is stored: the text is what the chain covers.
#[derive(Serialize, Deserialize)]
struct EventRecord {
    id: Guid,
    body: String,
}

/// An organization's audit trail.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The links, from the first.
    pub links: Vec<Link>,
    /// The stored text of every event, linked or not yet, by its identifier.
    pub events: BTreeMap<Guid, String>,
}

impl Transaction {
    /// Writes the audit event of a change with the change (LEAK-6).
    #[expect(clippy::too_many_arguments, reason = "each is a member of the event")]
    pub(crate) fn audit(
        self,
        store: &Store,
        at: Timestamp,
        organization: Guid,
        action: Action,
        target: &impl Display,
        origin: &Origin,
        changes: BTreeMap<String, Value>,
    ) -> Result<Self, StoreError> {
        let event = Event {
            id: store.new_id(),
            at,
            organization,
            action,
            target: target.to_string(),
            origin: origin.clone(),
            changes,
        };
        let body = serde_json::to_string(&event)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let record = EventRecord { id: event.id, body };
        self.create(
            &store.tables.audit,
            record::write(item_keys::audit_event(organization, at, event.id), &record)?,
        )
    }
}

/// What differs between two states of a thing, by member, as `after` has it, null where it has none
/// any more; counters and times of change left out, and what nobody reads in an audit trail.
pub(crate) fn differences(
    before: &impl Serialize,
    after: &impl Serialize,
) -> BTreeMap<String, Value> {
    let members = |value: Result<Value, _>| match value {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let before = members(serde_json::to_value(before));
    let after = members(serde_json::to_value(after));
    let gone: Vec<_> = before
        .keys()
        .filter(|name| !after.contains_key(*name))
        .map(|name| (name.clone(), Value::Null))
        .collect();
    after
        .into_iter()
        .chain(gone)
        .filter(|(name, value)| {
            before.get(name) != Some(value) && name != "version" && name != "updated_at"
        })
        .filter_map(|(name, value)| Some((masked(&name, value)?, name)))
        .map(|(value, name)| (name, value))
        .collect()
}

/// A member as an audit trail shows it: no hash and no secret at all, of a webhook URL only where
/// it leads (ARZ-7).
fn masked(name: &str, value: Value) -> Option<Value> {
    match (name, value) {
        ("hash" | "secret", _) => None,
        ("webhook_url", Value::String(url)) => Some(
            WebhookUrl::parse(&url)
                .map_or_else(|_| "…".into(), |url| url.masked())
                .into(),
        ),
        (_, Value::Object(members)) => {
            let members = members
                .into_iter()
                .filter_map(|(name, value)| Some((masked(&name, value)?, name)));
            Some(Value::Object(
                members.map(|(value, name)| (name, value)).collect(),
            ))
        }
        (name, Value::Array(values)) => Some(
            values
                .into_iter()
                .filter_map(|value| masked(name, value))
                .collect(),
        ),
        (_, value) => Some(value),
    }
}

impl Store {
    /// Links an event, given as it stands in the table, to its organization's chain. Linking it
    /// again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when another consumer linked at the same moment, and what any change
    /// can meet.
    pub async fn link_audit_event(
        &self,
        organization: Guid,
        event: Guid,
        body: &str,
    ) -> Result<(), StoreError> {
        let (linked, head) = tokio::try_join!(
            self.read_audit::<Linked>(item_keys::audit_linked(organization, event)),
            self.read_audit::<HeadRecord>(item_keys::audit_head(organization)),
        )?;
        if linked.is_some() {
            return Ok(());
        }
        let audit = &self.tables.audit;
        let version = head.as_ref().map(|head| head.version);
        let head = head.map_or_else(Head::empty, |record| record.head);
        let link = head.link(event, body);
        let next = HeadRecord {
            head: Head::from(&link),
            version: link.sequence,
        };
        let linked = Linked {
            sequence: link.sequence,
        };
        let result = self.commit(|_| {
            let head_item = record::write(item_keys::audit_head(organization), &next)?;
            let transaction = Transaction::default()
                .create(
                    audit,
                    record::write(item_keys::audit_link(organization, link.sequence), &link)?,
                )?
                .create(
                    audit,
                    record::write(item_keys::audit_linked(organization, event), &linked)?,
                )?;
            match version {
                Some(version) => transaction.replace(audit, head_item, version),
                None => transaction.create(audit, head_item),
            }
        });
        result.await.map_err(|error| {
            if error == StoreError::Exists {
                StoreError::Changed
            } else {
                error
            }
        })
    }

    /// An organization's whole audit trail; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn audit_chain(&self, organization: Guid) -> Result<Chain, StoreError> {
        let links = self
            .query_audit(item_keys::audit_chain(organization), item_keys::AUDIT_LINK)
            .await?;
        let events: Vec<EventRecord> = self
            .query_audit(item_keys::audit_events(organization), "")
            .await?;
        Ok(Chain {
            links,
            events: events
                .into_iter()
                .map(|record| (record.id, record.body))
                .collect(),
        })
    }

    async fn read_audit<T: serde::de::DeserializeOwned>(
        &self,
        at: item_keys::ItemKey,
    ) -> Result<Option<T>, StoreError> {
        let call = self
            .client
            .get_item()
            .table_name(&self.tables.audit)
            .set_key(Some(at.into_key()))
            .consistent_read(true);
        call.send()
            .await
            .map_err(StoreError::unavailable)?
            .item
            .map(record::read)
            .transpose()
    }

    async fn query_audit<T: serde::de::DeserializeOwned>(
        &self,
        partition: String,
        prefix: &str,
    ) -> Result<Vec<T>, StoreError> {
        let mut items = self
            .client
            .query()
            .table_name(&self.tables.audit)
            .consistent_read(true)
            .key_condition_expression("PK = :partition AND SK >= :prefix")
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            // A sort key is never empty; whatever follows the last prefix of a partition begins
            // with it.
            .expression_attribute_values(
                ":prefix",
                AttributeValue::S(if prefix.is_empty() {
                    " ".into()
                } else {
                    prefix.into()
                }),
            )
            .into_paginator()
            .items()
            .send();
        let mut found = Vec::new();
        while let Some(item) = items.next().await {
            found.push(record::read(item.map_err(StoreError::unavailable)?)?);
        }
        Ok(found)
    }
}

#[derive(Serialize, Deserialize)]
struct Linked {
    sequence: u64,
}

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    #[serde(flatten)]
    head: Head,
    version: u64,
}
