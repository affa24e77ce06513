//! Idempotent creation: what a create made is remembered with the create itself, under the
//! `Idempotency-Key` that it came with, so that two requests of one such key never both create.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, Put};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Store, error::StoreError, item_keys, record, transaction::Transaction};

/// What is remembered of a create, so that it happens once.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// Whose `Idempotency-Key` it is: two principals never meet.
    pub principal: String,
    /// The `Idempotency-Key`. Only its hash is stored.
    pub key: String,
    /// SHA-256 of the request, in hex: another request under the same key is no repetition.
    pub fingerprint: String,
    /// What is made: a `guid` or `client_id`.
    pub target: String,
    /// Until when it is remembered.
    pub ends: Timestamp,
}

/// What an earlier request made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// SHA-256 of that request.
    pub fingerprint: String,
    /// What it made.
    pub target: String,
}

#[derive(Serialize, Deserialize)]
struct StoredIdempotencyRecord {
    #[serde(flatten)]
    made: Replayed,
    ends: Timestamp,
}

impl fmt::Debug for IdempotencyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyRecord")
            .field("principal", &self.principal)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Transaction {
    /// Holds only if no create of this `Idempotency-Key` is remembered. It comes first in its
    /// transaction: that a request is repeated says more than that what it makes is there already.
    pub(crate) fn idempotency(
        self,
        store: &Store,
        now: Timestamp,
        idempotency: Option<&IdempotencyRecord>,
    ) -> Result<Self, StoreError> {
        let Some(IdempotencyRecord {
            principal,
            key,
            fingerprint,
            target,
            ends,
        }) = idempotency
        else {
            return Ok(self);
        };
        let made = Replayed {
            fingerprint: fingerprint.clone(),
            target: target.clone(),
        };
        let item = record::write(
            item_keys::idempotency(principal, key),
            &StoredIdempotencyRecord { made, ends: *ends },
        )?;
        // The sweep lags: what has ended is overwritten.
        let put = Put::builder()
            .condition_expression("attribute_not_exists(PK) OR #ends <= :now")
            .expression_attribute_names("#ends", "ends")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        self.put(
            put,
            &store.tables.core,
            record::sweep_after(item, *ends),
            StoreError::Replayed,
        )
    }
}

impl Store {
    /// What an earlier request of this `Idempotency-Key` made, while that is remembered.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn replayed(
        &self,
        idempotency: &IdempotencyRecord,
    ) -> Result<Option<Replayed>, StoreError> {
        let record: Option<StoredIdempotencyRecord> = self
            .read(item_keys::idempotency(
                &idempotency.principal,
                &idempotency.key,
            ))
            .await?;
        Ok(record
            .filter(|record| self.now() < record.ends)
            .map(|record| record.made))
    }
}
