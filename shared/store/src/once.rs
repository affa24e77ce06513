//! Idempotent creation: what a create made is remembered with the create itself, under the `Idempotency-Key` that it came
//! with, so that two requests of one such key never both create.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, Put};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Store, error::StoreError, positions, record, transaction::Transaction};

/// A create that happens once.
#[derive(Clone, PartialEq, Eq)]
pub struct Once {
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
pub struct Repeated {
    /// SHA-256 of that request.
    pub fingerprint: String,
    /// What it made.
    pub target: String,
}

#[derive(Serialize, Deserialize)]
struct OnceRecord {
    #[serde(flatten)]
    made: Repeated,
    ends: Timestamp,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("principal", &self.principal).field("target", &self.target).finish_non_exhaustive()
    }
}

impl Transaction {
    /// Holds only if no create of this `Idempotency-Key` is remembered. It comes first in its transaction: that a request is
    /// repeated says more than that what it makes is there already.
    pub(crate) fn once(self, store: &Store, now: Timestamp, once: Option<&Once>) -> Result<Self, StoreError> {
        let Some(Once { principal, key, fingerprint, target, ends }) = once else { return Ok(self) };
        let made = Repeated { fingerprint: fingerprint.clone(), target: target.clone() };
        let item = record::write(positions::once(principal, key), &OnceRecord { made, ends: *ends })?;
        // The sweep lags: what has ended is overwritten.
        let put = Put::builder()
            .condition_expression("attribute_not_exists(PK) OR #ends <= :now")
            .expression_attribute_names("#ends", "ends")
            .expression_attribute_values(":now", AttributeValue::S(now.to_string()));
        self.put(put, &store.tables.core, record::sweep_after(item, *ends), StoreError::Repeated)
    }
}

impl Store {
    /// What an earlier request of this `Idempotency-Key` made, while that is remembered.
    ///
    /// # Errors
    /// What any read can meet.
    pub async fn repeated(&self, once: &Once) -> Result<Option<Repeated>, StoreError> {
        let record: Option<OnceRecord> = self.read(positions::once(&once.principal, &once.key)).await?;
        Ok(record.filter(|record| self.now() < record.ends).map(|record| record.made))
    }
}
