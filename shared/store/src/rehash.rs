//! The operator's walk over every secret's hash, to bring those under older peppers up to date
//! (docs/peppers.md). It scans the table, which no function may (LEAK-5).

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::AttributeValue};
use domain::{
    audit::{Action, Origin},
    ids::Guid,
    secret::SecretHash,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{Store, error::StoreError, item_keys::ItemKey, record, transaction::Transaction};

/// A stored hash, and where it stands.
#[derive(Clone, Debug)]
pub struct StoredHash {
    at: ItemKey,
    /// The hash.
    pub hash: SecretHash,
}

/// Where a page ended.
#[derive(Clone, Debug)]
pub struct PageEnd(HashMap<String, AttributeValue>);

/// What one page of the table has of hashes.
#[derive(Debug)]
pub struct HashPage {
    /// The hashes.
    pub hashes: Vec<StoredHash>,
    /// How many items were looked at.
    pub looked_at: usize,
    /// Where the next page begins; nothing after the last one.
    pub end: Option<PageEnd>,
}

#[derive(Deserialize)]
struct HashRecord {
    hash: SecretHash,
}

/// Times that an update which meets a transaction is tried: a rotation that is under way on the
/// same secret.
const MAX_ATTEMPTS: u32 = 8;

impl Store {
    /// The hashes among the next `items` items of the table; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn hash_page(
        &self,
        after: Option<PageEnd>,
        items: i32,
    ) -> Result<HashPage, StoreError> {
        let answer = self
            .client
            .scan()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .limit(items)
            .set_exclusive_start_key(after.map(|PageEnd(at)| at))
            .filter_expression("begins_with(PK, :keys) AND begins_with(SK, :secrets)")
            .projection_expression("PK, SK, #hash")
            .expression_attribute_names("#hash", "hash")
            .expression_attribute_values(":keys", AttributeValue::S("K#".into()))
            .expression_attribute_values(":secrets", AttributeValue::S("SECRET#".into()))
            .send()
            .await
            .map_err(StoreError::unavailable)?;
        let looked_at = usize::try_from(answer.scanned_count()).unwrap_or_default();
        let end = answer
            .last_evaluated_key()
            .filter(|at| !at.is_empty())
            .cloned()
            .map(PageEnd);
        let hash = |item: record::Item| {
            let at = ItemKey::of(&item);
            record::read(item).map(|HashRecord { hash }| StoredHash { at, hash })
        };
        let hashes = answer
            .items
            .unwrap_or_default()
            .into_iter()
            .map(hash)
            .collect::<Result<_, _>>()?;
        Ok(HashPage {
            hashes,
            looked_at,
            end,
        })
    }

    /// Puts a hash of the same secret in the place of the one that was read; whether it was still
    /// there.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn replace_hash(
        &self,
        stored: &StoredHash,
        by: &SecretHash,
    ) -> Result<bool, StoreError> {
        for attempt in 0..MAX_ATTEMPTS {
            let update = self
                .client
                .update_item()
                .table_name(&self.tables.core)
                .set_key(Some(stored.at.clone().into_key()))
                .update_expression("SET #hash = :new")
                .condition_expression("#hash = :old")
                .expression_attribute_names("#hash", "hash")
                .expression_attribute_values(":new", record::value(by)?)
                .expression_attribute_values(":old", record::value(&stored.hash)?);
            let Err(error) = update.send().await else {
                return Ok(true);
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(false),
                Some(UpdateItemError::TransactionConflictException(_)) => self.pause(attempt).await,
                _ => return Err(StoreError::unavailable(error)),
            }
        }
        Err(StoreError::Contended)
    }

    /// Writes down what the operator is about to do outside these tables, or to too many items for
    /// one transaction.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn note(
        &self,
        action: Action,
        target: &str,
        changes: &BTreeMap<String, Value>,
        origin: &Origin,
    ) -> Result<(), StoreError> {
        self.commit(|now| {
            Transaction::default().audit(
                self,
                now,
                Guid::PLATFORM,
                action,
                &target,
                origin,
                changes.clone(),
            )
        })
        .await
    }
}
