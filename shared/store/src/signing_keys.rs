//! The published signing keys: what every verifier trusts.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::AttributeValue};
use domain::{kind::Kind, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Store, error::StoreError, positions, record};

/// A public key whose tokens verifiers accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKey {
    /// The RFC 7638 thumbprint.
    pub kid: String,
    /// The RFC 7517 public key.
    pub jwk: serde_json::Value,
    /// When it was published.
    pub published_at: Timestamp,
}

impl Store {
    /// Publishes a key; publishing it again changes nothing.
    ///
    /// # Errors
    /// What any change can meet.
    pub async fn publish_signing_key(&self, kind: Kind, key: &PublishedKey) -> Result<(), StoreError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.tables.core)
            .set_item(Some(record::write(positions::signing_key(kind, &key.kid), key)?))
            .condition_expression("attribute_not_exists(PK)");
        match put.send().await {
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => Ok(()),
            result => result.map(drop).map_err(StoreError::unavailable),
        }
    }

    /// The published keys of a kind; strongly consistent.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn signing_keys(&self, kind: Kind) -> Result<Vec<PublishedKey>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.tables.core)
            .consistent_read(true)
            .key_condition_expression("PK = :kind")
            .expression_attribute_values(":kind", AttributeValue::S(positions::signing_keys(kind)))
            .send()
            .await
            .map_err(StoreError::unavailable)?;
        answer.items.unwrap_or_default().into_iter().map(record::read).collect()
    }
}
