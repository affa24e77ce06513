//! Between domain types and items.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::StoreError, item_keys::ItemKey};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The item of `value` under a key.
pub(crate) fn write<T: Serialize>(at: ItemKey, value: &T) -> Result<Item, StoreError> {
    let mut item: Item =
        serde_dynamo::to_item(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    item.extend(at.into_key());
    Ok(item)
}

/// The value of an item. The cause of a failure never repeats the item.
pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let position = format!("{:?} {:?}", item.get("PK"), item.get("SK"));
    serde_dynamo::from_item(item)
        .map_err(|error| StoreError::Corrupt(format!("{position}: {error}")))
}

/// One attribute's value.
pub(crate) fn value<T: Serialize>(of: &T) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(of).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The attribute that the table's TTL watches.
pub(crate) const EXPIRES: &str = "expires";

/// Its value for an item that may be swept after `at`: Unix seconds.
pub(crate) fn expires(at: Timestamp) -> AttributeValue {
    AttributeValue::N((at.seconds() + 1).to_string())
}

/// An item that may be swept after `at`.
pub(crate) fn sweep_after(mut item: Item, at: Timestamp) -> Item {
    item.insert(EXPIRES.into(), expires(at));
    item
}
