//! What an organization has of one class, read whole within its bound, so that filters and counts
//! are exact.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use domain::ids::Guid;
use serde::de::DeserializeOwned;

use crate::{
    Store,
    error::StoreError,
    item_keys::{self, Class, ItemKey},
    record::{self, Item},
};

/// What one `BatchGetItem` may ask for.
const BATCH: usize = 100;
/// Times that what a batch left out is asked for again.
const MAX_ATTEMPTS: u32 = 6;

impl Store {
    /// The rows of one class, in order of creation; strongly consistent.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        organization: Guid,
        class: Class,
    ) -> Result<Vec<T>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :list AND begins_with(SK, :class)")
            .expression_attribute_values(":list", AttributeValue::S(item_keys::list(organization)))
            .expression_attribute_values(":class", AttributeValue::S(class.prefix().into()))
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while let Some(item) = pages.next().await {
            rows.push(record::read(item.map_err(StoreError::unavailable)?)?);
        }
        Ok(rows)
    }

    /// The items of these keys of `core`, in the same order; what is gone is left out.
    pub(crate) async fn read_all<T: DeserializeOwned>(
        &self,
        item_keys: Vec<ItemKey>,
    ) -> Result<Vec<T>, StoreError> {
        let found = self.read_items(&item_keys).await?;
        item_keys
            .into_iter()
            .filter_map(|at| found.get(&at).cloned())
            .map(record::read)
            .collect()
    }

    /// The items of these keys of `core`, strongly consistent.
    pub(crate) async fn read_items(
        &self,
        item_keys: &[ItemKey],
    ) -> Result<HashMap<ItemKey, Item>, StoreError> {
        let mut found = HashMap::new();
        // A batch that names an item twice is refused whole.
        let mut seen = HashSet::new();
        let item_keys: Vec<_> = item_keys.iter().filter(|at| seen.insert(*at)).collect();
        for batch in item_keys.chunks(BATCH) {
            let mut wanted: Vec<_> = batch.iter().map(|at| (*at).clone().into_key()).collect();
            for attempt in 0.. {
                let keys = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .consistent_read(true)
                    .build();
                let keys = keys.map_err(|error| StoreError::Corrupt(error.to_string()))?;
                let call = self
                    .client
                    .batch_get_item()
                    .request_items(&self.tables.core, keys);
                let answer = call.send().await.map_err(StoreError::unavailable)?;
                let items = answer
                    .responses
                    .into_iter()
                    .flat_map(HashMap::into_values)
                    .flatten();
                found.extend(items.map(|item| (ItemKey::of(&item), item)));
                wanted = answer
                    .unprocessed_keys
                    .into_iter()
                    .flat_map(HashMap::into_values)
                    .flat_map(|keys| keys.keys)
                    .collect();
                if wanted.is_empty() {
                    break;
                }
                if attempt == MAX_ATTEMPTS {
                    return Err(StoreError::Unavailable(
                        "a batch was left unprocessed".into(),
                    ));
                }
                self.pause(attempt).await;
            }
        }
        Ok(found)
    }
}
